"""Which metrics an output seems to have, by the names in front of its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from amt_flows.metrics.lines import seen_lines
from amt_flows.metrics.numbers import NUMBER

MOST_NAMES: Final = 12
LONGEST_LINE: Final = 4096
"""No more of a line is looked at: these searches take as long as the square of it."""
_REPORTED: Final = re.compile(rf"([^\s;=]{{1,255}})={NUMBER};")
_PAIR: Final = re.compile(
    rf"""([A-Za-z][\w./@-]{{0,254}})["']?\s*[:=]\s*(?:\w+(?:\.\w+)*\()?["']?{NUMBER}(?![\w:])"""
)
_NOT_METRICS: Final = frozenset(
    {
        "epoch",
        "epochs",
        "step",
        "steps",
        "iter",
        "iteration",
        "batch",
        "eta",
        "time",
        "lr",
        "seed",
        "rank",
        "pid",
    }
)


def names_in(printed: Iterable[str]) -> tuple[str, ...]:
    """The names that lines have in front of numbers, the latest first, as ``report`` prints them or by ``=``
    or ``:``; at most ``MOST_NAMES``."""
    names: dict[str, None] = {}
    for line in printed:
        for seen in (seen[:LONGEST_LINE] for seen in seen_lines(line)):
            report = seen.partition("amt-report ")[2]
            for match in (_REPORTED if report else _PAIR).finditer(report or seen):
                if match[1].lower() not in _NOT_METRICS:
                    names.pop(match[1], None)
                    names[match[1]] = None
    return tuple(reversed(names))[:MOST_NAMES]
