"""Files that a person gives: read as a whole, unless they are none or larger than any such file is."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final

MEGABYTE: Final = 1_000_000


class NotAFile(OSError):
    """What is there can't be read as a file; the text says why, without a subject."""


def read_given(path: Path, most_megabytes: int) -> bytes:
    """Raises NotAFile, and OSError as reading does. A pipe of the shell's, ``<(...)``, is a file; one that
    lies in a directory is none, since nobody may ever write into it."""
    try:
        mode = path.stat().st_mode
    except ValueError:
        raise NotAFile("can't be read: its name holds a null character") from None
    if stat.S_ISDIR(mode):
        raise NotAFile("can't be read: it is a directory, and no file")
    is_piped = stat.S_ISFIFO(mode) and path.is_absolute() and path.parts[1] in ("dev", "proc")
    if not stat.S_ISREG(mode) and not is_piped and not (stat.S_ISCHR(mode) and path.parts[1:2] == ("dev",)):
        raise NotAFile("can't be read: it is no file, but a pipe, a socket or a device")
    with path.open("rb") as file:
        data = file.read(most_megabytes * MEGABYTE + 1)
    if len(data) > most_megabytes * MEGABYTE:
        raise NotAFile(
            f"can't be read: it is larger than {most_megabytes} MB, which no such file needs to be"
        )
    return data
