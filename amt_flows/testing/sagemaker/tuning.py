"""Hyperparameter tuning jobs: their state, and the place where an engine that runs them plugs in.

Nothing tunes here. A world that ``tunes`` has amt-flows' own engine for each (:mod:`~.tuner`). Else it may be
given ``on_create_tuning_job``, which is called with each new :class:`SimulatedTuningJob` before anybody can
see it, and returns a :class:`TuningEngine` (or raises :class:`~.refusals.Refusal`, and there is no such job),
or None: then the job stays InProgress, with the training jobs that a test launches for it, until it is
stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from amt_flows.testing.sagemaker.clocks import naive
from amt_flows.testing.sagemaker.commands import OBJECTIVE_METRIC
from amt_flows.testing.sagemaker.job import IN_PROGRESS, STOPPED, STOPPING, SimulatedTrainingJob

RESOURCES = ("InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")


class TuningEngine(Protocol):
    """Whatever runs a tuning job. Called with the world's lock held; nothing here may wait."""

    def describe(self) -> Mapping[str, Any]:
        """Members of DescribeHyperParameterTuningJob's answer; they replace those that we know."""
        ...

    def training_jobs(self) -> Sequence[Mapping[str, Any]]:
        """Entries of ListTrainingJobsForHyperParameterTuningJob, in any order."""
        ...

    def stop(self) -> None:
        """Begin to stop it; ``describe`` says Stopping and later Stopped."""
        ...


