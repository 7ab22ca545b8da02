"""Searching lines with regexes that may take for ever, in a process that can be ended.

Nothing interrupts Python in the middle of a search, no thread and no signal handler; but the system ends a
process that has used up its time. So the worker, which keeps deadlines, never searches itself; nor does a
controller: its searches run in a process started by path (``python __main__.py --search HOW REGEX ...``).

A question is eight bytes (the number of a rule, and the length of what follows) and the line. Answers are one
line each, in order: nothing, or a JSON list of what was found, each a text, a value as ``repr`` writes it or
null, and the whole of which the text is a part.
"""

from __future__ import annotations

import json
import os
import signal
from collections import deque

from amt_flows.metrics.numbers import number_in
from amt_flows.metrics.search import Found, Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

SEARCH_SECONDS = 1.0
"""Of processor time, so that a busy machine changes nothing of what is found."""
MOST_TIMES = 3
"""After so many searches of one rule that took too long, it is searched for no more."""
READ_BYTES = 64 * 1024
HEADER = 4
MOST_DESCRIPTORS = 1024


class Asked:
    """One search: a rule by its number, the line, and which line that is for whoever asks."""

    __slots__ = ("line", "place", "rule")

    def __init__(self, rule: int, line: bytes, place: int) -> None:
        self.rule = rule
        self.line = line
        self.place = place


class Search:
    """Takes questions and gives back answers in the same order, sometime. ``start`` makes the process that
    searches: its number, and the ends of the pipes to it and from it. ``names`` are those of the rules.

    Whoever waits for something includes ``readers`` and ``writers`` in his ``select``, and calls ``step``.
    """

    def __init__(self, names: Sequence[str], start: Callable[[], tuple[int, int, int]]) -> None:
        self._names = names
        self._start = start
        self._asked: deque[Asked] = deque()  # the first of them may be searched now
        self._unsent = bytearray()
        self._answers = b""
        self._pid = self._to = self._from = -1
        self._times = [0] * len(names)
        self._failures = 0
        self.backlog = 0
        """Bytes of lines that wait for an answer."""
        self.notes: list[str] = []
        """What was not found because it would have taken too long, a sentence for each rule."""

    @property
    def waiting(self) -> bool:
        return bool(self._asked)

    @property
    def process(self) -> int:
        """The number of the process that searches; 0 if there is none."""
        return max(self._pid, 0)

    @property
    def readers(self) -> list[int]:
        return [self._from] if self._asked and self._from >= 0 else []

    @property
    def writers(self) -> list[int]:
        return [self._to] if self._unsent and self._to >= 0 else []

    def ask(self, rule: int, line: bytes, place: int = 0) -> None:
        if self._times[rule] >= MOST_TIMES:
            return
        self._asked.append(Asked(rule, line, place))
        self.backlog += len(line)
        self._unsent += framed(rule, line)

    def step(self) -> list[tuple[Asked, bytes]]:
        """Go on as far as that goes without waiting: what was asked and the answer, where anything was found.
        Raises OSError when no process can be started."""
        if not self._asked:
            return []
        if self._pid < 0:
            self._pid, self._to, self._from = self._start()
            self._unsent = bytearray().join(framed(one.rule, one.line) for one in self._asked)
        self._send()
        found: list[tuple[Asked, bytes]] = []
        while self._asked:
            try:
                data = os.read(self._from, READ_BYTES)
            except BlockingIOError:
                break
            if not data:
                self._has_died()
                break
            *lines, self._answers = (self._answers + data).split(b"\n")
            for text in lines:
                one = self._taken()
                if text:
                    found.append((one, text))
        return found

    def close(self) -> int:
        """End the process. How many questions are left without an answer."""
        left = len(self._asked)
        self._asked.clear()
        self._unsent.clear()
        self.backlog = 0
        if self._pid >= 0:
            self._end()
        return left

    def _send(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: os.write(self._to, self._unsent)]
        except OSError:
            return  # it is full, or at its end, which reading tells

    def _taken(self) -> Asked:
        one = self._asked.popleft()
        self.backlog -= len(one.line)
        self._failures = 0
        return one

    def _has_died(self) -> None:
        """The search that it was in took its time, or it was killed: that one counts as nothing found."""
        status = self._end()
        self._failures += 1
        timed_out = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF
        if not timed_out and self._failures < MOST_TIMES:
            return  # somebody killed it: once more
        one = self._taken()
        self._times[one.rule] += 1
        if self._times[one.rule] == 1:
            self.notes.append(self._note(one))
        if self._times[one.rule] >= MOST_TIMES:
            self._asked = deque(other for other in self._asked if other.rule != one.rule)
            self.backlog = sum(len(other.line) for other in self._asked)

    def _note(self, one: Asked) -> str:
        return (
            f"the regex of {self._names[one.rule]!r} took longer than {SEARCH_SECONDS:g} s on a line of "
            f"{len(one.line)} bytes and was ended there; after {MOST_TIMES} such lines it is not searched "
            "for any more. A repeat within a repeat, or several `.*`, take that long: write less"
        )

    def _end(self) -> int:
        for fd in (self._to, self._from):
            os.close(fd)
        try:
            os.kill(self._pid, signal.SIGKILL)
            _, status = os.waitpid(self._pid, 0)
        except (ProcessLookupError, ChildProcessError):
            status = 0
        self._pid = self._to = self._from = -1
        self._answers = b""
        return status


