"""The segments of a journal in a directory, a file each, and the entries that they stand in for.

1. A segment is written to a scratch file, flushed to disk, and then given its name.
2. Its entries are removed when the next segment has been written, and only after the segment was read back
   and found whole: a disk that keeps its word late has had the time of so many entries.
3. The first entry of all stays, as a mark: so the journal can't be begun a second time, and an amt-flows that
   knows no segments says that a newer version wrote it.

A controller that was fenced long ago may find the number that it wants free again, since the entry that had
it was removed. A segment is there by then, which whoever has written looks for.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from amt_flows.errors import JournalError
from amt_flows.ledger.journals.entries import entry_index, entry_name
from amt_flows.ledger.journals.plain_files import NotAFileError, read_plain, unreadable
from amt_flows.ledger.journals.segments import NotWhole, Segment, first_of, segment_of
from amt_flows.ledger.journals.torn import InOrder

logger = logging.getLogger("amt_flows")

SUFFIX: Final = ".sealed"
MARK: Final = b'{"events":[{"v":1,"kind":"sealed"}]}'
"""Of an event that no version has, and that those without segments take for a newer one's."""


class SealedFiles:
    """The segments in a directory, of ``size`` entries each. ``read_entry`` gives the data of an entry that
    has a file, or raises FileNotFoundError, JournalError."""

    def __init__(self, directory: Path, size: int, read_entry: Callable[[int], bytes]) -> None:
        self._directory, self._size, self._read_entry = directory, size, read_entry
        self._sealed: int | None = None  # all entries below; None until it was looked for
        self._cleared = 0  # all entries below are removed
        self._not_before = 0  # so many entries: the last try failed

    def path(self, index: int) -> Path:
        """Of the segment that an entry belongs to, whether there is one or not."""
        return self._directory / f"{first_of(index, self._size):08d}{SUFFIX}"

    def is_beyond(self, name: str, end: int) -> bool:
        """Whether this is the name of a segment that has entries behind the first ``end``."""
        stem, dot, suffix = name.partition(".")
        return dot + suffix == SUFFIX and stem.isdecimal() and int(stem) + self._size > end

    def at(self, index: int) -> Segment | None:
        """The segment that an entry belongs to; None when there is none, or it is not whole. Raises
        JournalError."""
        path = self.path(index)
        try:
            return Segment.read(read_plain(path), first_of(index, self._size), self._size, str(path))
        except (FileNotFoundError, NotADirectoryError, NotWhole):
            return None
        except NotAFileError as error:
            raise JournalError(
                f"{path} is no segment of the journal: it is {error.what}.",
                because="somebody or another program put it there",
                remedy="remove it, then run the same tuning job again",
            ) from None
        except OSError as error:
            raise unreadable(path, error) from error

    def missing(self, names: Collection[str], count: int) -> int | None:
        """The first of ``count`` entries that neither has a file nor is sealed, by the names in the
        directory."""
        for first in range(0, count, self._size):
            if self.path(first).name not in names:
                for index in range(first, min(first + self._size, count)):
                    if entry_name(index) not in names:
                        return index
        return None

    # -- sealing ---------------------------------------------------------------------------------

    def seal_some(self, count: int) -> None:
        """Seal a segment of the first ``count`` entries, if there is one to be sealed, and remove the entries
        of one. Trouble waits: everything is in the entries still."""
        if count < self._not_before:
            return
        try:
            if self._sealed is None:
                self._look()
            if self._sealed is not None and self._sealed + self._size <= count:
                self._seal(self._sealed)
                self._sealed += self._size
                # Never those of the last segment.
                if self._cleared + self._size < self._sealed:
                    self._clear(self._cleared)
        except (OSError, JournalError) as error:
            logger.warning("Entries of the journal %s were not sealed: %s", self._directory, error)
            self._sealed, self._not_before = None, count + self._size

    def _look(self) -> None:
        names = {path.name for path in self._directory.iterdir()}
        sealed = 0
        while self.path(sealed).name in names:
            sealed += self._size
        if sealed and self.at(sealed - 1) is None:
            sealed -= self._size
        left = min((index for index in map(entry_index, names) if index > 0), default=sealed)
        self._sealed, self._cleared = sealed, min(first_of(left, self._size), sealed)

    def _seal(self, first: int) -> None:
        entries, texts = InOrder(lambda index: self._directory / entry_name(index)), list[bytes]()
        for index in range(first, first + self._size):
            data = self._read_entry(index)
            texts.append(b"" if entries.take(index, data) is None else data)
        if entries.first_torn is not None:
            # Whether that was a power cut, or is damage, is said by the entry behind them.
            entries.take(first + self._size, self._read_entry(first + self._size))
        self._replace(self.path(first), segment_of(first, texts))

    def _clear(self, first: int) -> None:
        if self.at(first) is None:
            self._seal(first)  # again: its entries are there still
            return
        if first == 0:
            self._replace(self._directory / entry_name(0), MARK)
        for index in range(max(first, 1), first + self._size):
            (self._directory / entry_name(index)).unlink(missing_ok=True)
        self._cleared = first + self._size

    def _replace(self, path: Path, data: bytes) -> None:
        scratch = self._directory / f".{path.name}.{secrets.token_hex(8)}"
        try:
            with scratch.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                scratch.unlink()
            raise
        sync_directory(self._directory)


def sync_directory(directory: Path) -> None:
    """Without this a power cut may forget the new name although the file's content is on disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
