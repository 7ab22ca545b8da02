"""What a value hint is: a number of some kind, a truth value, or a word."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TypeAlias

from amt_flows.space.space import Scaling
from amt_flows.spec import CategoricalRange, ContinuousRange, IntegerRange

Range: TypeAlias = ContinuousRange | IntegerRange | CategoricalRange

_WHOLE = re.compile(r"[+-]?\d+")


@dataclass(frozen=True)
class Hint:
    """A number: its value, and whether it is written as a whole one."""

    value: float
    whole: bool


def hint_of(text: str) -> Hint | bool | None:
    """The number or truth value that a hint is; None for any other word.

    The quotes that the SageMaker SDK puts around a text are no part of it.
    """
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        try:
            text = str(json.loads(text)).strip()
        except ValueError:
            return None
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        value = float(text)
    except ValueError:
        return None
    return Hint(value, _WHOLE.fullmatch(text) is not None) if math.isfinite(value) else None


def continuous(name: str, low: float, high: float, scaling: Scaling = Scaling.LINEAR) -> ContinuousRange:
    """A range whose ends have three digits that a person can read."""
    return ContinuousRange(name=name, min_value=_neat(low), max_value=_neat(high), scaling_type=scaling)


def integer(name: str, low: float, high: float, scaling: Scaling = Scaling.LINEAR) -> IntegerRange:
    """A range of whole numbers, rounded outwards, with at least two of them."""
    first = math.floor(low)
    return IntegerRange(
        name=name, min_value=first, max_value=max(math.ceil(high), first + 1), scaling_type=scaling
    )


def _neat(value: float) -> float:
    return float(f"{value:.3g}")
