"""What a training job in scripted time will do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from amt_flows.backends.simulated import Script
from amt_flows.ports import JobState

CAPACITY_ERROR = (
    "CapacityError: Unable to provision requested ML compute capacity. "
    "Please retry using a different ML instance type."
)
INTERNAL_ERROR = "InternalServerError: We encountered an internal error. Please try again."

Value = float | Mapping[str, float]
Lines = Callable[[int, Mapping[str, float]], Sequence[str]]


class End(str, Enum):
    """How a scripted job ends by itself."""

    COMPLETE = "complete"
    FAIL = "fail"
    """The algorithm fails: AlgorithmError, with the script's ``failure`` and ``exit_code``."""
    HANG = "hang"
    """Never, after its last value."""
    CAPACITY_ERROR = "capacity error"
    """Before it starts: there is no such instance to be had."""
    INTERNAL_ERROR = "internal error"
    """Fails through the service's fault after its last value; a RetryStrategy then starts it again."""


@dataclass(frozen=True)
class JobScript:
    """A scripted training job: it starts, downloads, emits ``values`` one after each ``seconds_per_epoch``,
    and ends. Times are in seconds.

    A value is a number, emitted of the request's first metric definition, or a mapping from metric names to
    numbers. Each becomes a line of output that the request's own regular expressions find it in; ``lines``
    writes other ones instead, from the epoch and its values.
    """

    values: Sequence[Value] = ()
    seconds_per_epoch: float = 10.0
    starting_seconds: float = 60.0
    downloading_seconds: float = 10.0
    uploading_seconds: float = 10.0
    end: End = End.COMPLETE
    failure: str = ""
    """What it would write to /opt/ml/output/failure."""
    exit_code: int = 1
    stopping_seconds: float = 0.0
    """How long it goes on after SIGTERM; it is killed when the grace time is over."""
    interruptions: Sequence[int] = ()
    """Managed spot training only: the n-th start is interrupted after this many values of that start."""
    interruption_seconds: float = 60.0
    """From an interruption to the next start."""
    resumes: bool = True
    """Whether it goes on from its checkpoint after an interruption, if the request has a CheckpointConfig;
    else all values come again."""
    good_after: int | None = None
    """``end`` is what happens at the first so many starts only; later ones complete."""
    lines: Lines | None = None
    model: Mapping[str, bytes] | None = None
    """The files of model.tar.gz; by default one that says which job made it."""

    def end_of_start(self, number: int) -> End:
        """How start ``number`` (from 1) ends."""
        return End.COMPLETE if self.good_after is not None and number > self.good_after else self.end

    @staticmethod
    def of(script: Script | JobScript) -> JobScript:
        """The same script for SageMaker; all of a :class:`~amt_flows.backends.simulated.Script`'s startup
        is Starting, and nothing takes longer than it says."""
        if isinstance(script, JobScript):
            return script
        return JobScript(
            values=script.values,
            seconds_per_epoch=script.seconds_per_epoch,
            starting_seconds=script.startup_seconds,
            downloading_seconds=0.0,
            uploading_seconds=0.0,
            end=_end(script),
            failure=script.failure or "simulated failure",
            stopping_seconds=script.stopping_seconds,
        )


def _end(script: Script) -> End:
    if script.hangs:
        return End.HANG
    if script.end is JobState.COMPLETED:
        return End.COMPLETE
    if script.end is JobState.FAILED:
        return End.INTERNAL_ERROR if script.infrastructure else End.FAIL
    raise ValueError(f"no SageMaker training job ends by itself as {script.end.value!r}")
