"""Standard output and error that never fail for what is on their other side: a console that lacks a character
shows its escape, and what nobody reads any more is written to nobody. A tuning job and the exit code of a
command depend on neither.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import Any, TextIO

GONE = frozenset({errno.EPIPE, errno.EIO, errno.ENXIO, errno.ECONNRESET})
"""The reader has closed the pipe, or the terminal is gone."""


class Forgiving(io.FileIO):
    """A file descriptor that takes what nobody reads any more; ``always``: what a full disk has no room for
    as well."""

    def __init__(self, fd: int, *, always: bool) -> None:
        super().__init__(fd, "w", closefd=False)
        self._always = always

    def write(self, data: Any, /) -> int:
        """Never less than all of it, also where the other side asks to wait."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view):
            try:
                done += os.write(self.fileno(), view[done:])
            except BlockingIOError:
                select.select([], [self.fileno()], [], 1.0)
            except OSError as error:
                if self._always or error.errno in GONE:
                    return len(view)
                raise
        return len(view)


def prepare_streams() -> None:
    """Once, before a command runs. Streams that are no files (a test's, a notebook's) are left alone; a
    standard input that is closed has nothing to say."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 -- for as long as we live
    sys.stdout = _prepared(sys.stdout, always=False)
    sys.stderr = _prepared(sys.stderr, always=True)


def _prepared(stream: TextIO | None, *, always: bool) -> TextIO:
    if stream is None:  # started with it closed
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 -- for as long as we live
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if type(raw) is not io.FileIO:
        return stream
    try:
        stream.flush()
        forgiving = Forgiving(raw.fileno(), always=always)
    except (OSError, ValueError):
        return stream
    unbuffered, lines = buffer is raw, always or stream.isatty()
    under: Any = forgiving if unbuffered else io.BufferedWriter(forgiving)
    encoding, errors = stream.encoding, "backslashreplace"
    return io.TextIOWrapper(under, encoding, errors, line_buffering=lines, write_through=unbuffered)