def framed(rule: int, line: bytes) -> bytes:
    return rule.to_bytes(HEADER, "big") + len(line).to_bytes(HEADER, "big") + line


def answer(found: Iterable[Found]) -> bytes:
    """What was found, in a line without its end; empty when that is nothing."""
    told = [(one.text, None if one.value is None else repr(one.value), one.whole) for one in found]
    return json.dumps(told).encode() if told else b""


def read_answer(told: bytes, metric: str) -> list[Found]:
    return [
        Found(metric, text, None if value is None else float(value), whole)
        for text, value, whole in json.loads(told)
    ]


def serve(reader: int, writer: int, answer_to: Callable[[int, bytes], bytes]) -> None:
    """Answer questions until there are no more, each within its time or not at all."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # which ends the process
    with open(reader, "rb") as questions:
        while header := questions.read(2 * HEADER):
            rule, length = (int.from_bytes(part, "big") for part in (header[:HEADER], header[HEADER:]))
            line = questions.read(length)
            signal.setitimer(signal.ITIMER_PROF, SEARCH_SECONDS)
            told = answer_to(rule, line) + b"\n"
            signal.setitimer(signal.ITIMER_PROF, 0.0)
            while told:
                told = told[os.write(writer, told) :]


def forked(answer_to: Callable[[int, bytes], bytes]) -> tuple[int, int, int]:
    """A process like this one that does nothing but search: its number, and the pipes to it and from it. Not
    where there are threads. Raises OSError."""
    asks, to = os.pipe()
    answers, tells = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            # The worker's lock, above all, must not outlive it.
            first, second = sorted((asks, tells))
            for low, high in ((3, first), (first + 1, second), (second + 1, MOST_DESCRIPTORS)):
                os.closerange(low, high)
            # It ends with whoever asks: at the end of the pipe, or of its second in a search.
            serve(asks, tells, answer_to)
        finally:
            os._exit(0)
    os.close(asks)
    os.close(tells)
    for fd in (to, answers):
        os.set_blocking(fd, False)
    return pid, to, answers


def main(how: str, regexes: Sequence[str]) -> int:
    """Search for a controller, over standard input and output, in ``events`` of CloudWatch."""
    from amt_flows.backends.sagemaker.events import found_in

    rules = [Rule("", regex) for regex in regexes]
    if how == "events":
        serve(0, 1, lambda rule, text: answer(found_in(text.decode("utf-8", "replace"), [rules[rule]])))
    else:
        serve(0, 1, lambda rule, text: answer(as_the_service(text.decode("utf-8", "replace"), rules[rule])))
    return 0


def as_the_service(text: str, rule: Rule) -> list[Found]:
    """Group 1 of the first match in a line as a number, if there is one: SageMaker's rule."""
    match = rule.pattern.search(text)
    if match is None or not rule.pattern.groups or match[1] is None:
        return []
    value = number_in(match[1])
    return [] if value is None else [Found("", match[1], value)]
