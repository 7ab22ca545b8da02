"""Bayesian optimisation, the default strategy: a model of the losses so far says where to look next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from amt_flows.history import Proposal, TrialRow, TrialState
from amt_flows.space import Categorical, Space, Value
from amt_flows.strategies.evidence import Evidence, gather, has_loss
from amt_flows.strategies.gaussian_process import NotPositiveDefinite, Posterior, condition, fit
from amt_flows.strategies.one_thread import one_thread
from amt_flows.strategies.quasirandom import QuasiRandom
from amt_flows.strategies.search import best_unused
from amt_flows.strategies.unused import is_exhausted, used_keys

LEAST_INITIAL = 4
MOST_INITIAL = 10
LEAST_WITH_LOSS = 3


@dataclass(frozen=True)
class Bayesian:
    """AMT's ``Bayesian``: quasi-random at first, then where a Gaussian process expects most improvement.

    ``initial`` is how many results the model waits for; None means one per parameter, 4 to 10. Results are
    what counts, not proposals: with many workers more are drawn until they are in. Failed and stopped
    rows are results too, once three rows have a loss.

    What the model is told about each row is in ``evidence.py``, the model in ``gaussian_process.py``, what
    it maximises in ``expected_improvement.py``, how in ``search.py``.
    """

    ignores_results: ClassVar[bool] = False

    initial: int | None = None

    def propose(
        self, space: Space, history: Sequence[TrialRow], *, number: int, seed: int
    ) -> Proposal | None:
        used = used_keys(space, history)
        if is_exhausted(space, used):
            return None
        wanted = self._initial_for(space)
        ended = [r for r in history if r.state is not TrialState.PENDING and space.contains(r.configuration)]
        with_loss = sum(has_loss(row) for row in ended)
        if len(ended) < wanted or with_loss < min(LEAST_WITH_LOSS, wanted):
            reason = f"initial design: {with_loss} results with a loss so far, {wanted} wanted"
            return _quasi_random(space, history, number=number, seed=seed, why=("initial", reason))
        evidence = gather(space, history)
        try:
            with one_thread():
                posterior = _posterior(space, evidence)
                found = best_unused(posterior, space, used, np.random.default_rng([seed, number]))
        except NotPositiveDefinite as error:
            why = ("quasi-random", f"no model: {error}")
            return _quasi_random(space, history, number=number, seed=seed, why=why)
        if found is None:
            why = ("quasi-random", "all that the model likes is taken")
            return _quasi_random(space, history, number=number, seed=seed, why=why)
        configuration, log_improvement = found
        reason = _reason(space, evidence, posterior, configuration, log_improvement)
        return Proposal(configuration, "bayesian/gp", reason)

    def _initial_for(self, space: Space) -> int:
        if self.initial is not None:
            return max(1, self.initial)
        return min(max(space.dimension, LEAST_INITIAL), MOST_INITIAL)


def _posterior(space: Space, evidence: Evidence) -> Posterior:
    categorical = np.array([isinstance(p, Categorical) for p in space.parameters])
    return condition(
        evidence.points,
        evidence.targets,
        evidence.pending,
        categorical=categorical,
        hyperparameters=fit(evidence.points, evidence.targets, categorical),
    )


def _quasi_random(
    space: Space, history: Sequence[TrialRow], *, number: int, seed: int, why: tuple[str, str]
) -> Proposal | None:
    drawn = QuasiRandom().propose(space, history, number=number, seed=seed)
    part, reason = why
    return None if drawn is None else Proposal(drawn.configuration, f"bayesian/{part}", reason)


def _reason(
    space: Space, evidence: Evidence, posterior: Posterior, configuration: dict[str, Value], log_ei: float
) -> str:
    """In units of the objective, where the better half of the losses has any spread to measure it by. A loss
    itself would be the objective with its sign turned, which no reader should have to know."""
    if evidence.unit == 0.0:
        return "all results so far are about the same: where least is known"
    _, sd = posterior.predict(space.encode(configuration)[None, :])
    return (
        f"expected improvement {math.exp(log_ei) * evidence.unit:.3g} on the best so far, "
        f"sd {float(sd[0]) * evidence.unit:.2g}"
    )
