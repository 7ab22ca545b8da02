"""What a job that was cut short would have ended with, judged by completed jobs that stood where it stood."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from amt_flows.ledger.history import Curve, TrialRow
from amt_flows.strategies.gaussian_process import Array

# So many completed jobs must have reached the epoch at which a job was stopped; their median needs three.
LEAST_ALIKE = 3

# More completed jobs than this make the estimate no better.
MAX_COMPLETED = 256


def expected_finals(stopped: Sequence[TrialRow], completed: Sequence[TrialRow]) -> Array:
    """Per stopped row (shape ``(len(stopped),)``) the loss that it is expected to have ended with.

    Of the completed rows whose curve reaches the epoch where it stopped, those next to it in rank at that
    epoch are its like: the square root of how many there are, and at least ``LEAST_ALIKE``. The estimate
    is the median of what these ended with. Where early values say little about final ones, the like of
    a good and of a poor value end the same on average, so the estimate leans to the middle by itself;
    and a median of three or more is never better than the best completed job.

    NaN where the row has no curve or too few completed ones reach that far.
    """
    completed = [row for row in completed if row.curve][-MAX_COMPLETED:]
    finals = np.array([row.loss for row in completed], dtype=np.float64)
    standings: dict[int, Array] = {}
    expected = np.full(len(stopped), math.nan)
    for k, row in enumerate(stopped):
        if not row.curve or not math.isfinite(row.curve[-1][1]):
            continue
        epoch, value = row.curve[-1]
        if epoch not in standings:
            standings[epoch] = np.array([standing(other.curve, epoch) for other in completed])
        expected[k] = _final_of_the_like(value, standings[epoch], finals)
    return expected


def standing(curve: Curve, epoch: int) -> float:
    """The last value of ``curve`` at or before ``epoch``; NaN if it doesn't reach that epoch."""
    if not curve or curve[-1][0] < epoch:
        return math.nan
    passed = bisect_right(curve, epoch, key=lambda point: point[0])
    return curve[passed - 1][1] if passed else math.nan


def _final_of_the_like(value: float, standings: Array, finals: Array) -> float:
    reached = np.flatnonzero(np.isfinite(standings))
    if len(reached) < LEAST_ALIKE:
        return math.nan
    # By rank, so that one freak value among them changes nothing.
    ordered = reached[np.argsort(standings[reached], kind="stable")]
    count = max(LEAST_ALIKE, math.isqrt(len(ordered)))
    place = int(np.searchsorted(standings[ordered], value))
    first = min(max(place - count // 2, 0), len(ordered) - count)
    # The lower middle one: the mean of two could overflow.
    return float(np.sort(finals[ordered[first : first + count]])[(count - 1) // 2])
