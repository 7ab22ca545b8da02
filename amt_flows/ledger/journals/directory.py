"""A journal in a directory: one file per entry, numbered without gaps.

An entry is written to a scratch file, flushed to disk, and then given its number by ``link``, which fails
when the number is taken. So an entry is there as a whole or not at all, and of two writers that want one
number exactly one gets it.

A disk that does not keep its word may still leave the last entries torn after a power cut: empty, or cut
off. What they said was not acknowledged, or can be found out again from the training jobs, so they count as
empty. They stay where they are, since whoever moved them could take away what another has written in their
place; the entry that comes next says which were torn. Any other damage is an error.

Entries that lie well behind the end are sealed (:mod:`amt_flows.ledger.journals.sealed_files`).

Whoever has read or written entries notices when one is gone, at the next look at the note to stop and before
the next entry: a controller that wrote on would leave a record that nobody can read.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from amt_flows.errors import Fenced, JournalError, system_reason
from amt_flows.events import Event
from amt_flows.ledger.journals.entries import entry_index, entry_name, entry_text, missing_entry
from amt_flows.ledger.journals.new_home import make_home
from amt_flows.ledger.journals.plain_files import NotAFileError, read_plain, unreadable, what_stands_at
from amt_flows.ledger.journals.sealed_files import MARK, SealedFiles, sync_directory
from amt_flows.ledger.journals.segments import SEGMENT_ENTRIES, Entries
from amt_flows.ledger.journals.torn import LOST_BY_DISK, RESTORE, TORN, InOrder, events_in

logger = logging.getLogger("amt_flows")

STOP_NOTE = "stop"
LIST_SECONDS = 5.0
"""How long the directory's own time is believed that nothing in it has changed: it may be coarse."""


