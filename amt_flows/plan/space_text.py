"""The space as a terminal shows it: for each hyperparameter its scale as it is searched, with the first
training jobs on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from amt_flows.names import count
from amt_flows.plan.scale import Tick
from amt_flows.plan.words import PlannedRange

NARROWEST: Final = 24
WIDEST: Final = 61
MOST_NUMBERED: Final = 9
RULED: Final = ("├", "─", "┼", "┤")
PLAIN: Final = ("|", "-", "+", "|")
"""For terminals that know ASCII only."""


def space_text(rows: Sequence[PlannedRange], jobs: int) -> RenderableType:
    """``jobs``: how many of the first configurations are shown on the scales."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for row in rows:
        drawn: RenderableType = (
            _choices(row, jobs) if row.kind == "categorical" else Scale(row.ticks, row.places[:jobs])
        )
        table.add_row(Text(f"  {row.name}"), drawn, Text(in_words(row), style="dim"))
    return table


def in_words(row: PlannedRange) -> str:
    """``continuous, 0.1 to 0.9, Linear (Auto), any value; only when kind = sgd``."""
    values = "any value" if row.values is None else count(row.values, "value")
    kind = "ordered categories" if row.ordered else row.kind
    parts = [kind, values] if row.kind == "categorical" else [kind, row.range, row.scaling, values]
    when = f"; only when {row.only_when}" if row.only_when else ""
    return f"{', '.join(parts)}{when}"


def _choices(row: PlannedRange, shown: int) -> Text:
    between = " < " if row.ordered else " · "
    parts = []
    for tick in row.ticks:
        jobs = [str(i) for i, place in enumerate(row.places[:shown], start=1) if place == tick.place]
        parts.append(f"{tick.text} ({', '.join(jobs)})" if jobs else tick.text)
    return Text(between.join(parts), overflow="fold")


@dataclass(frozen=True)
class Scale:
    """Two lines: the scale with the numbers of the first jobs on it, and the values at its marks."""

    ticks: Sequence[Tick]
    first: Sequence[float | None] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(1, min(options.max_width, WIDEST))
        signs = PLAIN if options.ascii_only else RULED
        yield Text(ruler(self.ticks, self.first, width, signs), no_wrap=True, overflow="crop")
        yield Text(labels(self.ticks, width), style="dim", no_wrap=True, overflow="crop")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(NARROWEST, options.max_width), min(WIDEST, options.max_width))


def ruler(
    ticks: Sequence[Tick], first: Sequence[float | None], width: int, signs: Sequence[str] = RULED
) -> str:
    """The scale as one line of ``width`` characters."""
    left, line, mark, right = signs
    drawn = [line] * width
    for tick in ticks:
        drawn[_column(tick.place, width)] = mark
    drawn[0], drawn[-1] = left, right
    # The first is drawn last: where two fall together the earlier one is seen.
    for number, place in reversed(list(enumerate(first, start=1))):
        if place is not None:
            drawn[_column(place, width)] = str(number) if number <= MOST_NUMBERED else "*"
    return "".join(drawn)


def labels(ticks: Sequence[Tick], width: int) -> str:
    """The values below their marks: the ends first, then as many of the others as there is room for."""
    room = [" "] * width
    ends = [ticks[0], ticks[-1]] if len(ticks) > 1 else list(ticks)
    middle = ticks[len(ticks) // 2 : len(ticks) // 2 + 1]
    for tick in dict.fromkeys([*ends, *middle, *ticks]):
        start = _column(tick.place, width) - len(tick.text) // 2
        start = max(0, min(start, width - len(tick.text)))
        around = room[max(0, start - 1) : start + len(tick.text) + 1]
        if all(cell == " " for cell in around):
            room[start : start + len(tick.text)] = tick.text
    return "".join(room)[:width].rstrip()


def _column(place: float, width: int) -> int:
    return round(min(max(place, 0.0), 1.0) * (width - 1))
