"""The events of a tuning job and their JSON form.

Everything that is known of a tuning job is the fold of these (:mod:`amt_flows.ledger.ledger`). Events are
small, versioned, and facts: writing one twice, or in another order than it happened, does no harm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

from pydantic import AfterValidator, Field, GetPydanticSchema, TypeAdapter, ValidationError

from amt_flows.errors import JournalError

VERSION = 1
LATER = {"ended": 2, "extended": 2, "judged": 2}
"""The newest version of those kinds of events that have a later one. What version 1 can say is written as
version 1, so that an older amt-flows goes on reading what it can understand, and says of the rest that it is
too new."""

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


# What a field may be when it is read from a journal that anybody may have changed.
Text: TypeAlias = Annotated[str, Field(strict=True)]
Flag: TypeAlias = Annotated[bool, Field(strict=True)]
Count: TypeAlias = Annotated[int, Field(strict=True, ge=0)]
Ordinal: TypeAlias = Annotated[int, Field(strict=True, ge=1)]
_Word: TypeAlias = Annotated[Literal["NaN", "Infinity", "-Infinity"], AfterValidator(_SPECIAL.__getitem__)]
_FloatOrWord: TypeAlias = Annotated[float, Field(strict=True)] | _Word
Number: TypeAlias = Annotated[float, GetPydanticSchema(lambda _, get: get.generate_schema(_FloatOrWord))]
"""Read as by :func:`number_from_json`, but without a call of Python for each: a record may have millions."""
Time: TypeAlias = Annotated[float, Field(strict=True, ge=0, le=2.5e11)]
"""Seconds since the epoch; the calendar of Python ends a little later than the bound."""
Scalar: TypeAlias = (
    Annotated[str, Field(strict=True)]
    | Annotated[int, Field(strict=True)]
    | Annotated[float, Field(strict=True)]
)

Points: TypeAlias = tuple[tuple[Ordinal, Number], ...]


class Outcome(str, Enum):
    """How a training job ended."""

    COMPLETED = "completed"
    STOPPED_EARLY = "stopped early"
    TIMED_OUT = "timed out"
    STOPPED = "stopped with the tuning job"
    STOPPED_OUTSIDE = "stopped from outside"
    """By a person in SageMaker's console, say: neither we nor AMT decided it."""
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

    rule: Text
    message: Text
    numbers: Mapping[Text, Number] = field(default_factory=dict)


NOTHING_USABLE = "NoUsableTrainingJob"
"""The rule by which a tuning job that ends by anything else is Failed. It stands behind what it ended by."""
FAILED_BY_AMT = "FailedByAMT"
"""The rule by which a tuning job of AMT's own is Failed: AMT says why."""


