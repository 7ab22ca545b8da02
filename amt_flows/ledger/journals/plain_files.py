"""Reading a file that anybody may have put something else in place of: a FIFO, a directory, a dangling link.

An ordinary ``open`` waits for ever at a FIFO that nobody writes to.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from amt_flows.errors import JournalError, system_reason

_KINDS = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISLNK, "a link to nothing"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NotAFileError(OSError):
    """Something of this name is there, but no file. ``what`` names it: "a FIFO"."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path} is {what} and no file")
        self.what = what


def read_plain(path: Path) -> bytes:
    """The content of a file; never waits for a writer. Raises FileNotFoundError when nothing of this name is
    there, NotAFileError, OSError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        what = what_stands_at(path)
        if what:
            raise NotAFileError(path, what) from None
        raise
    try:
        what = _kind(os.fstat(fd).st_mode)
        if what:
            raise NotAFileError(path, what)
        with open(fd, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(fd)


def unreadable(path: Path, error: OSError) -> JournalError:
    """What is said of a file of a record that can't be read."""
    return JournalError(
        f"{path} can't be read: {error.strerror or error}.",
        because=system_reason(error),
        remedy="grant access to it, or run this as the user who may read it",
    )


def what_stands_at(path: Path) -> str:
    """What has this name, if that is no file and no link to one; empty if it is, or nothing has it."""
    try:
        return _kind(path.stat().st_mode)
    except FileNotFoundError:
        return "a link to nothing" if path.is_symlink() else ""
    except OSError:
        return ""


def _kind(mode: int) -> str:
    return next((words for is_so, words in _KINDS if is_so(mode)), "")
