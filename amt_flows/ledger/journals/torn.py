"""Entries as a disk gives them back, of which a power cut may have torn the last.

A torn entry is empty, or cut off; it counts as empty. It is no damage at the end of a journal, and further
up where the entry behind it says that it was torn when that was written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from amt_flows.errors import JournalError
from amt_flows.events import Event
from amt_flows.ledger.journals.entries import events_of

TORN: Final = "first_torn"
"""What an entry calls the number of the first of the torn entries right before it."""

LOST_BY_DISK: Final = "the disk lost part of it, or the file was edited"
RESTORE: Final = "restore it from a backup"
_HEAD = b'{"events":'


class InOrder:
    """Takes entries in their order. ``first_torn`` is the number of the first of the torn ones right before
    the next; None when there is none. ``path`` is that of an entry."""

    def __init__(self, path: Callable[[int], Path], first_torn: int | None = None) -> None:
        self._path = path
        self.first_torn = first_torn

    def take(self, index: int, data: bytes) -> Sequence[Event] | None:
        """The events of an entry; None for a torn one. Raises JournalError."""
        try:
            events = events_in(data, self._path(index))
        except JournalError:
            if not _is_torn(data):
                raise
            self.first_torn = index if self.first_torn is None else self.first_torn
            return None
        if self.first_torn is not None and not _is_after_torn(data, self.first_torn):
            path = self._path(self.first_torn)
            raise JournalError(
                f"{path} is damaged: it is empty or cut off.", because=LOST_BY_DISK, remedy=RESTORE
            )
        self.first_torn = None
        return events


def events_in(data: bytes, place: Path | str) -> tuple[Event, ...]:
    """Raises JournalError for what is no entry."""
    return events_of(data, place=str(place), because=LOST_BY_DISK, remedy=RESTORE)


def _is_torn(data: bytes) -> bool:
    """Whether this is what a power cut may leave of an entry: nothing, zeros, or its beginning."""
    try:
        json.loads(data)
    except RecursionError:
        return False  # nothing that we write is nested that deep
    except ValueError:
        head = data.partition(b"\0")[0]
        # An entry is written in ASCII, so that no cut leaves anything else.
        return data.isascii() and (head.startswith(_HEAD) or _HEAD.startswith(head))
    return False


def _is_after_torn(data: bytes, first: int) -> bool:
    """Whether an entry says that those from ``first`` on, right before it, were torn when it was written."""
    said = json.loads(data).get(TORN)
    return isinstance(said, str) and said.isdecimal() and int(said) <= first