class _ByARule(Protocol):
    @property
    def rule(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def numbers(self) -> Mapping[str, object]: ...


R = TypeVar("R", bound=_ByARule)


def decisive(reasons: Sequence[R]) -> R | None:
    """The reason to name where there is room for one: the first, but why a tuning job is Failed before the
    limit that it had reached. Where no training job was launched, that limit says all. None without reasons.
    """
    fatal = next((reason for reason in reasons if reason.rule in (FAILED_BY_AMT, NOTHING_USABLE)), None)
    if fatal is None or (fatal.rule == NOTHING_USABLE and fatal.numbers.get("launched") == 0):
        return reasons[0] if reasons else None
    return fatal


_NO_NUMBERS: Final[Mapping[str, float]] = {}


class Judgement(NamedTuple):
    """What the early-stopping rule said of one epoch of one job.

    ``median`` is of the running averages of the ``compared`` jobs that reached the epoch; None when a
    guard kept the rule from judging, which ``why`` then names. ``numbers`` holds whatever else was weighed.
    """

    job: Text
    epoch: Ordinal
    value: Number
    median: Number | None
    compared: Count
    stop: Flag
    why: Text
    numbers: Mapping[Text, Number] = _NO_NUMBERS


@dataclass(frozen=True)
class InheritedJob:
    """A training job of a parent tuning job: its configuration in our types, and its final objective
    value."""

    job: Text
    configuration: Mapping[Text, Scalar]
    value: Number
    outcome: Outcome
    started_at: Time | None = None
    ended_at: Time | None = None


@dataclass(frozen=True)
class Start:
    """A configuration that is tried before any that a strategy chooses, found when the tuning job was
    opened."""

    configuration: Mapping[Text, Scalar]
    source: Text
    reason: Text
    definition: Text = ""


@dataclass(frozen=True)
class Opened:
    """The tuning job was created. ``backend`` says where its training jobs run, for whoever comes later and
    knows nothing but the name; empty for one that has no name of its own.

    ``spec`` is what is tuned. Where ranges or settings were left to us to choose, ``asked`` is the spec
    that was given and ``chosen`` says what was chosen and why, a sentence each; both are empty otherwise.
    The fingerprint is that of the spec that was given. ``seed`` was drawn where that has none; it is no part
    of the spec.

    ``starts`` are those that we added (first guesses, known good starts), and ``starts_from`` says what they
    are, a sentence each: a later release may know others, and goes on with these.

    With ``intended`` it is SageMaker's own tuner that is going to create it: written before that is asked,
    so that no tuning job runs there of which nobody knows. What came of it is said by :class:`HandedOver` or
    :class:`Withdrawn`. Journals of before have their opening written after the answer, without it.
    """

    kind: ClassVar[str] = "opened"
    at: Time
    name: Text
    fingerprint: Text
    spec: Mapping[str, Any]
    controller: Text
    backend: Text = ""
    asked: Mapping[str, Any] = field(default_factory=dict)
    chosen: tuple[Text, ...] = ()
    seed: Count | None = None
    intended: Flag = False
    starts: tuple[Start, ...] = ()
    starts_from: tuple[Text, ...] = ()


@dataclass(frozen=True)
class HandedOver:
    """SageMaker's own tuner has the tuning job that was intended, since ``created_at`` by its clock."""

    kind: ClassVar[str] = "handed over"
    at: Time
    created_at: Time


@dataclass(frozen=True)
class Withdrawn:
    """The tuning job that was intended will not be: SageMaker's own tuner refused it. What follows in the
    journal is another beginning, if anything."""

    kind: ClassVar[str] = "withdrawn"
    at: Time
    why: Text


@dataclass(frozen=True)
class Inherited:
    """What a parent tuning job knows (warm start), read once, when the tuning job is opened.

    ``source`` says where the parent was read from. ``identical``: these jobs had our data, algorithm and
    static hyperparameters, so that their values can be compared with ours. ``left_out`` counts the parent's
    jobs that ended without a usable value. A parent whose jobs are of both kinds has two of these.
    """

    kind: ClassVar[str] = "inherited"
    at: Time
    parent: Text
    source: Text
    identical: Flag
    jobs: tuple[InheritedJob, ...]
    left_out: Count = 0


@dataclass(frozen=True)
class Attached:
    """A controller took the tuning job over; every earlier one is fenced off."""

    kind: ClassVar[str] = "attached"
    at: Time
    controller: Text


@dataclass(frozen=True)
class Proposed:
    """A trial was decided on. Written before its first launch. ``definition`` names the one of several
    algorithms that it is of; empty for the only one."""

    kind: ClassVar[str] = "proposed"
    at: Time
    trial: Ordinal
    configuration: Mapping[Text, Scalar]
    source: Text
    reason: Text
    definition: Text = ""


@dataclass(frozen=True)
class Resumed:
    """A trial whose training job Hyperband has stopped at ``rung`` goes on, with this attempt, from the
    checkpoints of that one."""

    kind: ClassVar[str] = "resumed"
    at: Time
    trial: Ordinal
    attempt: Ordinal
    rung: Ordinal
    reason: Text


@dataclass(frozen=True)
class Launching:
    """This attempt at a trial is to be launched now. Written before the backend is asked, so that whoever
    takes over in between launches it before anything else, and no two controllers fill the same slot."""

    kind: ClassVar[str] = "launching"
    at: Time
    trial: Ordinal
    attempt: Ordinal


@dataclass(frozen=True)
class Launched:
    kind: ClassVar[str] = "launched"
    at: Time
    job: Text
    trial: Ordinal
    attempt: Ordinal


@dataclass(frozen=True)
class Observed:
    """Objective values by job: (epoch, value) pairs. Epochs are those of the trial: a job in ``went_on`` is a
    further attempt whose script went on from a checkpoint, after so many epochs of the attempts before.

    ``told`` has the epochs as the lines of a job's points name them, one for each, where those are other
    numbers (a script may count from 0): by them it is known where the next attempt goes on.
    """

    kind: ClassVar[str] = "observed"
    at: Time
    points: Mapping[Text, Points]
    went_on: Mapping[Text, Ordinal] = field(default_factory=dict)
    told: Mapping[Text, tuple[Count, ...]] = field(default_factory=dict)


def in_one(observed: Sequence[Observed]) -> Observed:
    """What several say (at least one), as one."""
    points: dict[str, Points] = {}
    told: dict[str, tuple[int, ...]] = {}
    went_on: dict[str, int] = {}
    for one in observed:
        went_on |= one.went_on
        for name, more in one.points.items():
            # A job whose epochs are called otherwise in one of them has them told for all.
            if name in one.told or name in told:
                before = told.get(name, tuple(epoch for epoch, _ in points.get(name, ())))
                told[name] = (*before, *one.told.get(name, (epoch for epoch, _ in more)))
            points[name] = (*points.get(name, ()), *more)
    return Observed(observed[-1].at, points, went_on, told)


@dataclass(frozen=True)
class Judged:
    """Written in version 2: a row for each judgement, whose places are the fields of :class:`Judgement`. They
    are most of a record, and version 1 has the names of the fields in each."""

    kind: ClassVar[str] = "judged"
    at: Time
    judgements: tuple[Judgement, ...]


@dataclass(frozen=True)
class StopAsked:
    """These jobs are to be stopped. Written before the backend is asked."""

    kind: ClassVar[str] = "stop asked"
    at: Time
    jobs: tuple[Text, ...]
    early: Flag
    why: Text


@dataclass(frozen=True)
class Ended:
    """A training job reached its end. ``metrics`` holds the last value of every metric; ``checkpoints`` says
    where it left some."""

    kind: ClassVar[str] = "ended"
    at: Time
    job: Text
    outcome: Outcome
    started_at: Time | None
    ended_at: Time
    metrics: Mapping[Text, Number]
    artifact: Text | None
    log: Text | None
    failure: Text | None
    checkpoints: Text | None = None


@dataclass(frozen=True)
class Converged:
    """Convergence was detected, whether or not it is asked to complete the tuning job."""

    kind: ClassVar[str] = "converged"
    at: Time
    reason: Reason


@dataclass(frozen=True)
class Concluding:
    """It was decided to end: no new launches, and running jobs are stopped."""

    kind: ClassVar[str] = "concluding"
    at: Time
    status: TuningStatus
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Finished:
    """The record is closed. ``reasons`` are those that were seen at the end only; they come after those of
    ``Concluding``. ``amts_status`` is AMT's own word for the end, where it isn't ours."""

    kind: ClassVar[str] = "finished"
    at: Time
    status: TuningStatus
    reasons: tuple[Reason, ...] = ()
    amts_status: TuningStatus | None = None


@dataclass(frozen=True)
class Extended:
    """Limits and completion criteria of the tuning job were changed, by their paths in the spec, and it goes
    on if it had ended. Whoever drives it need not have written this: it takes nothing over."""

    kind: ClassVar[str] = "extended"
    at: Time
    changes: Mapping[Text, Any]


Event: TypeAlias = (
    Opened
    | HandedOver
    | Withdrawn
    | Inherited
    | Attached
    | Proposed
    | Resumed
    | Launching
    | Launched
    | Observed
    | Judged
    | StopAsked
    | Ended
    | Converged
    | Concluding
    | Finished
    | Extended
)

_KINDS: dict[str, type[Any]] = {
    cls.kind: cls
    for cls in (
        Opened,
        HandedOver,
        Withdrawn,
        Inherited,
        Attached,
        Proposed,
        Resumed,
        Launching,
        Launched,
        Observed,
        Judged,
        StopAsked,
        Ended,
        Converged,
        Concluding,
        Finished,
        Extended,
    )
}


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return number_to_json(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in _names(type(value))}
    return value


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind))


