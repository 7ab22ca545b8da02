"""A journal in a directory: one file per entry, numbered without gaps.

An entry is written to a scratch file, flushed to disk, and then given its number by ``link``, which fails
when the number is taken. So an entry is there as a whole or not at all, and of two writers that want one
number exactly one gets it.

A disk that does not keep its word may still leave the last entries torn after a power cut: empty, or cut
off. What they said was not acknowledged, or can be found out again from the training jobs, so they count as
empty. They stay where they are, since whoever moved them could take away what another has written in their
place; the entry that comes next says which were torn. Any other damage is an error.

Whoever has read or written entries notices when one is gone, at the next look at the note to stop and before
the next entry: a controller that wrote on would leave a record that nobody can read.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

from amt_flows.errors import Fenced, JournalError, system_reason
from amt_flows.events import Event
from amt_flows.ledger.journals.entries import (
    entry_index,
    entry_name,
    entry_text,
    events_of,
    missing_entry,
)
from amt_flows.ledger.journals.new_home import make_home
from amt_flows.ledger.journals.plain_files import NotAFileError, read_plain, what_stands_at

logger = logging.getLogger("amt_flows")

STOP_NOTE = "stop"
TORN = "first_torn"
"""What an entry calls the number of the first of the torn entries right before it."""
LIST_SECONDS = 5.0
"""How long the directory's own time is believed that nothing in it has changed: it may be coarse."""


class DirectoryJournal:
    """Reading creates nothing; the directory is made by the first ``append``, and so is the ``home`` that it
    stands in, for its owner only."""

    def __init__(self, directory: str | Path, *, home: Path | None = None) -> None:
        self.directory = Path(directory)
        self._home = home
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
        entries: list[Sequence[Event]] = []
        # Those right before ``start`` that were torn at the last look are so still.
        torn = self._first_torn if self._first_torn is not None and self._first_torn < start else None
        while True:
            index = start + len(entries)
            path = self._path(index)
            try:
                data = read_plain(path)
            except FileNotFoundError:
                break
            except NotAFileError as error:
                raise self._no_entry(index, error.what) from None
            except OSError as error:
                raise JournalError(f"{path} can't be read: {error}") from error
            try:
                events = _events(data, path)
            except JournalError:
                if not _is_torn(data):
                    raise
                torn = index if torn is None else torn
                entries.append(())
                continue
            if torn is not None and not _is_after_torn(data, torn):
                raise self._damaged(torn)
            torn = None
            entries.append(events)
        self._check_no_gap(start + len(entries))
        if torn is not None and torn != self._first_torn:
            logger.warning("%s is torn, as after a power cut; it counts as never written.", self._path(torn))
        self._first_torn = torn
        self._known = max(self._known, start + len(entries))
        return entries

    def _damaged(self, index: int) -> JournalError:
        return JournalError(
            f"{self._path(index)} is damaged: it is empty or cut off.", because=_BECAUSE, remedy=_REMEDY
        )

    def _check_no_gap(self, end: int) -> None:
        if not self.directory.is_dir():
            return
        later = [path.name for path in self.directory.iterdir() if entry_index(path.name) > end]
        # The writer may have been at work between our last look and the listing.
        if later and not self._path(end).exists():
            raise self._missing(end, f"{min(later)} is there")

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
        gone = next((index for index in range(count) if entry_name(index) not in names), None)
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
        text = entry_text(events, **({TORN: str(self._first_torn)} if after_torn else {}))
        final = self._path(index)
        scratch = self.directory / f".{index:08d}.{secrets.token_hex(8)}"
        # A journal is begun with its first entry only.
        self._check_all_there(max(index, self._known))
        try:
            if not self.directory.is_dir():
                if self._home is not None:
                    make_home(self._home)
                self.directory.mkdir(parents=True, exist_ok=True)
                _sync_directory(self.directory.parent)
            with scratch.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(scratch, final)
            finally:
                scratch.unlink()
            _sync_directory(self.directory)
            self._first_torn = None
            self._known = index + 1
            self._listed = self.directory.stat().st_mtime_ns, time.monotonic()
        except FileExistsError:
            if what := what_stands_at(final):
                raise self._no_entry(index, what) from None
            raise Fenced(f"Entry {index} of the journal was written by another controller.") from None
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

    def ask_to_stop(self, reason: str) -> None:
        if not self.directory.is_dir():
            raise JournalError(f"There is no journal at {self.directory}.")
        scratch = self.directory / f".{STOP_NOTE}.{secrets.token_hex(8)}"
        try:
            scratch.write_text(reason, encoding="utf-8")
            scratch.replace(self.directory / STOP_NOTE)
        except OSError as error:
            raise JournalError(f"The request to stop can't be written: {error}.") from error

    def take_back_stop(self) -> None:
        try:
            (self.directory / STOP_NOTE).unlink(missing_ok=True)
        except OSError as error:
            raise JournalError(f"The request to stop can't be taken back: {error}.") from error

    def asked_to_stop(self) -> str | None:
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


_BECAUSE = "the disk lost part of it, or the file was edited"
_REMEDY = "restore it from a backup"
_HEAD = b'{"events":'


def _events(data: bytes, path: Path) -> tuple[Event, ...]:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = ""  # which is no entry either
    return events_of(text, place=str(path), because=_BECAUSE, remedy=_REMEDY)


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


def _sync_directory(directory: Path) -> None:
    # Without this a power cut may forget the new name although the file's content is on disk.
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
