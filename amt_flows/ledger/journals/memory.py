"""A journal that lives as long as its process: for tests, simulations and plans."""

from __future__ import annotations

from collections.abc import Sequence

from amt_flows.errors import Fenced
from amt_flows.events import Event


class MemoryJournal:
    """Several controllers may share one object, as they would share a directory."""

    def __init__(self) -> None:
        self._entries: list[tuple[Event, ...]] = []
        self._stop: str | None = None

    @property
    def location(self) -> str:
        return "memory:"

    def read(self, start: int = 0) -> Sequence[Sequence[Event]]:
        return self._entries[start:]

    def append(self, index: int, events: Sequence[Event]) -> None:
        if index < len(self._entries):
            raise Fenced(f"Entry {index} of the journal was written by another controller.")
        if index > len(self._entries):
            raise ValueError(f"entry {index} would leave a gap after entry {len(self._entries) - 1}")
        self._entries.append(tuple(events))

    def ask_to_stop(self, reason: str) -> None:
        self._stop = reason

    def asked_to_stop(self) -> str | None:
        return self._stop

    def take_back_stop(self) -> None:
        self._stop = None
