"""The core: what decides, and what is known; tests of it need nothing of the outer world.

``pytest -m core`` runs them in seconds, as often as a file is saved. What they may not do is stopped as it
begins, by the interpreter's own audit events, and fails the test even if the code under test takes the
refusal for a fault of the world.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import settings

HERE = Path(__file__).parent

CORE = (
    "rules",
    "space",
    "spec",
    "ledger",
    "test_errors.py",
    "test_events.py",
    # The contracts that every strategy keeps, and the plain strategies; how well the Bayesian one learns
    # takes longer to see.
    "strategies/test_allocation.py",
    "strategies/test_conformance_bites.py",
    "strategies/test_front.py",
    "strategies/test_hints.py",
    "strategies/test_outcomes.py",
    "strategies/test_plain_strategies.py",
    "strategies/test_strategy_conformance.py",
    "strategies/test_unused.py",
)
BEYOND = (
    # They need AWS, simulated or not, a process, the command line, or what shows a result.
    "ledger/journals/test_s3_journal.py",
    "ledger/journals/test_tampered_journal.py",
    "ledger/test_failures.py",
    "ledger/test_secrets.py",
    "ledger/test_watch.py",
    "spec/test_hostile_input.py",
)

STARTED = ("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen")


def examples(number: int) -> settings:
    """So many examples of a property that is slow to try; fewer in a run of the core alone."""
    usual = settings.default
    return settings(max_examples=number if usual is None else min(number, usual.max_examples))


class NotCore(Exception):
    """What a test of the core did that it may not do."""


@cache
def is_core(path: Path) -> bool:
    """Whether a test file is one of the core's."""
    try:
        inner = path.relative_to(HERE)
    except ValueError:
        return False
    names = {str(inner), *(str(parent) for parent in inner.parents)}
    return not names.isdisjoint(CORE) and names.isdisjoint(BEYOND)


def may_hold_core(path: Path) -> bool:
    """Whether a directory has test files of the core, or a file is one."""
    if not path.is_dir():
        return is_core(path)
    return path == HERE or any((HERE / one).is_relative_to(path) or is_core(path) for one in CORE)


_seen: list[str] | None = None
_installed = False


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is None:
        return
    if event == "import":
        done = f"imports {arguments[0]}" if str(arguments[0]).split(".")[0] == "prefect" else ""
    else:
        is_refused = event == "socket.__new__" or event in STARTED
        done = f"does {event}" if is_refused else ""
    if done:
        _seen.append(done)
        raise NotCore(f"a test of the core {done}; what needs that is in BEYOND, of tests/core.py")


@contextmanager
def nothing_of_the_outer_world() -> Iterator[None]:
    """No socket, no process, no Prefect. Raises NotCore where one is asked for, and at the end if somebody
    caught that."""
    global _seen, _installed
    if not _installed:  # for good: an audit hook can't be taken away
        sys.addaudithook(_audit)
        _installed = True
    before, _seen = _seen, []
    try:
        yield
        if _seen:
            raise NotCore(f"a test of the core {_seen[0]}")
    finally:
        _seen = before
