"""Hyperparameter values as others write them, as values of a parameter of ours: from a spec, a data frame,
a CSV file, or the strings of SageMaker's API."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from numbers import Integral
from typing import Final

from amt_flows.space.space import Categorical, Continuous, Integer, Parameter, Space, Value, as_text

WHOLE_IN_A_FLOAT: Final = 2**53
"""Up to here a float holds every whole number."""


def value_from(parameter: Parameter, given: object) -> Value:
    """``given`` in the type of ``parameter``, whether or not it lies in its range.

    Equal values come out as one and the same, so that they have the same key: 3.0 is 3 for an integer, a
    value on a step is that step's, and a category is found by its number (``8.0`` is the choice ``8``) and
    within the quotes that the SageMaker SDK puts around it. Raises ValueError with what the value must be.
    """
    match parameter:
        case Categorical():
            return _choice(parameter, given)
        case Integer():
            number = _number(given)
            if number != int(number):
                raise ValueError("must be a whole number, such as 10")
            return int(number)
        case Continuous():
            number = _number(given) + 0.0  # turns -0.0, which is another key, into 0.0
            on_step = parameter.step is not None and parameter.contains(number)
            return parameter.decode(parameter.encode(number)) if on_step else number


def configuration_from(space: Space, given: Mapping[str, object]) -> dict[str, Value]:
    """The values of ``given`` for the parameters of ``space``, in its order, without those of parameters that
    aren't used beside the others. Raises KeyError for one that lacks, ValueError as :func:`value_from`
    does."""
    values = {p.name: value_from(p, given[p.name]) for p in space.parameters if p.name in given}
    lacking = space.wanted(values) - values.keys()
    if lacking:
        raise KeyError(min(lacking))
    return space.used(values)


def same_value(one: object, other: object) -> bool:
    """Whether two values mean the same to a training job: equal as numbers, or as texts without the SageMaker
    SDK's quotes."""
    try:
        return _number(one) == _number(other)
    except ValueError:
        return _unquoted(_text(one)) == _unquoted(_text(other))


def _number(given: object) -> float | int:
    """A whole number to its last digit, which a float has up to 2**53 only."""
    if not isinstance(given, bool):
        plain = _unquoted(given) if isinstance(given, str) else given
        try:
            number = float(plain)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return _exact(plain, number)
    raise ValueError("must be a number, such as 0.01")


def _exact(given: object, number: float) -> float | int:
    if isinstance(given, Integral):
        return int(given)
    if isinstance(given, str) and abs(number) >= WHOLE_IN_A_FLOAT:
        try:
            return int(given)
        except ValueError:
            pass
    return number


def _choice(parameter: Categorical, given: object) -> str:
    text = _text(given)
    for candidate in (text, _unquoted(text)):
        if candidate in parameter.choices:
            return candidate
    text = _unquoted(text)
    for choice in parameter.choices:
        if choice.lower() == text.lower() in ("true", "false"):
            return choice
        try:
            if _number(choice) == _number(text):
                return choice
        except ValueError:
            continue
    return text


def _text(given: object) -> str:
    if given is None or isinstance(given, str | bool | int | float | list):
        return as_text(given)
    return str(given)


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        try:
            inner = json.loads(text)
        except ValueError:
            return text
        return inner if isinstance(inner, str) else text
    return text
