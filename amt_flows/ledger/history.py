"""What a strategy may see of a tuning job: one row per trial, and the answer it gives."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from amt_flows.space.space import Configuration

Curve: TypeAlias = tuple[tuple[int, float], ...]


class TrialState(str, Enum):
    """Where a trial stands, in the four ways that matter to a strategy."""

    PENDING = "pending"
    """Proposed, queued or running: it takes a place in the space but has no final value."""
    COMPLETED = "completed"
    """Ended with a finite final value."""
    STOPPED = "stopped"
    """Cut short (early stopping, a time limit): ``loss`` is where it stood, not where it would have ended."""
    FAILED = "failed"
    """Ended without a usable value: crashed, NaN, or no metric at all."""


@dataclass(frozen=True)
class TrialRow:
    """One trial as a strategy sees it.

    ``loss`` is the objective turned so that smaller is better (negated when maximising); None unless
    the state is COMPLETED or STOPPED, and then finite. ``curve`` holds (epoch, loss) pairs, ascending
    by epoch, in the same sign. ``seconds`` is the training time so far.

    ``other_losses`` are those of further objectives, if the tuning job has any, with the same turn; None for
    a metric that wasn't there.

    ``parent`` names the earlier tuning job that an inherited row comes from (warm start); such rows stand
    before the others, have numbers below 1, and are COMPLETED. ``identical`` says whether the parent had the
    same data and algorithm, so that its losses can be compared with ours; if not, only their order within
    that parent is a hint.
    """

    number: int
    configuration: Configuration
    state: TrialState
    loss: float | None = None
    curve: Curve = ()
    seconds: float | None = None
    parent: str = ""
    identical: bool = True
    other_losses: tuple[float | None, ...] = ()

    @property
    def is_hint(self) -> bool:
        """Whether it comes from a parent whose losses can't be compared with ours."""
        return self.parent != "" and not self.identical


@dataclass(frozen=True)
class Proposal:
    """A configuration to try, which part of the strategy chose it, and why, in a few words."""

    configuration: Configuration
    source: str
    reason: str = ""


def held_back(losses: Sequence[float], completed: Sequence[float]) -> list[float]:
    """The losses that rows which were cut short are taken to end with: where each stood, but no better than
    the median of the ``completed`` ones, and no worse than the worst of them. A promising value early on must
    not become the one to beat, and a poor one says little about how poor the end would have been. With
    nothing completed, they are taken as they stand."""
    if not completed:
        return list(losses)
    best, worst = statistics.median_low(completed), max(completed)
    return [min(max(loss, best), worst) for loss in losses]
