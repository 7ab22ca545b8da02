"""The rules of ``first_configurations``: configurations that are tried before any that a strategy chooses
(ours; AMT's request has no place for them)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from amt_flows.errors import Problem
from amt_flows.names import meant, nearest
from amt_flows.space.space import Categorical, Integer, Parameter, Space, Value, configuration_key
from amt_flows.space.values import value_from
from amt_flows.spec.algorithm_rules import range_problems
from amt_flows.spec.parts import TuningFields
from amt_flows.spec.space_rules import space_problems
from amt_flows.spec.spaces import space_of


def first_configuration_problems(spec: TuningFields) -> Iterator[Problem]:
    """Each must be complete, within the ranges, and another one than those before it.

    A default for what is left out would be a value that nobody chose and nobody sees. Hyperparameters whose
    range is still to be chosen are looked at once it is.
    """
    given = spec.first_configurations
    if given and spec.other_definitions:
        why = "of which algorithm they are can't be said; leave them out, or tune one algorithm at a time"
        yield Problem("first_configurations", len(given), why)
        return
    if not given or any(range_problems(spec, "")) or any(space_problems(spec, "")):
        return
    limit = spec.limits.max_number_of_training_jobs
    if limit is not None and len(given) > limit:
        why = f"`limits.max_number_of_training_jobs` is {limit}; raise it, or give fewer to try first"
        yield Problem("first_configurations", len(given), why)
    space = space_of(spec)
    open_names = {one.name for one in spec.auto_parameters}
    seen: dict[str, int] = {}
    for i, configuration in enumerate(given):
        at = f"first_configurations[{i}]"
        problems = list(_problems(space, open_names, configuration, at))
        yield from problems
        if problems:
            continue
        key = configuration_key(
            {name: _as_given(space, name, value) for name, value in configuration.items()}
        )
        if key in seen:
            yield Problem(
                at, dict(configuration), f"is first_configurations[{seen[key]}] again; leave it out"
            )
        seen.setdefault(key, i)


def _problems(
    space: Space, open_names: set[str], configuration: dict[str, str], at: str
) -> Iterator[Problem]:
    tuned = {parameter.name: parameter for parameter in space.parameters}
    known = {*tuned, *open_names}
    values = dict(_values(tuned, configuration))
    wanted = space.wanted(values) | open_names
    for name in sorted(wanted - configuration.keys()):
        yield Problem(f"{at}.{name}", None, "is tuned and has no value here; give one, since none is assumed")
    for name, value in configuration.items():
        if name not in known:
            yield Problem(
                f"{at}.{name}", value, f"is not a tuned hyperparameter; {meant(name, sorted(known))}"
            )
        elif name in tuned:
            yield from _value_problems(tuned[name], value, f"{at}.{name}")
            condition = space.condition_of(name)
            if name not in wanted and condition is not None:
                yield Problem(f"{at}.{name}", value, f"is only used when {condition}; leave it out")
    if values.keys() == wanted - open_names:
        for constraint in space.constraints:
            if not constraint.holds(values):
                yield Problem(at, dict(configuration), f"breaks the constraint `{constraint.text}`")


def _values(tuned: Mapping[str, Parameter], configuration: Mapping[str, str]) -> Iterator[tuple[str, Value]]:
    """What can be read of it."""
    for name, given in configuration.items():
        if name in tuned:
            try:
                yield name, value_from(tuned[name], given)
            except ValueError:
                continue


def _value_problems(parameter: Parameter, given: str, at: str) -> Iterator[Problem]:
    try:
        value = value_from(parameter, given)
    except ValueError as error:
        yield Problem(at, given, str(error))
        return
    if parameter.contains(value):
        return
    if isinstance(parameter, Categorical):
        close = nearest(given, parameter.choices)
        remedy = f"write `{close}`; " if close else ""
        yield Problem(at, given, f"{remedy}the choices are {', '.join(parameter.choices)}")
    elif isinstance(value, str) or not parameter.low <= value <= parameter.high:
        what = f"must lie within its range, {parameter.low:g} to {parameter.high:g}; change it, or widen that"
        yield Problem(at, given, what)
    else:
        nearest_value = parameter.decode(parameter.encode(value))
        step = f"{parameter.low:g} + k * {parameter.step:g}"
        yield Problem(at, given, f"only {step} is tried; write {_number(parameter, nearest_value)}")


def _number(parameter: Parameter, value: Value) -> str:
    return f"{value:d}" if isinstance(parameter, Integer) and isinstance(value, int) else f"{value:.10g}"


def _as_given(space: Space, name: str, given: str) -> Value:
    for parameter in space.parameters:
        if parameter.name == name:
            return value_from(parameter, given)
    return given
