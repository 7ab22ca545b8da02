"""The record of a tuning job that another keeps: events are appended as they become known."""

from __future__ import annotations

from collections.abc import Sequence

from amt_flows.errors import Fenced, NameTaken
from amt_flows.events import Attached, Event
from amt_flows.ledger import Ledger
from amt_flows.places import AMT
from amt_flows.ports import Clock, Journal


class Mirror:
    """A journal, the ledger folded from it, and the fence between two followers of one journal."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        """Raises JournalError."""
        self.journal = journal
        self._clock = clock
        entries = journal.read()
        self._next_entry = len(entries)
        self.ledger = Ledger.replay(entries)

    def now(self) -> float:
        """The clock's time, never before the last event's."""
        return max(self._clock.now(), self.ledger.last_at)

    def take_up(self, controller: str) -> None:
        """Fence off whoever has kept the record so far, unless it is closed."""
        if not self.ledger.finished:
            self.record([Attached(self.now(), controller)])

    def record(self, events: Sequence[Event]) -> None:
        """Raises Fenced, JournalError."""
        if not events:
            return
        try:
            self.journal.append(self._next_entry, events)
        except Fenced:
            holder = Ledger.replay(self.journal.read()).controller
            raise Fenced(
                f"The record of tuning job {self.ledger.name or 'of this name'} is kept by another process "
                f"now: {holder}.",
                because="it was followed a second time, with the same journal, while this one ran",
                remedy="nothing; the tuning job goes on, and the other one records it",
            ) from None
        self._next_entry += 1
        for event in events:
            self.ledger.apply(event)

    def must_be_amts(self, name: str) -> None:
        """Raises NameTaken when the journal is that of another tuning job, or of one that AMT doesn't run."""
        ledger = self.ledger
        if not ledger.opened:
            return
        if ledger.backend.partition(":")[0] != AMT:
            raise NameTaken(
                f"The journal {self.journal.location} is that of a tuning job that amt-flows itself runs.",
                remedy="choose another name, or go on with it as it was begun",
            )
        if ledger.name.lower() != name.lower():
            raise NameTaken(
                f"The journal {self.journal.location} is that of another tuning job, {ledger.name}.",
                remedy="give each tuning job a journal of its own",
            )
