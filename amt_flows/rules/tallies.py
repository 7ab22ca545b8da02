"""What the rules count over the training jobs that have ended.

The ledger keeps each count and goes on with it (:meth:`amt_flows.ledger.ledger.Ledger.over_ended`), so that a
rule's answer costs the same however many jobs there were.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

from amt_flows.events import Outcome
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import RETRYABLE, TrainingJob


@dataclass(frozen=True)
class Usable:
    """How many ended with a usable value."""

    def start(self) -> int:
        return 0

    def step(self, ledger: Ledger, state: int, job: TrainingJob) -> int:
        return state + job.has_usable_value


@dataclass(frozen=True)
class Failed:
    """How many failed for good, and the last of them. One that is tried again has not: a machine that dies
    with all its training jobs says nothing of the training."""

    def start(self) -> tuple[int, TrainingJob | None]:
        return 0, None

    def step(
        self, ledger: Ledger, state: tuple[int, TrainingJob | None], job: TrainingJob
    ) -> tuple[int, TrainingJob | None]:
        return (state[0] + 1, job) if job.failed and not ledger.is_retried(job) else state


@dataclass(frozen=True)
class Completed:
    """Those that completed."""

    def start(self) -> list[TrainingJob]:
        return []

    def step(self, ledger: Ledger, state: list[TrainingJob], job: TrainingJob) -> list[TrainingJob]:
        if job.outcome is Outcome.COMPLETED:
            state.append(job)
        return state


@dataclass(frozen=True)
class Lengths:
    """The lengths in epochs of those that completed, ascending."""

    def start(self) -> list[int]:
        return []

    def step(self, ledger: Ledger, state: list[int], job: TrainingJob) -> list[int]:
        if job.outcome is Outcome.COMPLETED:
            bisect.insort(state, job.curve.last_epoch)
        return state


@dataclass(frozen=True)
class Longest:
    """The last epoch that any has reached, however it ended."""

    def start(self) -> int:
        return 0

    def step(self, ledger: Ledger, state: int, job: TrainingJob) -> int:
        return max(state, job.curve.last_epoch)


@dataclass(frozen=True)
class LargestGain:
    """The largest gain from ``epoch`` to the end among those that completed and reached it, as a difference
    of losses, and of how many it is. What isn't finite tells nothing."""

    epoch: int

    def start(self) -> tuple[float, int]:
        return -math.inf, 0

    def step(self, ledger: Ledger, state: tuple[float, int], job: TrainingJob) -> tuple[float, int]:
        if job.outcome is not Outcome.COMPLETED or job.curve.last_epoch < self.epoch:
            return state
        then = job.curve.value_until(self.epoch)
        if then is None or job.final_value is None:
            return state
        gain = ledger.loss(then) - ledger.loss(job.final_value)
        return (max(state[0], gain), state[1] + 1) if math.isfinite(gain) else state


@dataclass(frozen=True)
class WholeGains:
    """The gains from the first epoch to the best one of those that completed, as differences of losses,
    ascending. What isn't finite tells nothing."""

    def start(self) -> list[float]:
        return []

    def step(self, ledger: Ledger, state: list[float], job: TrainingJob) -> list[float]:
        if job.outcome is Outcome.COMPLETED and len(job.curve):
            losses = [ledger.loss(value) for _, value in job.curve]
            gain = losses[0] - min(losses)
            if math.isfinite(gain):
                bisect.insort(state, gain)
        return state


@dataclass(frozen=True)
class Meets:
    """The first that met a target, given as a loss, and its value that did: the last one, or one of an epoch
    that ended the tuning job."""

    target: float

    def start(self) -> tuple[TrainingJob, float] | None:
        return None

    def step(
        self, ledger: Ledger, state: tuple[TrainingJob, float] | None, job: TrainingJob
    ) -> tuple[TrainingJob, float] | None:
        if state is None and job.has_usable_value:
            for value in (job.final_value, job.reached):
                if value is not None and ledger.loss(value) <= self.target:
                    return job, value
        return state


@dataclass(frozen=True)
class AveragesAt:
    """The running averages at ``epoch`` of those that reached it, as losses with their rounding errors,
    ascending: of those that completed, or of all. An attempt that was lost is none of them: its trial's next
    attempt goes on in its place, perhaps with its values."""

    epoch: int
    completed: bool

    def start(self) -> list[tuple[float, float]]:
        return []

    def step(
        self, ledger: Ledger, state: list[tuple[float, float]], job: TrainingJob
    ) -> list[tuple[float, float]]:
        counts = job.outcome is Outcome.COMPLETED if self.completed else job.outcome not in RETRYABLE
        if job.curve.last_epoch >= self.epoch and counts:
            bisect.insort(state, average_at(ledger, job, self.epoch))
        return state


def average_at(ledger: Ledger, job: TrainingJob, epoch: int) -> tuple[float, float]:
    """A job's running average at an epoch, as a loss, and its rounding error."""
    return ledger.loss(job.curve.running_average(epoch)), job.curve.rounding(epoch)


def middle(
    numbers: Sequence[tuple[float, float]], more: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """The one or two that stand in the middle of both together, ascending. ``numbers`` is ascending and may
    be long, ``more`` is short; there is at least one."""
    count = len(numbers) + len(more)
    # No more than `more` can stand before its place, so the middle is near that of the long one.
    first = max(0, count // 2 - len(more) - 1)
    window = sorted([*numbers[first : count // 2 + 2], *more])
    return window[(count - 1) // 2 - first : count // 2 + 1 - first]
