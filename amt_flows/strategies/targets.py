"""What the model is told about each row: a place in the cube and a target in place of its loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from amt_flows.history import TrialRow, TrialState
from amt_flows.space import Space
from amt_flows.strategies.gaussian_process import Array


MODE = "half"
FAILMODE = "worst"

@dataclass(frozen=True)
class Told:
    points: Array
    targets: Array
    pending: Array
    best_loss: float
    unit: float

def normal_scores(y: Array) -> Array:
    n = len(y)
    return ndtri((rankdata(y) - 0.5) / n)

def half(y: Array) -> tuple[Array, float]:
    m = np.abs(y).max()
    y0 = y / m if m > 0 else y
    med = np.median(y0)
    d = y0 - med
    good = d <= 0
    scale = math.sqrt(float(np.mean(d[good] ** 2)))
    n = len(y)
    z = normal_scores(y)
    z -= np.median(z)
    if scale > 0:
        z = np.where(good, d / scale, z)
    else:
        z = np.where(good, 0, z)
    return z, scale * m

def transform(y):
    if MODE == "rank":
        return normal_scores(y), 1.0
    if MODE == "half":
        return half(y)
    if MODE == "mix":
        a, u = half(y)
        return 0.5 * (a + normal_scores(y)), u
    if MODE == "win":
        q1, q2, q3 = np.quantile(y, [.25, .5, .75])
        y = np.minimum(y, q3 + 1.5 * (q3 - q2) )
        s = y.std() or 1.0
        return (y - y.mean()) / s, s
    if MODE == "yj":
        from sklearn.preprocessing import power_transform
        return power_transform(y[:, None], method="yeo-johnson")[:, 0], 1.0

def tell(space: Space, history: Sequence[TrialRow], maxrows=256) -> Told:
    rows = [r for r in history if space.contains(r.configuration)]
    done = [r for r in rows if r.state is TrialState.COMPLETED]
    y = np.array([r.loss for r in done])
    t, unit = transform(y)
    enc = lambda rs: np.array([space.encode(r.configuration) for r in rs]).reshape(-1, space.dimension)
    pts = enc(done)
    failed = [r for r in rows if r.state is TrialState.FAILED]
    if failed:
        pts = np.concatenate([pts, enc(failed)])
        t = np.concatenate([t, np.full(len(failed), t.max())])
    return Told(pts, t, enc([r for r in rows if r.state is TrialState.PENDING]), float(y.min()), unit)