class DirectoryJournal:
    """Reading creates nothing; the directory is made by the first ``append``, and so is the ``home`` that it
    stands in, for its owner only. So many ``segment_entries`` are sealed at a time, which whoever reads or
    writes the record must know; another number than the usual one is for tests."""

    def __init__(
        self, directory: str | Path, *, home: Path | None = None, segment_entries: int = SEGMENT_ENTRIES
    ) -> None:
        self.directory = Path(directory)
        self._home, self._size = home, segment_entries
        self._segments = SealedFiles(self.directory, segment_entries, self._read_entry)
        self._first_torn: int | None = None  # of those at the end, as last read
        self._known = 0  # so many entries have been seen here
        self._listed: tuple[int, float] | None = None  # the directory's own time, and when that was ours

    @property
    def location(self) -> str:
        return self.directory.resolve().as_uri()

    def _path(self, index: int) -> Path:
        return self.directory / entry_name(index)

    def read(self, start: int = 0) -> Sequence[Sequence[Event]]:
        self._check_all_there(max(start, self._known))
        found = Entries()
        # Those right before ``start`` that were torn at the last look are so still.
        before = self._first_torn if self._first_torn is not None and self._first_torn < start else None
        entries = InOrder(self._path, before)
        while True:
            index = start + len(found)
            segment = self._segments.at(index) if index == start or index % self._size == 0 else None
            if segment is None:
                try:
                    found.add(entries.take(index, self._read_entry(index)) or ())
                    continue
                except FileNotFoundError:
                    # It may have been sealed since we began.
                    segment = self._segments.at(index)
            if segment is None:
                break
            found.add_segment(segment, index % self._size, partial(events_in, place=segment.place))
            entries.first_torn = None
        self._check_no_gap(start + len(found))
        torn = entries.first_torn
        if torn is not None and torn != self._first_torn:
            logger.warning("%s is torn, as after a power cut; it counts as never written.", self._path(torn))
        self._first_torn = torn
        self._known = max(self._known, start + len(found))
        return found

    def first(self) -> Sequence[Event]:
        """Of a journal whose first entry is torn or sealed away it is looked for as well as can be. Raises
        JournalError."""
        try:
            data = self._read_entry(0)
        except FileNotFoundError:
            segment = self._segments.at(0)
            data = b"" if segment is None else segment.texts()[0]
        return InOrder(self._path).take(0, data) or ()

    def _read_entry(self, index: int) -> bytes:
        """Raises FileNotFoundError, JournalError."""
        path = self._path(index)
        try:
            data = read_plain(path)
        except FileNotFoundError:
            raise
        except NotAFileError as error:
            raise self._no_entry(index, error.what) from None
        except OSError as error:
            raise unreadable(path, error) from error
        if data == MARK:
            raise FileNotFoundError(path)
        return data

    def is_sealed(self, index: int) -> bool:
        """Whether an entry can be read from a segment. Raises JournalError."""
        return self._segments.at(index) is not None

    def _check_no_gap(self, end: int) -> None:
        if not self.directory.is_dir():
            return
        names = {path.name for path in self.directory.iterdir()}
        later = [name for name in names if entry_index(name) > end or self._segments.is_beyond(name, end)]
        # The writer may have been at work between our last look and the listing.
        if (not later or self._path(end).exists()) and not self._is_mark(end):
            return
        if self.is_sealed(end):
            return
        segment = self._segments.path(end)
        if segment.name in names:
            raise JournalError(
                f"{segment} is damaged: it is not whole.", because=LOST_BY_DISK, remedy=RESTORE
            )
        raise self._missing(end, f"{min(later, default=entry_name(end))} is there")

    def _is_mark(self, index: int) -> bool:
        """Whether the entry is one that says that others were sealed."""
        try:
            return index == 0 and read_plain(self._path(0)) == MARK
        except OSError:
            return False

    def _check_all_there(self, count: int) -> None:
        """Raises JournalError when one of the first ``count`` entries is not there any more, or when what has
        the name of the next is no entry. Costs a look at the directory's own time while nothing changes."""
        if count == 0:
            return
        try:
            changed = self.directory.stat().st_mtime_ns
            if (
                self._listed
                and self._listed[0] == changed
                and time.monotonic() < self._listed[1] + LIST_SECONDS
            ):
                return
            names = {path.name for path in self.directory.iterdir()}
        except (FileNotFoundError, NotADirectoryError):
            raise self._vanished() from None
        except OSError:
            return  # it can't be looked at now: too many files are open, say
        gone = self._segments.missing(names, count)
        if gone is not None:
            raise self._missing(gone, "it was there")
        if entry_name(count) in names and (what := what_stands_at(self._path(count))):
            raise self._no_entry(count, what)
        self._listed = changed, time.monotonic()

    def _missing(self, index: int, but: str) -> JournalError:
        return missing_entry(index, str(self.directory), but=but, because="a file was deleted")

    def _vanished(self) -> JournalError:
        return JournalError(
            f"The journal {self.directory} has vanished.",
            because="its directory was moved or removed, or its disk was unmounted",
            remedy="put it back, then run the same tuning job again; if it is lost, `amt-flows recover` "
            "rebuilds it from the training jobs",
        )

    def _no_entry(self, index: int, what: str) -> JournalError:
        return JournalError(
            f"{self._path(index)} is no entry of the journal: it is {what}.",
            because="somebody or another program put it there",
            remedy="remove it, then run the same tuning job again",
        )

    def append(self, index: int, events: Sequence[Event]) -> None:
        after_torn = self._first_torn is not None and self._first_torn < index
        text = entry_text(events, {TORN: str(self._first_torn)} if after_torn else {})
        final = self._path(index)
        scratch = self.directory / f".{index:08d}.{secrets.token_hex(8)}"
        # A journal is begun with its first entry only.
        self._check_all_there(max(index, self._known))
        try:
            if not self.directory.is_dir():
                if self._home is not None:
                    make_home(self._home)
                self.directory.mkdir(parents=True, exist_ok=True)
                sync_directory(self.directory.parent)
            with scratch.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(scratch, final)
            finally:
                scratch.unlink()
            sync_directory(self.directory)
            if self.is_sealed(index):
                # Another wrote this entry long ago; it was sealed since, and its number was free again. Or it
                # is ours, and was sealed by whoever has gone on since: then we are fenced all the same.
                final.unlink(missing_ok=True)
                raise self._fenced(index)
            self._first_torn = None
            self._known = index + 1
            self._segments.seal_some(self._known)
            self._listed = self.directory.stat().st_mtime_ns, time.monotonic()
        except FileExistsError:
            if what := what_stands_at(final):
                raise self._no_entry(index, what) from None
            raise self._fenced(index) from None
        except OSError as error:
            if index > 0 and not self.directory.is_dir():
                raise self._vanished() from error
            with contextlib.suppress(OSError):
                scratch.unlink()
            raise JournalError(
                f"The journal {self.directory} can't be written: {error.strerror or error}.",
                because=system_reason(error),
                remedy="make room or grant access, then run the same tuning job again: it goes on from here",
            ) from error

    def _fenced(self, index: int) -> Fenced:
        return Fenced(f"Entry {index} of the journal was written by another controller.")

    def ask_to_stop(self, reason: str) -> None:
        if not self.directory.is_dir():
            raise JournalError(f"There is no journal at {self.directory}.")
        scratch = self.directory / f".{STOP_NOTE}.{secrets.token_hex(8)}"
        try:
            scratch.write_text(reason, encoding="utf-8")
            scratch.replace(self.directory / STOP_NOTE)
        except OSError as error:
            raise self._note_refused("written", error) from error

    def take_back_stop(self) -> None:
        note = self.directory / STOP_NOTE
        if not os.path.lexists(note):
            return  # a disk that can't be written to has something to say about it all the same
        try:
            note.unlink(missing_ok=True)
        except OSError as error:
            raise self._note_refused("taken back", error) from error

    def _note_refused(self, done: str, error: OSError) -> JournalError:
        return JournalError(
            f"The request to stop in {self.directory} can't be {done}: {error.strerror or error}.",
            because=system_reason(error),
            remedy="make room or grant access, then do the same again",
        )

    def asked_to_stop(self, *, anew: bool = False) -> str | None:
        self._check_all_there(self._known)
        note = self.directory / STOP_NOTE
        try:
            return read_plain(note).decode("utf-8") or "asked to stop"
        except (PermissionError, UnicodeDecodeError):
            return "asked to stop"
        except NotAFileError as error:
            raise JournalError(
                f"{note} is no note to stop: it is {error.what}.",
                because="somebody or another program put it there",
                remedy="remove it, then run the same tuning job again; `amt-flows stop` leaves a note",
            ) from None
        except OSError:
            return None  # there is none, or too many files are open: the next look will tell
