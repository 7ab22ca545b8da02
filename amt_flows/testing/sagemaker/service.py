"""The front of the simulated service: which operation is answered by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from amt_flows.backends.sagemaker.service_model import service_model
from amt_flows.testing.sagemaker import refusals, tags
from amt_flows.testing.sagemaker.algorithm_operations import AlgorithmOperations
from amt_flows.testing.sagemaker.calls import Answer, Call, Place, in_page
from amt_flows.testing.sagemaker.endpoint_operations import ENDPOINT, MODEL, EndpointOperations
from amt_flows.testing.sagemaker.quotas import Quotas
from amt_flows.testing.sagemaker.registry_operations import RegistryOperations
from amt_flows.testing.sagemaker.request_check import check
from amt_flows.testing.sagemaker.search import search
from amt_flows.testing.sagemaker.shared_state import SharedState
from amt_flows.testing.sagemaker.training_operations import DriverFor, TrainingOperations
from amt_flows.testing.sagemaker.tuning_operations import OnCreate, TuningOperations
from amt_flows.testing.sagemaker.twins import Tagged

SEARCH_SHAPES = {
    "TrainingJob": ("TrainingJob", "TrainingJobName"),
    "HyperParameterTuningJob": ("HyperParameterTuningJobSearchEntity", "HyperParameterTuningJobName"),
    "Endpoint": ("Endpoint", "EndpointName"),
    "Model": ("ModelDashboardModel", "Model.ModelName"),
    "ModelPackage": ("ModelPackage", "ModelPackageArn"),
    "ModelPackageGroup": ("ModelPackageGroup", "ModelPackageGroupName"),
}
"""The shape of a record of each kind that is searched here, and the member that names one."""

TAGGED = (
    "training-job",
    "hyper-parameter-tuning-job",
    "model",
    "endpoint-config",
    "endpoint",
    "model-package-group",
    "model-package",
    "algorithm",
)


class Service:
    """Answers calls about training and tuning jobs, endpoints, registered models and algorithms. Everything
    else of SageMaker is moto's."""

    def __init__(
        self, shared: SharedState, driver_for: DriverFor, quotas: Quotas, on_create: OnCreate | None
    ) -> None:
        self._shared = shared
        self.algorithms = AlgorithmOperations(shared)
        self.training = TrainingOperations(shared, driver_for, quotas, self.algorithms.named)
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
            **self.algorithms.operations(),
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
            self.adopt(call.place)
            return self._operations[call.operation](call)

    def adopt(self, place: Place) -> None:
        """Take over what moto has made of what is simulated here; with the lock held."""
        self.endpoints.adopt(place)
        self.registry.adopt(place)

    def forget(self, place: Place) -> None:
        """Drop all jobs of an account and region, and what is deployed there."""
        self.endpoints.forget(place)
        self.registry.forget(place)
        self.algorithms.forget(place)
        existing: dict[Any, Any]
        for existing in (self.training.existing, self.tuning.existing):
            for key in [key for key in existing if key[0] == place]:
                del existing[key]

    def _search(self, call: Call) -> Answer:
        kind = str(call.params["Resource"])
        shape, name = SEARCH_SHAPES[kind]
        known = list(service_model("sagemaker").shape_for(shape).members)
        records = [
            {member: value for member, value in record.items() if member in known}
            for record in self._records(kind, call.place)
        ]
        found, token = search(records, name, known, call.params)
        return in_page({"Results": [{kind: record} for record in found]}, token)

    def _records(self, kind: str, place: Place) -> list[dict[str, Any]]:
        if kind == "Model":
            models = self.endpoints.records(MODEL, place)
            return [{"Model": one, "CreationTime": one["CreationTime"]} for one in models]
        found: Mapping[str, Callable[[Place], list[dict[str, Any]]]] = {
            "TrainingJob": self.training.records,
            "HyperParameterTuningJob": self.tuning.records,
            "Endpoint": lambda at: self.endpoints.records(ENDPOINT, at),
            "ModelPackage": self.registry.package_records,
            "ModelPackageGroup": self.registry.group_records,
        }
        return found[kind](place)

    # -- tags ------------------------------------------------------------------------------------

    def tagged(self, place: Place, arn: str) -> Tagged | None:
        """What is simulated here and has this ARN, which has account and region in it."""
        if arn.split(":")[3:5] != [place[1], place[0]]:
            return None
        things: list[Tagged] = [
            *self.training.existing.values(),
            *self.tuning.existing.values(),
            *self.endpoints.existing.values(),
            *self.registry.tagged(place),
            *self.algorithms.existing.values(),
        ]
        return next((thing for thing in things if thing.arn.lower() == arn.lower()), None)

    def _tagged(self, call: Call) -> Tagged:
        thing = self.tagged(call.place, str(call.params["ResourceArn"]))
        if thing is None:
            raise refusals.not_found()
        return thing

    def _add_tags(self, call: Call) -> Answer:
        thing = self._tagged(call)
        thing.tags = tags.merged(thing.tags, call.params["Tags"])
        return {"Tags": thing.tags}

    def _delete_tags(self, call: Call) -> Answer:
        thing = self._tagged(call)
        thing.tags = tags.without(thing.tags, call.params["TagKeys"])
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
    *AlgorithmOperations(SharedState()).operations(),
)
"""What is simulated."""
