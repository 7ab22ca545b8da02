"""A tuning job's record: its journal, the ledger folded from it, the fence between two writers, and a clock
that never goes back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from amt_flows.errors import Fenced, JournalError, TuningJobNotFound
from amt_flows.events import Attached, Concluding, Event, Extended, Judged, Observed, Opened, in_one
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import Clock, Journal, KnowsFirst

HOLD_SECONDS = 5.0
"""How long values may wait for an entry of their own: a file with two flushes to disk, or a request to S3."""
EXTENSION_SECONDS = 10.0
"""Between two looks whether somebody has changed the limits."""


@dataclass(frozen=True)
class TakenOver:
    """How whoever keeps a record says that another has taken it over."""

    happened: str
    """With ``{name}``, of the tuning job, and ``{holder}``."""
    because: str
    remedy: str

    def error(self, name: str, holder: str) -> Fenced:
        happened = self.happened.format(name=name or "of this name", holder=holder)
        return Fenced(happened, because=self.because, remedy=self.remedy)


class Reading:
    """The ledger of a journal, whoever writes it. Each entry is read once: another look costs what was
    written since the last one, and not the whole record. Raises JournalError."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.ledger = Ledger()
        self.next_entry = 0
        self.look()

    def look(self) -> None:
        """Bring the ledger up to date. Raises JournalError."""
        entries = self.journal.read(self.next_entry)
        self.ledger.extend(entries)
        self.next_entry += len(entries)


class Record(Reading):
    """A record that is written, by one writer at a time. Raises JournalError."""

    def __init__(self, journal: Journal, clock: Clock, taken_over: TakenOver) -> None:
        super().__init__(journal)
        self.clock = clock
        self._taken_over = taken_over
        self._held: list[Observed | Judged] = []
        self.gathered: list[Event] = []
        """What is to share the entry of whatever comes next."""
        self._together = False
        self._written_at = self.ledger.last_at
        # Of a clock that was set back since the last event. It must not stand still until it has caught up.
        self._behind = max(0.0, self.ledger.last_at - clock.now())
        self._look_again_at = self.now() + EXTENSION_SECONDS

    def now(self) -> float:
        """The clock's time, never before the last event's."""
        return max(self.clock.now() + self._behind, self.ledger.last_at)

    def append(self, events: Sequence[Event]) -> None:
        """Write down what happened, as one entry. Raises Fenced, having written nothing, once another has
        taken the record over, whether what he wrote can be read or not; JournalError."""
        entry = (*_in_one(self._held), *self.gathered, *events)
        if not entry:
            return
        try:
            self.journal.append(self.next_entry, entry)
        except Fenced:
            if self.absorb():
                # An end that was decided on before the limits were changed is to be decided on again.
                self.append([event for event in events if not isinstance(event, Concluding)])
                return
            latest = self.latest()
            holder = "its journal can't be read" if latest is None else latest.controller
            raise self._taken_over.error(self.ledger.name, holder) from None
        self.next_entry += 1
        self._held.clear()
        self.gathered.clear()
        for event in events:
            self.ledger.apply(event)
        self._written_at = self.ledger.last_at

    def hold(self, seen: Observed | Judged) -> None:
        """Take note of values, or of judgements on them, from which nothing has followed yet; they are
        written down with whatever comes next, or after a while. Until then they can be found out again from
        the training jobs. Raises as :meth:`append`."""
        self.ledger.apply(seen)
        self._held.append(seen)
        self.write_what_waits()

    def write_what_waits(self) -> None:
        """Write down values that have waited long enough, though nothing came after them. Raises as
        :meth:`append`."""
        if self._held and self.now() - self._written_at >= HOLD_SECONDS:
            self.append(())

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Within, what is gathered shares the entry of whatever is decided next, rather than wait for one of
        its own. What is left of it at the end must be written down then."""
        self._together = True
        try:
            yield
        finally:
            self._together = False

    def gather(self, events: Sequence[Event]) -> bool:
        """Take note of what nothing in the world has followed from yet, and what can be found out again: from
        the training jobs, or by deciding anew. Whether it may wait; else it is to be written down now."""
        for event in events:
            self.ledger.apply(event)
        self.gathered += events
        return self._together or not self.gathered

    def absorb(self) -> bool:
        """Take in an extension that somebody else has written, which takes nothing over; whether there was
        one that can be read."""
        try:
            entries = list(self.journal.read(self.next_entry))
        except JournalError:
            return False
        if not entries or not all(isinstance(event, Extended) for entry in entries for event in entry):
            return False
        self.ledger.extend(entries)
        self.next_entry += len(entries)
        return True

    def absorb_now_and_then(self) -> None:
        """:meth:`absorb`, every few seconds: whatever is written finds an extension too."""
        if self.now() >= self._look_again_at:
            self._look_again_at = self.now() + EXTENSION_SECONDS
            self.absorb()

    def take_over(self, controller: str) -> None:
        """Fence off whoever has kept the record so far, unless it is closed. Raises Fenced, JournalError."""
        if not self.ledger.finished:
            self.append([Attached(self.now(), controller)])

    def latest(self) -> Ledger | None:
        """What the record says by now, with what others wrote; None when it can't be read."""
        try:
            return Ledger.replay(self.journal.read())
        except JournalError:
            return None

    @property
    def is_fenced(self) -> bool:
        """Whether another is known to have taken over; False also if the journal can't be read."""
        try:
            entries = self.journal.read(self.next_entry)
            return any(not isinstance(event, Extended) for entry in entries for event in entry)
        except JournalError:
            return False


def _in_one(held: Sequence[Observed | Judged]) -> Iterator[Observed | Judged]:
    """The values as one event, and behind it the judgements as one."""
    observed = [one for one in held if isinstance(one, Observed)]
    judgements = [judgement for one in held if isinstance(one, Judged) for judgement in one.judgements]
    if observed:
        yield in_one(observed)
    if judgements:
        yield Judged(held[-1].at, tuple(judgements))


def opening_of(journal: Journal) -> Opened | None:
    """How a tuning job was opened, read without the rest of its record where the journal knows a way; None
    where there is none. Raises JournalError."""
    if isinstance(journal, KnowsFirst):
        first = journal.first()
    else:
        first = next(iter(journal.read()), ())
    return next((event for event in first if isinstance(event, Opened)), None)


def watched(journal: Journal, name: str) -> Reading:
    """The record of an existing tuning job, to be looked at again. Raises TuningJobNotFound, JournalError."""
    reading = Reading(journal)
    if not reading.ledger.opened:
        raise no_tuning_job(name, journal)
    return reading


def no_tuning_job(name: str, journal: Journal) -> TuningJobNotFound:
    return TuningJobNotFound(
        f"There is no tuning job {name} at {journal.location}.",
        remedy="check the name, and $AMT_FLOWS_HOME (or --home) if it was kept elsewhere",
    )


def load_ledger(journal: Journal, name: str) -> Ledger:
    """The ledger of an existing tuning job. Raises TuningJobNotFound, JournalError."""
    return watched(journal, name).ledger
