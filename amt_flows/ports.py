"""The things of the outer world that a tuning job meets, and the plain values they exchange.

``Backend`` runs training jobs, ``Journal`` keeps the record, ``Clock`` tells the time: those three the engine
talks to. ``Tracker`` shows runs to people, and is fed beside it. A port is a handful
of coarse methods with plain data in and out; retries of passing faults live inside the adapter.
Every adapter runs its port's conformance suite (:mod:`amt_flows.testing`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, runtime_checkable

from amt_flows.errors import Problem
from amt_flows.events import Event, Outcome
from amt_flows.spec import Resources, TrainingJobTemplate, TuningSpec

__all__ = [
    "Backend",
    "Clock",
    "FoundJob",
    "FoundRun",
    "HasRoom",
    "JobReport",
    "JobRequest",
    "JobState",
    "Journal",
    "KnowsFirst",
    "Launch",
    "MetricPoint",
    "Resting",
    "Room",
    "RunStatus",
    "RunToShow",
    "SystemClock",
    "TimedValue",
    "Tracker",
]


@dataclass(frozen=True)
class JobRequest:
    """All that a backend needs to run one training job."""

    name: str
    """Unique and deterministic: the idempotency key."""
    tuning_job: str
    trial: int
    attempt: int
    hyperparameters: Mapping[str, str]
    """Tuned and static ones, as the strings a SageMaker container would get."""
    fingerprint: str
    """Of the spec: tells our job of this name from somebody else's."""
    template: TrainingJobTemplate
    objective_metric: str
    tags: Mapping[str, str] = field(default_factory=dict)
    other_metrics: tuple[str, ...] = ()
    """Those of further objectives."""
    definition: str = ""
    """Which of several algorithms it trains; empty for the only one."""
    values: Mapping[str, object] = field(default_factory=dict)
    """The hyperparameters as the spec has them, plain JSON values, for backends that call a function."""
    resumptions: int = 0
    """How many of the attempts before did not fail, but were stopped and are gone on with."""
    seed: int | None = None
    """Of the tuning job, where it was drawn: for whoever has to do without its record. None: the spec has
    it."""


class JobState(str, Enum):
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"
    """Its machine or process is gone and it can't have ended by itself."""

    @property
    def terminal(self) -> bool:
        return self in (JobState.COMPLETED, JobState.FAILED, JobState.STOPPED, JobState.LOST)


@dataclass(frozen=True)
class MetricPoint:
    """The ``epoch``-th value (from 1) that a job emitted of a metric. Values may be NaN or infinite.
    ``told``: the epoch that its line names, as the script counts, where that is another number."""

    metric: str
    epoch: int
    value: float
    told: int | None = None


@dataclass(frozen=True)
class Unread:
    """What a metric's expression found in a job's output and is no value: ``text`` is no number, or only a
    part of ``whole``. Or, with ``epoch``: the metric was reported more than once for that epoch."""

    metric: str
    text: str = ""
    whole: str = ""
    epoch: int | None = None


