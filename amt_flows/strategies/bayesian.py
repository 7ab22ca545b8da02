"""Bayesian optimisation, the default strategy: a model of the losses so far says where to look next."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from amt_flows.ledger.history import Proposal, TrialRow, TrialState, used_keys
from amt_flows.space.space import Configuration, Scaling, Space
from amt_flows.strategies.cost import CostModel, cost_model
from amt_flows.strategies.evidence import Evidence, gather_relevant, has_loss, relevant, worth_seeing
from amt_flows.strategies.gaussian_process import Array, NotPositiveDefinite, Posterior, condition, fit
from amt_flows.strategies.hints import with_hints
from amt_flows.strategies.improvement_per_time import cheapest
from amt_flows.strategies.one_thread import one_thread
from amt_flows.strategies.outcomes import Outcomes
from amt_flows.strategies.predictions import Predictions
from amt_flows.strategies.quasirandom import QuasiRandom
from amt_flows.strategies.rescaling import changed, rescaled_by
from amt_flows.strategies.search import best_unused
from amt_flows.strategies.unused import is_exhausted

LEAST_INITIAL = 4
MOST_INITIAL = 10
LEAST_WITH_LOSS = 3


@dataclass(frozen=True)
class View:
    """One way to ask the model where to go on: ``part`` is its name in a proposal's source, ``name`` its name
    for a reader."""

    part: str
    name: str
    of: Callable[[Posterior], Predictions]


# With fewer results than this there is nothing worth exploiting, and little that could be told from noise.
TURNS_FROM = 20

# From then on, proposals take turns by their number. The process itself explores: it looks for an improvement
# of the function that it sees. Outcomes exploit: see there. Which of the two a space needs more isn't known
# before, and both learn from what either tried. The idea of a portfolio is that of Hoffman et al. 2011,
# "Portfolio Allocation for Bayesian Optimization"; turns replace its bandit, which has too few rewards to
# learn from.
VIEWS = (
    View("gp", "Gaussian process", lambda posterior: posterior),
    View("gp-results", "Gaussian process with noise", Outcomes),
)


SCALES = {
    Scaling.LINEAR: "linear",
    Scaling.LOGARITHMIC: "logarithmic",
    Scaling.REVERSE_LOGARITHMIC: "reverse logarithmic",
}


@dataclass(frozen=True)
class Bayesian:
    """AMT's ``Bayesian``: quasi-random at first, then where a Gaussian process expects most improvement.

    ``initial`` is how many results the model waits for; None means one per parameter, 4 to 10. Results are
    what counts, not proposals: with many workers more are drawn until they are in. Failed and stopped
    rows are results too, once three rows have a loss.

    With ``prefer_cheap``, the expected improvement is weighed against the time that the job should take
    (``improvement_per_time.py``), once durations can be told from configurations (``cost.py``).

    A number whose scaling was left at Auto may be seen on another scale than the rule's (``rescaling.py``).

    What the model is told about each row is in ``evidence.py``, the model in ``gaussian_process.py``, the two
    ways to look at it in ``outcomes.py``, what is maximised in ``expected_improvement.py``, how in
    ``search.py``.
    """

    ignores_results: ClassVar[bool] = False

    initial: int | None = None
    prefer_cheap: bool = False

    def propose(
        self, space: Space, history: Sequence[TrialRow], *, number: int, seed: int
    ) -> Proposal | None:
        whole, used = history, used_keys(space, history)
        if is_exhausted(space, used):
            return None
        history = worth_seeing(history)
        wanted = self._initial_for(space)
        if any(row.is_hint for row in history):
            # The parents' best, which come first, are an initial design; hints stand for the rest of it.
            wanted = min(wanted, LEAST_WITH_LOSS)
        rows = relevant(space, history)
        results = [row for row in rows if row.state is not TrialState.PENDING]
        with_loss = sum(has_loss(row) for row in results)
        if len(results) < wanted or with_loss < min(LEAST_WITH_LOSS, wanted):
            reason = f"initial design: {with_loss} results with a loss so far, {wanted} wanted"
            return _quasi_random(space, whole, number=number, seed=seed, why=("initial", reason))
        try:
            with one_thread():
                seen = rescaled_by(space, results)
                evidence = with_hints(gather_relevant(seen, rows), seen, history)
                posterior = _posterior(seen, evidence)
                view = VIEWS[number % len(VIEWS) if len(results) >= TURNS_FROM else 0]
                rng = np.random.default_rng([seed, number])
                model = view.of(posterior)
                found = best_unused(model, seen, used, rng)
                costs = cost_model(seen, history) if self.prefer_cheap else None
                promising = found
                if found is not None and costs is not None:
                    found = cheapest(model, seen, used, found, costs=costs, rng=rng)
        except NotPositiveDefinite as error:
            why = ("quasi-random", f"no model: {error}")
            return _quasi_random(space, whole, number=number, seed=seed, why=why)
        if found is None:
            why = ("quasi-random", "all that the model likes is taken")
            return _quasi_random(space, whole, number=number, seed=seed, why=why)
        configuration, log_improvement = found
        reason = _reason(view, evidence, posterior, (seen.encode(configuration), log_improvement))
        if costs is not None and promising is not None and promising != found:
            reason += _saving(costs, seen, promising[0], configuration)
        reason += _scales(changed(space, seen))
        return Proposal(configuration, f"bayesian/{view.part}", reason)

    def _initial_for(self, space: Space) -> int:
        if self.initial is not None:
            return max(1, self.initial)
        return min(max(space.dimension, LEAST_INITIAL), MOST_INITIAL)


def _saving(costs: CostModel, space: Space, promising: Configuration, chosen: Configuration) -> str:
    before, after = costs.seconds(np.array([space.encode(promising), space.encode(chosen)]))
    return f"; should take {_about(after)}, the most promising one {_about(before)}"


def _scales(changed: Mapping[str, Scaling]) -> str:
    return "".join(f"; {name} seen on a {SCALES[scaling]} scale" for name, scaling in changed.items())


def _about(count: float) -> str:
    """For a reader: two digits are all that the model can tell."""
    for unit, length in (("h", 3600), ("min", 60)):
        if count >= 2 * length:
            return f"{count / length:.2g} {unit}"
    return f"{count:.2g} s"


def _posterior(space: Space, evidence: Evidence) -> Posterior:
    categorical = space.unordered
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


def _reason(view: View, evidence: Evidence, posterior: Posterior, found: tuple[Array, float]) -> str:
    """In units of the objective, where the better half of the losses has any spread to measure it by. A loss
    itself would be the objective with its sign turned, which no reader should have to know; better and worse
    than the best so far are the same either way."""
    if evidence.unit == 0.0:
        return f"{view.name}: all results so far are about the same: where least is known"
    place, log_improvement = found
    mean, sd = view.of(posterior).predict(place[None, :])
    gain = (float(evidence.targets.min()) - float(mean[0])) * evidence.unit
    return (
        f"{view.name}: expected {abs(gain):.3g} {'better' if gain > 0 else 'worse'} than the best so far, "
        f"sd {float(sd[0]) * evidence.unit:.2g}, expected improvement "
        f"{math.exp(log_improvement) * evidence.unit:.3g}"
    )
