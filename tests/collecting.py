"""How each process of a run comes by its tests.

Every process of xdist's collects all of them, and half of that is the compiling of their assertions. Each
begins at another room, so that what one has compiled is there when the others come to it.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import pytest

HERE = Path(__file__).parent

Item = TypeVar("Item")


def from_ones_own_room(found: Sequence[Item]) -> Sequence[Item]:
    """What the directory of all tests holds, from another room on in each process."""
    first = len(found) * _number() // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return [*found[first:], *found[:first]]


def _number() -> int:
    """Of this process, from 0 on."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def in_one_order(items: list[pytest.Item]) -> None:
    """The same in every process; a file's tests stay in its own order."""
    items.sort(key=lambda item: item.path)


def keep_what_is_compiled() -> None:
    """Also where PYTHONDONTWRITEBYTECODE is set, as in many containers: only until all is collected."""
    sys.dont_write_bytecode = False


def keep_all_that_is_imported() -> None:
    """What is imported lives as long as the process: the collector of garbage needn't go through it again and
    again while it grows, nor through its millions of objects while the tests run."""
    gc.disable()


def look_no_more_at_what_was_collected() -> None:
    """The end of that."""
    sys.dont_write_bytecode = _wanted
    gc.collect()
    gc.freeze()
    gc.enable()


_wanted = sys.dont_write_bytecode
