"""Unpacking archives of others: nothing of them lands outside of its directory."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

LARGEST_FILE = 8 * 1024**3


class Unpackable(Exception):
    """An archive that is none, or that reaches out of its directory; the text says which."""


def unpack(archive: bytes, directory: Path) -> None:
    """Write the files of a tar archive (gzip or plain) below a directory, which is made. Raises Unpackable.

    Files and directories only: a link could lead elsewhere, and no model of SageMaker's needs one.
    """
    directory.mkdir(parents=True, exist_ok=True)
    inside = directory.resolve()
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            for entry in opened:
                place = (inside / entry.name).resolve()
                if not place.is_relative_to(inside):
                    raise Unpackable(f"{entry.name!r} would be outside of its directory")
                if entry.isdir():
                    place.mkdir(parents=True, exist_ok=True)
                elif entry.isfile():
                    _write(opened, entry, place)
                else:
                    raise Unpackable(f"{entry.name!r} is neither a file nor a directory")
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise Unpackable(str(error) or type(error).__name__) from None


def _write(opened: tarfile.TarFile, entry: tarfile.TarInfo, place: Path) -> None:
    content = opened.extractfile(entry)
    if content is None or entry.size > LARGEST_FILE:
        raise Unpackable(f"{entry.name!r} can't be read")
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("wb") as file:
        while part := content.read(1024 * 1024):
            file.write(part)
    if entry.mode & 0o100:
        place.chmod(0o755)
