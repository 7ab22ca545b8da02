"""A spec with everything in it chosen that its user left to us."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amt_flows.errors import Problem, SpecError
from amt_flows.ledger.algorithms import Algorithm, algorithms_of
from amt_flows.space.space import Scaling
from amt_flows.spec import CategoricalRange, ContinuousRange, IntegerRange, TuningSpec
from amt_flows.spec.algorithm_rules import MAX_TUNABLE
from amt_flows.spec.dotted import put
from amt_flows.tuning.autotune.hints import Range
from amt_flows.tuning.autotune.ranges import range_for
from amt_flows.tuning.autotune.settings import chosen_settings


@dataclass(frozen=True)
class Chosen:
    """``spec`` has neither ``auto_parameters`` nor ``autotune``; ``why`` says what was chosen, a sentence
    each."""

    spec: TuningSpec
    why: tuple[str, ...] = ()


def chosen(spec: TuningSpec) -> Chosen:
    """What ``spec`` asks for, with ranges and settings in the place of hints and of ``autotune``.

    The same spec gives the same answer. One that leaves nothing to us is returned as it is. Raises SpecError
    for a hint that no range can be chosen from.
    """
    algorithms = algorithms_of(spec)
    if not spec.autotune and not any(one.spec.auto_parameters for one in algorithms):
        return Chosen(spec)
    why: list[str] = []
    problems: list[Problem] = []
    content = spec.to_json()
    parts: list[dict[str, Any]] = [content, *content.get("other_definitions", [])]
    for algorithm, part in zip(algorithms, parts, strict=True):
        ranges, sentences, wrong = _ranges(algorithm)
        why += sentences
        problems += wrong
        part["auto_parameters"] = []
        for kind, cls in _KINDS.items():
            own = [one for one in ranges if isinstance(one, cls)]
            part[kind] = part.get(kind, []) + [one.model_dump(mode="json") for one in own]
    if problems:
        raise SpecError(problems)
    complete = TuningSpec(**content)
    if spec.autotune:
        settings = list(chosen_settings(complete))
        content = {**complete.to_json(), "autotune": False}
        for path, value, reason in settings:
            put(content, path, value)
            why.append(f"{path} = {_shown(value)}: {reason}")
        complete = TuningSpec(**content)
    return Chosen(complete, tuple(why))


_KINDS = {"continuous": ContinuousRange, "integer": IntegerRange, "categorical": CategoricalRange}


def _ranges(algorithm: Algorithm) -> tuple[list[Range], list[str], list[Problem]]:
    """Of one algorithm: its ranges, a sentence on each, and what is wrong with its hints."""
    spec, whose = algorithm.spec, f"{algorithm.name}: " if algorithm.name else ""
    ranges: list[Range] = []
    why: list[str] = []
    problems: list[Problem] = []
    for i, asked in enumerate(spec.auto_parameters):
        try:
            one, reason = range_for(asked.name, asked.value_hint)
        except ValueError as error:
            field = algorithm.field(f"auto_parameters[{i}].value_hint")
            problems.append(Problem(field, asked.value_hint, str(error)))
            continue
        ranges.append(one)
        why.append(f"{whose}{asked.name}: {_in_words(one)}, from the hint {asked.value_hint} ({reason})")
    count = len(ranges) + spec.space().dimension
    if count > MAX_TUNABLE:
        message = (
            f"with the ranges given they make {count} hyperparameters to tune, and {MAX_TUNABLE} are the most"
        )
        field = algorithm.field("auto_parameters")
        problems.append(Problem(field, len(spec.auto_parameters), f"{message}; make some static"))
    return ranges, why, problems


def _in_words(one: Range) -> str:
    if isinstance(one, CategoricalRange):
        return " or ".join(one.values)
    scale = "" if one.scaling_type is Scaling.LINEAR else f", {one.scaling_type.value}"
    return f"{one.min_value:.10g} to {one.max_value:.10g}{scale}"


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
