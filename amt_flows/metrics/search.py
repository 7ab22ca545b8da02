"""What metrics' regular expressions find in a line: SageMaker's rule, on the line as a person sees it.

Every line is searched with each expression, and group 1 of the first match is the value. What is no number,
or only a part of one, is no value: it is told instead. Standard library only: the local worker uses it, too.
"""

from __future__ import annotations

import re

from amt_flows.metrics.lines import escaped, seen_lines
from amt_flows.metrics.numbers import number_in, whole_around

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Found:
    """What one expression found. ``value`` is None when ``text`` is no number, or is only a part of
    ``whole``, which is empty otherwise."""

    __slots__ = ("metric", "text", "value", "whole")

    def __init__(self, metric: str, text: str, value: float | None, whole: str = "") -> None:
        self.metric, self.text, self.value, self.whole = metric, text, value, whole


class Repeats:
    """Notices when a metric is reported again for an epoch that it was reported for last: several processes
    print it. Only ``report`` says which epoch it is."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}
        self._told: set[str] = set()

    def again(self, found: Found, printed: str) -> int | None:
        """The epoch, the first time that it happens to a metric."""
        match = _EPOCH_TOLD.search(printed)
        if match is None or found.value is None:
            return None
        epoch, last = match[1], self._last.get(found.metric)
        self._last[found.metric] = epoch
        if epoch != last or found.metric in self._told:
            return None
        self._told.add(found.metric)
        return int(epoch)


_EPOCH_TOLD = re.compile(r"amt-report epoch=([0-9]{1,9});")
_EPOCH_NAMED = re.compile(r"(?i)\bepoch[ \t]*[:=#]?[ \t]*[\[(]?([0-9]{1,9})\b")


def epoch_told(printed: str) -> int | None:
    """The epoch that a line names itself (``report``'s ``epoch=3;``, ``Epoch 3/10``, ``epoch: [3]``), as its
    script counts; None when it names none."""
    match = _EPOCH_TOLD.search(printed) or _EPOCH_NAMED.search(printed)
    return None if match is None else int(match[1])


FOR_A_MACHINE = re.compile(r"#[01]|\\x[01]|\\0|[\x00-\x1f]")
"""In expressions for what only a machine sees: AWS's own have the #011 of a log, Chainer's an escape."""


class Rule:
    """A metric, and how it is found. ``literal`` is text that every line which matches certainly has; it may
    be empty. Raises re.error for a bad regex."""

    __slots__ = ("_as_printed", "literal", "metric", "pattern")

    def __init__(self, metric: str, regex: str, literal: str = "") -> None:
        self.metric, self.pattern = metric, re.compile(regex)
        self._as_printed = FOR_A_MACHINE.search(regex) is not None
        self.literal = "" if self._as_printed and "#" in literal else literal

    def found_in(self, printed: str, seen: Sequence[str]) -> list[Found]:
        """Its findings in a printed line, of which ``seen`` is what a person sees."""
        found = [one for line in seen if (one := self.first(line)) is not None]
        if found or not self._as_printed:
            return found
        return [one for line in (printed, escaped(printed)) if (one := self.first(line)) is not None][:1]

    def first(self, line: str) -> Found | None:
        """Its first match in this very text, if any."""
        match = self.pattern.search(line)
        if match is None or not self.pattern.groups or match[1] is None:
            return None
        text, value = match[1], number_in(match[1])
        if value is None:
            return Found(self.metric, text, None)
        whole = whole_around(line, match.start(1), match.end(1))
        return Found(self.metric, text, None if whole else value, whole)


def findings(printed: str, rules: Sequence[Rule]) -> list[Found]:
    """What the rules find in a printed line, by rule."""
    if not rules:
        return []
    seen = seen_lines(printed)
    likely = [rule for rule in rules if not rule.literal or any(rule.literal in line for line in seen)]
    return [found for rule in likely for found in rule.found_in(printed, seen)]
