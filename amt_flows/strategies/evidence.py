"""What the model is told: a place in the cube and a target for each row, made robust.

Targets have no unit. They are about centred on the median loss, smaller is better, and most lie
between -3 and 3 whatever the losses are.
"""

from __future__ import annotations

import heapq
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from amt_flows.ledger.history import TrialRow, TrialState, held_back
from amt_flows.space.space import Space
from amt_flows.strategies.cut_short import expected_finals
from amt_flows.strategies.gaussian_process import Array

# How many rows the model sees. Its cost grows with the cube of them, its use of far more of them is small.
MAX_ROWS = 256
MAX_PENDING = 128

# Of a longer history so many rows are looked at, at most: four times as many as the model sees, so that what
# is judged by the others (a median, a rank) hardly changes.
MOST_OF_A_HISTORY = 1024
FIRST_RESULTS = 64
"""Those by which scales are chosen (``rescaling.py``)."""

# A failed row's target is the worst seen, and at least this when there is hardly anything to compare with.
FAILED_AT_LEAST = 1.0


@dataclass(frozen=True)
class Evidence:
    """``points`` (shape ``(n, d)``, of the cube) with ``targets`` (``(n,)``), ``pending`` places (``(p, d)``.

    ``unit`` is the loss that one unit of target stands for among the better half of the rows (0 if they are
    all the same).
    """

    points: Array
    targets: Array
    pending: Array
    unit: float


def has_loss(row: TrialRow) -> bool:
    """Whether the row ended with a loss to learn from."""
    return (
        row.state in (TrialState.COMPLETED, TrialState.STOPPED)
        and row.loss is not None
        and math.isfinite(row.loss)
    )


def worth_seeing(history: Sequence[TrialRow]) -> Sequence[TrialRow]:
    """The rows of a long history that a proposal is made from, in their order: the first results, the best
    ones, the most recent ones, what is pending, and all hints. A short one is seen whole."""
    if len(history) <= MOST_OF_A_HISTORY:
        return history
    results = [row for row in history if row.state is not TrialState.PENDING and not row.is_hint]
    others = [row for row in history if row.state is TrialState.PENDING or row.is_hint]
    if len(results) <= MOST_OF_A_HISTORY:
        return history
    best = heapq.nsmallest(MAX_ROWS, filter(has_loss, results), key=lambda row: row.loss or 0.0)
    recent = results[-(MOST_OF_A_HISTORY - MAX_ROWS - FIRST_RESULTS) :]
    kept = {row.number: row for row in (*results[:FIRST_RESULTS], *best, *recent, *others)}
    return [kept[number] for number in sorted(kept)]


def relevant(space: Space, history: Sequence[TrialRow]) -> list[TrialRow]:
    """The rows that tell something here: hints do so elsewhere (``hints.py``), others lie in ``space``."""
    return [row for row in history if not row.is_hint and space.contains(row.configuration)]


def ended(space: Space, history: Sequence[TrialRow]) -> list[TrialRow]:
    """Those of the relevant rows that are results, a failure being one."""
    return [row for row in relevant(space, history) if row.state is not TrialState.PENDING]


def gather(space: Space, history: Sequence[TrialRow]) -> Evidence:
    """The evidence in ``history``. Rows whose configuration lies outside ``space`` tell nothing here, nor do
    hints (see ``hints.py``).

    A failed row gets the worst target: bad enough that its surroundings are avoided, and within the
    range of the others, so that the model isn't bent by an invented number. Of more than ``MAX_ROWS``
    rows, the better half of that number and the most recent others are kept; of more than
    ``MAX_PENDING`` pending ones, the most recent.

    Raises ValueError when no row ended with a loss.
    """
    return gather_relevant(space, relevant(space, history))


