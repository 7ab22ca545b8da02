"""The space of configurations: parameters, conditions and constraints, and the map to and from the unit cube.

Every strategy works on points of ``[0, 1]^d``; this file is the only place that knows how such a point
becomes a configuration and back.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from amt_flows.space.conditions import Condition, Forest
from amt_flows.space.constraints import Constraint
from amt_flows.space.parameters import (
    Categorical,
    Continuous,
    Integer,
    Parameter,
    Scaling,
    Value,
    resolve_scaling,
)

__all__ = [
    "NOWHERE",
    "Categorical",
    "Condition",
    "Configuration",
    "Constraint",
    "Continuous",
    "Integer",
    "Parameter",
    "Point",
    "Scaling",
    "Space",
    "Value",
    "as_text",
    "configuration_key",
    "hyperparameter_texts",
    "resolve_scaling",
]

Configuration: TypeAlias = Mapping[str, Value]
Point: TypeAlias = npt.NDArray[np.float64]

# The place of a hyperparameter that a configuration doesn't have: the same for all of them, so that two
# configurations never differ in what neither has.
NOWHERE = 0.5

# A finite space with constraints is listed to tell which configurations meet them, up to this many.
LISTED = 20_000

# Draws for one configuration that meets all constraints.
DRAWS = 10_000


@dataclass(frozen=True)
class Space:
    """All parameters, in the order in which the spec names them; ``conditions`` say which of them a
    configuration has, and ``constraints`` must hold for each."""

    parameters: tuple[Parameter, ...]
    conditions: tuple[Condition, ...] = ()
    constraints: tuple[Constraint, ...] = ()

    @cached_property
    def _forest(self) -> Forest:
        return Forest(self.parameters, self.conditions)

    @property
    def dimension(self) -> int:
        return len(self.parameters)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters)

    @cached_property
    def unordered(self) -> npt.NDArray[np.bool_]:
        """Which parameters have values without an order (shape ``(d,)``)."""
        return np.array([isinstance(p, Categorical) and not p.ordered for p in self.parameters])

    def decode(self, point: Point | Sequence[float]) -> dict[str, Value]:
        """The configuration at a point of the unit cube (shape ``(d,)``). It may break a constraint."""
        values = {p.name: p.decode(float(u)) for p, u in zip(self.parameters, point, strict=True)}
        return self.used(values)

    def encode(self, configuration: Configuration) -> Point:
        """The point (shape ``(d,)``, in the unit cube) of a configuration."""
        return np.array(
            [
                p.encode(configuration[p.name]) if p.name in configuration else NOWHERE
                for p in self.parameters
            ],
            dtype=np.float64,
        )

    def used(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """``values`` without those of hyperparameters that are not used beside the others."""
        return self._forest.used(values) if self.conditions else dict(values)

    def wanted(self, values: Mapping[str, Value]) -> frozenset[str]:
        """The names of the hyperparameters that a configuration with ``values`` has."""
        return self._forest.wanted(values) if self.conditions else frozenset(self.names)

    def condition_of(self, name: str) -> Condition | None:
        """When the hyperparameter is used; None for one that always is."""
        return self._forest.condition_of.get(name)

    def settled(self, places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """``places`` (shape ``(m, d)``) with the coordinates of hyperparameters that aren't used there at
        the one place that they have then. What others depend on must lie on its values."""
        if not self.conditions:
            return places
        settled: npt.NDArray[np.float64] = places.copy()
        settled[self._unused(places)] = NOWHERE
        return settled

    def unused_at(self, place: Point) -> npt.NDArray[np.bool_]:
        """Which hyperparameters aren't used at a settled place (shape ``(d,)`` each)."""
        unused: npt.NDArray[np.bool_] = self._unused(place[None, :])[0]
        return unused

    @cached_property
    def deciding(self) -> frozenset[str]:
        """The names of the hyperparameters that others depend on."""
        return frozenset(condition.on for condition in self.conditions)

    def _unused(self, places: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        column = {name: j for j, name in enumerate(self.names)}
        used = np.ones(places.shape, dtype=bool)
        for parameter in self._forest.parents_first:
            condition = self.condition_of(parameter.name)
            if condition is None:
                continue
            parent, j = column[condition.on], column[parameter.name]
            with_it = [self.parameters[parent].encode(value) for value in condition.values]
            used[:, j] = used[:, parent] & np.isin(places[:, parent], with_it)
        return ~used

    def allows(self, configuration: Configuration) -> bool:
        """Whether a configuration meets all constraints."""
        return all(constraint.holds(configuration) for constraint in self.constraints)

    def contains(self, configuration: Configuration) -> bool:
        """Whether a configuration has the hyperparameters that it must have, in their ranges, and meets all
        constraints."""
        if not configuration.keys() <= set(self.names):
            return False
        within = all(p.contains(configuration[p.name]) for p in self.parameters if p.name in configuration)
        return within and configuration.keys() == self.wanted(configuration) and self.allows(configuration)

    def draw(self, rng: np.random.Generator) -> dict[str, Value] | None:
        """A configuration at random that meets all constraints; None if ``DRAWS`` of them don't."""
        drawn = (self.decode(rng.random(self.dimension)) for _ in range(DRAWS))
        return next((configuration for configuration in drawn if self.allows(configuration)), None)

    @property
    def size(self) -> int | None:
        """The number of distinct configurations; None when a parameter is a continuum, and when there are
        too many to count those that meet the constraints."""
        size = self._forest.size
        if size is None or not self.constraints:
            return size
        return None if size > LISTED else len(_allowed(self))

    def grid(self) -> Iterator[dict[str, Value]]:
        """Every configuration of a space with a ``size``, the last parameter turning fastest."""
        size = self.size
        if size is None:
            raise ValueError("the space has no end: give each continuous range a step to enumerate it")
        if not self.conditions and not self.constraints:
            every = itertools.product(*(p.values() for p in self.parameters))
            return (dict(zip(self.names, values, strict=True)) for values in every)
        return (self.grid_at(index) for index in range(size))

    def grid_at(self, index: int) -> dict[str, Value]:
        """The ``index``-th configuration of :meth:`grid`, without walking up to it."""
        return self.at(_allowed(self)[index] if self.constraints else index)

    def at(self, index: int) -> dict[str, Value]:
        """The ``index``-th configuration of a finite space, those that break a constraint counted too."""
        return self._forest.at(index)


@lru_cache(maxsize=16)
def _allowed(space: Space) -> tuple[int, ...]:
    """The indices of the configurations that meet all constraints, among all. Kept, since each proposal makes
    its space anew from the spec."""
    size = replace(space, constraints=()).size
    return tuple(k for k in range(size or 0) if space.allows(space.at(k)))


def configuration_key(configuration: Configuration) -> str:
    """One string per configuration: two are duplicates when their keys are the same."""
    return json.dumps(dict(sorted(configuration.items())), sort_keys=True, separators=(",", ":"))


def as_text(value: object) -> str:
    """A hyperparameter as SageMaker passes it: a string. What is no text is written as JSON does, negative
    numbers without an exponent: ``argparse`` takes ``-1e-05`` for the name of an option."""
    if isinstance(value, str):
        return value
    text = json.dumps(value)
    if text[0] != "-" or "e" not in text:
        return text
    digits = format(Decimal(text), "f")
    return digits if "." in digits else f"{digits}.0"


def hyperparameter_texts(configuration: Configuration) -> dict[str, str]:
    return {name: as_text(value) for name, value in configuration.items()}
