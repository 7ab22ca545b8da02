"""Journals that schedules are played on, beside the package's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from amt_flows.errors import Fenced
from amt_flows.events import Event
from amt_flows.ledger.journals.directory import DirectoryJournal
from amt_flows.ledger.journals.entries import entry_name, entry_text, events_of

SEALED_AT_A_TIME: Final = 8
"""Entries, so that in a schedule there are some to be sealed."""


class TextJournal:
    """In memory, but through the text of each entry, as on a disk or in S3."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._stop: str | None = None

    @property
    def location(self) -> str:
        return "memory:"

    def read(self, start: int = 0) -> Sequence[Sequence[Event]]:
        return [events_of(t.encode(), place="memory", because="", remedy="") for t in self._texts[start:]]

    def append(self, index: int, events: Sequence[Event]) -> None:
        if index < len(self._texts):
            raise Fenced(f"Entry {index} was written by another controller.")
        self._texts.append(entry_text(events))

    def ask_to_stop(self, reason: str) -> None:
        self._stop = reason

    def asked_to_stop(self, *, anew: bool = False) -> str | None:
        return self._stop

    def take_back_stop(self) -> None:
        self._stop = None


class TornDirectoryJournal(DirectoryJournal):
    """A real directory in which an entry can be left as a power cut leaves it."""

    def tear(self, index: int, events: Sequence[Event], kept: float) -> None:
        """Leave the beginning of an entry under its name, unless there is one of that name."""
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / entry_name(index)
        text = entry_text(events)
        if not path.exists() and not self.is_sealed(index):
            path.write_text(text[: int(kept * (len(text) - 1))], encoding="utf-8")
