"""Hyperparameters: the values each may take, its scaling, and the map to and from the unit interval.

Scaling types are AMT's. What holds between parameters stands in :mod:`amt_flows.space.space`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

Value: TypeAlias = str | int | float

# A value that a person reads in a table, a log line and a command needs no more digits than this,
# and no training run can tell the difference. Only in a range that is very narrow beside its own
# values would it merge all of them into a few: there, as many as a float carries faithfully.
SIGNIFICANT_DIGITS = 10
ALL_DIGITS = 15
NARROW = 1e-6

AUTO_LOG_RATIO = 100.0


class Scaling(str, Enum):
    """How a numeric range is searched (AMT's ``ScalingType``)."""

    AUTO = "Auto"
    LINEAR = "Linear"
    LOGARITHMIC = "Logarithmic"
    REVERSE_LOGARITHMIC = "ReverseLogarithmic"


def resolve_scaling(scaling: Scaling, low: float, high: float, *, continuous: bool) -> Scaling:
    """What ``Auto`` means for a range; any other scaling is returned as it is.

    The rule (ours; AWS publishes none): a positive range that spans at least two orders of magnitude is
    searched logarithmically; a continuous range inside [0.5, 1) whose distance to 1 spans as much is
    searched reverse-logarithmically (momentum 0.9...0.9999); everything else linearly.
    """
    if scaling is not Scaling.AUTO:
        return scaling
    if low > 0 and high / low >= AUTO_LOG_RATIO:
        return Scaling.LOGARITHMIC
    if continuous and 0.5 <= low < high < 1 and (1 - low) / (1 - high) >= AUTO_LOG_RATIO:
        return Scaling.REVERSE_LOGARITHMIC
    return Scaling.LINEAR


def _warp(x: float, scaling: Scaling) -> float:
    if scaling is Scaling.LOGARITHMIC:
        return math.log(x)
    if scaling is Scaling.REVERSE_LOGARITHMIC:
        return -math.log1p(-x)
    return x


def _unwarp(t: float, scaling: Scaling) -> float:
    if scaling is Scaling.LOGARITHMIC:
        return math.exp(t)
    if scaling is Scaling.REVERSE_LOGARITHMIC:
        return -math.expm1(-t)
    return t


@dataclass(frozen=True)
class Continuous:
    """A real parameter in ``[low, high]``, optionally only at ``low + k * step``.

    ``auto`` says that its scaling was left to us: a model may see it on another one (``rescaling.py``).
    """

    name: str
    low: float
    high: float
    scaling: Scaling = Scaling.LINEAR
    step: float | None = None
    auto: bool = False

    def decode(self, u: float) -> float:
        """The value at ``u`` in [0, 1]."""
        a, b = _warp(self.low, self.scaling), _warp(self.high, self.scaling)
        x = _unwarp(a + min(max(u, 0.0), 1.0) * (b - a), self.scaling)
        if self.step is not None:
            return self._on_step(round((x - self.low) / self.step))
        return float(min(max(float(f"{x:.{self._digits}g}"), self.low), self.high))

    def encode(self, value: Value) -> float:
        """The place of ``value`` in [0, 1]; values outside the range are clipped to it."""
        a, b = _warp(self.low, self.scaling), _warp(self.high, self.scaling)
        x = min(max(float(value), self.low), self.high)
        return (_warp(x, self.scaling) - a) / (b - a) if b > a else 0.5

    def _on_step(self, k: int) -> float:
        assert self.step is not None
        k = min(max(k, 0), self._last_step)
        # Digits are counted from the step's first, not from the value's: -0.3 + 3 * 0.1 is 0 and
        # 1e12 + 1 keeps its 1. Adding 0.0 turns -0.0, which is another key, into 0.0.
        digits = SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(self.step))
        return float(min(max(round(self.low + k * self.step, digits) + 0.0, self.low), self.high))

    @property
    def _digits(self) -> int:
        reverse = self.scaling is Scaling.REVERSE_LOGARITHMIC
        finest = 1 - self.high if reverse else self.high - self.low
        narrow = finest < NARROW * max(abs(self.low), abs(self.high))
        return ALL_DIGITS if narrow else SIGNIFICANT_DIGITS

    @property
    def _last_step(self) -> int:
        assert self.step is not None
        return math.floor((self.high - self.low) / self.step * (1 + 1e-12))

    @property
    def size(self) -> int | None:
        """How many values there are, or None for a continuum."""
        if self.high <= self.low:
            return 1
        return None if self.step is None else self._last_step + 1

    def values(self) -> Sequence[Value]:
        """All values, in order. Only for a parameter with a ``size``."""
        if self.size is None:
            raise ValueError(f"{self.name} is a continuum: give it a step to enumerate it")
        return tuple(self.value_at(k) for k in range(self.size))

    def value_at(self, k: int) -> float:
        """``values()[k]``, without making the others."""
        return float(self.low) if self.step is None or self.size == 1 else self._on_step(k)

    def contains(self, value: Value) -> bool:
        if isinstance(value, str) or not math.isfinite(value) or not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        nearest = self._on_step(round((value - self.low) / self.step))
        return math.isclose(value, nearest, rel_tol=1e-15, abs_tol=self.step * 1e-6)