@dataclass(frozen=True)
class JobReport:
    """What a backend knows of one job. ``points`` are those not reported before by this backend object;
    reporting one again does no harm. Times are seconds since the epoch."""

    name: str
    state: JobState
    points: tuple[MetricPoint, ...] = ()
    started_at: float | None = None
    ended_at: float | None = None
    timed_out: bool = False
    """STOPPED because the job's own time limit ended it."""
    infrastructure: bool = False
    """FAILED through no fault of the training code: another attempt may succeed."""
    failure: str | None = None
    """Why it failed, for a person: the failure file's text, or the exit status with the log's tail."""
    artifact: str | None = None
    """Where the model is, as a URI."""
    unsaved: str | None = None
    """Why its model is not where it was wanted, for a person."""
    checkpoints: str | None = None
    """Of a job that has ended: where its checkpoints are, as a URI; None when it left none."""
    log: str | None = None
    """Where the output is, as a URI."""
    unread: tuple[Unread, ...] = ()
    """The first of each metric. Reporting one again does no harm."""
    names: tuple[str, ...] = ()
    """Of a job that ended without a value of a metric: names that its output has in front of numbers."""
    notes: tuple[str, ...] = ()
    """What else is to be known of a job that has ended: a metric that was not searched for any more, say."""

    def outcome(self, *, stopped_early: bool, has_objective: bool, was_asked: bool = True) -> Outcome:
        """How a job of this report, which is of a terminal state, has ended. ``stopped_early``: it was to be;
        ``has_objective``: it told a value of the objective; ``was_asked``: whoever drives the tuning job had
        it stopped."""
        match self.state:
            case JobState.COMPLETED:
                return Outcome.COMPLETED if has_objective else Outcome.NO_METRIC
            case JobState.FAILED:
                return Outcome.INFRASTRUCTURE if self.infrastructure else Outcome.FAILED
            case JobState.LOST:
                return Outcome.LOST
            case _:
                if self.timed_out:
                    return Outcome.TIMED_OUT
                if stopped_early:
                    return Outcome.STOPPED_EARLY
                return Outcome.STOPPED if was_asked else Outcome.STOPPED_OUTSIDE


@dataclass(frozen=True)
class FoundJob:
    """A job of a tuning job as the backend remembers it, with or without a journal."""

    name: str
    trial: int
    attempt: int
    fingerprint: str
    hyperparameters: Mapping[str, str]
    state: JobState
    seed: int | None = None
    """As its request had it."""


class Launch(str, Enum):
    STARTED = "started"
    ATTACHED = "attached"
    """The job existed already, with our fingerprint: an earlier controller launched it."""


@runtime_checkable
class Backend(Protocol):
    """A place where training jobs run."""

    @property
    def address(self) -> str:
        """Where that is, in a word for the record, from which others may find it: ``local``,
        ``sagemaker:eu-west-1``. Two backends of one address see the same jobs. Empty: it has none."""
        ...

    def check(self, spec: TuningSpec) -> Sequence[Problem]:
        """What would keep this spec's jobs from running here. Launches nothing."""
        ...

    def launch(self, request: JobRequest) -> Launch:
        """Start a job, or attach to the one of this name and fingerprint.

        Raises NameTaken (another fingerprint), LaunchRejected (final), CapacityUnavailable (passing).
        When it returns, the job's handle is safe against the death of this process.
        """
        ...

    def poll(self, tuning_job: str, names: Sequence[str]) -> Sequence[JobReport]:
        """The state and new metric values of these jobs of a tuning job, in the same order. The report
        of a terminal state comes with, or after, the last of the job's metric values. A job that the
        backend has never heard of is LOST; one that it can't look for at the moment is STARTING."""
        ...

    def stop(self, tuning_job: str, names: Sequence[str], *, kill: bool = False) -> None:
        """Ask jobs to stop, with their grace time or (``kill``) without. Returns at once; stopping an
        ended or unknown job does nothing."""
        ...

    def find(self, tuning_job: str) -> Sequence[FoundJob]:
        """Every job of a tuning job, ended ones too, found by the name alone."""
        ...

    def wait(self, timeout: float) -> None:
        """Return when something may have changed, or after ``timeout`` seconds."""
        ...


@dataclass(frozen=True)
class Room:
    """How many training jobs of one need a place has room for at once; None: nobody can tell beforehand.
    ``why``: from what that follows, for a person."""

    at_once: int | None
    why: str


@runtime_checkable
class HasRoom(Protocol):
    """A backend that knows how much room it has."""

    def room(self, need: Resources) -> Room:
        """For training jobs that need as much each. Raises BackendError."""
        ...


@runtime_checkable
class Resting(Protocol):
    """What a backend has beside that keeps something ready for the next jobs of a tuning job."""

    def rest(self, tuning_job: str) -> None:
        """Nothing is launched for this tuning job any more, or not by this controller: let go of what was
        kept for it. Its jobs go on. Doing it twice, or for one that was never heard of, does nothing."""
        ...