def event_to_json(event: Event) -> dict[str, Any]:
    """A JSON object that holds no NaN and no infinity."""
    head = {"v": _version_of(event), "kind": event.kind}
    if isinstance(event, Judged):
        return {**head, "at": number_to_json(event.at), "rows": _plain(event.judgements)}
    plain = _plain(event)
    assert isinstance(plain, dict)
    for name in _LEFT_OUT.get(event.kind, ()):
        if plain[name] in ({}, None):
            del plain[name]
    return {**head, **plain}


_LEFT_OUT: Final[Mapping[str, tuple[str, ...]]] = {
    Observed.kind: ("went_on", "told"),
    Ended.kind: ("checkpoints",),
}
"""Fields that are written only when they say something: most of a record is of these kinds."""


def _version_of(event: Event) -> int:
    """The first version whose readers know what the event says."""
    stopped_outside = isinstance(event, Ended) and event.outcome is Outcome.STOPPED_OUTSIDE
    return 2 if stopped_outside or isinstance(event, Extended | Judged) else 1


@cache
def _reader(kind: str) -> Callable[[object], Event]:
    # The validator itself: an adapter asks each time whether it was made by then.
    adapter: TypeAdapter[Event] = TypeAdapter(_KINDS[kind])
    read: Callable[[object], Event] = adapter.validator.validate_python
    return read


