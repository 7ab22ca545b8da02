"""Training jobs' output in CloudWatch Logs.

A stream of a job is ``<job>/algo-<host>-<time>``; only those of the first host are read, since every host of
a distributed job prints the metrics and SageMaker would count each value once per host. A start after an
interruption has a stream of its own, which continues the epochs of the one before: from the epoch that its
first line names, where lines do.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np

from amt_flows.backends.sagemaker.clients import Clients
from amt_flows.backends.sagemaker.errors import Trouble
from amt_flows.backends.sagemaker.events import Events
from amt_flows.backends.sagemaker.service import PassingTrouble, Service
from amt_flows.backends.searching import found_apart
from amt_flows.errors import BackendError
from amt_flows.metrics.epochs import epochs_before
from amt_flows.metrics.lines import unescaped
from amt_flows.metrics.names import names_in
from amt_flows.metrics.numbers import number_in
from amt_flows.metrics.reading import rules_of
from amt_flows.metrics.search import Found, Repeats, Rule, epoch_told
from amt_flows.ports import MetricPoint, Unread
from amt_flows.spec import MetricDefinition

GROUP: Final = "/aws/sagemaker/TrainingJobs"

# GetLogEvents cuts a page at 10,000 events or 1 MB. One above a half of either is probably not the last.
_FULL_EVENTS: Final = 5_000
_FULL_CHARACTERS: Final = 500_000


Line: TypeAlias = tuple[float, str]
"""When it was printed, in seconds since the epoch by the job's clock, and its text."""

LONGEST_REST_SECONDS: Final = 600.0
LAST_TEXTS: Final = 500
FAST_CLOCK_SECONDS: Final = 5.0
LONGEST_TOLD: Final = 200


class LogsDenied(Exception):
    """We may not read the logs."""


