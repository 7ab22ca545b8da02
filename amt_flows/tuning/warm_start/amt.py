"""A tuning job of SageMaker's own tuner as a parent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from amt_flows.events import Outcome
from amt_flows.tuning.warm_start.parent import Parent, ParentJob

_OUTCOMES = {"Completed": Outcome.COMPLETED, "Stopped": Outcome.STOPPED}


class AmtJob(Protocol):
    """What is needed of a training job, in AMT's words and types."""

    @property
    def name(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def tuned_hyperparameters(self) -> Mapping[str, str]: ...
    @property
    def objective_value(self) -> float | None: ...
    @property
    def started_at(self) -> float | None: ...
    @property
    def ended_at(self) -> float | None: ...


class AmtTuningJob(Protocol):
    """What is needed of the tuning job: the shape of ``amt_flows.amt.parent.AmtParent``, which stands
    above this room."""

    @property
    def name(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def objective_metric(self) -> str: ...
    @property
    def maximize(self) -> bool: ...
    @property
    def static_hyperparameters(self) -> Mapping[str, str]: ...
    @property
    def jobs(self) -> Sequence[AmtJob]: ...


def parent_from_amt(tuning_job: AmtTuningJob) -> Parent:
    """The parent that AMT's tuning job makes. Its values are strings still: the ranges that they belong to
    are ours."""
    return Parent(
        name=tuning_job.name,
        source="AMT",
        status=tuning_job.status,
        objective_metric=tuning_job.objective_metric,
        maximize=tuning_job.maximize,
        static_hyperparameters=tuning_job.static_hyperparameters,
        tuned=frozenset(name for job in tuning_job.jobs for name in job.tuned_hyperparameters),
        jobs=tuple(_job(job) for job in tuning_job.jobs),
    )


def _job(job: AmtJob) -> ParentJob:
    counts = job.status in _OUTCOMES
    return ParentJob(
        name=job.name,
        configuration=job.tuned_hyperparameters,
        value=job.objective_value if counts else None,
        outcome=_OUTCOMES.get(job.status, Outcome.FAILED),
        started_at=job.started_at,
        ended_at=job.ended_at,
    )