@runtime_checkable
class Journal(Protocol):
    """The append-only record of one tuning job. An entry is one or more events, written as a whole."""

    @property
    def location(self) -> str:
        """Where the record is, as a URI, for messages and results."""
        ...

    def read(self, start: int = 0) -> Sequence[Sequence[Event]]:
        """The entries from index ``start`` on; those of a long record may be made of their text as one comes
        to them. Raises JournalError for a damaged record, at the latest then."""
        ...

    def append(self, index: int, events: Sequence[Event]) -> None:
        """Write entry ``index``; it is safe on disk when this returns. Raises Fenced if that index was
        written by somebody else, JournalError if it can't be written, or if nobody can tell whether it
        was: the record then ends here for this controller, and the next one reads what there is."""
        ...

    def ask_to_stop(self, reason: str) -> None:
        """Leave a note that whoever drives this tuning job should stop it. Needs no fence."""
        ...

    def asked_to_stop(self, *, anew: bool = False) -> str | None:
        """The reason of the note, if there is one. It may be some seconds old where a look costs; ``anew``
        is for whoever must know what was left by now. Raises JournalError once the record has been damaged
        behind its writer's back: an entry is gone."""
        ...

    def take_back_stop(self) -> None:
        """Remove the note, if there is one: the tuning job is to go on."""
        ...


@runtime_checkable
class KnowsFirst(Protocol):
    """A journal that can tell its first entry without the others."""

    def first(self) -> Sequence[Event]:
        """Empty when there is none. Raises JournalError."""
        ...


class RunStatus(str, Enum):
    """How a run stands where people look at it, in MLflow's words."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


@dataclass(frozen=True)
class TimedValue:
    """A metric's value of a step (an epoch), and when it was seen, in seconds since the epoch."""

    metric: str
    step: int
    value: float
    at: float


@dataclass(frozen=True)
class RunToShow:
    """A run that is to be made. ``key`` is its training job's name, or empty for the tuning job's own run."""

    key: str
    name: str
    started_at: float
    parent: str | None
    """The id of the tuning job's run."""
    tags: Mapping[str, str]


@dataclass(frozen=True)
class FoundRun:
    """A run that was made before, by whomever."""

    key: str
    run_id: str
    started_at: float
    tags: Mapping[str, str]
    params: Mapping[str, str]


@runtime_checkable
class Tracker(Protocol):
    """Where people look at runs. Each method raises TrackerUnavailable when it can't be known whether it was
    done, TrackingError when it was refused for good. Keys, names and texts are cut to what the place takes by
    the adapter."""

    def find(self, tuning: Mapping[str, str]) -> Sequence[FoundRun]:
        """The runs that bear all of these tags, the oldest first."""
        ...

    def create(self, run: RunToShow) -> str:
        """Make a run, whether or not there is one like it, and return its id."""
        ...

    def params(self, run_id: str) -> Mapping[str, str]:
        """Those that a run has by now, whoever wrote them."""
        ...

    def steps(self, run_id: str, metric: str) -> Sequence[int]:
        """Those of which a run has a value of this metric by now, whoever wrote them; one twice if it has
        two."""
        ...

    def add(
        self,
        run_id: str,
        *,
        values: Sequence[TimedValue] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Add to a run. Adding the same again does no harm; a param keeps its first value."""
        ...

    def set_status(self, run_id: str, status: RunStatus, ended_at: float | None) -> None: ...

    def delete(self, run_id: str) -> None: ...

    def address(self, run_id: str) -> str | None:
        """The page of a run, for a browser; None where there is none."""
        ...


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch."""
        ...


class SystemClock:
    """The wall clock, but for when it is set back: then it goes on from where it was, as a stop-watch does.
    A clock that stood still until the wall clock has caught up would grant hours beyond a time limit."""

    def __init__(
        self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._ahead = wall() - monotonic()

    def now(self) -> float:
        elapsed = self._monotonic()
        self._ahead = max(self._ahead, self._wall() - elapsed)
        return elapsed + self._ahead
