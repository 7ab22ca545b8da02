"""What a training job printed, from the events that CloudWatch has of it.

A line of output is an event, with control characters escaped (``#015`` for a carriage return), and one that
is longer than an event may be goes into several. Events may also hold several lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from amt_flows.metrics.lines import LINE_BYTES, printed_lines, unescaped
from amt_flows.metrics.search import Found, Rule, findings

LARGEST_EVENTS: Final = (256 * 1024, 1024 * 1024)
"""In bytes; the first was the limit for ten years."""
OVERHEAD: Final = 64
"""26 bytes count for an event that holds none, and a character or an escape is not cut in the middle."""

_LINE_ENDS: Final = ("\n", "\r", "#012", "#015")


class Events:
    """The events of a log stream, in their order, put together to what was printed."""

    def __init__(self) -> None:
        self._held = ""

    def take(self, message: str) -> Iterator[str]:
        """The texts that this event completes, each of one printed line or more."""
        text, self._held = self._held + message, ""
        if not _is_cut(message):
            yield text
            return
        # What comes after the last end of a line goes on in the next event; more of it isn't searched.
        end = max((at + len(mark) for mark in _LINE_ENDS if (at := text.rfind(mark)) >= 0), default=0)
        self._held = text[end:][:LINE_BYTES]
        if end:
            yield text[:end]

    def rest(self) -> Iterator[str]:
        """What was held back for an event that doesn't come."""
        if self._held:
            yield self._held
        self._held = ""


def _is_cut(message: str) -> bool:
    size = len(message.encode("utf-8", "replace"))
    return any(largest - OVERHEAD <= size <= largest for largest in LARGEST_EVENTS)


def found_in(text: str, rules: Sequence[Rule]) -> list[Found]:
    """What the rules find in an event, line by line."""
    printed = printed_lines(unescaped(text).encode("utf-8", "replace"))
    found = [one for line in printed for one in findings(line, rules)]
    if "#" not in text:
        return found
    # Something may look like an escape and be none: Trial #010.
    text = text[:LINE_BYTES]
    without = {rule.metric for rule in rules} - {one.metric for one in found}
    return found + [one for rule in rules if rule.metric in without and (one := rule.first(text)) is not None]
