from __future__ import annotations
import math
from collections.abc import Sequence
from dataclasses import dataclass
import numpy as np
from amt_flows.history import Proposal, TrialRow, TrialState
from amt_flows.space import Categorical, Space
from amt_flows.strategies import gaussian_process as gp, acquisition
from amt_flows.strategies.targets import tell
from amt_flows.strategies.quasirandom import QuasiRandom
from amt_flows.strategies.unused import used_keys

STORIES = 8
BELIEVER = False
INIT = lambda d: min(max(4, d), 10)

@dataclass(frozen=True)
class Bayesian:
    initial: int | None = None

    def propose(self, space, history, *, number, seed):
        n0 = INIT(space.dimension)
        done = [r for r in history if r.state is TrialState.COMPLETED]
        if len(done) < n0:
            p = QuasiRandom().propose(space, history, number=number, seed=seed)
            return p and Proposal(p.configuration, "bayesian/initial", "initial")
        rng = np.random.default_rng([seed, number])
        told = tell(space, history)
        cat = np.array([isinstance(p, Categorical) for p in space.parameters])
        hp = gp.fit(told.points, told.targets, cat)
        p = len(told.pending)
        dev = np.zeros((p, 1)) if BELIEVER or p == 0 else rng.standard_normal((p, STORIES))
        post = gp.condition(told.points, told.targets, told.pending, categorical=cat, hyperparameters=hp, deviates=dev)
        best = told.points[np.argsort(told.targets, kind="stable")[:5]]
        r = acquisition.maximise(post, space, used_keys(space, history), best, rng)
        if r is None:
            return QuasiRandom().propose(space, history, number=number, seed=seed)
        return Proposal(r[0], "bayesian/gp", f"{math.exp(r[1])*told.unit:.3g}")