@dataclass(frozen=True)
class Integer:
    """A whole number in ``[low, high]``, at ``low + k * step``.

    Each value owns a bin of the unit interval that reaches half a step to either side (in the scaled
    domain), so that the two end values are as likely as any other. ``auto`` is that of :class:`Continuous`.
    """

    name: str
    low: int
    high: int
    scaling: Scaling = Scaling.LINEAR
    step: int = 1
    auto: bool = False

    @property
    def _edges(self) -> tuple[float, float]:
        half = self.step / 2
        # Under a log scale the lower edge stays positive: low >= 1 and half a step may reach 0.
        low = max(self.low - half, self.low / 2) if self.scaling is Scaling.LOGARITHMIC else self.low - half
        return _warp(low, self.scaling), _warp(self._top + half, self.scaling)

    @property
    def _top(self) -> int:
        return self.low + (self.size - 1) * self.step

    def decode(self, u: float) -> int:
        a, b = self._edges
        x = _unwarp(a + min(max(u, 0.0), 1.0) * (b - a), self.scaling)
        k = min(max(round((x - self.low) / self.step), 0), self.size - 1)
        return self.low + k * self.step

    def encode(self, value: Value) -> float:
        a, b = self._edges
        x = min(max(float(value), self.low), self.high)
        return (_warp(x, self.scaling) - a) / (b - a)

    @property
    def size(self) -> int:
        return (self.high - self.low) // self.step + 1

    def values(self) -> Sequence[Value]:
        return range(self.low, self._top + 1, self.step)

    def value_at(self, k: int) -> int:
        return self.low + k * self.step

    def contains(self, value: Value) -> bool:
        return (
            isinstance(value, int)
            and not isinstance(value, bool)
            and self.low <= value <= self.high
            and (value - self.low) % self.step == 0
        )


@dataclass(frozen=True)
class Categorical:
    """One of a few strings; ``ordered`` if neighbours among them are more alike than others, as in
    small, medium, large. Each owns an equal part of the unit interval."""

    name: str
    choices: tuple[str, ...]
    ordered: bool = False

    def decode(self, u: float) -> str:
        return self.choices[min(int(min(max(u, 0.0), 1.0) * len(self.choices)), len(self.choices) - 1)]

    def encode(self, value: Value) -> float:
        return (self.choices.index(str(value)) + 0.5) / len(self.choices)

    @property
    def size(self) -> int:
        return len(self.choices)

    def values(self) -> Sequence[Value]:
        return self.choices

    def value_at(self, k: int) -> str:
        return self.choices[k]

    def contains(self, value: Value) -> bool:
        return isinstance(value, str) and value in self.choices


Parameter: TypeAlias = Continuous | Integer | Categorical
