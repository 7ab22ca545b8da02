"""Every exception of amt-flows and the exit code the command line gives for it.

    AmtFlowsError                    1
    ├── SpecError                    2   the request itself is wrong; nothing was launched
    ├── TuningJobNotFound            3
    ├── NameTaken                    4   the name belongs to another spec
    ├── Fenced                       5   another controller drives this tuning job now
    ├── BackendError                 6
    │   ├── LaunchRejected           6   final: asking again gives the same answer
    │   └── CapacityUnavailable      6   passing: wait and ask again
    ├── JournalError                 7   the journal can't be read or written
    ├── TuningJobFailed              8   it ran, and came to no model
    ├── DeployRejected               2   the deployment as asked for can't be; nothing was begun
    ├── DeployFailed                 9   the model was not put to work; says what was undone
    ├── NotComparable                10  champion and challenger were measured differently
    ├── TrackingError                11  who looks on does not have all of it; the record has
    │   └── TrackerUnavailable       11  passing: it is asked again
    └── TuningInterrupted            130 the person pressed Ctrl-C twice

Each message has up to three parts: what happened, why that is likely, and what to do.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = [
    "AmtFlowsError",
    "BackendError",
    "CapacityUnavailable",
    "DeployFailed",
    "DeployRejected",
    "Fenced",
    "JournalError",
    "LaunchRejected",
    "NameTaken",
    "NotComparable",
    "Problem",
    "SpecError",
    "TrackerUnavailable",
    "TrackingError",
    "TuningInterrupted",
    "TuningJobFailed",
    "TuningJobNotFound",
]

_SYSTEM_REASONS: Final[Mapping[int, str]] = {
    errno.ENOSPC: "the disk is full, or can hold no more files",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "its permissions don't allow it",
    errno.EPERM: "its permissions don't allow it",
    errno.EROFS: "its file system is read-only",
    errno.ENOENT: "it was moved or removed",
    errno.EMFILE: "this process has too many open files",
    errno.ENFILE: "this machine has too many open files",
    errno.EAGAIN: "this machine has too many processes",
    errno.ENOMEM: "this machine has too little memory",
}


def system_reason(error: OSError) -> str:
    """The cause of an error of the operating system, for ``because``. Empty where its number tells none: a
    guess would send people looking in the wrong place."""
    return _SYSTEM_REASONS.get(error.errno or 0, "")


class AmtFlowsError(Exception):
    """The root of everything amt-flows raises on purpose.

    ``happened`` says what was seen, ``because`` the likely cause, ``remedy`` what to do about it.
    """

    exit_code = 1

    def __init__(self, happened: str, *, because: str = "", remedy: str = "") -> None:
        self.happened, self.because, self.remedy = happened, because, remedy
        lines = [happened]
        if because:
            lines.append(f"  Probably because: {because}")
        if remedy:
            lines.append(f"  What to do: {remedy}")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions rebuild from ``args`` by default, which would lose the keyword parts
        # when Prefect carries the error from a task to its flow.
        return (_rebuild, (type(self), self.__dict__, self.args))


def _rebuild(kind: type[AmtFlowsError], state: dict[str, object], args: tuple[object, ...]) -> AmtFlowsError:
    error = kind.__new__(kind)
    error.__dict__.update(state)
    error.args = args
    return error


def shown(value: object) -> str:
    """A value for a message: in Python's words, shortened, whatever it is."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # thousands of digits, or of objects in objects
        return f"{type(value).__name__} too large to be shown"
    # Both ends: a path says at its end which file it is.
    return text if len(text) <= 80 else f"{text[:30]}...{text[-47:]}"


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a request: where, what was given, and what to write instead."""

    field: str
    value: object
    message: str

    def __str__(self) -> str:
        given = "" if self.value is None else f" (given: {shown(self.value)})"
        return f"{self.field}: {self.message}{given}"


class SpecError(AmtFlowsError):
    """The tuning job as asked for can't run. Carries every problem found, not only the first."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = f"The tuning job can't start: {count} problem{'s' * (count != 1)} in its spec."
        super().__init__("\n".join([head, *(f"  - {problem}" for problem in self.problems)]))


class TuningJobNotFound(AmtFlowsError):
    """No tuning job of that name is known where we looked."""

    exit_code = 3


class NameTaken(AmtFlowsError):
    """The name of a tuning or training job already belongs to something else."""

    exit_code = 4


class Fenced(AmtFlowsError):
    """Another controller wrote to the journal since we read it. The loser leaves all jobs alone."""

    exit_code = 5


class BackendError(AmtFlowsError):
    """The place where training jobs run refused or failed."""

    exit_code = 6


class LaunchRejected(BackendError):
    """The backend will never take this training job; asking again would give the same answer."""


class CapacityUnavailable(BackendError):
    """The backend has no room now. The engine waits and asks again, ever less often. Where
    asking costs little: at least every ``look_again_seconds``, and as soon as one of its jobs has ended."""

    def __init__(
        self, happened: str, *, because: str = "", remedy: str = "", look_again_seconds: float | None = None
    ) -> None:
        super().__init__(happened, because=because, remedy=remedy)
        self.look_again_seconds = look_again_seconds


class JournalError(AmtFlowsError):
    """The record of the tuning job can't be read or written."""

    exit_code = 7


class TuningInterrupted(AmtFlowsError):
    """The person pressed Ctrl-C a second time; training jobs were killed, the record is kept."""

    exit_code = 130


class TuningJobFailed(AmtFlowsError):
    """The tuning job ended as Failed, or was stopped before any training job could be the best. ``result`` is
    its :class:`amt_flows.results.TuningResult`."""

    exit_code = 8

    def __init__(self, happened: str, *, result: object = None, because: str = "", remedy: str = "") -> None:
        super().__init__(happened, because=because, remedy=remedy)
        self.result = result


class DeployRejected(AmtFlowsError):
    """A model can't be put to work as asked for. Carries every problem found; nothing was begun."""

    exit_code = 2

    def __init__(self, what: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join([f"{what} can't be done as asked:", *(f"  - {p}" for p in problems)]))


class DeployFailed(AmtFlowsError):
    """Putting a model to work failed. The message says what serves after it, and what was undone."""

    exit_code = 9


class NotComparable(AmtFlowsError):
    """A challenger and the champion were measured by different metrics, or in different directions."""

    exit_code = 10


class TrackingError(AmtFlowsError):
    """Where a tuning job is shown to people refused something. The record has it all the same."""

    exit_code = 11


class TrackerUnavailable(TrackingError):
    """It can't be reached, or not now. What it lacks is sent later."""
