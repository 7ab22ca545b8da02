"""The operations on training jobs.

That names are compared without case, and a job that has ended can't be stopped, is the reference's; the words
of both refusals are quoted in public issues (the questions ``taken-name`` and ``stop-what-has-ended``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.sagemaker.models import sagemaker_backends

from amt_flows.testing.sagemaker import refusals, tags
from amt_flows.testing.sagemaker.algorithm_operations import Algorithm
from amt_flows.testing.sagemaker.calls import Answer, Call, Place, arn_of, in_page
from amt_flows.testing.sagemaker.describe import describe, summary
from amt_flows.testing.sagemaker.job import STOPPING, Driver, SimulatedTrainingJob
from amt_flows.testing.sagemaker.lags import Delayed
from amt_flows.testing.sagemaker.listing import list_training_jobs
from amt_flows.testing.sagemaker.quotas import Quotas
from amt_flows.testing.sagemaker.rules import check_training_job
from amt_flows.testing.sagemaker.shared_state import SharedState
from amt_flows.testing.sagemaker.warm_pools import WarmPools

DriverFor = Callable[[SimulatedTrainingJob], Driver]


@dataclass
class _Seen:
    """What DescribeTrainingJob has told of one job."""

    delayed: Delayed
    polls_after_end: int = 0


@dataclass
class TrainingOperations:
    """Keeps the training jobs. Methods are called with the world's lock held; ``create`` takes it."""

    shared: SharedState
    driver_for: DriverFor
    quotas: Quotas
    algorithm_of: Callable[[Place, str], Algorithm | None] = lambda place, name: None
    """The registered algorithm of a name."""
    jobs: list[SimulatedTrainingJob] = field(default_factory=list)
    """Every training job ever created, deleted ones too, in order."""
    existing: dict[tuple[Place, str], SimulatedTrainingJob] = field(default_factory=dict)
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _pools: WarmPools = field(default_factory=WarmPools)

    def _now(self) -> float:
        return self.shared.now()

    def create(
        self, place: Place, request: Mapping[str, Any], tuning_job_arn: str | None = None
    ) -> SimulatedTrainingJob:
        """What CreateTrainingJob does with a well-formed request. Raises Refusal."""
        with self.shared.lock:
            refusal = check_training_job(request)
            if refusal is not None:
                raise refusal
            name, now = str(request["TrainingJobName"]), self._now()
            job = SimulatedTrainingJob(
                name=name,
                arn=arn_of(place, "training-job", name),
                account=place[0],
                region=place[1],
                request=request,
                created_at=now,
                last_modified_at=now,
                tags=tags.merged([], request.get("Tags") or []),
                tuning_job_arn=tuning_job_arn,
                algorithm=self._algorithm(place, request),
            )
            key = (place, name.lower())
            if key in self.existing:
                raise refusals.in_use(
                    "Training job names must be unique within an AWS account and region, and a training job "
                    f"with this name already exists ({self.existing[key].arn})"
                )
            refusal = self.quotas.check(request, self._of(place))
            if refusal is not None:
                raise refusal
            job.driver = self.driver_for(job)
            job.warm = self._pools.take(job, self._of(place))
            self.jobs.append(job)
            self.existing[key] = job
            self._seen[job.arn] = _Seen(Delayed(self.shared.lags.describe_polls))
            _known_to_moto(place)[name.lower()] = job
            job.driver.begin()
            return job

    def _algorithm(self, place: Place, request: Mapping[str, Any]) -> Mapping[str, Any]:
        name = (request.get("AlgorithmSpecification") or {}).get("AlgorithmName")
        found = None if name is None else self.algorithm_of(place, str(name))
        return {} if found is None else found.answer["TrainingSpecification"]

    def _of(self, place: Place) -> Iterator[SimulatedTrainingJob]:
        """Not a list: at each creation all jobs would be gone through, of which quotas and warm pools, where
        there are any, want to know."""
        return (job for (where, _), job in self.existing.items() if where == place)

    def _find(self, call: Call) -> SimulatedTrainingJob:
        job = self.existing.get((call.place, str(call.params["TrainingJobName"]).lower()))
        if job is None:
            raise refusals.not_found()
        return job

    def create_called(self, call: Call) -> Answer:
        return {"TrainingJobArn": self.create(call.place, call.params).arn}

    def describe(self, call: Call) -> Answer:
        job = self._find(call)
        seen = self._seen[job.arn]
        shown = job.live or seen.polls_after_end >= self.shared.lags.final_metric_polls
        if not job.live:
            seen.polls_after_end += 1
        pool = self._pools.status(job, self._now())
        return seen.delayed.swap(describe(job, pool, final_metrics=shown))

    def stop(self, call: Call) -> Answer:
        job = self._find(call)
        if not job.live:
            raise refusals.validation(
                f"The request was rejected because the training job is in status {job.status}."
            )
        if job.status != STOPPING and job.driver is not None:
            job.driver.stop(self._now())
        return {}

    def delete(self, call: Call) -> Answer:
        job = self._find(call)
        if job.live:
            raise refusals.in_use(f"The training job is in status {job.status} and can't be deleted.")
        if self._pools.available(job, self._now()):
            raise refusals.in_use("The training job has an available warm pool and can't be deleted.")
        self._forget(job)
        return {}

    def _forget(self, job: SimulatedTrainingJob) -> None:
        self._pools.forget(job)
        self.existing.pop(((job.account, job.region), job.name.lower()), None)
        _known_to_moto((job.account, job.region)).pop(job.name.lower(), None)

    def list_jobs(self, call: Call) -> Answer:
        now = self._now()
        found, token = list_training_jobs(
            self._searchable(call.place), call.params, lambda job: self._pools.status(job, now)
        )
        entries = [summary(job, self._pools.status(job, now)) for job in found]
        return in_page({"TrainingJobSummaries": entries}, token)

    def _searchable(self, place: Place) -> list[SimulatedTrainingJob]:
        latest = self._now() - self.shared.lags.search_seconds
        return [job for job in self._of(place) if job.created_at <= latest]

    def records(self, place: Place) -> list[dict[str, Any]]:
        now = self._now()
        return [
            {**describe(job, self._pools.status(job, now), final_metrics=True), "Tags": job.tags}
            for job in self._searchable(place)
        ]


def _known_to_moto(place: Place) -> Any:
    """Where moto's resource tagging API looks for training jobs."""
    return sagemaker_backends[place[0]][place[1]].training_jobs
