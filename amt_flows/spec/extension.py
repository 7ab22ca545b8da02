"""What of a tuning job may be changed once it was begun: its limits and completion criteria."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from amt_flows.errors import Problem, SpecError
from amt_flows.names import nearest
from amt_flows.spec.dotted import MISSING, copied, get, put
from amt_flows.spec.model import TuningSpec

EXTENDABLE: Final = (
    "limits.max_number_of_training_jobs",
    "limits.max_parallel_training_jobs",
    "limits.max_runtime_seconds",
    "limits.max_cost",
    "limits.max_failed_training_jobs",
    "limits.max_failed_training_jobs_in_total",
    "completion.target_objective_metric_value",
    "completion.target_on_epochs",
    "completion.max_number_of_training_jobs_not_improving",
    "completion.min_relative_improvement",
    "completion.complete_on_convergence",
)
"""The fields, by their paths in a spec."""


def extended(spec: TuningSpec, changes: Mapping[str, Any]) -> TuningSpec:
    """The same spec with other limits, by their paths; None lifts one. Raises SpecError for anything else,
    and for what the spec may not be."""
    names = {path.rpartition(".")[2]: path for path in EXTENDABLE}
    problems = []
    for path in changes:
        if path not in EXTENDABLE:
            meant = names.get(nearest(path.rpartition(".")[2], tuple(names)) or "")
            did_you_mean = f"; did you mean {meant}?" if meant else ""
            way = "a new tuning job learns from this one by `warm_start`"
            message = f"can't be changed any more{did_you_mean} ({way})"
            problems.append(Problem(path, changes[path], message))
    if problems:
        raise SpecError(problems)
    content = copied(spec.to_json())
    for path, value in changes.items():
        put(content, path, value)
    return TuningSpec.parse(content)


def extension_between(old: TuningSpec, new: TuningSpec) -> dict[str, Any]:
    """The changes that make ``new`` of ``old``; none where they are the same but for their names, or differ
    in anything that can't be changed."""
    before, after = copied(old.to_json()), copied(new.to_json())
    changes = {}
    for path in EXTENDABLE:
        asked = _value(new, path)
        if _value(old, path) != asked:
            changes[path] = asked
    for content in (before, after):
        content.pop("name", None)
        for path in EXTENDABLE:
            part, _, field = path.partition(".")
            if get(content, path) is not MISSING:
                del content[part][field]
            if content.get(part) == {}:
                del content[part]
    return changes if before == after else {}


def _value(spec: TuningSpec, path: str) -> Any:
    part, _, field = path.partition(".")
    return getattr(getattr(spec, part), field)
