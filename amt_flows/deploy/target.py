"""Where a model is to be put to work, as one value that a form in Prefect's UI can edit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from amt_flows.backends.home import expanded
from amt_flows.deploy.bodies import configuration_body, model_body
from amt_flows.deploy.candidate import Candidate
from amt_flows.deploy.local import KEEP_VERSIONS
from amt_flows.deploy.registry import check_registration
from amt_flows.deploy.settings import EndpointSettings, ModelSettings, PackageSettings, Waiting
from amt_flows.errors import AmtFlowsError, DeployRejected, Problem
from amt_flows.spec import form
from amt_flows.spec.tracking_rules import bears_a_secret, uri_problems, without_secrets
from amt_flows.tracking.mlflow_client import lacking


class Place(str, Enum):
    LOCAL = "local"
    SAGEMAKER = "sagemaker"
    MLFLOW = "mlflow"


class Target(BaseModel):
    """Where the model goes: a directory of versions; SageMaker's model registry, an endpoint, or both; or
    MLflow's model registry."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        title="Target",
        field_title_generator=form.title,
        json_schema_extra=form.editable,
    )

    place: Place = Place.LOCAL
    """This machine, SageMaker, or MLflow."""
    directory: str | None = None
    """Local: the directory that keeps the model's versions."""
    keep_versions: int = Field(default=KEEP_VERSIONS, ge=1)
    """Local: how many of the newest versions stay."""
    model_package_group: str | None = None
    """SageMaker: the group of the model registry. Empty: the model is not registered."""
    endpoint: str | None = None
    """SageMaker: the endpoint to create or update. Empty: the model is registered only."""
    instance_type: str | None = None
    """SageMaker: the endpoint's instances, e.g. `ml.m5.large`."""
    instance_count: int = Field(default=1, ge=1)
    """SageMaker: how many instances."""
    serverless_memory_mb: int | None = None
    """SageMaker: instead of instances, a serverless endpoint with this much memory."""
    serverless_max_concurrency: int = Field(default=5, ge=1, le=200)
    """SageMaker: how many requests a serverless endpoint takes at once."""
    image: str | None = None
    """SageMaker: the image that answers requests. Empty: the training image."""
    role: str | None = None
    """SageMaker: the role that the model runs as. Empty: the training jobs'."""
    environment: dict[str, str] = Field(default_factory=dict)
    """SageMaker: environment variables of the model. Not for secrets."""
    kms_key: str | None = None
    """SageMaker: the key that encrypts the instances' volumes."""
    capture_to: str | None = None
    """SageMaker: where requests and answers are kept, `s3://...`. Empty: they are not."""
    capture_percent: int = Field(default=100, ge=0, le=100)
    """SageMaker: how many of them, in percent."""
    tags: dict[str, str] = Field(default_factory=dict)
    """SageMaker: tags of whatever is made."""
    region: str | None = None
    """SageMaker: the AWS region. Empty: that of the environment or the profile."""
    timeout_seconds: int = Field(default=3600, ge=1)
    """SageMaker: how long the endpoint is waited for."""
    poll_seconds: float = Field(default=15.0, gt=0)
    """SageMaker: how often it is looked at."""
    mlflow: str | None = None
    """MLflow: its tracking URI, e.g. `http://mlflow.example:5000`. No secret stands in it."""
    registered_model: str | None = None
    """MLflow: the registered model, of which `champion` is the version at work."""

    @property
    def shown(self) -> str:
        """Where that is, in a few words."""
        if self.place is Place.LOCAL:
            return f"directory {self.directory}"
        if self.place is Place.MLFLOW:
            return f"registered model {self.registered_model} in MLflow"
        endpoint = f"endpoint {self.endpoint}" if self.endpoint else ""
        group = f"model package group {self.model_package_group}" if self.model_package_group else ""
        return " and ".join(part for part in (endpoint, group) if part)

    def model_settings(self) -> ModelSettings:
        return ModelSettings(image=self.image, role=self.role, environment=self.environment, tags=self.tags)

    def endpoint_settings(self) -> EndpointSettings:
        return EndpointSettings(
            instance_type=self.instance_type,
            instance_count=self.instance_count,
            serverless_memory_mb=self.serverless_memory_mb,
            serverless_max_concurrency=self.serverless_max_concurrency,
            kms_key=self.kms_key,
            capture_to=self.capture_to,
            capture_percent=self.capture_percent,
            tags=self.tags,
        )

    def package_settings(self) -> PackageSettings:
        types = () if self.instance_type is None else (self.instance_type,)
        return PackageSettings(
            image=self.image,
            environment=self.environment,
            instance_types=types,
            group_tags=self.tags,
        )

    def waiting(self) -> Waiting:
        return Waiting(self.timeout_seconds, self.poll_seconds)


