"""Metric values in lines of output, for a controller: searched by a process that can be ended, so that no
regex holds up polls, stops and deadlines.

The rule is the worker's (:mod:`amt_flows.backends.local_worker.search`): a search that takes longer than a
second is ended, counts as nothing found, and is told once for each definition; after three such lines its
definition is searched for no more.
"""

from __future__ import annotations

import atexit
import logging
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

from amt_flows.backends.local_worker.search import Search, read_answer
from amt_flows.metrics.search import Found, Rule

logger = logging.getLogger("amt_flows")

PROGRAM: Final = Path(__file__).parent / "local_worker" / "__main__.py"
PATIENCE_SECONDS: Final = 10.0
"""For all searches in the lines of one call: a controller has deadlines of its own to keep."""
MOST_PROCESSES: Final = 4

Key: TypeAlias = tuple[int, str, tuple[tuple[str, str], ...]]

_lock = threading.Lock()
_searches: dict[Key, Search] = {}


def found_apart(how: str, rules: Sequence[Rule], texts: Sequence[str]) -> list[list[Found]]:
    """What the rules find in each text, by rule. ``how`` the texts are to be read: as ``events`` of
    CloudWatch, or as the ``service`` itself searches a line. Raises OSError."""
    found: list[list[Found]] = [[] for _ in texts]
    if not rules or not texts:
        return found
    with _lock:
        search = _search_of(how, tuple((rule.metric, rule.pattern.pattern) for rule in rules))
        told = len(search.notes)
        for line, text in enumerate(texts):
            for number in range(len(rules)):
                search.ask(number, text.encode("utf-8", "replace"), place=line)
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while search.waiting and time.monotonic() < give_up_at:
            for one, answer in search.step():
                found[one.place] += read_answer(answer, rules[one.rule].metric)
            if search.waiting:
                select.select(search.readers, search.writers, [], 0.1)
        if search.waiting:
            left = search.close()
            logger.warning("%d lines of output were not searched for metrics: it took too long.", left)
        for note in search.notes[told:]:
            logger.warning("%s.", note)
    return found


def _search_of(how: str, rules: tuple[tuple[str, str], ...]) -> Search:
    """One process for each set of definitions, kept for the next lines. Not one of the process that we were
    forked from: its answers are not ours."""
    key = (os.getpid(), how, rules)
    if key not in _searches:
        while len(_searches) >= MOST_PROCESSES:
            _close(next(iter(_searches)))
        regexes = [regex for _, regex in rules]
        _searches[key] = Search([name for name, _ in rules], lambda: _spawned(how, regexes))
    return _searches[key]


def _close(key: Key) -> None:
    search = _searches.pop(key)
    if key[0] == os.getpid():
        search.close()


@atexit.register
def _close_all() -> None:
    for key in list(_searches):
        _close(key)


def _spawned(how: str, regexes: Sequence[str]) -> tuple[int, int, int]:
    process = subprocess.Popen(
        [sys.executable or "python3", "-I", "-S", str(PROGRAM), "--search", how, *regexes],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    to, answers = os.dup(process.stdin.fileno()), os.dup(process.stdout.fileno())
    process.stdin.close()
    process.stdout.close()
    process.returncode = 0  # it is ended and reaped by number
    for fd in (to, answers):
        os.set_blocking(fd, False)
    return process.pid, to, answers
