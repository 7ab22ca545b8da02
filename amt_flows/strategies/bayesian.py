"""Bayesian optimisation, the default strategy: a model of the losses so far says where to look next."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from amt_flows.ledger.history import Proposal, TrialRow, TrialState, used_keys
from amt_flows.names import count
from amt_flows.space.space import Configuration, Scaling, Space
from amt_flows.strategies import Draft
from amt_flows.strategies.cost import CostModel, cost_model
from amt_flows.strategies.evidence import Evidence, gather_relevant, has_loss, relevant, worth_seeing
from amt_flows.strategies.gaussian_process import (
    Array,
    Hyperparameters,
    NotPositiveDefinite,
    Posterior,
    condition,
    fit,
)
from amt_flows.strategies.hints import hints, tried_again, with_hints
from amt_flows.strategies.improvement_per_time import cheapest
from amt_flows.strategies.one_thread import one_thread
from amt_flows.strategies.outcomes import Outcomes
from amt_flows.strategies.predictions import Predictions
from amt_flows.strategies.quasirandom import QuasiRandom
from amt_flows.strategies.rescaling import changed, rescaled_by
from amt_flows.strategies.search import best_of, best_unused, climbed, places_worth_comparing
from amt_flows.strategies.unused import is_exhausted

LEAST_INITIAL = 4
MOST_INITIAL = 10
LEAST_WITH_LOSS = 3

# While the initial design goes on, the model has every other proposal once so many of its results are in. It
# gains where the design is long and a good region shows early. What the design still draws keeps the model
# from staying in the first branch that did well.
LOOKS_AHEAD_FROM = LEAST_INITIAL
ONE_GUESS = 1
"""More starts than a first guess leave the design as it is: after them it made no difference."""


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
class _Known:
    """What a proposal is made from. ``too_little`` says why that can't be by a model yet."""

    space: Space
    history: Sequence[TrialRow]
    rows: Sequence[TrialRow]
    results: Sequence[TrialRow]
    with_loss: int
    too_little: str | None

    def evidence(self, seen: Space | None = None) -> tuple[Space, Evidence]:
        """The space as the model sees it, which is found out unless it is given, and what the model is
        told."""
        seen = seen or rescaled_by(self.space, self.results)
        return seen, with_hints(gather_relevant(seen, self.rows), seen, self.history)


@dataclass(frozen=True)
class Bayesian:
    """AMT's ``Bayesian``: quasi-random at first, then where a Gaussian process expects most improvement.

    ``initial`` is how many results the initial design lasts for; None means one per parameter, 4 to 10.
    Results are what counts, not proposals: with many workers more are drawn until they are in. Failed and
    stopped rows are results too, once three rows have a loss. If it ``shares_design``, model and design take
    turns from the fourth loss on, unless something is known beforehand: several starts, or hints.

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
    shares_design: bool = True

    def propose(
        self, space: Space, history: Sequence[TrialRow], *, number: int, seed: int
    ) -> Proposal | None:
        whole, used = history, used_keys(space, history)
        if is_exhausted(space, used):
            return None
        known = self._known(space, history)
        if known.too_little is not None:
            return _quasi_random(space, whole, number=number, seed=seed, why=("initial", known.too_little))
        try:
            with one_thread():
                seen, evidence = known.evidence()
                posterior = _posterior(seen, evidence)
                view = _view(number, known)
                rng = np.random.default_rng([seed, number])
                model = view.of(posterior)
                found = best_unused(model, seen, used, rng)
                costs = cost_model(seen, known.history) if self.prefer_cheap else None
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

    def draft(self, space: Space, history: Sequence[TrialRow], *, number: int, seed: int) -> Draft | None:
        """A proposal made ahead, while jobs run: what of it takes long. None where there is nothing to draft,
        or nothing to gain."""
        used = used_keys(space, history)
        known = self._known(space, history)
        # The last of the initial design may still run: it is waited for when the proposal is asked for.
        if self.prefer_cheap or known.with_loss < LEAST_WITH_LOSS or is_exhausted(space, used):
            return None
        try:
            with one_thread():
                seen, evidence = known.evidence()
                posterior = _posterior(seen, evidence)
                model = _view(number, known).of(posterior)
                rng = np.random.default_rng([seed, number])
                places = places_worth_comparing(model, seen, used, rng)
                found = best_of(model, seen, used, places)
        except NotPositiveDefinite:
            return None
        if found is None:
            return None
        return _BayesianDraft(self, seen, posterior.hyperparameters, places, found[0], len(known.results))

    def _known(self, space: Space, history: Sequence[TrialRow]) -> _Known:
        history = worth_seeing(history)
        rows = relevant(space, history)
        results = [row for row in rows if row.state is not TrialState.PENDING]
        wanted = self._initial_for(space)
        if any(row.is_hint for row in history):
            if hints(space, history):
                # The parents' best, which come first, are an initial design; hints stand for the rest of it.
                wanted = min(wanted, LEAST_WITH_LOSS)
            else:
                # They have misled: what was tried on their word is no design.
                wanted += tried_again(space, history)
        with_loss = sum(has_loss(row) for row in results)
        too_little = None
        # Starts are in few branches, and a model that has seen no other doesn't leave them: where something
        # is conditional, they are no part of the initial design.
        spread = [row for row in results if not (row.is_start and space.conditions)]
        if len(spread) < wanted or with_loss < min(LEAST_WITH_LOSS, wanted):
            so_far = sum(has_loss(row) for row in spread)
            if not self._looks_ahead(history, so_far):
                too_little = f"initial design: {count(so_far, 'result')} with a loss so far, {wanted} wanted"
        return _Known(space, history, rows, results, with_loss, too_little)

    def _looks_ahead(self, history: Sequence[TrialRow], with_loss: int) -> bool:
        """Whether it is the model's turn, though the initial design isn't over. By the length of the history,
        not by the proposal's number: where several algorithms take turns, all numbers of one may be odd."""
        if not self.shares_design or with_loss < LOOKS_AHEAD_FROM or len(history) % 2 == 1:
            return False
        starts = sum(row.is_start for row in history)
        return starts <= ONE_GUESS and not any(row.is_hint for row in history)

    def _initial_for(self, space: Space) -> int:
        if self.initial is not None:
            return max(1, self.initial)
        return min(max(space.dimension, LEAST_INITIAL), MOST_INITIAL)


