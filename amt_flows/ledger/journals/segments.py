"""Segments: so many entries of a journal in one compressed piece that can be read in their place.

A long record has hundreds of thousands of entries, a file or an object each. Those that lie well behind the
end are sealed: the texts of entries ``first`` to ``first + SEGMENT_ENTRIES - 1``, to the letter, behind a
checksum. Entries never change, so a segment follows from them alone: whoever seals, and however often,
writes the same one, and needs no fence. A segment that is not whole, as after a power cut, counts as none
while its entries are there.
"""

from __future__ import annotations

import bisect
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeAlias, overload

from amt_flows.errors import JournalError
from amt_flows.events import Event
from amt_flows.ledger.journals.entries import written_by_newer

SEGMENT_ENTRIES: Final = 256
"""All journals of a record must agree on it: segments begin at its multiples."""
VERSION: Final = 1

Entry: TypeAlias = Sequence[Event]


class NotWhole(Exception):
    """What should be a segment is torn, or something else."""


def first_of(index: int, size: int) -> int:
    """The first entry of the segment that an entry belongs to."""
    return index - index % size


def segment_of(first: int, texts: Sequence[bytes]) -> bytes:
    """The segment of these entries, each a JSON object; of a torn one the text is empty. A line of JSON says
    what it is, the rest is compressed."""
    # An entry that somebody has edited may have line breaks: between its words, where a blank will do.
    body = zlib.compress(b"\n".join(text.replace(b"\n", b" ") for text in texts))
    return json.dumps(_head(first, len(texts), body)).encode("ascii") + b"\n" + body


@dataclass(frozen=True)
class Segment:
    """What :func:`segment_of` made. ``place`` is its address, for messages."""

    body: bytes
    size: int
    place: str

    @classmethod
    def read(cls, data: bytes, first: int, size: int, place: str) -> Segment:
        """Raises NotWhole; JournalError for a segment of a later version."""
        line, _, body = data.partition(b"\n")
        try:
            head: Any = json.loads(line)
            version = head["segment"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise NotWhole(place) from None
        if isinstance(version, int) and version > VERSION:
            raise written_by_newer(place, f"it is a segment of version {version}")
        if head != _head(first, size, body):
            raise NotWhole(place)
        return cls(body, size, place)

    def texts(self) -> list[bytes]:
        """Of its entries. Raises JournalError: it was made by another program."""
        try:
            texts = zlib.decompress(self.body).split(b"\n")
        except zlib.error:
            texts = []
        if len(texts) != self.size:
            raise JournalError(
                f"{self.place} is damaged: it does not hold {self.size} entries.",
                because="it was written by another program",
                remedy="restore it from a backup",
            )
        return texts


def _head(first: int, size: int, body: bytes) -> dict[str, Any]:
    return {"segment": VERSION, "first": first, "entries": size, "sha256": _checksum(body)}


def _checksum(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


Parse: TypeAlias = Callable[[bytes], Entry]


class Entries(Sequence[Entry]):
    """Entries in their order. Those of segments are made from their texts when they are come to, and not
    kept: all events of a long record at once take hundreds of megabytes."""

    def __init__(self) -> None:
        self._parts: list[tuple[Segment, int, Parse] | list[Entry]] = []
        self._ends: list[int] = []

    def add(self, entry: Entry) -> None:
        if self._parts and isinstance(last := self._parts[-1], list):
            last.append(entry)
            self._ends[-1] += 1
        else:
            self._ends.append(len(self) + 1)
            self._parts.append([entry])

    def add_segment(self, segment: Segment, skipped: int, parse: Parse) -> None:
        """Those of a segment but for the first ``skipped``; ``parse`` makes an entry of its text."""
        self._ends.append(len(self) + segment.size - skipped)
        self._parts.append((segment, skipped, parse))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def _part(self, at: int) -> Iterator[Entry]:
        part = self._parts[at]
        if isinstance(part, list):
            return iter(part)
        segment, skipped, parse = part
        return (parse(text) if text else () for text in islice(segment.texts(), skipped, None))

    def __iter__(self) -> Iterator[Entry]:
        for at in range(len(self._parts)):
            yield from self._part(at)

    @overload
    def __getitem__(self, at: int) -> Entry: ...

    @overload
    def __getitem__(self, at: slice) -> list[Entry]: ...

    def __getitem__(self, at: int | slice) -> Entry | list[Entry]:
        if isinstance(at, slice):
            return [self[index] for index in range(len(self))[at]]
        index = range(len(self))[at]
        part = bisect.bisect_right(self._ends, index)
        before = self._ends[part - 1] if part else 0
        return next(islice(self._part(part), index - before, None))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]
