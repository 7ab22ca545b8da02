"""Where the best training job lies on the edge of a range: better ones may lie beyond it, where nobody
looked.

The range to try has the width of the old one, in its own scaling, and the edge in its middle; it keeps to
what values of its kind can be: above 0 for Logarithmic, from 0 to below 1 for ReverseLogarithmic, whole
numbers from 1 on where the old ones were, and not negative where the old ones weren't.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from amt_flows.ledger.algorithms import algorithm_named
from amt_flows.results.result import TuningResult, spec_of
from amt_flows.space.space import Continuous, Integer, Scaling

NEAR: Final = 0.03
"""So near an end of the range, as a share of it in its own scaling, a value is on its edge."""
FEW: Final = 3
"""So few training jobs, or values of a range, say nothing by lying on an edge."""
SHORT: Final = 2
LONGEST: Final = 17
"""Digits of the numbers that are told, at least and at most: so many tell any two numbers apart."""


@dataclass(frozen=True)
class Edge:
    """``name`` of the hyperparameter, the best ``value`` of it, the range it was looked for in and the one to
    try (``low`` and ``high``, ``try_low`` and ``try_high``)."""

    name: str
    value: float
    side: Literal["lower", "upper"]
    low: float
    high: float
    try_low: float
    try_high: float

    def __str__(self) -> str:
        return (
            f"{self.name} {_text(self.value)} is on the {self.side} edge of its range ({_text(self.low)} to "
            f"{_text(self.high)}); try {_text(self.try_low)} to {_text(self.try_high)}"
        )


def edges(result: TuningResult) -> tuple[Edge, ...]:
    """Those of the best training job, in the order of the spec."""
    best = result.best
    usable = [job for job in result.jobs if job.objective_value is not None]
    if best is None or len(usable) <= FEW:
        return ()
    space = algorithm_named(spec_of(result), best.definition).space
    found = []
    for parameter in space.parameters:
        value = best.hyperparameters.get(parameter.name)
        if not isinstance(parameter, Continuous | Integer) or not isinstance(value, int | float):
            continue
        # A record that somebody changed may hold what was never proposed.
        if parameter.contains(value):
            found.append(_edge(parameter, float(value)))
    return tuple(edge for edge in found if edge is not None)


def _edge(parameter: Continuous | Integer, value: float) -> Edge | None:
    low, high, size = float(parameter.low), float(parameter.high), parameter.size
    if size is not None:
        if size <= FEW:
            return None
        high = float(parameter.value_at(size - 1))  # steps may end before the range does
    start, end, at = (_scaled(x, parameter.scaling) for x in (low, high, value))
    width = end - start
    # Of few values only the first and the last are on an edge.
    near = NEAR * width if size is None or size * NEAR > 1 else 0.0
    side: Literal["lower", "upper"]
    if at >= end - near:
        side, middle = "upper", end
    elif at <= start + near:
        side, middle = "lower", start
    else:
        return None
    around = (_unscaled(middle + half, parameter.scaling) for half in (-width / 2, width / 2))
    try_low, try_high = _around(parameter, value, *around)
    goes_on = try_low < low if side == "lower" else try_high > high
    return Edge(parameter.name, value, side, low, high, try_low, try_high) if goes_on else None


def _around(parameter: Continuous | Integer, value: float, low: float, high: float) -> tuple[float, float]:
    """Numbers as short as they can be with ``value`` between them; short ones where nothing lies beyond."""
    for digits in range(SHORT, LONGEST + 1):
        ends = _allowed(parameter, low, high, digits)
        if ends[0] < value < ends[1]:
            return ends
    return _allowed(parameter, low, high, SHORT)


def _allowed(parameter: Continuous | Integer, low: float, high: float, digits: int) -> tuple[float, float]:
    """Numbers of so many digits, on the steps of the range, that values of its kind can be."""
    if parameter.scaling is Scaling.REVERSE_LOGARITHMIC:
        # Rounded as what is left of 1: 0.99997, not 1.
        return max(0.0, 1.0 - _short(1.0 - low, digits)), 1.0 - _short(1.0 - high, digits)
    low, high = _short(low, digits), _short(high, digits)
    if parameter.step is not None:
        low, high = (_on_step(parameter, x) for x in (low, high))
    if isinstance(parameter, Integer) and parameter.low >= 1:
        return max(float(_least(parameter)), low), high
    return (max(0.0, low) if parameter.low >= 0 else low), high


def _least(parameter: Integer) -> int:
    """The least value from 1 on that is on a step of the range."""
    return parameter.low - (parameter.low - 1) // parameter.step * parameter.step


def _on_step(parameter: Continuous | Integer, value: float) -> float:
    step = float(parameter.step or 1)
    return round(float(parameter.low) + round((value - float(parameter.low)) / step) * step, 12)


def _text(value: float) -> str:
    """Six digits; more where they would be those of 1, which is no value of a ReverseLogarithmic range."""
    return f"{value:.12g}" if 0.999999 < value < 1 else f"{value:.6g}"


def _short(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def _scaled(value: float, scaling: Scaling) -> float:
    if scaling is Scaling.LOGARITHMIC:
        return math.log10(value)
    return -math.log10(1.0 - value) if scaling is Scaling.REVERSE_LOGARITHMIC else value


def _unscaled(value: float, scaling: Scaling) -> float:
    if scaling is Scaling.LOGARITHMIC:
        return float(10.0**value)
    return 1.0 - 10.0**-value if scaling is Scaling.REVERSE_LOGARITHMIC else value