@dataclass(eq=False)
class SimulatedTuningJob:
    """One tuning job. ``launch`` starts a training job for it, as the service would."""

    name: str
    arn: str
    account: str
    region: str
    request: Mapping[str, Any]
    created_at: float
    launch: Callable[..., SimulatedTrainingJob]
    """``launch(request, tuned)``: CreateTrainingJob's request and the hyperparameters that were tuned.
    Raises :class:`~.refusals.Refusal` as CreateTrainingJob does. May be called from any thread."""
    tags: list[dict[str, str]] = field(default_factory=list)
    status: str = IN_PROGRESS
    last_modified_at: float = 0.0
    ended_at: float | None = None
    launched: list[tuple[SimulatedTrainingJob, Mapping[str, str]]] = field(default_factory=list)
    """Training jobs and their tuned hyperparameters."""
    engine: TuningEngine | None = None

    @property
    def live(self) -> bool:
        return str(self.describe()["HyperParameterTuningJobStatus"]) in (IN_PROGRESS, STOPPING)

    def stop(self, now: float) -> None:
        """Stop it, and without an engine all that it runs."""
        self.last_modified_at = now
        if self.engine is not None:
            self.status = STOPPING
            self.engine.stop()
            return
        self.status = STOPPING
        for job, _ in self.launched:
            if job.status == IN_PROGRESS and job.driver is not None:
                job.driver.stop(now)

    def look(self, now: float) -> None:
        """A stopping tuning job has stopped when nothing of it runs any more."""
        if self.engine is None and self.status == STOPPING and not any(j.live for j, _ in self.launched):
            self.status, self.ended_at, self.last_modified_at = STOPPED, now, now

    def describe(self) -> dict[str, Any]:
        answer = {
            "HyperParameterTuningJobName": self.name,
            "HyperParameterTuningJobArn": self.arn,
            "HyperParameterTuningJobConfig": self.request["HyperParameterTuningJobConfig"],
            **self._definitions(),
            "WarmStartConfig": self.request.get("WarmStartConfig"),
            "Autotune": self.request.get("Autotune"),
            "HyperParameterTuningJobStatus": self.status,
            "CreationTime": naive(self.created_at),
            "LastModifiedTime": naive(self.last_modified_at),
            "HyperParameterTuningEndTime": None if self.ended_at is None else naive(self.ended_at),
            "TrainingJobStatusCounters": self._status_counters(),
            "ObjectiveStatusCounters": self._objective_counters(),
            **(self.engine.describe() if self.engine is not None else {}),
        }
        return {name: value for name, value in answer.items() if value is not None}

    def _definitions(self) -> dict[str, Any]:
        """What was asked for, with the hyperparameter that the service adds: the SageMaker SDK wants to find
        it where it attaches to a tuning job."""
        config, given = self.request["HyperParameterTuningJobConfig"], self.request
        one, several = given.get("TrainingJobDefinition"), given.get("TrainingJobDefinitions")
        objective = config.get("HyperParameterTuningJobObjective")
        return {
            "TrainingJobDefinition": None if one is None else _with_objective(one, objective),
            "TrainingJobDefinitions": several and [_with_objective(each, objective) for each in several],
        }

    def summary(self) -> dict[str, Any]:
        """An entry of ListHyperParameterTuningJobs."""
        told, config = self.describe(), self.request["HyperParameterTuningJobConfig"]
        members = (
            "HyperParameterTuningJobName",
            "HyperParameterTuningJobArn",
            "HyperParameterTuningJobStatus",
            "CreationTime",
            "LastModifiedTime",
            "HyperParameterTuningEndTime",
            "TrainingJobStatusCounters",
            "ObjectiveStatusCounters",
        )
        return {
            **{name: told[name] for name in members if name in told},
            "Strategy": config["Strategy"],
            "ResourceLimits": config["ResourceLimits"],
        }

    def training_jobs(self) -> list[dict[str, Any]]:
        """Entries of ListTrainingJobsForHyperParameterTuningJob."""
        if self.engine is not None:
            return [dict(entry) for entry in self.engine.training_jobs()]
        return self.entries()

    def entries(self) -> list[dict[str, Any]]:
        """The same for what was launched, whatever an engine makes of it."""
        return [self._entry(job, tuned) for job, tuned in self.launched]

    def _entry(self, job: SimulatedTrainingJob, tuned: Mapping[str, str]) -> dict[str, Any]:
        objective = self._objective(job)
        entry = {
            "TrainingJobName": job.name,
            "TrainingJobArn": job.arn,
            "TuningJobName": self.name,
            "CreationTime": naive(job.created_at),
            "TrainingStartTime": None if job.training_started_at is None else naive(job.training_started_at),
            "TrainingEndTime": naive(job.training_ended_at) if job.training_ended_at else None,
            "TrainingJobStatus": job.status,
            "TunedHyperParameters": dict(tuned),
            "FailureReason": job.failure_reason,
            "FinalHyperParameterTuningJobObjectiveMetric": objective,
            "ObjectiveStatus": "Pending" if job.live else "Succeeded" if objective else "Failed",
        }
        return {name: value for name, value in entry.items() if value is not None}

    def _objective(self, job: SimulatedTrainingJob) -> dict[str, Any] | None:
        given = self.request["HyperParameterTuningJobConfig"].get("HyperParameterTuningJobObjective") or {}
        final = job.final_metrics().get(str(given.get("MetricName")))
        if job.live or final is None:
            return None
        return {"Type": given["Type"], "MetricName": final.metric, "Value": final.value}

    def _status_counters(self) -> dict[str, int]:
        counts = {"Completed": 0, "InProgress": 0, "RetryableError": 0, "NonRetryableError": 0, "Stopped": 0}
        for job, _ in self.launched:
            name = "InProgress" if job.live else "NonRetryableError" if job.status == "Failed" else job.status
            counts[name] += 1
        return counts

    def _objective_counters(self) -> dict[str, int]:
        counts = {"Succeeded": 0, "Pending": 0, "Failed": 0}
        for job, tuned in self.launched:
            counts[str(self._entry(job, tuned)["ObjectiveStatus"])] += 1
        return counts


def _with_objective(definition: Mapping[str, Any], objective: Mapping[str, Any] | None) -> dict[str, Any]:
    chosen = definition.get("TuningObjective") or objective
    static = dict(definition.get("StaticHyperParameters") or {})
    if chosen is not None:
        static[OBJECTIVE_METRIC] = chosen["MetricName"]
    return {**_with_both_resources(definition), "StaticHyperParameters": static}


def _with_both_resources(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The SageMaker SDK asks for instances in the one member, and reads them from the other where it attaches
    to a tuning job."""
    asked = definition.get("HyperParameterTuningResourceConfig")
    if not asked or definition.get("ResourceConfig"):
        return dict(definition)
    first = (asked.get("InstanceConfigs") or [asked])[0]
    told = {name: first.get(name, asked.get(name)) for name in RESOURCES}
    return {
        **definition,
        "ResourceConfig": {name: value for name, value in told.items() if value is not None},
    }
