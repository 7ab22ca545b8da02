"""The worker where every machine finds it: a copy of its few files, standard library only, in the shared
directory. So machines of an engine need Python and nothing of ours; for functions, what these need."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from functools import cache
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).resolve().parents[2]
FILES: Final = (
    "__init__.py",
    "lazy.py",
    "names.py",
    "reporting.py",
    "backends/__init__.py",
    "backends/local/function.py",
    "backends/function_job/*.py",
    "backends/local_worker/*.py",
    "metrics/*.py",
)
ATTENDANT: Final = "backends/local_worker/attendant.py"
FUNCTION: Final = "backends/local/function.py"


def shared_package(root: Path) -> Path:
    """The directory of the copy below ``root``; made if this version's isn't there yet. Raises OSError."""
    files = _files()
    place = root / ".worker" / _digest(files) / "amt_flows"
    if place.is_dir():
        return place
    scratch = root / ".worker" / f".{os.getpid()}.{secrets.token_hex(4)}"
    try:
        for file in files:
            copy = scratch / "amt_flows" / file.relative_to(PACKAGE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        scratch.rename(place.parent)
    except OSError:
        shutil.rmtree(scratch, ignore_errors=True)
        if not place.is_dir():  # otherwise somebody else was quicker
            raise
    return place


@cache
def _files() -> tuple[Path, ...]:
    return tuple(sorted(path for pattern in FILES for path in PACKAGE.glob(pattern)))


def _digest(files: tuple[Path, ...]) -> str:
    content = hashlib.sha256()
    for file in files:
        content.update(str(file.relative_to(PACKAGE)).encode() + b"\0" + file.read_bytes())
    return content.hexdigest()[:16]
