"""The front of the simulated service: which operation is answered by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from amt_flows.backends.sagemaker.service_model import service_model
from amt_flows.testing.sagemaker import refusals, tags
from amt_flows.testing.sagemaker.calls import Answer, Call, Place, in_page
from amt_flows.testing.sagemaker.endpoint_operations import EndpointOperations
from amt_flows.testing.sagemaker.job import SimulatedTrainingJob
from amt_flows.testing.sagemaker.quotas import Quotas
from amt_flows.testing.sagemaker.registry_operations import RegistryOperations
from amt_flows.testing.sagemaker.request_check import check
from amt_flows.testing.sagemaker.search import search
from amt_flows.testing.sagemaker.shared_state import SharedState
from amt_flows.testing.sagemaker.training_operations import DriverFor, TrainingOperations
from amt_flows.testing.sagemaker.tuning import SimulatedTuningJob
from amt_flows.testing.sagemaker.tuning_operations import OnCreate, TuningOperations

SEARCH_SHAPES = {
    "TrainingJob": "TrainingJob",
    "HyperParameterTuningJob": "HyperParameterTuningJobSearchEntity",
}
TAGGED = (
    "training-job",
    "hyper-parameter-tuning-job",
    "model",
    "endpoint-config",
    "endpoint",
    "model-package-group",
)


class Tagged(Protocol):
    """Something that has tags."""

    tags: list[dict[str, str]]

    @property
    def arn(self) -> str: ...


class Service:
    """Answers calls about training and tuning jobs, endpoints and registered models. Everything else of
    SageMaker is moto's."""

    def __init__(
        self, shared: SharedState, driver_for: DriverFor, quotas: Quotas, on_create: OnCreate | None
    ) -> None:
        self._shared = shared
        self.training = TrainingOperations(shared, driver_for, quotas)
        self.tuning = TuningOperations(shared, self.training, on_create)
        self.endpoints = EndpointOperations(shared)
        self.registry = RegistryOperations(shared)
        self._operations: Mapping[str, Callable[[Call], Answer]] = {
            "CreateTrainingJob": self.training.create_called,
            "DescribeTrainingJob": self.training.describe,
            "StopTrainingJob": self.training.stop,
            "DeleteTrainingJob": self.training.delete,
            "ListTrainingJobs": self.training.list_jobs,
            "CreateHyperParameterTuningJob": self.tuning.create,
            "DescribeHyperParameterTuningJob": self.tuning.describe,
            "StopHyperParameterTuningJob": self.tuning.stop,
            "DeleteHyperParameterTuningJob": self.tuning.delete,
            "ListHyperParameterTuningJobs": self.tuning.list_jobs,
            "ListTrainingJobsForHyperParameterTuningJob": self.tuning.list_training_jobs,
            "Search": self._search,
            "ListTags": self._list_tags,
            "AddTags": self._add_tags,
            "DeleteTags": self._delete_tags,
            **self.endpoints.operations(),
            **self.registry.operations(),
        }
        assert set(self._operations) == set(OPERATIONS)

    def serves(self, call: Call) -> bool:
        """Whether a call is ours to answer: tags and searches of other things are moto's."""
        if call.operation == "Search":
            return call.params.get("Resource") in SEARCH_SHAPES
        if call.operation in ("ListTags", "AddTags", "DeleteTags"):
            return str(call.params.get("ResourceArn")).rpartition(":")[2].partition("/")[0] in TAGGED
        return call.operation in OPERATIONS

    def answer(self, call: Call) -> Answer:
        """Raises Refusal."""
        refusal = check(call.operation, call.params)
        if refusal is not None:
            raise refusal
        with self._shared.lock:
            return self._operations[call.operation](call)

    def forget(self, place: Place) -> None:
        """Drop all jobs of an account and region, and what is deployed there."""
        self.endpoints.forget(place)
        self.registry.forget(place)
        existing: dict[Any, Any]
        for existing in (self.training.existing, self.tuning.existing):
            for key in [key for key in existing if key[0] == place]:
                del existing[key]

    def _search(self, call: Call) -> Answer:
        kind = str(call.params["Resource"])
        desk: TrainingOperations | TuningOperations = self.training if kind == "TrainingJob" else self.tuning
        known = list(service_model("sagemaker").shape_for(SEARCH_SHAPES[kind]).members)
        records = [
            {name: value for name, value in record.items() if name in known}
            for record in desk.records(call.place)
        ]
        found, token = search(records, f"{kind}Name", known, call.params)
        return in_page({"Results": [{kind: record} for record in found]}, token)

    # -- tags ------------------------------------------------------------------------------------

    def _tagged(self, call: Call) -> Tagged:
        arn = str(call.params["ResourceArn"])
        deployed: list[Tagged] = [*self.endpoints.existing.values(), *self.registry.groups.values()]
        for thing in deployed:
            # An ARN has its account and region in it.
            if thing.arn == arn and arn.split(":")[3:5] == [call.region, call.account]:
                return thing
        jobs: list[SimulatedTrainingJob | SimulatedTuningJob]
        jobs = [*self.training.existing.values(), *self.tuning.existing.values()]
        for job in jobs:
            if job.arn == arn and (job.account, job.region) == call.place:
                return job
        raise refusals.not_found()

    def _add_tags(self, call: Call) -> Answer:
        job = self._tagged(call)
        job.tags = tags.merged(job.tags, call.params["Tags"])
        return {"Tags": job.tags}

    def _delete_tags(self, call: Call) -> Answer:
        job = self._tagged(call)
        job.tags = tags.without(job.tags, call.params["TagKeys"])
        return {}

    def _list_tags(self, call: Call) -> Answer:
        return tags.listed(self._tagged(call).tags, call.params)


OPERATIONS = (
    "CreateTrainingJob",
    "DescribeTrainingJob",
    "StopTrainingJob",
    "DeleteTrainingJob",
    "ListTrainingJobs",
    "CreateHyperParameterTuningJob",
    "DescribeHyperParameterTuningJob",
    "StopHyperParameterTuningJob",
    "DeleteHyperParameterTuningJob",
    "ListHyperParameterTuningJobs",
    "ListTrainingJobsForHyperParameterTuningJob",
    "Search",
    "ListTags",
    "AddTags",
    "DeleteTags",
    *EndpointOperations(SharedState()).operations(),
    *RegistryOperations(SharedState()).operations(),
)
"""What is simulated."""
