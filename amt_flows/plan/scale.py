"""The scale on which a hyperparameter is searched: marks along it, and where on it a value lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from amt_flows.show.text import hyperparameter, number
from amt_flows.space.space import Categorical, Parameter, Value

QUARTERS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
FEWEST_DIGITS: Final = 3
MOST_DIGITS: Final = 10
PLACE_DIGITS: Final = 9


@dataclass(frozen=True)
class Tick:
    """A value and its place, from 0 at the lowest value to 1 at the highest, as far along as the search is
    likely to have come when it has drawn that share of all."""

    place: float
    text: str


def ticks(parameter: Parameter) -> tuple[Tick, ...]:
    """The lowest value, the quartiles of the search and the highest; every value where there are few."""
    if isinstance(parameter, Categorical):
        return tuple(Tick(place_on(parameter, one), hyperparameter(one)) for one in parameter.choices)
    size = parameter.size
    if size is not None and size <= len(QUARTERS):
        values = [float(parameter.value_at(k)) for k in range(size)]
    else:
        inner = (float(parameter.decode(place)) for place in QUARTERS[1:-1])
        values = sorted({float(parameter.low), *inner, float(parameter.decode(1.0))})
    texts = _texts(values)
    # An integer's own bin reaches half a step to either side: its lowest value is not at 0 of the unit cube.
    return tuple(Tick(place_on(parameter, value), text) for value, text in zip(values, texts, strict=True))


def place_on(parameter: Parameter, value: Value) -> float:
    """The place of a value on the scale: 0 for the lowest, 1 for the highest, in the search's scaling."""
    if isinstance(parameter, Categorical):
        last = len(parameter.choices) - 1
        return parameter.choices.index(str(value)) / last if last else 0.5
    low, high = parameter.encode(parameter.low), parameter.encode(parameter.decode(1.0))
    return round((parameter.encode(value) - low) / (high - low), PLACE_DIGITS) if high > low else 0.5


def _texts(values: list[float]) -> list[str]:
    """As short as tells them apart and says the ends exactly."""
    for digits in range(FEWEST_DIGITS, MOST_DIGITS):
        texts = [number(value, digits) for value in values]
        exact = all(float(texts[end]) == values[end] for end in (0, -1))
        if exact and len(set(texts)) == len(texts):
            return texts
    return [number(value, MOST_DIGITS) for value in values]
