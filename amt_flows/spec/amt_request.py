"""AMT's ``CreateHyperParameterTuningJob`` request body, written, and read as a spec.

:mod:`amt_flows.spec.amt_fields` has the table of what stands where. Decided here, once:

- What a body leaves out is left out again by the body written from its spec, and what it says is said again,
  a default too. So a body that is read and written is the same body.
- A single algorithm is written with the objective and the ranges of ``HyperParameterTuningJobConfig``,
  several are written with their own. Other placements that AMT's shape allows are read too.
- A definition without ``RetryStrategy`` means no retries; our own default of two is written out.
- Hyperband's ``MaxResource`` may be left to a static hyperparameter such as ``epochs``, as AMT has it.
- A number may stand where AMT wants a number in a string, and the tuning job's name may be left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final

from pydantic import BaseModel

from amt_flows.errors import Problem, SpecError
from amt_flows.spec.amt_fields import (
    CONFIG,
    SINGLE,
    TUNING,
    Algorithm,
    Place,
    algorithm_places,
    one_of_several,
    table,
)
from amt_flows.spec.amt_reading import Body, as_it_is, read_amt_request
from amt_flows.spec.dotted import copied, get, put, steps_of
from amt_flows.spec.model import TuningSpec
from amt_flows.spec.parts import StrategyType, is_table
from amt_flows.spec.sagemaker_rules import sagemaker_problems


def from_amt_request(data: Mapping[str, Any], adjust: Callable[[Body], None] = as_it_is) -> TuningSpec:
    """The spec that a request body describes. ``adjust`` may change it, as a mapping in our own shape, before
    it is checked: to give what a body has no member for.

    Raises SpecError with every problem found, in AMT's own paths and names.
    """
    return read_amt_request(data, TuningSpec, adjust)


def to_amt_request(spec: TuningSpec, *, drop_unsupported: bool = False) -> Body:
    """The request body that asks AMT for this tuning job; botocore's validator takes it.

    Raises SpecError with everything that AMT would refuse, and with every setting that its request has no
    place for. With ``drop_unsupported`` the latter are left out (and QuasiRandom becomes Random).
    """
    problems = [] if drop_unsupported else unsupported(spec)
    if drop_unsupported:
        spec = _without_tables(spec)
    if spec.name is None:
        problems.append(
            Problem("name", None, "AMT's request needs one; give 1 to 32 letters, digits and hyphens")
        )
    problems += sagemaker_problems(spec)
    if problems:
        raise SpecError(problems)
    body: Body = {}
    for place in TUNING:
        _write(spec, place, body)
    if spec.strategy is StrategyType.QUASI_RANDOM:
        body[CONFIG]["Strategy"] = StrategyType.RANDOM.value
    for where in _algorithms_in(spec):
        put(body, where.definition, copied(_value_at(spec, f"{where.own}training_job.sagemaker")))
        for place in algorithm_places(where):
            _write(spec, place, body)
        get(body, where.definition).setdefault("StoppingCondition", {})
    return body


def _without_tables(spec: TuningSpec) -> TuningSpec:
    """The same spec, warm started from tuning jobs only."""
    if spec.warm_start is None:
        return spec
    parents = tuple(parent for parent in spec.warm_start.parents if not is_table(parent))
    warm_start = spec.warm_start.model_copy(update={"parents": parents}) if parents else None
    return spec.model_copy(update={"warm_start": warm_start})


def unsupported(spec: TuningSpec) -> list[Problem]:
    """The settings of a spec that AMT's request has no place for."""
    places = table(_algorithms_in(spec))
    known = {place.own for place in places}
    known |= {f"{where.own}training_job.sagemaker" for where in _algorithms_in(spec)}
    known |= {f"{place.own}[].{item.own}" for place in places for item in place.items}
    problems = []
    if spec.strategy is StrategyType.QUASI_RANDOM:
        problems.append(Problem("strategy", spec.strategy.value, "AMT has no such strategy; write Random"))
    for i, parent in enumerate(spec.warm_start.parents if spec.warm_start else ()):
        if is_table(parent):
            why = "AMT learns from its own tuning jobs only; leave the file out"
            problems.append(Problem(f"warm_start.parents[{i}]", parent, why))
    for path, value in _settings(spec, ""):
        if path.endswith(".only_when.values") or re.fullmatch(r"other_objectives\[\d\]\.type", path):
            continue  # said of its name already
        if path not in known and re.sub(r"\[\d+\](?=\.\w+$)", "[]", path) not in known:
            problems.append(Problem(path, value, _remedy(path)))
    return problems


