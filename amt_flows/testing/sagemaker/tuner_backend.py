"""The training jobs of a simulated tuning job, behind our engine's port."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from amt_flows.backends.sagemaker.states import TIME_LIMITS, is_infrastructure, state_of
from amt_flows.errors import CapacityUnavailable, LaunchRejected, NameTaken, Problem
from amt_flows.ports import FoundJob, JobReport, JobRequest, JobState, Launch, MetricPoint
from amt_flows.spec import TuningSpec
from amt_flows.testing.sagemaker.job import IN_PROGRESS, SimulatedTrainingJob
from amt_flows.testing.sagemaker.refusals import Refusal
from amt_flows.testing.sagemaker.shared_state import SharedState
from amt_flows.testing.sagemaker.tuner_request import training_job_request
from amt_flows.testing.sagemaker.tuning import SimulatedTuningJob

PASSING = ("ResourceLimitExceeded", "ThrottlingException", "ServiceUnavailable", "InternalFailure")


@dataclass
class _Launched:
    request: JobRequest
    job: SimulatedTrainingJob
    answer: int = 0
    """How many of its values were reported."""
    epochs: Counter[str] = field(default_factory=Counter)


class TunerBackend:
    """Runs training jobs in the tuning job's own world. To be called with the world's lock held, but for
    ``wait``."""

    address = ""

    def __init__(self, tuning: SimulatedTuningJob, shared: SharedState) -> None:
        self._tuning, self._shared = tuning, shared
        self._jobs: dict[str, _Launched] = {}
        self._woken = threading.Event()

    def check(self, spec: TuningSpec) -> Sequence[Problem]:
        return ()  # the request was looked at before

    def launch(self, request: JobRequest) -> Launch:
        if request.name in self._jobs:
            return Launch.ATTACHED
        static = self._definition(request.definition).get("StaticHyperParameters") or {}
        tuned = {name: value for name, value in request.hyperparameters.items() if name not in static}
        try:
            job = self._tuning.launch(training_job_request(request), tuned)
        except Refusal as refusal:
            if refusal.code in PASSING:
                raise CapacityUnavailable(refusal.message) from refusal
            if refusal.code == "ResourceInUse":
                raise NameTaken(refusal.message) from refusal
            raise LaunchRejected(refusal.message) from refusal
        self._jobs[request.name] = _Launched(request, job)
        return Launch.STARTED

    def _definition(self, name: str) -> Mapping[str, Any]:
        asked = self._tuning.request
        several: Sequence[Mapping[str, Any]] = asked.get("TrainingJobDefinitions") or ()
        for definition in several:
            if definition["DefinitionName"] == name:
                return definition
        alone: Mapping[str, Any] = asked.get("TrainingJobDefinition") or several[0]
        return alone

    def poll(self, tuning_job: str, names: Sequence[str]) -> Sequence[JobReport]:
        return [self._report(name) for name in names]

    def _report(self, name: str) -> JobReport:
        launched = self._jobs.get(name)
        if launched is None:
            return JobReport(name, JobState.LOST)
        job, points = launched.job, []
        for emission in job.emissions[launched.answer :]:
            launched.epochs[emission.metric] += 1
            points.append(MetricPoint(emission.metric, launched.epochs[emission.metric], emission.value))
        launched.answer = len(job.emissions)
        state = state_of(job.status, job.secondary_status)
        ended_at = job.last_modified_at if job.training_ended_at is None else job.training_ended_at
        return JobReport(
            job.name,
            state,
            tuple(points),
            started_at=job.training_started_at,
            ended_at=ended_at if state.terminal else None,
            timed_out=state is JobState.STOPPED and job.secondary_status in TIME_LIMITS,
            infrastructure=state is JobState.FAILED and is_infrastructure(job.failure_reason or ""),
            failure=job.failure_reason,
            artifact=job.model_uri,
        )

    def stop(self, tuning_job: str, names: Sequence[str], *, kill: bool = False) -> None:
        for job in [self._jobs[name].job for name in names if name in self._jobs]:
            if job.status == IN_PROGRESS and job.driver is not None:
                job.driver.stop(self._shared.now())

    def find(self, tuning_job: str) -> Sequence[FoundJob]:
        return [
            FoundJob(
                name,
                one.request.trial,
                one.request.attempt,
                one.request.fingerprint,
                one.request.hyperparameters,
                state_of(one.job.status, one.job.secondary_status),
                one.request.seed,
            )
            for name, one in self._jobs.items()
        ]

    def wait(self, timeout: float) -> None:
        self._woken.wait(timeout)
        self._woken.clear()

    def wake(self) -> None:
        """End a wait."""
        self._woken.set()
