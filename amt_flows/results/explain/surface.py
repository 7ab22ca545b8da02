"""The objective over the space as a tuning job's results show it: what all explanations are computed from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from weakref import WeakKeyDictionary

import numpy as np
from scipy.linalg import cho_solve

from amt_flows.errors import AmtFlowsError
from amt_flows.ledger.history import TrialState
from amt_flows.ledger.ledger import Ledger
from amt_flows.names import count
from amt_flows.results.explain.plausible import PlausibleFunctions, plausible_functions
from amt_flows.results.explain.spread import spread_out
from amt_flows.space.space import Categorical, Continuous, Parameter, Space
from amt_flows.strategies.evidence import MAX_ROWS, has_loss, honest_losses
from amt_flows.strategies.gaussian_process import (
    Array,
    Mask,
    NotPositiveDefinite,
    Posterior,
    condition,
    fit,
)
from amt_flows.strategies.one_thread import one_thread

# Results beyond this many quartile ranges from the middle half are held at that limit ("far out" in
# Tukey 1977, "Exploratory Data Analysis"): of one diverged job all variance would be that job's.
FAR_OUT = 3.0

# Where there are constraints, so many times as many places are drawn until enough meet them; with fewer than
# these nothing is said.
TIMES_DRAWN = (1, 8)
FEWEST = 32


class NothingToExplain(AmtFlowsError):
    """There are too few results, or they don't differ."""


@dataclass(frozen=True)
class Surface:
    """``functions`` are in targets; the objective is ``centre + unit * target`` (``unit`` is negative where
    larger is better, so that smaller targets are better). ``predictability``: see :func:`predictability`.
    """

    space: Space
    functions: PlausibleFunctions
    centre: float
    unit: float
    predictability: float


def results_wanted(space: Space) -> int:
    """How many completed training jobs an explanation needs at least."""
    return 2 * space.dimension + 3


def predictability(ledger: Ledger) -> float:
    """How much of the variance of the results the model foretells when each is left out in turn, from 0 to 1.

    Where it is low, what the model says of the hyperparameters says little about the objective: results are
    noisy, or too few. Raises NothingToExplain.
    """
    return surface_of(ledger).predictability


_kept: WeakKeyDictionary[Ledger, tuple[int, Surface]] = WeakKeyDictionary()
"""The last of each ledger, and of how many ended jobs it is: a report asks for it again and again."""


def surface_of(ledger: Ledger) -> Surface:
    """The surface by the completed training jobs and those cut short, of whose end as much is believed as the
    optimiser believes; failures tell nothing about the objective's values. Jobs of parents count where their
    values can be compared with ours. Of several algorithms it is the leading one's. Raises NothingToExplain.
    """
    of, surface = _kept.get(ledger, (-1, None))
    if surface is None or of != len(ledger.ended):
        surface = _surface_of(ledger)
        _kept[ledger] = len(ledger.ended), surface
    return surface


def _surface_of(ledger: Ledger) -> Surface:
    ledger = ledger.of_one_algorithm()
    space = ledger.spec.space()
    rows = [
        row
        for row in ledger.history()
        if has_loss(row) and not row.is_hint and space.contains(row.configuration)
    ]
    completed = sum(row.state is TrialState.COMPLETED for row in rows)
    wanted = results_wanted(space)
    if completed < wanted:
        raise NothingToExplain(
            "Too few results to explain the objective: "
            f"{count(completed, 'completed training job')} with a value, "
            f"at least {wanted} are needed for {count(space.dimension, 'hyperparameter')}.",
            remedy="ask again when more training jobs have completed",
        )
    losses = honest_losses(rows)
    if losses.min() == losses.max():
        raise NothingToExplain(
            f"All {len(rows)} results are the same: no hyperparameter made a difference.",
            remedy="tune other hyperparameters, or over wider ranges",
        )
    kept = _spread_over(losses)
    points = np.array([space.encode(rows[i].configuration) for i in kept])
    targets, centre, unit = _targets(losses[kept])
    try:
        functions, foretold = _fitted(space, points.tobytes(), targets.tobytes())
    except NotPositiveDefinite as error:
        raise NothingToExplain(f"No model of these results can be made: {error}.") from error
    sign = -1.0 if ledger.spec.maximize else 1.0
    return Surface(space, functions, sign * centre, sign * unit, foretold)