_REMEDIES: Final = {
    "inputs": "write the channels as `InputDataConfig` of `training_job.sagemaker`",
    "command": "build it into the image of `training_job.sagemaker`",
    "function": "build it into the image of `training_job.sagemaker`",
    "learn_from": "name AMT's own tuning jobs in `warm_start`, or run it with `--backend sagemaker`",
    "output_path": "write it as `OutputDataConfig.S3OutputPath` of `training_job.sagemaker`",
    "resume_stopped": "run it with `--backend sagemaker`, by our own engine, or leave it out",
    "step": "list the values in `categorical`, or leave the step out",
    "only_when.name": "run it with `--backend sagemaker`, by our own engine, or leave the condition out",
    "other_objectives.metric_name": "run it with `--backend sagemaker`, by our own engine, or leave it out",
    "constraints": "run it with `--backend sagemaker`, by our own engine, or leave them out",
}


def _remedy(path: str) -> str:
    names = re.sub(r"\[\d+\]", "", path).split(".")
    remedies = (_REMEDIES.get(".".join(names[-length:])) for length in (2, 1))
    return "AMT's request has no place for it; " + next(filter(None, remedies), "leave it out")


def _algorithms_in(spec: TuningSpec) -> list[Algorithm]:
    if not spec.other_definitions:
        return [SINGLE]
    return [one_of_several(i) for i in range(1 + len(spec.other_definitions))]


def _settings(model: BaseModel, at: str) -> Iterator[tuple[str, Any]]:
    """Every setting that isn't at its default, by its path."""
    for name, field in type(model).model_fields.items():
        value, path = getattr(model, name), f"{at}{name}"
        if value == field.get_default(call_default_factory=True):
            continue
        if isinstance(value, BaseModel):
            yield from _settings(value, f"{path}.")
        elif isinstance(value, tuple) and isinstance(value[0], BaseModel):
            for i, one in enumerate(value):
                yield from _settings(one, f"{path}[{i}].")
        else:
            yield path, value


def _value_at(spec: TuningSpec, path: str) -> Any:
    node: Any = spec
    for step in steps_of(path):
        node = node[step] if isinstance(step, int) else getattr(node, step)
        if node is None:
            return None
    return node


def _was_said(spec: TuningSpec, path: str) -> bool:
    node: Any = spec
    for step in steps_of(path):
        if not isinstance(step, int) and step not in node.model_fields_set:
            return False
        node = node[step] if isinstance(step, int) else getattr(node, step)
        if node is None:
            return False
    return True


def _write(spec: TuningSpec, place: Place, body: Body) -> None:
    if not place.needed and not _was_said(spec, place.own):
        return
    value = _value_at(spec, place.own)
    if value is None:
        return
    written = place.write(_plain(value))
    if place.items:
        written = [_write_element(element, place.items) for element in written]
    if written is not None:
        put(body, place.amt, written)


def _write_element(element: Any, items: Sequence[Place]) -> Body:
    if items[0].own == "":
        return {items[0].amt: element}
    if isinstance(element, BaseModel):
        said = element.model_fields_set
        element = {item.own: getattr(element, item.own) for item in items if item.needed or item.own in said}
    return {item.amt: item.write(_plain(element[item.own])) for item in items if item.own in element}


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value
