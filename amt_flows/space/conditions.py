"""Conditional hyperparameters: which ones a configuration has, and how many configurations that leaves.

Conditions form a forest: each hyperparameter depends on one other at most. The idea is that of Hutter et al.
2009, "ParamILS: An Automatic Algorithm Configuration Framework".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from amt_flows.space.parameters import Categorical, Continuous, Parameter, Value


@dataclass(frozen=True)
class Condition:
    """``parameter`` is used only where ``on`` is used and has one of ``values``."""

    parameter: str
    on: str
    values: tuple[Value, ...]

    def __str__(self) -> str:
        """When it is used, for a person: ``optimizer is sgd or nag``."""
        return f"{self.on} is {' or '.join(map(str, self.values))}"


@dataclass(frozen=True)
class Forest:
    """The parameters of a space, and what each depends on."""

    parameters: tuple[Parameter, ...]
    conditions: tuple[Condition, ...]

    @cached_property
    def condition_of(self) -> Mapping[str, Condition]:
        return {condition.parameter: condition for condition in self.conditions}

    @cached_property
    def parents_first(self) -> tuple[Parameter, ...]:
        """All parameters, each behind the one it depends on, else in their order."""
        placed: dict[str, Parameter] = {}
        waiting = list(self.parameters)
        while waiting:
            ready = [p for p in waiting if self._parent(p) is None or self._parent(p) in placed]
            if not ready:
                names = ", ".join(p.name for p in waiting)
                raise ValueError(f"conditions go round in a circle, or depend on what isn't there: {names}")
            placed.update({p.name: p for p in ready})
            waiting = [p for p in waiting if p.name not in placed]
        return tuple(placed.values())

    def used(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """``values`` without those of hyperparameters that are not used beside the others."""
        wanted = self.wanted(values)
        return {name: value for name, value in values.items() if name in wanted}

    def wanted(self, values: Mapping[str, Value]) -> frozenset[str]:
        """The names that a configuration must have whose other values are ``values``."""
        names: set[str] = set()
        for parameter in self.parents_first:
            condition = self.condition_of.get(parameter.name)
            if condition is None or (condition.on in names and values.get(condition.on) in condition.values):
                names.add(parameter.name)
        return frozenset(names)

    def _parent(self, parameter: Parameter) -> str | None:
        condition = self.condition_of.get(parameter.name)
        return None if condition is None else condition.on

    # -- counting --------------------------------------------------------------------------------

    @cached_property
    def size(self) -> int | None:
        """How many configurations there are, or None when a parameter is a continuum."""
        if any(parameter.size is None for parameter in self.parameters):
            return None
        return self._product(self._roots)

    def at(self, index: int) -> dict[str, Value]:
        """The ``index``-th configuration; the last parameter turns fastest. Only with a ``size``."""
        chosen: dict[str, Value] = {}
        self._fill(chosen, self._roots, index)
        return {p.name: chosen[p.name] for p in self.parameters if p.name in chosen}

    @cached_property
    def _roots(self) -> tuple[Parameter, ...]:
        return tuple(p for p in self.parameters if self._parent(p) is None)

    @cached_property
    def _children(self) -> Mapping[str, tuple[Parameter, ...]]:
        children: dict[str, tuple[Parameter, ...]] = {}
        for parameter in self.parameters:
            parent = self._parent(parameter)
            if parent is not None:
                children[parent] = (*children.get(parent, ()), parameter)
        return children

    @cached_property
    def _brought(self) -> Mapping[str, Mapping[int, tuple[Parameter, ...]]]:
        """For each parameter, by the index of its value, in order: those that are used with it. Values that
        bring none are left out: there may be a thousand million."""
        every: dict[str, Mapping[int, tuple[Parameter, ...]]] = {}
        for parameter in self.parameters:
            brought: dict[int, tuple[Parameter, ...]] = {}
            for child in self._children.get(parameter.name, ()):
                for value in dict.fromkeys(self.condition_of[child.name].values):
                    k = index_of(parameter, value)
                    brought[k] = (*brought.get(k, ()), child)
            every[parameter.name] = dict(sorted(brought.items()))
        return every

    @cached_property
    def _counts(self) -> Mapping[str, int]:
        """How many ways there are to choose a parameter together with those that depend on it."""
        counts: dict[str, int] = {}
        for parameter in reversed(self.parents_first):
            brought = self._brought[parameter.name].values()
            beside = sum(math.prod(counts[child.name] for child in children) for children in brought)
            counts[parameter.name] = _size(parameter) - len(brought) + beside
        return counts

    def _product(self, parameters: Sequence[Parameter]) -> int:
        return math.prod(self._counts[one.name] for one in parameters)

    def _fill(self, chosen: dict[str, Value], parameters: Sequence[Parameter], index: int) -> None:
        for parameter in reversed(parameters):
            index, within = divmod(index, self._counts[parameter.name])
            self._place(chosen, parameter, within)

    def _place(self, chosen: dict[str, Value], parameter: Parameter, index: int) -> None:
        first = 0
        for k, children in self._brought[parameter.name].items():
            if index < k - first:
                break
            index -= k - first
            many = self._product(children)
            if index < many:
                chosen[parameter.name] = parameter.value_at(k)
                self._fill(chosen, children, index)
                return
            index -= many
            first = k + 1
        chosen[parameter.name] = parameter.value_at(first + index)


def index_of(parameter: Parameter, value: Value) -> int:
    """``k`` with ``parameter.value_at(k) == value``, for a value that it contains."""
    if isinstance(parameter, Categorical):
        return parameter.choices.index(str(value))
    if isinstance(parameter, Continuous):
        raise ValueError(f"{parameter.name} is a real number: nothing can depend on its exact value")
    return (int(value) - parameter.low) // parameter.step


def _size(parameter: Parameter) -> int:
    if parameter.size is None:
        raise ValueError(f"{parameter.name} is a continuum: give it a step to enumerate it")
    return parameter.size
