"""A journal that lives as long as its process: for tests, simulations and plans.

Entries that lie behind the end are compressed: as objects, those of 10,000 training jobs take 100 MB.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Sequence
from typing import Final

from amt_flows.errors import Fenced
from amt_flows.events import Event

FOLDED_ENTRIES: Final = 256


def _unfolded(folded: bytes) -> list[tuple[Event, ...]]:
    entries: list[tuple[Event, ...]] = pickle.loads(zlib.decompress(folded))  # noqa: S301 - our own, of before
    return entries


class MemoryJournal:
    """Several controllers may share one object, as they would share a directory."""

    def __init__(self) -> None:
        self._folded: list[bytes] = []  # so many entries each as are folded at a time
        self._entries: list[tuple[Event, ...]] = []  # those behind them
        self._stop: str | None = None

    @property
    def location(self) -> str:
        return "memory:"

    def read(self, start: int = 0) -> Sequence[Sequence[Event]]:
        first = start // FOLDED_ENTRIES
        behind = len(self._folded) * FOLDED_ENTRIES
        if start >= behind:
            return self._entries[start - behind :]
        found = [entry for folded in self._folded[first:] for entry in _unfolded(folded)]
        return [*found[start - first * FOLDED_ENTRIES :], *self._entries]

    def first(self) -> Sequence[Event]:
        entries = _unfolded(self._folded[0]) if self._folded else self._entries
        return entries[0] if entries else ()

    def append(self, index: int, events: Sequence[Event]) -> None:
        count = len(self._folded) * FOLDED_ENTRIES + len(self._entries)
        if index < count:
            raise Fenced(f"Entry {index} of the journal was written by another controller.")
        if index > count:
            raise ValueError(f"entry {index} would leave a gap after entry {count - 1}")
        self._entries.append(tuple(events))
        # As many stay as they are: a look at what is new shouldn't need to unfold anything.
        if len(self._entries) == 2 * FOLDED_ENTRIES:
            self._folded.append(zlib.compress(pickle.dumps(self._entries[:FOLDED_ENTRIES]), 1))
            del self._entries[:FOLDED_ENTRIES]

    def ask_to_stop(self, reason: str) -> None:
        self._stop = reason

    def asked_to_stop(self, *, anew: bool = False) -> str | None:
        return self._stop

    def take_back_stop(self) -> None:
        self._stop = None
