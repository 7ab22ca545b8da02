"""Promotion from end to end: the steps in their order, for this machine and for SageMaker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from amt_flows.deploy.bodies import configuration_body
from amt_flows.deploy.candidate import Candidate, Deployable, candidate_of
from amt_flows.deploy.champion import Champion
from amt_flows.deploy.endpoints import LiveEndpoint, deploy_endpoint
from amt_flows.deploy.ensuring import Made
from amt_flows.deploy.hosting import Hosting
from amt_flows.deploy.local import LocalPromotion, local_champion, promote_local
from amt_flows.deploy.mlflow_registry import MlflowPromotion, mlflow_champion, promote_mlflow
from amt_flows.deploy.models import create_endpoint_configuration, create_model
from amt_flows.deploy.registry import (
    APPROVED,
    PENDING,
    Registered,
    approve_model_package,
    register_model,
    registry_champion,
)
from amt_flows.deploy.settings import ModelSettings
from amt_flows.deploy.target import Place, Target, check_target


@dataclass(frozen=True)
class Promotion:
    """What is at work after a promotion, and how to go back."""

    place: str
    tuning_job: str
    training_job: str
    objective_metric: str
    objective_value: float
    live: str
    """The directory with the model's files, the endpoint's ARN, the model package's, or MLflow's address."""
    version: str | None = None
    """The version in the directory, or in MLflow."""
    previous: str | None = None
    """What was at work before: a version, or an endpoint configuration."""
    model_package: str | None = None
    endpoint: str | None = None
    configuration: str | None = None
    roll_back: str | None = None
    """The call that undoes it; None for what replaced nothing."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Steps:
    """The steps of a promotion. Flows put Prefect tasks in their places."""

    promote_local: Callable[..., LocalPromotion] = promote_local
    register_model: Callable[..., Registered] = register_model
    promote_mlflow: Callable[..., MlflowPromotion] = promote_mlflow
    create_model: Callable[..., Made] = create_model
    create_endpoint_configuration: Callable[..., Made] = create_endpoint_configuration
    deploy_endpoint: Callable[..., LiveEndpoint] = deploy_endpoint
    approve_model_package: Callable[..., Registered] = approve_model_package


def champion_at(target: Target, *, hosting: Hosting | None = None) -> Champion | None:
    """The model that is at work at a target; None if there is none, or nobody keeps a record of it: of an
    endpoint, that is done by the model registry.

    Raises DeployRejected, DeployFailed, NotComparable, CapacityUnavailable, BackendError.
    """
    check_target(target)
    if target.place is Place.LOCAL:
        assert target.directory is not None
        return local_champion(target.directory)
    if target.place is Place.MLFLOW:
        return mlflow_champion(str(target.mlflow), str(target.registered_model))
    if target.model_package_group is None:
        return None
    return registry_champion(target.model_package_group, hosting=hosting or Hosting(region=target.region))


def promote(
    result: Deployable,
    target: Target,
    *,
    approve: bool = True,
    steps: Steps | None = None,
    hosting: Hosting | None = None,
) -> Promotion:
    """Put the best training job's model to work.

    In MLflow it becomes the version with the alias ``champion``. On SageMaker the model is registered first
    (pending), then the endpoint is brought to it, and only when it is in service is the version approved
    (unless ``approve`` is false, to leave that to somebody): the latest approved version is always one that
    works. Doing it again changes nothing.

    Raises DeployRejected before anything was changed, DeployFailed after a roll-back, NameTaken,
    CapacityUnavailable, BackendError.
    """
    candidate, steps = candidate_of(result), steps or Steps()
    check_target(target, candidate)
    if target.place is Place.LOCAL:
        assert target.directory is not None
        return _local(candidate, target.directory, target.keep_versions, steps)
    if target.place is Place.MLFLOW:
        return _mlflow(candidate, str(target.mlflow), str(target.registered_model), steps)
    return _sagemaker(candidate, target, approve, steps, hosting or Hosting(region=target.region))


def _local(candidate: Candidate, directory: str, keep: int, steps: Steps) -> Promotion:
    made = steps.promote_local(candidate, directory, keep=keep)
    return Promotion(
        place=Place.LOCAL.value,
        tuning_job=candidate.tuning_job,
        training_job=candidate.training_job,
        objective_metric=candidate.objective_metric,
        objective_value=candidate.objective_value,
        live=made.path,
        version=made.version,
        previous=made.previous,
        roll_back=None if made.previous is None else f"roll_back_local({directory!r}, {made.previous!r})",
    )


def _mlflow(candidate: Candidate, uri: str, model: str, steps: Steps) -> Promotion:
    made = steps.promote_mlflow(candidate, uri, model)
    back = None if made.previous is None else f"roll_back_mlflow({uri!r}, {model!r}, {made.previous!r})"
    return Promotion(
        place=Place.MLFLOW.value,
        tuning_job=candidate.tuning_job,
        training_job=candidate.training_job,
        objective_metric=candidate.objective_metric,
        objective_value=candidate.objective_value,
        live=made.address,
        version=made.version,
        previous=made.previous,
        roll_back=back,
    )


def _sagemaker(
    candidate: Candidate, target: Target, approve: bool, steps: Steps, hosting: Hosting
) -> Promotion:
    registered = live = None
    if target.model_package_group is not None:
        registered = steps.register_model(
            candidate,
            target.model_package_group,
            target.package_settings(),
            approval=PENDING,
            hosting=hosting,
        )
    if target.endpoint is not None:
        live = _endpoint(candidate, target, target.endpoint, steps, hosting)
    if registered is not None and approve and registered.status != APPROVED:
        comment = f"in service at endpoint {target.endpoint}" if target.endpoint else "promoted"
        registered = steps.approve_model_package(registered.arn, APPROVED, comment=comment, hosting=hosting)
    package = None if registered is None else registered.arn
    return Promotion(
        place=Place.SAGEMAKER.value,
        tuning_job=candidate.tuning_job,
        training_job=candidate.training_job,
        objective_metric=candidate.objective_metric,
        objective_value=candidate.objective_value,
        live=live.arn if live is not None else str(package),
        previous=None if live is None else live.previous,
        model_package=package,
        endpoint=None if live is None else live.name,
        configuration=None if live is None else live.configuration,
        roll_back=_way_back(live, package),
    )


def _endpoint(
    candidate: Candidate, target: Target, endpoint: str, steps: Steps, hosting: Hosting
) -> LiveEndpoint:
    model, settings = target.model_settings(), target.endpoint_settings()
    name = _model_name(candidate, model)
    # Known before it is made: the model is marked as made for it.
    configuration = str(configuration_body(candidate, name, settings, endpoint)["EndpointConfigName"])
    made = steps.create_model(candidate, model, made_for=configuration, hosting=hosting)
    steps.create_endpoint_configuration(candidate, made.name, settings, endpoint=endpoint, hosting=hosting)
    return steps.deploy_endpoint(
        endpoint, configuration, waiting=target.waiting(), tags=target.tags, hosting=hosting
    )


def _model_name(candidate: Candidate, settings: ModelSettings) -> str:
    return settings.name or candidate.training_job


def _way_back(live: LiveEndpoint | None, package: str | None) -> str | None:
    calls = []
    if live is not None and live.previous is not None:
        calls.append(f"roll_back_endpoint({live.name!r}, {live.previous!r})")
    if package is not None:
        calls.append(f"approve_model_package({package!r}, 'Rejected')")
    return "; ".join(calls) or None