@dataclass(frozen=True)
class _BayesianDraft:
    """The model's settings and the places that were compared. With what has come in since, those settings
    give another posterior at once, under which the places are compared anew, and the best one is climbed
    from: a fraction of the time of a fit and a search."""

    strategy: Bayesian
    seen: Space
    settings: Hyperparameters
    places: Array
    chosen: Configuration
    results: int

    def proposal(
        self, space: Space, history: Sequence[TrialRow], *, number: int, seed: int
    ) -> Proposal | None:
        known, used = self.strategy._known(space, history), used_keys(space, history)
        if known.too_little is not None:
            return None
        rng = np.random.default_rng([seed, number])
        try:
            with one_thread():
                _, evidence = known.evidence(self.seen)
                posterior = _conditioned(self.seen, evidence, self.settings)
                view = _view(number, known)
                model = view.of(posterior)
                found = best_of(model, self.seen, used, climbed(model, self.seen, self.places, rng))
        except NotPositiveDefinite:
            return None
        if found is None:
            return None
        configuration, log_improvement = found
        reason = _reason(view, evidence, posterior, (self.seen.encode(configuration), log_improvement))
        since = len(known.results) - self.results
        how = "kept" if configuration == self.chosen else "made again"
        reason += _scales(changed(space, self.seen))
        reason += (
            f"; drafted while jobs ran, {how} with {since} {'result' if since == 1 else 'results'} since"
        )
        return Proposal(configuration, f"bayesian/{view.part}", reason)


def _view(number: int, known: _Known) -> View:
    return VIEWS[number % len(VIEWS) if len(known.results) >= TURNS_FROM else 0]


def _saving(costs: CostModel, space: Space, promising: Configuration, chosen: Configuration) -> str:
    before, after = costs.seconds(np.array([space.encode(promising), space.encode(chosen)]))
    return f"; should take {_about(after)}, the most promising one {_about(before)}"


def _scales(changed: Mapping[str, Scaling]) -> str:
    return "".join(f"; {name} seen on a {SCALES[scaling]} scale" for name, scaling in changed.items())


def _about(seconds: float) -> str:
    """For a reader: two digits are all that the model can tell."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds:.2g} s"


def _posterior(space: Space, evidence: Evidence) -> Posterior:
    return _conditioned(space, evidence, fit(evidence.points, evidence.targets, space.unordered))


def _conditioned(space: Space, evidence: Evidence, settings: Hyperparameters) -> Posterior:
    return condition(
        evidence.points,
        evidence.targets,
        evidence.pending,
        categorical=space.unordered,
        hyperparameters=settings,
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