def gather_relevant(space: Space, rows: Sequence[TrialRow]) -> Evidence:
    """:func:`gather` of rows that are known to be relevant. Whether a row is takes as long to find out as all
    the rest."""
    valued = [row for row in rows if has_loss(row)]
    if not valued:
        raise ValueError("no row ended with a loss")
    losses = honest_losses(valued)
    values, unit = targets_of(losses)
    failed = [row for row in rows if row.state is not TrialState.PENDING and not has_loss(row)]
    told = valued + failed
    targets = np.concatenate([values, np.full(len(failed), max(FAILED_AT_LEAST, float(values.max())))])
    kept = select(targets, np.array([row.number for row in told]))
    pending = [row for row in rows if row.state is TrialState.PENDING][-MAX_PENDING:]
    return Evidence(
        points=_places(space, [told[i] for i in kept]),
        targets=targets[kept],
        pending=_places(space, pending),
        unit=unit,
    )


def honest_losses(rows: Sequence[TrialRow]) -> Array:
    """The losses of completed and stopped rows, in their order.

    What a stopped job would have ended with is unknown. Where enough completed jobs have curves, it is what
    those ended with that stood like it at the epoch where it stopped (``cut_short.py``). Otherwise it is held
    back by the completed ones (:func:`amt_flows.ledger.history.held_back`).
    """
    losses = np.array([row.loss for row in rows], dtype=np.float64)
    stopped = np.array([row.state is TrialState.STOPPED for row in rows])
    if stopped.all():
        return losses
    completed = losses[~stopped]
    held = held_back(losses[stopped].tolist(), completed.tolist())
    expected = expected_finals(
        [row for row in rows if row.state is TrialState.STOPPED],
        [row for row in rows if row.state is not TrialState.STOPPED],
    )
    losses[stopped] = np.where(np.isnan(expected), held, expected)
    return losses


def targets_of(losses: Array) -> tuple[Array, float]:
    """Targets in the order of ``losses`` (equal losses, equal targets), and the loss that a unit stands for.

    Below the median, differences matter: targets are linear in the loss, in units of its spread
    there, up to a bound set by the rank, so that a freak result can't flatten all others. Above it only
    the order does: a diverged run is bad, and how badly it diverged is nobody's interest. (After the
    half-rank warping of Song et al. 2024, "The Vizier Gaussian Process Bandit Algorithm".)
    """
    # A quarter of each: two losses may lie further apart than the largest float.
    below = _median(losses) / 4 - losses / 4
    better = below >= 0
    scores = ndtri((_ranks(losses) - 0.5) / len(losses))
    spread = _spread(below[better])
    if spread == 0.0:
        return np.where(better, 0.0, scores), 0.0
    with np.errstate(over="ignore"):  # the bound is less than infinity
        gains = np.minimum(below / spread, 1.0 + 2.0 * np.abs(scores))
    return np.where(better, -gains, scores), min(4 * spread, sys.float_info.max)


def _ranks(losses: Array) -> Array:
    """From 1 on; equal losses have the mean of theirs. scipy's takes a third of a second to load."""
    _, place, amounts = np.unique(losses, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(amounts) - (amounts - 1) / 2)[place])


def _spread(gaps: Array) -> float:
    """A robust standard deviation of a half-normal sample: from its median, or from its mean square if
    that is 0 because of ties."""
    largest = float(gaps.max())
    if largest == 0.0:
        return 0.0
    shares = gaps / largest
    return largest * (float(np.median(shares)) / 0.674 or float(np.sqrt(np.mean(shares**2))))


def select(targets: Array, numbers: npt.NDArray[np.int64], limit: int = MAX_ROWS) -> list[int]:
    """Which rows to keep, at most ``limit``: the best half of that, then the most recent of the others."""
    if len(targets) <= limit:
        return list(range(len(targets)))
    by_target = np.argsort(targets, kind="stable")
    best, others = by_target[: limit // 2], by_target[limit // 2 :]
    recent = others[np.argsort(-numbers[others], kind="stable")[: limit - len(best)]]
    return sorted(int(i) for i in np.concatenate([best, recent]))


def _median(losses: Array) -> float:
    # A loss that exists, so that "at the median" is exact; and no sum of two numbers near the largest float.
    return float(np.sort(losses)[(len(losses) - 1) // 2])


def _places(space: Space, rows: Sequence[TrialRow]) -> Array:
    return np.array([space.encode(row.configuration) for row in rows]).reshape(-1, space.dimension)
