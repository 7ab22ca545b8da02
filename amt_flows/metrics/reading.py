"""Reading metrics from a training job's output.

The rules are SageMaker's: every output line is searched with each metric's regex, group 1 is the value, the
n-th match is epoch n, and the last match is the final value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


class Defined(Protocol):
    """A metric and how it is found (:class:`amt_flows.spec.MetricDefinition`)."""

    @property
    def name(self) -> str: ...

    @property
    def regex(self) -> str: ...


@dataclass(frozen=True)
class Reading:
    """What a metric definition finds in one line. ``text`` is None when it doesn't match, ``value`` is None
    when what it found is no number."""

    metric: str
    text: str | None
    value: float | None


def try_on(defined: Sequence[Defined], sample_line: str) -> tuple[Reading, ...]:
    """What each definition finds in a line of output, in their order. Raises re.error for a bad regex."""
    return tuple(_reading(d.name, re.compile(d.regex), sample_line) for d in defined)


def read_values(defined: Sequence[Defined], lines: Iterable[str]) -> tuple[tuple[str, int, float], ...]:
    """(metric, epoch, value) of the values in a job's output, by line and then by definition; each metric's
    epochs count from 1.

    Text that a regex finds but that is no number counts as no match. Raises re.error for a bad regex.
    """
    compiled = [(d.name, re.compile(d.regex)) for d in defined]
    epochs: Counter[str] = Counter()
    values: list[tuple[str, int, float]] = []
    for line in lines:
        for name, pattern in compiled:
            value = _reading(name, pattern, line).value
            if value is not None:
                epochs[name] += 1
                values.append((name, epochs[name], value))
    return tuple(values)


def _reading(name: str, pattern: re.Pattern[str], line: str) -> Reading:
    match = pattern.search(line)
    if match is None or match[1] is None:
        return Reading(name, None, None)
    try:
        return Reading(name, match[1], float(match[1]))
    except ValueError:
        return Reading(name, match[1], None)
