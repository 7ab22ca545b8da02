"""A training job of a parent as one that is inherited: its configuration in the types of our space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from amt_flows.events import InheritedJob
from amt_flows.space.space import Categorical, Parameter, Space, Value
from amt_flows.space.values import configuration_from
from amt_flows.tuning.warm_start.parent import Parent, ParentJob
from amt_flows.tuning.warm_start.table import is_empty

SERVICE_OWN: Final = ("_tuning_objective_metric", "sagemaker_")
"""Hyperparameters that AMT and the SageMaker SDK add for their own containers. They say how a job is run, not
what it learns."""


def without_service_own(names: set[str]) -> set[str]:
    return {name for name in names if not name.startswith(SERVICE_OWN)}


def counts(job: ParentJob) -> bool:
    return job.value is not None and math.isfinite(job.value)


def value_in(parent: Parent, job: ParentJob, name: str) -> object:
    """A hyperparameter of a job, tuned or static; None for an empty cell of a table."""
    value = job.configuration.get(name, parent.static_hyperparameters.get(name))
    return None if is_empty(value) else value


def _value_of(parent: Parent, job: ParentJob, parameter: Parameter) -> object:
    """An empty cell of a table is the empty text where that is a choice; where the hyperparameter isn't used
    beside the others, it is dropped with them."""
    value = value_in(parent, job, parameter.name)
    if value is not None or parameter.name not in job.configuration:
        return value
    return "" if isinstance(parameter, Categorical) and "" in parameter.choices else None


def inherited_job(parent: Parent, job: ParentJob, space: Space) -> InheritedJob | None:
    """Of a job that counts; None for one that lacks a value of ours, or has one that is none here."""
    assert job.value is not None
    values = {one.name: _value_of(parent, job, one) for one in space.parameters}
    given = {name: value for name, value in values.items() if value is not None}
    try:
        configuration: Mapping[str, Value] = configuration_from(space, given)
    except (KeyError, ValueError):
        return None
    return InheritedJob(job.name, configuration, job.value, job.outcome, job.started_at, job.ended_at)
