"""A journal in a directory: one file per entry, numbered without gaps.

An entry is written to a scratch file, flushed to disk, and then given its number by ``link``, which fails
when the number is taken. So an entry is there as a whole or not at all, and of two writers that want one
number exactly one gets it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from amt_flows.errors import Fenced, JournalError
from amt_flows.events import Event
from amt_flows.journals.entries import entry_index, entry_name, entry_text, events_of

STOP_NOTE = "stop"


class DirectoryJournal:
    """Reading creates nothing; the directory is made by the first ``append``."""

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)

    @property
    def location(self) -> str:
        return self.directory.resolve().as_uri()

    def _path(self, index: int) -> Path:
        return self.directory / entry_name(index)

    def read(self, start: int = 0) -> Sequence[Sequence[Event]]:
        entries: list[Sequence[Event]] = []
        while True:
            path = self._path(start + len(entries))
            try:
                text = path.read_text(encoding="utf-8")
            except FileNotFoundError:
                break
            except OSError as error:
                raise JournalError(f"{path} can't be read: {error}") from error
            entries.append(_events(text, path))
        self._check_no_gap(start + len(entries))
        return entries

    def _check_no_gap(self, end: int) -> None:
        if not self.directory.is_dir():
            return
        later = [path.name for path in self.directory.iterdir() if entry_index(path.name) > end]
        # The writer may have been at work between our last look and the listing.
        if later and not self._path(end).exists():
            raise JournalError(
                f"Entry {end} of the journal {self.directory} is missing, but {min(later)} is there.",
                because="a file was deleted",
                remedy="restore the file; going on without it could launch jobs twice",
            )

    def append(self, index: int, events: Sequence[Event]) -> None:
        text = entry_text(events)
        final = self._path(index)
        scratch = self.directory / f".{index:08d}.{secrets.token_hex(8)}"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with scratch.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(scratch, final)
            finally:
                scratch.unlink()
            _sync_directory(self.directory)
        except FileExistsError:
            raise Fenced(f"Entry {index} of the journal was written by another controller.") from None
        except OSError as error:
            with contextlib.suppress(OSError):
                scratch.unlink()
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise JournalError(
                f"The journal {self.directory} can't be written: {error.strerror or error}.",
                because="the disk is full" if full else "the directory's permissions or its disk",
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

    def asked_to_stop(self) -> str | None:
        try:
            return (self.directory / STOP_NOTE).read_text(encoding="utf-8") or "asked to stop"
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError):
            return "asked to stop"


def _events(text: str, path: Path) -> tuple[Event, ...]:
    return events_of(
        text,
        place=str(path),
        because="the disk lost part of it, or the file was edited",
        remedy="restore it from a backup",
    )


def _sync_directory(directory: Path) -> None:
    # Without this a power cut may forget the new name although the file's content is on disk.
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
