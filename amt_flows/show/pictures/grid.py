"""Plots beside and below one another, with the objective at their side, the same for all; and such a one for
each hyperparameter."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from amt_flows.show.pictures.plot import LEFT, LETTER, RIGHT, WIDTH, Plot, Scale, padded
from amt_flows.show.text import number, shortened
from amt_flows.space.space import Categorical, Parameter, Scaling, Space, Value

IN_A_ROW: Final = 3
ROW: Final = 190.0
DEEP: Final = ROW - 72
GAP: Final = 34.0
MOST_LETTERS: Final = 12
"""Of a category's name. Where not all have room, some are named."""


@dataclass(frozen=True)
class Place:
    """Of a plot among others, in pixels. One that ``leads`` its row has the words of the axis that all
    share."""

    left: float
    right: float
    top: float
    leads: bool

    def y_words(self, text: str) -> tuple[str, dict[float, str] | None]:
        """The title and the ticks, None for the usual ones, of that axis."""
        return (text, None) if self.leads else ("", {})


def places(plots: int, row: float = ROW) -> Iterator[Place]:
    """For so many, in rows so high."""
    columns = min(plots, IN_A_ROW)
    width = (WIDTH - LEFT - GAP * (columns - 1) - RIGHT) / columns
    for place in range(plots):
        below, column = divmod(place, columns)
        left = LEFT + column * (width + GAP)
        yield Place(left, left + width, below * row + 24, column == 0)


def height_of(plots: int, row: float = ROW) -> float:
    """Of all of them."""
    return row * math.ceil(plots / min(plots, IN_A_ROW))


def grid(
    space: Space, parameters: Sequence[Parameter], values: Iterable[float], metric: str
) -> Iterator[tuple[Parameter, Plot]]:
    """Each of the parameters with a plot that has its axes: its range, and one for all ``values``."""
    low, high = padded(values)
    for place, parameter in zip(places(len(parameters)), parameters, strict=True):
        across, up = (
            _across(parameter, place.left, place.right),
            Scale(low, high, place.top + DEEP, place.top),
        )
        plot = Plot(across, up)
        title, y_ticks = place.y_words(metric)
        condition = space.condition_of(parameter.name)
        plot.axes(
            parameter.name,
            title,
            x_ticks=_ticks(parameter, plot.x),
            y_ticks=y_ticks,
            x_note="" if condition is None else f"when {condition}",
        )
        yield parameter, plot


def on_its_axis(parameter: Parameter, value: Value) -> float:
    """Where a value is on the axis that its plot has."""
    return float(parameter.choices.index(str(value))) if isinstance(parameter, Categorical) else float(value)


def _across(parameter: Parameter, left: float, right: float) -> Scale:
    if isinstance(parameter, Categorical):
        return Scale(-0.5, len(parameter.choices) - 0.5, left, right)
    low, high = float(parameter.low), float(parameter.high)
    if parameter.scaling is Scaling.LOGARITHMIC and low > 0:
        return Scale(low, high, left, right, logarithmic=True)
    return Scale(low, high, left, right)


def _ticks(parameter: Parameter, scale: Scale) -> dict[float, str]:
    if isinstance(parameter, Categorical):
        room = (scale.end - scale.start) / LETTER
        choices = shortened(parameter.choices, MOST_LETTERS)
        longest = max(map(len, choices))
        shown = max(1, min(len(parameter.choices), int(room / (longest + 1))))
        each = list(enumerate(choices))[:: math.ceil(len(choices) / shown)]
        return {float(i): one for i, one in each}
    middle = float(parameter.decode(0.5))
    return {value: number(value, 3) for value in (scale.low, middle, scale.high)}
