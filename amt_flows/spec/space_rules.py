"""The rules of conditions (``only_when``) and constraints (ours; AMT's request has no place for either)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

import numpy as np

from amt_flows.errors import Problem
from amt_flows.names import meant
from amt_flows.space.constraints import Constraint
from amt_flows.space.space import Categorical, Continuous, Parameter, Space
from amt_flows.space.values import value_from
from amt_flows.spec.algorithm_rules import Algorithm, range_problems
from amt_flows.spec.parts import OnlyWhen
from amt_flows.spec.spaces import ranges_of, space_of

# Of this many configurations at random, so many must meet the constraints: a strategy finds one by drawing.
DRAWN: Final = 10_000
LEAST_MET: Final = 10


def space_problems(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    """What is wrong with what holds between the hyperparameters of one algorithm."""
    if any(range_problems(algorithm, at)):
        return
    parameters = {one.name: one.parameter() for _, one in ranges_of(algorithm)}
    problems = [*_on_open_ranges(algorithm, at)]
    problems += [*_conditions(algorithm, parameters, at)] or [*_circles(algorithm, at)]
    problems += _constraints(algorithm, parameters, at)
    yield from problems
    # Those that speak of ranges still to be chosen are looked at once they are.
    if not problems and algorithm.constraints and not algorithm.auto_parameters:
        yield from _feasible(algorithm, at)


# --- conditions ------------------------------------------------------------------------------------------


def _on_open_ranges(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    """Which values a range will have that is still to be chosen nobody can say."""
    open_names = {one.name for one in algorithm.auto_parameters}
    for field, one in ranges_of(algorithm):
        if one.only_when is not None and one.only_when.name in open_names:
            why = "has a range that is chosen for you; give it one of its own in `categorical` or `integer`"
            yield Problem(f"{at}{field}.only_when.name", one.only_when.name, why)


def _conditions(algorithm: Algorithm, parameters: Mapping[str, Parameter], at: str) -> Iterator[Problem]:
    open_names = {one.name for one in algorithm.auto_parameters}
    for field, one in ranges_of(algorithm):
        if one.only_when is not None and one.only_when.name not in open_names:
            yield from _condition(one.name, one.only_when, parameters, f"{at}{field}.only_when")


def _condition(name: str, when: OnlyWhen, parameters: Mapping[str, Parameter], at: str) -> Iterator[Problem]:
    on = parameters.get(when.name)
    if when.name == name:
        yield Problem(f"{at}.name", when.name, "is this hyperparameter itself; name another one that decides")
    elif on is None:
        yield Problem(
            f"{at}.name", when.name, f"is not a tuned hyperparameter; {meant(when.name, parameters)}"
        )
    elif isinstance(on, Continuous):
        why = (
            "is a real number, which hardly ever has an exact value; let a categorical or integer one decide"
        )
        yield Problem(f"{at}.name", when.name, why)
    else:
        for i, value in enumerate(when.values):
            yield from _value(on, value, f"{at}.values[{i}]")


def _value(on: Parameter, given: str, at: str) -> Iterator[Problem]:
    try:
        value = value_from(on, given)
    except ValueError as error:
        yield Problem(at, given, str(error))
        return
    if on.contains(value):
        return
    if isinstance(on, Categorical):
        yield Problem(at, given, f"is not a value of {on.name}; {meant(given, on.choices)}")
    else:
        low, high = on.low, on.high
        by = "" if on.step in (None, 1) else f" in steps of {on.step:g}"
        yield Problem(
            at, given, f"is never tried: {on.name} goes from {low:g} to {high:g}{by}; write one of those"
        )


def _circles(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    decides = {one.name: one.only_when.name for _, one in ranges_of(algorithm) if one.only_when is not None}
    for field, one in ranges_of(algorithm):
        passed, name = [one.name], decides.get(one.name)
        while name is not None and name not in passed:
            passed.append(name)
            name = decides.get(name)
        if name == one.name:
            circle = " -> ".join([*passed, one.name])
            why = f"goes round in a circle ({circle}), so none of them would ever be used; leave one out"
            yield Problem(f"{at}{field}.only_when.name", passed[1], why)
            return


# --- constraints -----------------------------------------------------------------------------------------


def _constraints(algorithm: Algorithm, parameters: Mapping[str, Parameter], at: str) -> Iterator[Problem]:
    for i, text in enumerate(algorithm.constraints):
        field = f"{at}constraints[{i}]"
        try:
            constraint = Constraint(text)
        except ValueError as error:
            yield Problem(field, text, str(error))
            continue
        open_names = {one.name for one in algorithm.auto_parameters}
        for name in sorted(constraint.names - parameters.keys() - open_names):
            if name in algorithm.static_hyperparameters:
                why = f"`{name}` is static, and always {algorithm.static_hyperparameters[name]}; write that"
            else:
                why = f"`{name}` is not a tuned hyperparameter; {meant(name, parameters)}"
            yield Problem(field, text, why)
        for name, value in constraint.compared:
            parameter = parameters.get(name)
            if isinstance(parameter, Categorical) and value not in parameter.choices:
                why = f"`{value}` is not a value of {name}; {meant(value, parameter.choices)}"
                yield Problem(field, text, why)


def _feasible(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    """Enough configurations meet all constraints, and none makes them fail."""
    space = space_of(algorithm)
    counted, fault = _drawn(space)
    if fault is not None:
        i, why = fault
        yield Problem(f"{at}constraints[{i}]", space.constraints[i].text, why)
    elif counted[0] < LEAST_MET and not space.size:
        yield from _hardly_met(space, counted, at)


@lru_cache(maxsize=16)
def _drawn(space: Space) -> tuple[tuple[int, tuple[int, ...]], tuple[int, str] | None]:
    """How many configurations at random meet all constraints, and how many each of them, up to ``LEAST_MET``
    of the former; and the place of a constraint that fails, with why. Kept: a spec is made anew many times,
    and where hardly any configuration meets them this takes a while."""
    rng = np.random.default_rng(0)
    met, alone = 0, [0] * len(space.constraints)
    for _ in range(DRAWN):
        configuration = space.decode(rng.random(space.dimension))
        verdicts = []
        for i, constraint in enumerate(space.constraints):
            try:
                verdicts.append(constraint.holds(configuration))
            except ValueError as error:
                return (met, tuple(alone)), (i, str(error))
            alone[i] += verdicts[-1]
        met += all(verdicts)
        if met >= LEAST_MET:
            break
    return (met, tuple(alone)), None


def _hardly_met(space: Space, counted: tuple[int, tuple[int, ...]], at: str) -> Iterator[Problem]:
    met, alone = counted
    worst = int(np.argmin(alone))
    why = (
        f"of {DRAWN:,} configurations at random {met} meet all constraints, too few to search among; this "
        f"one alone is met by {alone[worst]:,}: narrow the ranges to where it holds, or relax it"
    )
    yield Problem(f"{at}constraints[{worst}]", space.constraints[worst].text, why)
