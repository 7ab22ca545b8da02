"""From the ranges of an algorithm, their conditions and its constraints to the space that is searched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from amt_flows.space.space import Condition, Constraint, Parameter, Space, Value
from amt_flows.space.values import value_from
from amt_flows.spec.parts import (
    CategoricalRange,
    ContinuousRange,
    Definition,
    IntegerRange,
    TuningFields,
    given_value,
)


def ranges_of(
    algorithm: TuningFields | Definition,
) -> list[tuple[str, ContinuousRange | IntegerRange | CategoricalRange]]:
    """Every range with its field, in the order of the space: continuous, integer, then categorical."""
    ranges: list[tuple[str, ContinuousRange | IntegerRange | CategoricalRange]] = []
    ranges += [(f"continuous[{i}]", one) for i, one in enumerate(algorithm.continuous)]
    ranges += [(f"integer[{i}]", one) for i, one in enumerate(algorithm.integer)]
    ranges += [(f"categorical[{i}]", one) for i, one in enumerate(algorithm.categorical)]
    return ranges


def space_of(algorithm: TuningFields | Definition) -> Space:
    """The space of an algorithm that breaks no rule."""
    ranges = [one for _, one in ranges_of(algorithm)]
    parameters = {one.name: one.parameter() for one in ranges}
    return Space(
        tuple(parameters.values()),
        tuple(_conditions(ranges, parameters)),
        tuple(Constraint(text) for text in algorithm.constraints),
    )


def values_of(algorithm: TuningFields | Definition, configuration: Mapping[str, Value]) -> dict[str, object]:
    """All hyperparameters of a training job as the spec gives them, static ones too: a choice, which is a
    text in a configuration, is again the number, boolean, null or list that it was."""
    given = {one.name: {str(text): given_value(text) for text in one.values} for one in algorithm.categorical}
    static = {name: given_value(text) for name, text in algorithm.static_hyperparameters.items()}
    tuned = {name: given.get(name, {}).get(str(value), value) for name, value in configuration.items()}
    return {**static, **tuned}


def _conditions(
    ranges: list[ContinuousRange | IntegerRange | CategoricalRange], parameters: Mapping[str, Parameter]
) -> Iterator[Condition]:
    for one in ranges:
        if one.only_when is not None:
            on = parameters[one.only_when.name]
            values = tuple(value_from(on, value) for value in one.only_when.values)
            yield Condition(one.name, on.name, values)