def _spread_over(losses: Array) -> list[int]:
    """Which results to use: all, or as many as the model can take, of good, middling and bad ones alike."""
    if len(losses) <= MAX_ROWS:
        return list(range(len(losses)))
    spread = np.linspace(0, len(losses) - 1, MAX_ROWS).astype(int)
    return sorted(int(i) for i in np.argsort(losses, kind="stable")[spread])


def _targets(losses: Array) -> tuple[Array, float, float]:
    """Centred, of spread one and without freaks; then what 0 and 1 of them are as a loss. Otherwise linear,
    so that shares of their variance are shares of the objective's."""
    # In units of the largest, then of what is left of them: squares of losses may be too large for a float,
    # and those of losses beside a freak too small.
    largest = float(np.abs(losses).max())
    shares = losses / largest
    low, high = np.quantile(shares, [0.25, 0.75])
    if high > low:
        reach = FAR_OUT * (high - low)
        shares = np.clip(shares, low - reach, high + reach)
    middle = float(np.median(shares))
    widest = float(np.abs(shares - middle).max())
    gaps = (shares - middle) / widest
    mean, sd = float(gaps.mean()), float(gaps.std())
    return (gaps - mean) / sd, (middle + widest * mean) * largest, widest * sd * largest


# Several pictures and a report are made of the same results, one after another.
@lru_cache(maxsize=2)
def _fitted(space: Space, points_bytes: bytes, targets_bytes: bytes) -> tuple[PlausibleFunctions, float]:
    points = np.frombuffer(points_bytes).reshape(-1, space.dimension)
    targets = np.frombuffer(targets_bytes)
    categorical = space.unordered
    choices = tuple(
        len(p.choices) if isinstance(p, Categorical) and unordered else 0
        for p, unordered in zip(space.parameters, categorical, strict=True)
    )
    with one_thread():
        posterior = condition(
            points,
            targets,
            np.empty((0, space.dimension)),
            categorical=categorical,
            hyperparameters=fit(points, targets, categorical),
        )
        return plausible_functions(posterior, targets, choices), _foretold(posterior, targets)


def _foretold(posterior: Posterior, targets: Array) -> float:
    """One less the mean square of errors when each result is left out in turn, as a share of the variance
    (Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", section 5.4.2)."""
    inverse = cho_solve((posterior.factor, True), np.eye(len(targets)))
    errors = posterior.weights / np.diag(inverse)
    return max(0.0, 1.0 - float(np.mean(errors**2) / targets.var()))


def on_values(space: Space, places: Array) -> Array:
    """The places (shape ``(m, d)``) moved to those of values that each parameter can have: the model is not
    asked about what lies between them. Which of them a configuration has is another question
    (``Space.settled``)."""
    columns = [_on_values(p, places[:, j]) for j, p in enumerate(space.parameters)]
    return np.stack(columns, axis=1)


def allowed(space: Space, places: Array) -> Mask:
    """Which of the places (shape ``(m, d)``) are those of configurations that meet all constraints."""
    if not space.constraints:
        return np.ones(len(places), dtype=bool)
    return np.array([space.allows(space.decode(place)) for place in places], dtype=bool)


def spread_over_allowed(space: Space, dimension: int, amount: int) -> tuple[Array, ...]:
    """As :func:`spread_out`, in blocks of as many columns as ``space`` has, each on its values, and all of as
    many rows whose configurations meet all constraints: half of ``amount`` to all of it, if that many are
    found. Raises NothingToExplain where they are too rare to tell anything."""
    d, rows = space.dimension, 0
    for times in TIMES_DRAWN:
        spread = spread_out(dimension, times * amount)
        blocks = [on_values(space, spread[:, first : first + d]) for first in range(0, dimension, d)]
        kept = [block[allowed(space, block)][:amount] for block in blocks]
        rows = min(len(block) for block in kept)
        if 2 * rows >= amount:
            break
    if rows < FEWEST:
        raise NothingToExplain(
            f"The constraints are met by too few configurations to explain the objective over them: "
            f"{rows} of {len(spread)} at random.",
            remedy="narrow the ranges to where the constraints hold",
        )
    return tuple(block[:rows] for block in kept)


def _on_values(parameter: Parameter, column: Array) -> Array:
    if isinstance(parameter, Continuous) and parameter.size is None:
        return column
    return np.array([parameter.encode(parameter.decode(float(u))) for u in column])