_Row: TypeAlias = tuple[Text, Ordinal, Number, Number | None, Count, Flag, Text, Mapping[Text, Number]]


@dataclass(frozen=True)
class _JudgedInRows:
    at: Time
    rows: list[_Row]


_ROWS: Final = TypeAdapter(_JudgedInRows)


def _judged_in_rows(data: Mapping[str, Any]) -> Judged:
    read = _ROWS.validate_python(dict(data))
    return Judged(read.at, tuple(map(Judgement._make, read.rows)))


class WrittenByNewer(JournalError):
    """An event that this version does not know, and a newer one may."""


def event_from_json(data: Mapping[str, Any]) -> Event:
    """The event of a JSON object. Unknown fields are ignored, so that a newer minor writer can be read, and a
    field with a default may lack: it is newer than the first journals.

    Raises WrittenByNewer for an event of a later version or of a kind unknown to this one, JournalError for
    anything else that is not one of our events.
    """
    try:
        version, kind = data["v"], data["kind"]
        newest = LATER.get(str(kind), VERSION)
        if isinstance(version, int) and version > newest:
            raise WrittenByNewer(f"it holds an event of version {version}; this amt-flows reads {newest}")
        if version not in range(1, newest + 1):
            raise ValueError(f"version {version!r}")
        if isinstance(kind, str) and kind not in _KINDS:
            raise WrittenByNewer(f"it holds an event {kind!r}, which this amt-flows does not know")
        if kind == Judged.kind and version > 1:
            return _judged_in_rows(data)
        return _reader(kind)(dict(data))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        what = f"{where or data['kind']}: {first['msg']}"
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = repr(error)
    raise JournalError(
        f"The journal holds something that is not an event of a tuning job: {what}.",
        because="the file was edited, or written by another program",
    )