class LogSource:
    """The calls to CloudWatch Logs, and how many there were. They raise LogsDenied, PassingTrouble and
    BackendError."""

    def __init__(self, clients: Clients, service: Service) -> None:
        self._clients, self._service = clients, service
        self.calls = 0

    def streams(self, job: str) -> list[str]:
        """The names of the first host's streams, the oldest first."""
        found: list[tuple[int, str]] = []
        asked: dict[str, Any] = {"logGroupName": GROUP, "logStreamNamePrefix": f"{job}/algo-1-"}
        while True:
            page = self._call(f"looking for the log of {job}", "describe_log_streams", asked)
            for stream in page.get("logStreams", ()):
                found.append((int(stream.get("creationTime") or 0), str(stream["logStreamName"])))
            if not page.get("nextToken"):
                return [name for _, name in sorted(found)]
            asked = {**asked, "nextToken": page["nextToken"]}

    def page(self, stream: str, token: str | None) -> tuple[list[Line], str | None]:
        """The lines after a token, and the token of what follows: the same again at the end."""
        asked: dict[str, Any] = {"logGroupName": GROUP, "logStreamName": stream, "startFromHead": True}
        if token is not None:
            asked["nextToken"] = token
        answer = self._call(f"reading the log {stream}", "get_log_events", asked)
        lines = [
            (float(event.get("timestamp", 0)) / 1000, str(event.get("message", "")))
            for event in answer.get("events", ())
        ]
        return lines, answer.get("nextForwardToken", token)

    def last_lines(self, stream: str, lines: int) -> str:
        """The newest lines of a stream, the oldest of them first."""
        asked = {"logGroupName": GROUP, "logStreamName": stream, "startFromHead": False, "limit": lines}
        answer = self._call(f"reading the log {stream}", "get_log_events", asked)
        return "\n".join(str(event.get("message", "")).rstrip("\n") for event in answer.get("events", ()))

    def _call(self, what: str, name: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        self.calls += 1
        call = getattr(self._clients.logs, name)
        # Before the account's first training job there is not even the group: nothing was printed.
        nothing: Mapping[Trouble, Mapping[str, Any] | None] = {Trouble.NOT_FOUND: {}, Trouble.DENIED: None}
        answer: Mapping[str, Any] | None = self._service.attempt(what, call, asked, nothing)
        if answer is None:
            raise LogsDenied(what)
        return answer


@dataclass
class _Stream:
    name: str
    token: str | None = None
    at_end: bool = False
    first_at: float = 0.0
    last_at: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    events: Events = field(default_factory=Events)
    repeats: Repeats = field(default_factory=Repeats)

    def seconds_per_epoch(self) -> float | None:
        epochs = max(self.counts.values(), default=0)
        return (self.last_at - self.first_at) / (epochs - 1) if epochs > 1 else None


@dataclass
class JobLog:
    """What was read of one job's log. The n-th value of a metric is its epoch n, over all streams; but where
    a start repeats epochs by their names, it goes on with the first of them."""

    job: str
    starts: int = 1
    """How many times the job is known to have been started: so many streams there should be."""
    fresh: list[MetricPoint] = field(default_factory=list)
    unread: dict[str, Unread] = field(default_factory=dict)
    """The first that was found for a metric and is no value."""
    _streams: list[_Stream] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)
    _called: dict[str, dict[int, int]] = field(default_factory=dict)
    """What the lines call the epochs of each metric."""
    _rests_until: float = 0.0
    _measured_from: tuple[float, float] | None = None
    """Our clock and the job's when it was first read."""
    _last_texts: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_TEXTS))
    _values: dict[str, set[str]] = field(default_factory=dict)

    def read(self, source: LogSource, definitions: Sequence[MetricDefinition], *, to_end: bool) -> None:
        """Take what is new into ``fresh``, also when a call in the middle fails. ``to_end`` reads until there
        are no more lines: for a job that has ended; else a call is enough unless it brings a full page."""
        if len(self._streams) < self.starts:
            self._find_streams(source)
        rules = rules_of(definitions)
        for i, stream in enumerate(self._streams):
            last = i == len(self._streams) - 1
            # A stream that another one follows is read to its end first, or epochs would be out of order.
            if last or not stream.at_end:
                self._read_stream(source, stream, rules, to_end=to_end or not last)

    def expect_another_stream(self) -> None:
        """Look for streams at the next reading, although the job is not known to have been restarted."""
        self.starts = max(self.starts, len(self._streams) + 1)

    def _find_streams(self, source: LogSource) -> None:
        known = {stream.name for stream in self._streams}
        found = [_Stream(name) for name in source.streams(self.job) if name not in known]
        if found and self._streams:
            # It seemed to be at its end while it was still written to.
            self._streams[-1].at_end = False
        self._streams += found

    def _read_stream(
        self, source: LogSource, stream: _Stream, rules: Sequence[Rule], *, to_end: bool
    ) -> None:
        while True:
            lines, token = source.page(stream.name, stream.token)
            stream.at_end = token == stream.token
            stream.token = token
            texts = [(at, text) for at, message in lines for text in stream.events.take(message)]
            self._search(stream, rules, texts)
            if stream.at_end and to_end:
                self._search(stream, rules, [(stream.last_at, text) for text in stream.events.rest()])
            if stream.at_end or (not to_end and not _is_full(lines)):
                return

    def _search(self, stream: _Stream, rules: Sequence[Rule], texts: Sequence[Line]) -> None:
        every = found_apart("events", rules, [text for _, text in texts])
        for (at, text), found in zip(texts, every, strict=True):
            self._last_texts.append(text)
            for one in found:
                self._take(stream, one, at, text)

    def _take(self, stream: _Stream, found: Found, at: float, text: str) -> None:
        if found.value is None:
            self._note(found)
            return
        epoch = stream.repeats.again(found, text)
        if epoch is not None:
            self.unread[found.metric] = Unread(found.metric, epoch=epoch)
        stream.first_at = stream.first_at or at
        stream.last_at = at
        told, starts_again = epoch_told(text), found.metric not in stream.counts
        stream.counts[found.metric] += 1
        if told is not None and starts_again and found.metric in self._called:
            self._counts[found.metric] = epochs_before(self._called[found.metric], told)
        self.add(found.metric, found.value, told)

    def _note(self, found: Found) -> None:
        """What is no value. The service may take it for one all the same, and tell it as the final value."""
        self.unread.setdefault(found.metric, Unread(found.metric, found.text[:LONGEST_TOLD], found.whole))
        taken = number_in(found.text)
        if taken is not None:
            self._values.setdefault(found.metric, set()).add(in_32_bits(taken))

    def is_due(self, now: float) -> bool:
        """Whether the next value is to be expected."""
        return now >= self._rests_until

    def rest(self, now: float) -> None:
        """Don't read before the next value is nearly to be expected by the times of those before: that costs
        a call or two for every epoch, and not one for every poll. Never more than an epoch from now, since
        the job's clock may differ from ours; and it may run faster, as a simulated one does."""
        seconds = self._streams[-1].seconds_per_epoch() if self._streams else None
        if seconds is not None:
            last_at = self._streams[-1].last_at
            nearly = 0.9 * seconds / self._pace(now, last_at)
            longest = min(nearly, LONGEST_REST_SECONDS)
            self._rests_until = min(last_at + nearly, now + longest)

    def _pace(self, now: float, last_at: float) -> float:
        """How much faster than ours the job's clock runs; 1 for one that may be as fast."""
        if self._measured_from is None:
            self._measured_from = (now, last_at)
        if last_at <= now + FAST_CLOCK_SECONDS:
            return 1.0
        # What comes from our future has a clock that is ahead, or a fast one: until that is known, ask soon.
        ours, theirs = now - self._measured_from[0], last_at - self._measured_from[1]
        return max(1.0, theirs / ours) if ours > 0 and theirs > 0 else math.inf

    def add(self, metric: str, value: float, told: int | None = None) -> None:
        """Count a value as the metric's next epoch, wherever it was found; ``told``: what its line calls
        it."""
        self._counts[metric] += 1
        epoch = self._counts[metric]
        self._called.setdefault(metric, {})[epoch] = epoch if told is None else told
        self._values.setdefault(metric, set()).add(in_32_bits(value))
        self.fresh.append(MetricPoint(metric, epoch, value, None if told == epoch else told))

    def take_fresh(self) -> tuple[MetricPoint, ...]:
        """The values that were not taken before."""
        taken, self.fresh = tuple(self.fresh), []
        return taken

    def names(self, definitions: Sequence[MetricDefinition]) -> tuple[str, ...]:
        """The names in front of numbers at the end of the log, when a metric has no value at all."""
        if all(one.name in self._counts for one in definitions):
            return ()
        return names_in(unescaped(text) for text in self._last_texts)

    def has(self, metric: str, value: float) -> bool:
        """Whether this value, as the service keeps it, was read."""
        return in_32_bits(value) in self._values.get(metric, ())


def in_32_bits(value: float) -> str:
    """The shortest decimal for the number that SageMaker keeps, which is a 32-bit one: its 0.9 comes back as
    0.8999999761581421."""
    with np.errstate(over="ignore"):
        return str(np.float32(value))


def _is_full(lines: Sequence[Line]) -> bool:
    return len(lines) >= _FULL_EVENTS or sum(len(text) for _, text in lines) >= _FULL_CHARACTERS


MOST_LINES = 10_000
"""That GetLogEvents gives at once."""


def tail(job: str, lines: int, *, region: str | None = None, session: Any = None) -> str | None:
    """The last lines of the newest log stream of a training job; None before it has printed any. Raises
    BackendError."""
    clients = Clients(session, region, None, None)
    source = LogSource(clients, Service(clients))
    try:
        streams = source.streams(job)
        return source.last_lines(streams[-1], min(lines, MOST_LINES)) if streams else None
    except LogsDenied:
        raise BackendError(
            f"The log of {job} can't be read.",
            because="the credentials lack logs:DescribeLogStreams or logs:GetLogEvents",
            remedy=f"allow both on the log group {GROUP}",
        ) from None
    except PassingTrouble as trouble:
        raise trouble.error from trouble
