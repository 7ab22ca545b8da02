"""AMT's ``CreateHyperParameterTuningJob`` request body, read. (What is decided of it, once for reading and
writing, is said in :mod:`amt_flows.spec.amt_request`.)"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from amt_flows.errors import Problem, SpecError
from amt_flows.spec.amt_fields import (
    CONFIG,
    ONE,
    SEVERAL,
    SINGLE,
    VERBATIM,
    Algorithm,
    Place,
    algorithm_places,
    one_of_several,
    table,
)
from amt_flows.spec.amt_shape import put_right, request_shape
from amt_flows.spec.amt_words import AmtsWords
from amt_flows.spec.dotted import MISSING, copied, get, put, take
from amt_flows.spec.parts import StrategyType
from amt_flows.spec.plain_values import plain_problems

Body: TypeAlias = dict[str, Any]
T = TypeVar("T")

MAX_DEFINITIONS: Final = 10
# Where AMT looks for the number of epochs when Hyperband has no MaxResource, in this order
# (API reference of HyperbandStrategyConfig).
EPOCHS: Final = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")


def is_amt_request(data: Mapping[str, Any]) -> bool:
    """Whether ``data`` is meant as AMT's request rather than as a spec in our own shape."""
    if any(key in data for key in (CONFIG, ONE, SEVERAL)):
        return True
    return bool(data) and all(str(key)[:1].isupper() for key in data)


def as_it_is(own: Body) -> None:
    """Changes nothing."""


def read_amt_request(
    data: Mapping[str, Any], build: Callable[..., T], adjust: Callable[[Body], None] = as_it_is
) -> T:
    """The spec that a request body describes; ``build`` makes it of its fields, or raises SpecError, after
    ``adjust`` has changed them.

    Raises SpecError with every problem found, in AMT's own paths and names.
    """
    unfit = plain_problems(data)
    if unfit:
        raise SpecError(unfit)
    given, problems = _well_placed(data)
    algorithms = _algorithms_of(given)
    body, misshapen = put_right(given, request_shape(algorithms))
    problems += [*misshapen, *_absent_objects(body)]
    own: Body = {"other_definitions": [{} for _ in algorithms[1:]]} if len(algorithms) > 1 else {}
    for place in table(algorithms):
        problems += _read(body, place, own)
    for where in algorithms:
        _read_verbatim(body, where, own)
    _infer_epochs(own)
    adjust(own)
    try:
        spec = build(**own)
    except SpecError as error:
        problems += AmtsWords(algorithms, own).problems(error.problems)
    if problems:
        raise SpecError(_without_repetition(problems))
    return spec


def _well_placed(data: Mapping[str, Any]) -> tuple[Body, list[Problem]]:
    """A body with one algorithm or with several, not a mixture of both.

    Raises SpecError at once where nobody could tell what the algorithms are.
    """
    body = dict(data)
    problems: list[Problem] = []
    if SEVERAL not in body:
        return body, problems
    several = body[SEVERAL]
    if ONE in body:
        raise SpecError([Problem(ONE, None, f"stands beside {SEVERAL}; move it into that list")])
    count = len(several) if isinstance(several, list | tuple) else 0
    if not 1 <= count <= MAX_DEFINITIONS:
        wanted = f"must be a list of 1 to {MAX_DEFINITIONS} training job definitions"
        raise SpecError([Problem(SEVERAL, several, wanted)])
    inside = {
        "HyperParameterTuningJobObjective": "TuningObjective",
        "ParameterRanges": "HyperParameterRanges",
    }
    configuration = body.get(CONFIG)
    if isinstance(configuration, Mapping):
        for name in sorted(inside.keys() & configuration.keys()):
            problems.append(
                Problem(f"{CONFIG}.{name}", None, f"is for {ONE}; give {inside[name]} in each of {SEVERAL}")
            )
        body[CONFIG] = {name: value for name, value in configuration.items() if name not in inside}
    return body, problems


def _algorithms_of(body: Mapping[str, Any]) -> list[Algorithm]:
    """Where each algorithm's settings stand in this body."""
    if SEVERAL in body:
        return [one_of_several(i) for i in range(len(body[SEVERAL]))]
    objective, ranges = SINGLE.objective, SINGLE.ranges
    if get(body, f"{ONE}.TuningObjective") is not MISSING and get(body, objective) is MISSING:
        objective = f"{ONE}.TuningObjective"
    if get(body, f"{ONE}.HyperParameterRanges") is not MISSING and get(body, ranges) is MISSING:
        ranges = f"{ONE}.HyperParameterRanges"
    return [Algorithm("", objective, ranges, ONE)]


def _absent_objects(body: Body) -> Iterator[Problem]:
    for path in (CONFIG, f"{CONFIG}.ResourceLimits"):
        if get(body, path) is MISSING:
            yield Problem(path, None, "is needed and not given")


def _read(body: Body, place: Place, own: Body) -> Iterator[Problem]:
    value = get(body, place.amt)
    if value is MISSING:
        if place.needed and get(body, place.amt.rpartition(".")[0]) is not MISSING:
            yield Problem(place.amt, None, "is needed and not given")
        return
    if place.items:
        for i, element in enumerate(value):
            for item in place.items:
                if item.needed and item.amt not in element:
                    yield Problem(f"{place.amt}[{i}].{item.amt}", None, "is needed and not given")
        value = [_read_element(element, place.items) for element in value]
    try:
        put(own, place.own, place.read(value))
    except ValueError as error:
        yield Problem(place.amt, value, str(error))


def _read_element(element: Mapping[str, Any], items: Sequence[Place]) -> Any:
    if items[0].own == "":
        return element.get(items[0].amt)
    return {item.own: element[item.amt] for item in items if item.amt in element}


def _read_verbatim(body: Body, where: Algorithm, own: Body) -> None:
    """What is left of a definition without its mapped members."""
    definition = get(body, where.definition)
    if definition is MISSING:
        return
    rest = copied(definition)
    inside = f"{where.definition}."
    for place in algorithm_places(where):
        member = place.amt.removeprefix(inside)
        if place.amt.startswith(inside) and get(rest, member) is not MISSING:
            take(rest, member)
    # An empty object says nothing. (AMT requires StoppingCondition, so every written body has it again.)
    for name in [name for name, value in rest.items() if value == {}]:
        if name == "StoppingCondition" or name not in VERBATIM:
            del rest[name]
    if rest:
        put(own, f"{where.own}training_job.sagemaker", rest)
    retries = f"{where.own}training_job.max_retry_attempts"
    if get(own, retries) is MISSING:
        put(own, retries, 0)


def _infer_epochs(own: Body) -> None:
    if own.get("strategy") != StrategyType.HYPERBAND.value:
        return
    static = own.get("static_hyperparameters")
    if get(own, "hyperband.max_resource") is not MISSING or not isinstance(static, dict):
        return
    for name in EPOCHS:
        if str(static.get(name, "")).isdigit():
            put(own, "hyperband.max_resource", int(static[name]))
            return


def _without_repetition(problems: Sequence[Problem]) -> list[Problem]:
    """One problem per field and message; and nothing about what lacks in an object that is itself wrong."""
    kept: dict[str, Problem] = {}
    wrong = {problem.field for problem in problems}
    for problem in problems:
        parents = {problem.field[: m.start()] for m in re.finditer(r"[.\[]", problem.field)}
        if problem.value is not None or not parents & wrong:
            kept.setdefault(problem.field, problem)
    return list(kept.values())
