"""The operations on hyperparameter tuning jobs.

By their references. That one which has ended may be stopped without an error is assumed (the question
``stop-what-has-ended``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.sagemaker.models import sagemaker_backends

from amt_flows.testing.sagemaker import refusals, tags
from amt_flows.testing.sagemaker.calls import Answer, Call, Place, arn_of, in_page
from amt_flows.testing.sagemaker.filters import Listing
from amt_flows.testing.sagemaker.job import SimulatedTrainingJob
from amt_flows.testing.sagemaker.paging import page
from amt_flows.testing.sagemaker.request_check import check
from amt_flows.testing.sagemaker.shared_state import SharedState
from amt_flows.testing.sagemaker.training_operations import TrainingOperations
from amt_flows.testing.sagemaker.tuning import SimulatedTuningJob, TuningEngine

LISTING = Listing(
    "HyperParameterTuningJobSummaries",
    "HyperParameterTuningJobName",
    "HyperParameterTuningJobStatus",
    sort_by="Name",
    descending=False,
)
OnCreate = Callable[[SimulatedTuningJob], "TuningEngine | None"]


@dataclass
class TuningOperations:
    """Keeps the tuning jobs. Methods are called with the world's lock held."""

    shared: SharedState
    training: TrainingOperations
    on_create: OnCreate | None = None
    jobs: list[SimulatedTuningJob] = field(default_factory=list)
    """Every tuning job ever created, deleted ones too, in order."""
    existing: dict[tuple[Place, str], SimulatedTuningJob] = field(default_factory=dict)

    def _now(self) -> float:
        return self.shared.now()

    def _of(self, place: Place) -> list[SimulatedTuningJob]:
        found = [job for (where, _), job in self.existing.items() if where == place]
        for job in found:
            job.look(self._now())
        return found

    def records(self, place: Place) -> list[dict[str, Any]]:
        return [{**job.describe(), "Tags": job.tags} for job in self._of(place)]

    def _find(self, call: Call) -> SimulatedTuningJob:
        job = self.existing.get((call.place, str(call.params["HyperParameterTuningJobName"]).lower()))
        if job is None:
            raise refusals.Refusal(
                "ResourceNotFound",
                "Amazon SageMaker can't find a tuning job with the name "
                f"{call.params['HyperParameterTuningJobName']}. "
                "Provide a tuning job name that exists in your account and region.",
            )
        job.look(self._now())
        return job

    def create(self, call: Call) -> Answer:
        name, now = str(call.params["HyperParameterTuningJobName"]), self._now()
        key = (call.place, name.lower())
        if key in self.existing:
            raise refusals.in_use(
                "Hyperparameter tuning job names must be unique within an AWS account and region, and a "
                f"tuning job with this name already exists ({self.existing[key].arn})"
            )
        arn = arn_of(call.place, "hyper-parameter-tuning-job", name)
        job = SimulatedTuningJob(
            name=name,
            arn=arn,
            account=call.account,
            region=call.region,
            request=call.params,
            created_at=now,
            last_modified_at=now,
            tags=tags.merged([], call.params.get("Tags") or []),
            launch=lambda request, tuned: self._launch_for(job, request, tuned),
        )
        if self.on_create is not None:
            job.engine = self.on_create(job)
        self.jobs.append(job)
        self.existing[key] = job
        _known_to_moto(call.place)[name.lower()] = job
        return {"HyperParameterTuningJobArn": arn}

    def _launch_for(
        self, tuning: SimulatedTuningJob, request: Mapping[str, Any], tuned: Mapping[str, str]
    ) -> SimulatedTrainingJob:
        refusal = check("CreateTrainingJob", request)
        if refusal is not None:
            raise refusal
        with self.shared.lock:
            job = self.training.create((tuning.account, tuning.region), request, tuning.arn)
            tuning.launched.append((job, dict(tuned)))
        return job

    def describe(self, call: Call) -> Answer:
        return self._find(call).describe()

    def stop(self, call: Call) -> Answer:
        job = self._find(call)
        if not job.live:
            status = job.describe()["HyperParameterTuningJobStatus"]
            raise refusals.validation(
                f"The request was rejected because the hyperparameter tuning job is in status {status}."
            )
        job.stop(self._now())
        return {}

    def delete(self, call: Call) -> Answer:
        job = self._find(call)
        if job.live:
            raise refusals.in_use("The hyperparameter tuning job is running and can't be deleted.")
        del self.existing[call.place, job.name.lower()]
        _known_to_moto(call.place).pop(job.name.lower(), None)
        return {}

    def list_jobs(self, call: Call) -> Answer:
        return LISTING.answer([job.summary() for job in self._of(call.place)], call.params)

    def list_training_jobs(self, call: Call) -> Answer:
        status = call.params.get("StatusEquals")
        entries = [
            entry
            for entry in self._find(call).training_jobs()
            if status in (None, entry["TrainingJobStatus"])
        ]
        order = str(call.params.get("SortBy") or "Name")
        if order == "FinalObjectiveMetricValue":
            entries = [e for e in entries if "FinalHyperParameterTuningJobObjectiveMetric" in e]
        found, token = page(
            entries,
            lambda entry: (_order_of_entry(entry, order), str(entry["TrainingJobName"])),
            call.params,
            descending=call.params.get("SortOrder") == "Descending",
        )
        return in_page({"TrainingJobSummaries": found}, token)


def _known_to_moto(place: Place) -> Any:
    """Where moto's resource tagging API looks for tuning jobs."""
    return sagemaker_backends[place[0]][place[1]].hyper_parameter_tuning_jobs


def _order_of_entry(entry: Mapping[str, Any], order: str) -> Any:
    if order == "FinalObjectiveMetricValue":
        return float(entry["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])
    member = {"Name": "TrainingJobName", "Status": "TrainingJobStatus", "CreationTime": "CreationTime"}[order]
    return str(entry[member])
