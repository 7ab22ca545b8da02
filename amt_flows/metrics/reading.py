"""Reading metrics from a training job's output.

The rules are SageMaker's: every output line is searched with each metric's regex, group 1 is the value, the
n-th match is epoch n, and the last match is the final value. What a line is, and what a number, is said in
:mod:`amt_flows.metrics.lines` and :mod:`amt_flows.metrics.numbers`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from amt_flows.metrics.expressions import required_text
from amt_flows.metrics.lines import printed_lines
from amt_flows.metrics.search import Found, Rule, findings


class Defined(Protocol):
    """A metric and how it is found (:class:`amt_flows.spec.MetricDefinition`)."""

    @property
    def name(self) -> str: ...

    @property
    def regex(self) -> str: ...


@dataclass(frozen=True)
class Reading:
    """What a metric definition finds in one line. ``text`` is None when it doesn't match, ``value`` is None
    when what it found is no number, or only a part of one: then ``whole`` is that number."""

    metric: str
    text: str | None
    value: float | None
    whole: str = ""


def try_on(defined: Sequence[Defined], sample_line: str) -> tuple[Reading, ...]:
    """What each definition finds in a line of output, in their order. Raises re.error for a bad regex."""
    readings = []
    for rule in rules_of(defined):
        found = findings(sample_line, [rule])
        last = found[-1] if found else Found(rule.metric, "", None)
        readings.append(Reading(rule.metric, last.text if found else None, last.value, last.whole))
    return tuple(readings)


def read_values(defined: Sequence[Defined], lines: Iterable[str]) -> tuple[tuple[str, int, float], ...]:
    """(metric, epoch, value) of the values in a job's output, by line and then by definition; each metric's
    epochs count from 1.

    Text that a regex finds but that is no number counts as no match. Raises re.error for a bad regex.
    """
    rules = rules_of(defined)
    epochs: Counter[str] = Counter()
    values: list[tuple[str, int, float]] = []
    for line in lines:
        for printed in printed_lines(line.encode("utf-8", "replace")):
            for found in findings(printed, rules):
                if found.value is not None:
                    epochs[found.metric] += 1
                    values.append((found.metric, epochs[found.metric], found.value))
    return tuple(values)


def rules_of(defined: Sequence[Defined]) -> list[Rule]:
    """The definitions, ready to search with. Raises re.error for a bad regex."""
    return [Rule(one.name, one.regex, required_text(one.regex)) for one in defined]
