"""A trial, its training jobs, and their curves, as the ledger knows them."""

from __future__ import annotations

import bisect
import math
import operator
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from amt_flows.events import Judgement, Outcome
from amt_flows.space.space import Value

STOPPED: Final = (Outcome.STOPPED_EARLY, Outcome.STOPPED, Outcome.STOPPED_OUTSIDE)
"""Ended because somebody wanted it to."""


def as_loss(value: float, *, maximize: bool) -> float:
    """A value turned so that smaller is better; what is not finite is worse than every number."""
    if not math.isfinite(value):
        return math.inf
    return -value if maximize else value


class Curve:
    """The objective's values by epoch, ascending; each epoch is recorded once."""

    __slots__ = ("_epochs", "_magnitudes", "_sums", "_values", "extremes")

    def __init__(self) -> None:
        self._epochs: list[int] = []
        # Eight bytes a number, where a list of floats takes thirty-two.
        self._values = array("d")
        self._sums = array("d")
        self._magnitudes = array("d")
        self.extremes: tuple[float, ...] = ()
        """The least and the greatest finite value; nothing while there is none."""

    def add(self, epoch: int, value: float) -> bool:
        """Record a value; False (and no change) if the epoch has one already."""
        epochs = self._epochs
        if not epochs or epoch > epochs[-1]:
            epochs.append(epoch)
            self._values.append(value)
        else:
            at = bisect.bisect_left(epochs, epoch)
            if epochs[at] == epoch:
                return False
            epochs.insert(at, epoch)
            self._values.insert(at, value)
            del self._sums[at:], self._magnitudes[at:]
        if math.isfinite(value):
            least, greatest = self.extremes or (value, value)
            if value <= least:
                self.extremes = value, greatest
            elif value > greatest:
                self.extremes = least, value
        return True

    def __iter__(self) -> Iterator[tuple[int, float]]:
        return iter(zip(self._epochs, self._values, strict=True))

    def __len__(self) -> int:
        return len(self._epochs)

    def losses(self, *, maximize: bool) -> tuple[tuple[int, float], ...]:
        """All of it, turned so that smaller is better; what is not finite is worse than every number."""
        # Only then is each of them finite: this is asked of every curve of a tuning job.
        if math.isfinite(sum(self._values)):
            losses = map(operator.neg, self._values) if maximize else self._values
            return tuple(zip(self._epochs, losses, strict=True))
        return tuple((epoch, as_loss(value, maximize=maximize)) for epoch, value in self)

    @property
    def last_epoch(self) -> int:
        """0 when nothing was emitted yet."""
        return self._epochs[-1] if self._epochs else 0

    @property
    def last_value(self) -> float | None:
        return self._values[-1] if self._values else None

    def value(self, epoch: int) -> float | None:
        at = bisect.bisect_left(self._epochs, epoch)
        return self._values[at] if at < len(self._epochs) and self._epochs[at] == epoch else None

    def value_until(self, epoch: int) -> float | None:
        """The last value up to and including ``epoch``; None when there is none."""
        count = bisect.bisect_right(self._epochs, epoch)
        return self._values[count - 1] if count else None

    def epochs_after(self, epoch: int) -> Sequence[int]:
        return self._epochs[bisect.bisect_right(self._epochs, epoch) :]

    def running_average(self, epoch: int) -> float:
        """The mean of the values of epochs 1...``epoch``; not finite as soon as one of them isn't, NaN
        when there is none."""
        count = self._summed_until(epoch)
        return self._sums[count - 1] / count if count else math.nan

    def rounding(self, epoch: int) -> float:
        """By how much the running average may differ from the true one, since it was computed in floats. The
        bound of recursive summation: Higham 2002, "Accuracy and Stability of Numerical Algorithms", 4.2."""
        count = self._summed_until(epoch)
        return sys.float_info.epsilon * self._magnitudes[count - 1] if count else 0.0

    def _summed_until(self, epoch: int) -> int:
        count = bisect.bisect_right(self._epochs, epoch)
        while len(self._sums) < count:
            value = self._values[len(self._sums)]
            self._sums.append((self._sums[-1] if self._sums else 0.0) + value)
            self._magnitudes.append((self._magnitudes[-1] if self._magnitudes else 0.0) + abs(value))
        return count


@dataclass(frozen=True)
class Trial:
    number: int
    configuration: Mapping[str, Value]
    source: str
    reason: str
    definition: str = ""
    """Which of several algorithms it is of; empty for the only one."""
    ordinal: int = 0
    """Its number among the trials of its algorithm: that of an only algorithm is ``number``. Strategies count
    by it. By ``number``, an algorithm that gets every other trial would be given every other point of a
    sequence, which is one half of a range."""
    known: int = 0
    """How many training jobs had ended when it was proposed."""


