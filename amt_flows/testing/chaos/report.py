"""What the suite prints: a table of what was injected and what came of it, and the way back to a failure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from amt_flows.testing.chaos.faults import Fault

COMMAND = "python -m amt_flows.testing.chaos"
PROMISES = {
    "lost": "lost",
    "doubled": "doubled",
    "orphaned": "orphaned",
    "overshot": "limits overshot",
    "fenced": "touched by a fenced controller",
    "unended": "tunings that never ended",
    "replay": "records that tell something else",
    "best": "wrong best training jobs",
    "crashed": "unexpected errors",
}
"""The rows of the table that must be zero, by the names that violations have."""
MOST_SHOWN = 5


@dataclass(frozen=True)
class Failure:
    """A run in which a promise was broken."""

    kind: str
    run: str
    promise: str
    seen: str

    def __str__(self) -> str:
        again = f"{COMMAND} --only {self.kind} --seed {self.run}"
        return f"{PROMISES[self.promise]}: {self.seen}\n    again: {again}"


@dataclass
class Part:
    """One kind of chaos, and what it came to so far."""

    kind: str
    title: str
    runs: int = 0
    controllers: int = 0
    launched: int = 0
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def broken(self, promise: str) -> int:
        return sum(failure.promise == promise for failure in self.failures)


def table(parts: Sequence[Part]) -> str:
    """A Markdown table with a column for each part."""
    order = [fault.value for fault in Fault]
    faults = sorted({name for part in parts for name in part.faults}, key=lambda name: _place(name, order))
    rows = [
        ["", *(part.title for part in parts)],
        ["---", *("---:" for _ in parts)],
        ["tuning jobs", *(f"{part.runs:,}" for part in parts)],
        ["controllers", *(f"{part.controllers:,}" for part in parts)],
        *([name, *(_count(part.faults[name]) for part in parts)] for name in faults),
        ["**training jobs launched**", *(f"**{part.launched:,}**" for part in parts)],
        *([f"**{words}**", *(f"**{part.broken(p)}**" for part in parts)] for p, words in PROMISES.items()),
        ["seconds", *(f"{part.seconds:.0f}" for part in parts)],
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(parts) + 1)]
    return "\n".join(_line(row, widths) for row in rows)


def failures_text(parts: Sequence[Part]) -> str:
    """The first failures of each part, each with the command that plays it again."""
    lines: list[str] = []
    for part in parts:
        lines += [str(failure) for failure in part.failures[:MOST_SHOWN]]
        if len(part.failures) > MOST_SHOWN:
            lines.append(f"... and {len(part.failures) - MOST_SHOWN} more in {part.title}")
    return "\n".join(lines)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = row
    cells = [first.ljust(widths[0])]
    cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
    return f"| {' | '.join(cells)} |"


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _place(name: str, order: Sequence[str]) -> tuple[int, str]:
    return (order.index(name) if name in order else len(order), name)
