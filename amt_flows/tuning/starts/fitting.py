"""From what is known of an algorithm to configurations of the space that a user gave.

A number beyond the user's range becomes its nearest end, one between steps or choices the nearest of them. A
word on which all else depends (a booster, a kernel) leaves the configuration out where it is none of the
choices, and so does one that a static hyperparameter contradicts, or a constraint. What the set says nothing
of, and other words that are no choice, get the middle of their range at first, and are spread over it from
then on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from amt_flows.space.space import Categorical, Configuration, Parameter, Space, Value, configuration_key
from amt_flows.space.values import value_from
from amt_flows.tuning.starts.known_set import Known, Meaning
from amt_flows.tuning.starts.recognition import Recognised, numbers_of, own_name

FAR: Final = 0.4
"""A number that had to be moved further than this (in powers of ten, or in shares of what is possible) is not
what was known: such configurations come last."""
APART: Final = 0.01
"""In the mean over the unit cube: what has become so alike is tried once."""
GOLDEN: Final = (math.sqrt(5) - 1) / 2


def fitted(found: Recognised, space: Space, static: Mapping[str, str], count: int) -> list[dict[str, Value]]:
    """Up to ``count`` configurations of ``space``, those first that had to be changed least, else in the
    order of the set. ``static`` are the hyperparameters that every training job has."""
    fixed = {
        name: value for name, value in found.algorithm.otherwise.items() if name not in found.meaning.values()
    }
    fixed |= {name: value for key, value in static.items() if (name := own_name(found.algorithm, key))}
    kept: list[tuple[bool, dict[str, Value]]] = []
    for number, known in enumerate(found.algorithm.configurations):
        moved = _moved_by_static(found.algorithm, known, fixed)
        fit = None if moved is None else _fit(found, space, known, number)
        if fit is not None and moved is not None:
            far, configuration = fit
            kept.append((far or moved > FAR, configuration))
    kept.sort(key=lambda one: one[0])
    return list(_distinct(space, [configuration for _, configuration in kept]))[:count]


def _fit(
    found: Recognised, space: Space, known: Mapping[str, Value], number: int
) -> tuple[bool, dict[str, Value]] | None:
    """Whether anything had to be moved far, and the configuration; None for one that can't be, or of which
    less than half is known."""
    values: dict[str, Value] = {}
    far: dict[str, bool] = {}
    for j, parameter in enumerate(space.parameters):
        name = found.meaning.get(parameter.name)
        given = None if name is None else known.get(name)
        value = None if given is None else _value(parameter, given)
        if value is None and given is not None and name in found.algorithm.otherwise:
            return None
        if name is None or given is None or value is None:
            values[parameter.name] = parameter.decode((0.5 + number * (j + 1) * GOLDEN) % 1.0)
            continue
        values[parameter.name] = value
        far[parameter.name] = _moved(found.algorithm.meanings[name], given, value) > FAR
    configuration = space.used(values)
    if not space.contains(configuration) or 2 * len(far.keys() & configuration.keys()) < len(configuration):
        return None
    return any(far.get(name, False) for name in configuration), configuration


def _value(parameter: Parameter, given: Value) -> Value | None:
    """``given`` in the range of a parameter, or as one of its choices; None where it is none."""
    if not isinstance(parameter, Categorical):
        return None if isinstance(given, str) else parameter.decode(parameter.encode(given))
    numbers = numbers_of(parameter)
    if numbers is not None and not isinstance(given, str):
        return parameter.choices[int(np.argmin([abs(one - given) for one in numbers]))]
    value = value_from(parameter, given)
    if parameter.contains(value):
        return value
    return next((one for one in parameter.choices if one.lower() == str(given).lower()), None)


def _moved(meaning: Meaning, given: Value, value: Value) -> float:
    try:
        before, after = float(given), float(value)
    except ValueError:
        return 0.0
    if meaning.logarithmic:
        return abs(math.log10(max(before, 1e-12) / max(after, 1e-12))) if max(before, after) > 1e-3 else 0.0
    most = meaning.most or 1.0
    return abs(before - after) / min(most, 20.0)


def _moved_by_static(algorithm: Known, known: Mapping[str, Value], fixed: Mapping[str, str]) -> float | None:
    """How far what is fixed is from what is known, at most; None where a word contradicts it."""
    furthest = 0.0
    for name, text in fixed.items():
        given = known.get(name)
        if given is None:
            continue
        if isinstance(given, str):
            if given.lower() != text.strip('"').lower():
                return None
            continue
        try:
            furthest = max(furthest, _moved(algorithm.meanings[name], given, float(text)))
        except ValueError:
            continue
    return furthest


def _distinct(space: Space, configurations: list[dict[str, Value]]) -> Iterator[dict[str, Value]]:
    kept: list[Configuration] = []
    for one in configurations:
        if all(
            configuration_key(one) != configuration_key(other) and _apart(space, one, other) for other in kept
        ):
            kept.append(one)
            yield one


def _apart(space: Space, one: Configuration, other: Configuration) -> bool:
    gaps = np.abs(space.encode(one) - space.encode(other))
    return float(np.where(space.unordered, gaps > 0, gaps).mean()) >= APART
