"""Where the acquisition function is highest: a search of the mixed space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from amt_flows.space import Continuous, Categorical, Integer, Space, Value, configuration_key
from amt_flows.strategies.expected_improvement import log_expected_improvement, with_gradient
from amt_flows.strategies.gaussian_process import Array, Posterior
from amt_flows.strategies.quasirandom import sobol_points
from scipy.stats import qmc

LISTED = 1500
BROAD = 512
NEAR = 300
STARTS = 5
SMOOTH = 16

def snap(space, points):
    return np.array([space.encode(space.decode(p)) for p in points]).reshape(-1, space.dimension)

def smooth_mask(space):
    return np.array([not isinstance(p, Categorical) and (p.size is None or p.size > SMOOTH) for p in space.parameters])

def near(space, best, rng, count):
    d = space.dimension
    base = best[rng.integers(len(best), size=count)]
    sd = 10 ** rng.uniform(-2.3, -0.5, size=(count, 1))
    moved = base + sd * rng.standard_normal((count, d))
    k = rng.integers(1, d + 1, size=count)
    keep = rng.random((count, d)).argsort(1) >= k[:, None]
    cat = np.array([isinstance(p, Categorical) for p in space.parameters])
    moved = np.where(cat[None], rng.random((count, d)), moved)
    moved = np.where(moved < 0, -moved, moved); moved = np.where(moved > 1, 2 - moved, moved)
    return np.clip(np.where(keep, base, moved), 0, 1)

def moves(space, p, mask):
    out = []
    for j, par in enumerate(space.parameters):
        if mask[j]: continue
        size = par.size
        for k in range(size):
            u = par.encode(par.value_at(k))
            if u != p[j]:
                q = p.copy(); q[j] = u; out.append(q)
    return np.array(out).reshape(-1, len(p))

def neighbours(space, p, mask):
    out = []
    for j, par in enumerate(space.parameters):
        if not mask[j] or par.size is None: continue
        v = par.decode(p[j])
        for s in (-1, 1):
            w = v + s * par.step
            if par.low <= w <= par.high:
                q = p.copy(); q[j] = par.encode(w); out.append(q)
    return np.array(out).reshape(-1, len(p))

def climb(posterior, space, p, mask):
    idx = np.flatnonzero(mask)
    if len(idx) == 0: return p
    def f(x):
        q = p.copy(); q[idx] = x
        v, g = with_gradient(posterior, q)
        return -v, -g[idx]
    r = minimize(f, p[idx], jac=True, bounds=[(0, 1)] * len(idx), method="L-BFGS-B", options={"maxiter": 25})
    q = p.copy(); q[idx] = np.clip(r.x, 0, 1)
    return q

def maximise(posterior, space, used, best, rng):
    d = space.dimension
    if space.size is not None and space.size <= LISTED:
        cs = [c for c in space.grid() if configuration_key(c) not in used]
        P = np.array([space.encode(c) for c in cs])
        v = log_expected_improvement(posterior, P)
        i = int(np.argmax(v))
        return cs[i], float(v[i])
    broad = qmc.Sobol(d, scramble=True, seed=rng).random(BROAD)
    P = snap(space, np.concatenate([broad, near(space, best, rng, NEAR)]))
    v = log_expected_improvement(posterior, P)
    order = np.argsort(-v, kind="stable")
    starts = P[order[:STARTS]]
    # spread: best of broad too
    mask = smooth_mask(space)
    finals = []
    for p in starts:
        for _ in range(2):
            q = snap(space, [climb(posterior, space, p, mask)])[0]
            c = np.concatenate([q[None], p[None], moves(space, q, mask), neighbours(space, q, mask)])
            w = log_expected_improvement(posterior, c)
            new = c[int(np.argmax(w))]
            if (new == p).all(): break
            p = new
        finals.append(c[np.argsort(-w)[:3]])
    F = np.concatenate([*finals, P[order[:20]]])
    w = log_expected_improvement(posterior, F)
    for i in np.argsort(-w, kind="stable"):
        c = space.decode(F[i])
        if configuration_key(c) not in used:
            return c, float(w[i])
    return None
