"""The events of a tuning job and their JSON form.

Everything that is known of a tuning job is the fold of these (:mod:`amt_flows.ledger`). Events are small,
versioned, and facts: writing one twice, or in another order than it happened, does no harm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from enum import Enum
from typing import Any, ClassVar, TypeAlias

from amt_flows.errors import JournalError
from amt_flows.space import Value

VERSION = 1

Points: TypeAlias = tuple[tuple[int, float], ...]


class Outcome(str, Enum):
    """How a training job ended."""

    COMPLETED = "completed"
    STOPPED_EARLY = "stopped early"
    TIMED_OUT = "timed out"
    STOPPED = "stopped with the tuning job"
    FAILED = "failed in training"
    INFRASTRUCTURE = "failed in infrastructure"
    NO_METRIC = "no metric"
    LOST = "lost"


class TuningStatus(str, Enum):
    """AMT's ``HyperParameterTuningJobStatus``."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"


@dataclass(frozen=True)
class Reason:
    """Why something was decided: the rule, the numbers it saw, and one sentence."""

    rule: str
    message: str
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """What the early-stopping rule said of one epoch of one job.

    ``median`` is of the running averages of the ``compared`` jobs that reached the epoch; None when a
    guard kept the rule from judging, which ``why`` then names. ``numbers`` holds whatever else was weighed.
    """

    job: str
    epoch: int
    value: float
    median: float | None
    compared: int
    stop: bool
    why: str
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class InheritedJob:
    """A training job of a parent tuning job: its configuration in our types, and its final objective
    value."""

    job: str
    configuration: Mapping[str, Value]
    value: float
    outcome: Outcome
    started_at: float | None = None
    ended_at: float | None = None


@dataclass(frozen=True)
class Opened:
    """The tuning job was created. ``backend`` says where its training jobs run, for whoever comes later and
    knows nothing but the name; empty for one that has no name of its own.

    ``spec`` is what is tuned. Where ranges or settings were left to us to choose, ``asked`` is the spec
    that was given and ``chosen`` says what was chosen and why, a sentence each; both are empty otherwise.
    The fingerprint is that of the spec that was given.
    """

    kind: ClassVar[str] = "opened"
    at: float
    name: str
    fingerprint: str
    spec: Mapping[str, Any]
    controller: str
    backend: str = ""
    asked: Mapping[str, Any] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inherited:
    """What a parent tuning job knows (warm start), read once, when the tuning job is opened.

    ``source`` says where the parent was read from. ``identical``: these jobs had our data, algorithm and
    static hyperparameters, so that their values can be compared with ours. ``left_out`` counts the parent's
    jobs that ended without a usable value. A parent whose jobs are of both kinds has two of these.
    """

    kind: ClassVar[str] = "inherited"
    at: float
    parent: str
    source: str
    identical: bool
    jobs: tuple[InheritedJob, ...]
    left_out: int = 0


@dataclass(frozen=True)
class Attached:
    """A controller took the tuning job over; every earlier one is fenced off."""

    kind: ClassVar[str] = "attached"
    at: float
    controller: str


@dataclass(frozen=True)
class Proposed:
    """A trial was decided on. Written before its first launch."""

    kind: ClassVar[str] = "proposed"
    at: float
    trial: int
    configuration: Mapping[str, Value]
    source: str
    reason: str


@dataclass(frozen=True)
class Launching:
    """This attempt at a trial is to be launched now. Written before the backend is asked, so that whoever
    takes over in between launches it before anything else, and no two controllers fill the same slot."""

    kind: ClassVar[str] = "launching"
    at: float
    trial: int
    attempt: int


@dataclass(frozen=True)
class Launched:
    kind: ClassVar[str] = "launched"
    at: float
    job: str
    trial: int
    attempt: int


@dataclass(frozen=True)
class Observed:
    """Objective values by job: (epoch, value) pairs."""

    kind: ClassVar[str] = "observed"
    at: float
    points: Mapping[str, Points]


@dataclass(frozen=True)
class Judged:
    kind: ClassVar[str] = "judged"
    at: float
    judgements: tuple[Judgement, ...]


@dataclass(frozen=True)
class StopAsked:
    """These jobs are to be stopped. Written before the backend is asked."""

    kind: ClassVar[str] = "stop asked"
    at: float
    jobs: tuple[str, ...]
    early: bool
    why: str


@dataclass(frozen=True)
class Ended:
    """A training job reached its end. ``metrics`` holds the last value of every metric."""

    kind: ClassVar[str] = "ended"
    at: float
    job: str
    outcome: Outcome
    started_at: float | None
    ended_at: float
    metrics: Mapping[str, float]
    artifact: str | None
    log: str | None
    failure: str | None


@dataclass(frozen=True)
class Converged:
    """Convergence was detected, whether or not it is asked to complete the tuning job."""

    kind: ClassVar[str] = "converged"
    at: float
    reason: Reason


@dataclass(frozen=True)
class Concluding:
    """It was decided to end: no new launches, and running jobs are stopped."""

    kind: ClassVar[str] = "concluding"
    at: float
    status: TuningStatus
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Finished:
    kind: ClassVar[str] = "finished"
    at: float
    status: TuningStatus


