"""A new database of Prefect's, which takes a server as long to make as all the rest of its start. The first
server of a run of the tests leaves it to the others."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path


def left_by_the_first(base: Path) -> Path:
    """Where it is, once there is one. ``base``: the directory for temporary ones of this process."""
    # With xdist, what all processes have in common is above.
    return (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "new-prefect.db"


def copy(one: Path, other: Path) -> None:
    """Whole or not at all, though a server has it open."""
    part = other.with_suffix(".part")
    with closing(sqlite3.connect(one, timeout=120)) as there, closing(sqlite3.connect(part)) as here:
        there.backup(here)
    part.rename(other)
