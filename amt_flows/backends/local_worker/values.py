"""Finding metric values in the output while it appears."""

# No pathlib: its import would cost every training job milliseconds.
# ruff: noqa: PTH118

from __future__ import annotations

import json
import math
import os
import select
import time
from collections.abc import Callable, Mapping, Sequence

from amt_flows.backends.local_worker.search import Search, answer, forked, read_answer
from amt_flows.metrics.lines import LINE_BYTES, is_plain, printed_lines
from amt_flows.metrics.search import Found, Repeats, Rule, epoch_told, findings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_VALUES = 200_000
FULL_BYTES = 4 * 1024 * 1024  # of lines that wait to be searched; more are not taken for now
LAST_SEARCH_SECONDS = 30.0  # for what is left to be searched when the output has ended
LOOK_SECONDS = 0.1
MARK = "amt-report "
LONGEST_TOLD = 200  # characters of what is no value


class Values:
    """Has the output searched line by line and appends what is found to ``metrics.jsonl``. It never waits for
    a search but at the end, and not for long.

    A definition has a name, a regex, and a ``literal``: text without which a line can't match; ``own`` is
    that of :mod:`amt_flows.reporting`, which takes no time on a line that has its mark but once. The n-th
    value of a metric is its epoch n, and what its line calls the epoch is written beside it where that is
    another number; the first that was found for it and is no value is written too. What
    can't be written is kept and tried again with the next value and at the end; ``lost`` tells whether
    something is missing on the disk. After 200,000 values (a regex that matches every line) only the newest
    of each metric is still written, at the end. ``clean`` takes secrets out of what is no value.
    """

    def __init__(
        self,
        directory: str,
        definitions: Sequence[Mapping[str, Any]],
        clean: Callable[[bytes], bytes] = lambda text: text,
    ) -> None:
        self.error: OSError | None = None
        self._path = os.path.join(directory, "metrics.jsonl")
        self._rules = [Rule(d["name"], d["regex"], d["literal"]) for d in definitions]
        self._own = {i for i, one in enumerate(definitions) if one.get("own")}
        self._found: list[tuple[Found, bytes]] = []  # without a search, and not written yet
        self._epochs = {rule.metric: 0 for rule in self._rules}
        self._odd: set[str] = set()  # metrics of which something was told that is no value
        self._repeats = Repeats()
        self._clean = clean
        self._line = b""  # the beginning of one whose end is yet to come
        self._count = 0
        self._newest: dict[str, tuple[str, int, float, float, int | None]] = {}
        self._unwritten = b""
        self.search = Search([rule.metric for rule in self._rules], lambda: forked(self._answer))

    @property
    def lost(self) -> bool:
        return bool(self._unwritten)

    @property
    def waiting(self) -> bool:
        """Whether there is something to collect, now or later."""
        return bool(self._found) or self.search.waiting

    @property
    def full(self) -> bool:
        """So much waits to be searched that the output had better wait."""
        return self.search.backlog > FULL_BYTES

    def _answer(self, rule: int, line: bytes) -> bytes:
        return answer(findings(line.decode("utf-8", "replace"), [self._rules[rule]]))

    def feed(self, data: bytes) -> None:
        """Take the next piece of output."""
        # A progress bar ends its lines with a carriage return, often behind a row of backspaces.
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if end == 0:
            self._line += data[: LINE_BYTES - len(self._line)]
            return
        block, self._line = self._line + data[:end], data[end : end + LINE_BYTES]
        self._ask(block)

    def collect(self) -> bool:
        """Write down what has been found by now. Whether there was anything."""
        entries = [entry for found, line in self._found for entry in self._entries_of(found, line)]
        self._found.clear()
        try:
            for one, told in self.search.step():
                for found in read_answer(told, self._rules[one.rule].metric):
                    entries += self._entries_of(found, one.line)
        except OSError as error:
            self.error = self.error or error
        self._store(b"".join(entries))
        return any(entries)

    def finish(self, patience: Callable[[], float] = lambda: LAST_SEARCH_SECONDS) -> None:
        """The output has ended, perhaps without a newline. Waits for what is left to be searched, for as many
        seconds as ``patience``, which is asked again and again, allows."""
        self._ask(self._line)
        self.collect()
        began = time.monotonic()
        while self.search.waiting and time.monotonic() - began < patience():
            select.select(self.search.readers, self.search.writers, [], LOOK_SECONDS)
            self.collect()
        left = self.search.close()
        if left:
            last = (
                "the last line with a metric was"
                if left == 1
                else f"the last {left} lines with a metric were"
            )
            self.search.notes.append(f"{last} not searched any more")
        self._store(b"".join(_as_line(*entry) for entry in self._newest.values()))

    def _ask(self, block: bytes) -> None:
        # Most output holds no metric at all, and finding bytes is far cheaper than splitting lines.
        plain = is_plain(block)
        rules = [
            (i, rule.literal)
            for i, rule in enumerate(self._rules)
            if not plain or rule.literal.encode() in block
        ]
        if not rules:
            return
        for line in printed_lines(block):
            for i, literal in rules:
                if not plain or literal in line:
                    self._look_into(i, line)

    def _look_into(self, rule: int, line: str) -> None:
        if rule in self._own and line.count(MARK) == 1:
            printed = line.encode("utf-8", "replace")
            self._found += [(found, printed) for found in findings(line, [self._rules[rule]])]
            return
        # From now on all of this metric, so that its values stay in order.
        self._own.discard(rule)
        self.search.ask(rule, line.encode("utf-8", "replace"))

    def _entries_of(self, found: Found, line: bytes) -> list[bytes]:
        if found.value is None:
            return [self._odd_entry(found)]
        printed = line.decode("utf-8", "replace")
        entries = [self._entry(found.metric, found.value, epoch_told(printed))]
        epoch = self._repeats.again(found, printed)
        if epoch is not None:
            entries.append(_json_line({"metric": found.metric, "reported_twice": epoch}))
        return entries

    def _odd_entry(self, found: Found) -> bytes:
        """The line to write about what is no value; empty when one was told of this metric before."""
        if found.metric in self._odd:
            return b""
        self._odd.add(found.metric)
        text, whole = (
            self._clean(part[:LONGEST_TOLD].encode("utf-8", "replace")).decode("utf-8", "replace")
            for part in (found.text, found.whole)
        )
        content = {"metric": found.metric, "text": text, "whole": whole}
        return _json_line(content)

    def _entry(self, name: str, value: float, told: int | None) -> bytes:
        """The line to write; empty when there were too many, and this one may wait for the end."""
        self._epochs[name] += 1
        self._count += 1
        entry = (name, self._epochs[name], value, time.time(), told)
        if self._count <= MAX_VALUES:
            return _as_line(*entry)
        self._newest[name] = entry
        return b""

    def _store(self, lines: bytes) -> None:
        self._unwritten += lines
        if not self._unwritten:
            return
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                while self._unwritten:
                    self._unwritten = self._unwritten[os.write(fd, self._unwritten) :]
            finally:
                os.close(fd)
        except OSError as error:
            self.error = self.error or error


def _as_line(metric: str, epoch: int, value: float, at: float, told: int | None) -> bytes:
    content = {"metric": metric, "epoch": epoch, "value": _in_json(value), "at": at}
    return _json_line(content if told in (None, epoch) else {**content, "told": told})


def _json_line(content: Mapping[str, object]) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _in_json(value: float) -> float | str:
    """JSON has no NaN and no infinity; the words are those of the journal."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