Event: TypeAlias = (
    Opened
    | Inherited
    | Attached
    | Proposed
    | Launching
    | Launched
    | Observed
    | Judged
    | StopAsked
    | Ended
    | Converged
    | Concluding
    | Finished
)

_KINDS: dict[str, type[Any]] = {
    cls.kind: cls
    for cls in (
        Opened,
        Inherited,
        Attached,
        Proposed,
        Launching,
        Launched,
        Observed,
        Judged,
        StopAsked,
        Ended,
        Converged,
        Concluding,
        Finished,
    )
}

# JSON has no NaN and no infinity; readers in other languages choke on the bare words.
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def number_to_json(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def number_from_json(value: object) -> float:
    """Raises ValueError for what is not a number."""
    if isinstance(value, str):
        if value in _SPECIAL:
            return _SPECIAL[value]
        raise ValueError(f"{value!r} is not a number")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return number_to_json(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value


def event_to_json(event: Event) -> dict[str, Any]:
    """A JSON object that holds no NaN and no infinity."""
    plain = _plain({f.name: getattr(event, f.name) for f in fields(event)} | _nested(event))
    assert isinstance(plain, dict)
    return {"v": VERSION, "kind": event.kind, **plain}


def _nested(event: Event) -> dict[str, object]:
    if isinstance(event, Inherited):
        return {"jobs": [asdict(j) for j in event.jobs]}
    if isinstance(event, Judged):
        return {"judgements": [asdict(j) for j in event.judgements]}
    if isinstance(event, Converged):
        return {"reason": asdict(event.reason)}
    if isinstance(event, Concluding):
        return {"reasons": [asdict(r) for r in event.reasons]}
    return {}


def _reason(data: Mapping[str, Any]) -> Reason:
    numbers = {str(k): number_from_json(v) for k, v in data["numbers"].items()}
    return Reason(str(data["rule"]), str(data["message"]), numbers)


def _judgement(data: Mapping[str, Any]) -> Judgement:
    median = data["median"]
    return Judgement(
        job=str(data["job"]),
        epoch=int(data["epoch"]),
        value=number_from_json(data["value"]),
        median=None if median is None else number_from_json(median),
        compared=int(data["compared"]),
        stop=bool(data["stop"]),
        why=str(data["why"]),
        # Journals of the first version lack it.
        numbers={str(k): number_from_json(v) for k, v in data.get("numbers", {}).items()},
    )


def _inherited_job(data: Mapping[str, Any]) -> InheritedJob:
    times = {name: data.get(name) for name in ("started_at", "ended_at")}
    return InheritedJob(
        job=str(data["job"]),
        configuration=dict(data["configuration"]),
        value=number_from_json(data["value"]),
        outcome=Outcome(data["outcome"]),
        **{name: None if at is None else number_from_json(at) for name, at in times.items()},
    )


def _has_default(one: Field[Any]) -> bool:
    return one.default is not MISSING or one.default_factory is not MISSING


def event_from_json(data: Mapping[str, Any]) -> Event:
    """The event of a JSON object. Unknown fields are ignored, so that a newer minor writer can be read.

    Raises JournalError for anything that is not one of our events.
    """
    try:
        if data["v"] != VERSION:
            raise JournalError(
                f"The journal holds an event of version {data['v']!r}; this amt-flows reads {VERSION}.",
                remedy="use the version of amt-flows that wrote it, or a newer one",
            )
        cls = _KINDS[data["kind"]]
        # A field with a default is newer than the first journals, which lack it.
        values: dict[str, Any] = {
            f.name: data[f.name] for f in fields(cls) if f.name in data or not _has_default(f)
        }
        values["at"] = number_from_json(values["at"])
        if cls is Opened:
            values["chosen"] = tuple(str(line) for line in values.get("chosen", ()))
        elif cls is Inherited:
            values["jobs"] = tuple(_inherited_job(j) for j in values["jobs"])
        elif cls is Observed:
            values["points"] = {
                str(job): tuple((int(e), number_from_json(v)) for e, v in points)
                for job, points in values["points"].items()
            }
        elif cls is Judged:
            values["judgements"] = tuple(_judgement(j) for j in values["judgements"])
        elif cls is StopAsked:
            values["jobs"] = tuple(values["jobs"])
        elif cls is Ended:
            values["outcome"] = Outcome(values["outcome"])
            values["ended_at"] = number_from_json(values["ended_at"])
            values["metrics"] = {str(k): number_from_json(v) for k, v in values["metrics"].items()}
        elif cls is Converged:
            values["reason"] = _reason(values["reason"])
        elif cls is Concluding:
            values["status"] = TuningStatus(values["status"])
            values["reasons"] = tuple(_reason(r) for r in values["reasons"])
        elif cls is Finished:
            values["status"] = TuningStatus(values["status"])
        event: Event = cls(**values)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise JournalError(
            f"The journal holds something that is not an event of a tuning job: {error!r}.",
            because="the file was edited, or written by another program",
        ) from error
    return event