def check_target(target: Target, candidate: Candidate | None = None) -> None:
    """Find everything that would be refused, before a tuning job is begun or anything is deployed.

    Without a ``candidate``, which is not there before the tuning, only the target itself is looked at.
    Raises DeployRejected.
    """
    problems = list(_problems(target))
    if not problems and candidate is not None and target.place is Place.SAGEMAKER:
        problems += _refusals(target, candidate)
    if problems:
        raise DeployRejected("The promotion", problems)


_FIELDS: Final = {
    Place.LOCAL: ("directory",),
    Place.SAGEMAKER: ("model_package_group", "endpoint"),
    Place.MLFLOW: ("mlflow", "registered_model"),
}
_FOR: Final = {
    Place.LOCAL: "is for a local promotion",
    Place.SAGEMAKER: "is for SageMaker",
    Place.MLFLOW: "is for MLflow",
}


def _problems(target: Target) -> Iterator[Problem]:
    for place, names in _FIELDS.items():
        for name in names if place is not target.place else ():
            if given := getattr(target, name):
                message = f"{_FOR[place]}; set place to {place.value}, or leave it empty"
                yield Problem(f"target.{name}", _shown(given), message)
    if target.place is Place.LOCAL and not target.directory:
        yield Problem("target.directory", None, "is needed for a local promotion")
    elif target.place is Place.LOCAL:
        try:
            expanded(str(target.directory))
        except AmtFlowsError as error:
            why = error.because or "it is the address of something else"
            yield Problem("target.directory", target.directory, f"is no directory of this machine: {why}")
    if target.place is Place.MLFLOW:
        yield from _mlflow_problems(target)
    if target.place is Place.SAGEMAKER:
        yield from _sagemaker_problems(target)


def _shown(given: str) -> str:
    return without_secrets(given) if bears_a_secret(given) else given


def _mlflow_problems(target: Target) -> Iterator[Problem]:
    if not target.registered_model:
        yield Problem("target.registered_model", None, "is needed for MLflow's registry: the model's name")
    elif set(target.registered_model) & set("/:"):
        yield Problem("target.registered_model", target.registered_model, "can't hold / or :; rename it")
    if not target.mlflow:
        yield Problem("target.mlflow", None, "is needed for MLflow's registry: its tracking URI")
        return
    yield from (Problem("target.mlflow", one.value, one.message) for one in uri_problems(target.mlflow))
    yield from (Problem("target.mlflow", one.value, one.message) for one in lacking())


def _sagemaker_problems(target: Target) -> Iterator[Problem]:
    if not target.endpoint and not target.model_package_group:
        yield Problem("target.endpoint", None, "give this, or model_package_group, or both")
    if target.endpoint and (target.instance_type is None) == (target.serverless_memory_mb is None):
        yield Problem(
            "target.instance_type", target.instance_type, "give either this or serverless_memory_mb"
        )


def _caught(check: Callable[[], object]) -> Iterator[Problem]:
    try:
        check()
    except DeployRejected as error:
        yield from error.problems


def _refusals(target: Target, candidate: Candidate) -> Iterator[Problem]:
    if target.model_package_group:
        yield from _caught(
            lambda: check_registration(candidate, str(target.model_package_group), target.package_settings())
        )
    if target.endpoint:
        yield from _caught(lambda: model_body(candidate, target.model_settings()))
        model = candidate.training_job
        yield from _caught(
            lambda: configuration_body(candidate, model, target.endpoint_settings(), target.endpoint)
        )
    # https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html, feature exclusions.
    if target.serverless_memory_mb is not None and (candidate.vpc or candidate.network_isolation):
        yield Problem(
            "target.serverless_memory_mb",
            target.serverless_memory_mb,
            "a serverless endpoint has neither a VPC nor network isolation, and the training jobs have",
        )