KEPT_JUDGEMENTS: Final = 8


@dataclass(slots=True)
class TrainingJob:
    """One attempt at a trial. Changed by the ledger alone."""

    name: str
    trial: int
    attempt: int
    launched_at: float
    curve: Curve = field(default_factory=Curve)
    """By the trial's epochs: of an attempt that went on from a checkpoint it begins with the values of the
    attempts before, up to there."""
    went_on_after: int = 0
    """How many epochs of the attempts before those were; 0 for one that began with the first."""
    told: dict[int, int] | None = None
    """The epochs as its script counts them, by the trial's, where those are other numbers."""
    judged_epoch: int = 0
    judged: int = 0
    """How many of its epochs the early-stopping rule has judged."""
    let_pass: int = 0
    """How many of them passed without a comparison: too early, or with too few jobs to compare with."""
    judgements: list[Judgement] = field(default_factory=list)
    """Of its first ``KEPT_JUDGEMENTS`` epochs that were judged, and the one that stopped it. The others are
    in the journal alone: of ten thousand jobs they would be most of the memory."""
    stop_asked_at: float | None = None
    stopped_early: bool = False
    stop_why: str = ""
    outcome: Outcome | None = None
    started_at: float | None = None
    ended_at: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    final_value: float | None = None
    """The objective's last value; None when none was emitted."""
    reached: float | None = None
    """The value by which it met the tuning job's target."""
    artifact: str | None = None
    checkpoints: str | None = None
    """Where they are, as a URI, once it has ended; None when it left none."""
    log: str | None = None
    failure: str | None = None

    def goes_on(self, epochs: int, earlier: Sequence[TrainingJob]) -> None:
        """It went on from a checkpoint, after so many epochs of earlier attempts (in their order): what they
        emitted up to there is of its curve, and was judged."""
        if self.went_on_after or not epochs:
            return
        self.went_on_after, self.judged_epoch = epochs, max(self.judged_epoch, epochs)
        for job in reversed(earlier):
            for epoch, value in job.curve:
                if epoch <= epochs:
                    self.curve.add(epoch, value)

    def note_told(self, epochs: Iterable[int], told: Iterable[int]) -> None:
        """That its script calls these epochs so."""
        if self.told is None:
            self.told = {}
        self.told.update(zip(epochs, told, strict=False))

    def take_judgement(self, judgement: Judgement) -> None:
        """Of an epoch after those that were judged before."""
        self.judged_epoch = judgement.epoch
        self.judged += 1
        if judgement.stop or self.judged <= KEPT_JUDGEMENTS:
            self.judgements.append(judgement)
        self.let_pass += judgement.median is None

    @property
    def verdict(self) -> Judgement | None:
        """The judgement that stopped it."""
        return next((one for one in self.judgements if one.stop), None)

    @property
    def live(self) -> bool:
        return self.outcome is None

    @property
    def has_usable_value(self) -> bool:
        return has_usable_value(self.outcome, self.final_value)

    @property
    def failed(self) -> bool:
        return has_failed(self.outcome, self.final_value)

    @property
    def standing(self) -> str:
        """``running``, ``completed``, ``failed``, ``stopped early``, or ``stopped`` for another reason."""
        if self.live:
            return "running"
        if self.failed:
            return "failed"
        if self.outcome in (Outcome.COMPLETED, Outcome.STOPPED_EARLY):
            return str(self.outcome.value)
        return "stopped"

    @property
    def began_at(self) -> float:
        """When it started; of one that never did, or of which that is not known yet, when it was launched."""
        return self.launched_at if self.started_at is None else self.started_at

    def training_seconds(self, now: float) -> float:
        if self.started_at is None:
            return 0.0
        return max(0.0, (self.ended_at if self.ended_at is not None else now) - self.started_at)


RETRYABLE: Final = (Outcome.LOST, Outcome.INFRASTRUCTURE)
_KEEPING_THEIR_VALUE: Final = (Outcome.COMPLETED, Outcome.TIMED_OUT, *STOPPED)


def has_usable_value(outcome: str | None, value: float | None) -> bool:
    """Whether a training job ended with a finite objective, by itself or cut short."""
    return value is not None and math.isfinite(value) and outcome in _KEEPING_THEIR_VALUE


def has_failed(outcome: str | None, value: float | None) -> bool:
    """Whether it ended without a usable objective value, and not because we stopped it."""
    ended = outcome is not None and not has_usable_value(outcome, value)
    return ended and outcome not in STOPPED
