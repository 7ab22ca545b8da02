"""The deploy side as Prefect tasks, for flows of one's own:

    from amt_flows.deploy import candidate_of
    from amt_flows.flows.promotion.deploy import promote_local

    @flow
    def pipeline(spec: TuningSpec) -> None:
        result = tune(spec)
        promote_local(candidate_of(result), "/srv/models/digits")

Each task does what the function of its name in :mod:`amt_flows.deploy` does, and may run again at any time. A
task is retried when the same call may succeed later (SageMaker throttles, say), and for nothing else: a
refusal would be repeated, and a deployment that failed has been rolled back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, TypedDict

from prefect import State, Task, get_run_logger, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun

from amt_flows.deploy import endpoints, local, mlflow_registry, models, promotion, registry
from amt_flows.deploy.attempt import EndpointProgress
from amt_flows.deploy.candidate import Deployable, named_after
from amt_flows.deploy.champion import Comparison, compare, without_comparing
from amt_flows.deploy.endpoints import LiveEndpoint
from amt_flows.deploy.ensuring import Made
from amt_flows.deploy.hosting import Hosting
from amt_flows.deploy.local import KEEP_VERSIONS, LocalPromotion
from amt_flows.deploy.mlflow_registry import MlflowPromotion
from amt_flows.deploy.registry import APPROVED, PENDING, Registered
from amt_flows.deploy.settings import EndpointSettings, ModelSettings, PackageSettings, Waiting
from amt_flows.deploy.target import Target
from amt_flows.errors import CapacityUnavailable, NotComparable

RETRIES = 3
RETRY_DELAY_SECONDS = 20.0


def _may_pass(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    error = state.result(raise_on_failure=False)
    return isinstance(error, CapacityUnavailable)


class _Plain(TypedDict):
    cache_policy: Any
    persist_result: bool


class _Retried(_Plain):
    retries: int
    retry_delay_seconds: float
    retry_condition_fn: Callable[[Task[..., Any], TaskRun, State[Any]], bool]


# No cache and no kept result: a step that is run again looks at what is there, and that may have been changed
# since by others.
_PLAIN: _Plain = {"cache_policy": NO_CACHE, "persist_result": False}
_RETRIED: _Retried = {
    **_PLAIN,
    "retries": RETRIES,
    "retry_delay_seconds": RETRY_DELAY_SECONDS,
    "retry_condition_fn": _may_pass,
}


def _for_its_job(step: str) -> Callable[[], str]:
    def name() -> str:
        return f"{step}-{named_after(runtime.task_run.parameters['result'])}"

    return name


# -- this machine ----------------------------------------------------------------------------------------


@task(name="promote locally", task_run_name=_for_its_job("promote"), **_RETRIED)
def promote_local(
    result: Deployable, directory: str | Path, *, keep: int = KEEP_VERSIONS, by: str | None = None
) -> LocalPromotion:
    """Copy the model into a directory of versions, and make it the current one."""
    made = local.promote_local(result, directory, keep=keep, by=by)
    get_run_logger().info("%s is current; before it was %s.", made.version, made.previous or "none")
    return made


# Without the version to go to, doing it again goes back further: so it is not retried.
@task(name="roll back locally", **_PLAIN)
def roll_back_local(directory: str | Path, to: str | None = None) -> LocalPromotion:
    """Make another version current: ``to``, or the one that the current version took over from."""
    made = local.roll_back_local(directory, to)
    get_run_logger().info("%s is current again, instead of %s.", made.version, made.previous)
    return made


# -- SageMaker -------------------------------------------------------------------------------------------


@task(name="register model", task_run_name="register-in-{group}", **_RETRIED)
def register_model(
    result: Deployable,
    group: str,
    settings: PackageSettings | None = None,
    *,
    approval: str = PENDING,
    hosting: Hosting | None = None,
) -> Registered:
    """Register the model in SageMaker's model registry, with where it came from."""
    made = registry.register_model(result, group, settings, approval=approval, hosting=hosting)
    how = "Registered" if made.created else "Was registered before"
    get_run_logger().info("%s: version %s of %s, %s.", how, made.version, made.group, made.status)
    return made


@task(name="set approval status", task_run_name="set-to-{status}", **_RETRIED)
def approve_model_package(
    arn: str, status: str = APPROVED, *, comment: str = "", hosting: Hosting | None = None
) -> Registered:
    """Set the approval status of a registered model."""
    made = registry.approve_model_package(arn, status, comment=comment, hosting=hosting)
    get_run_logger().info("Version %s of %s is %s.", made.version, made.group, made.status)
    return made


@task(name="create model", task_run_name=_for_its_job("create-model"), **_RETRIED)
def create_model(
    result: Deployable,
    settings: ModelSettings | None = None,
    *,
    made_for: str | None = None,
    hosting: Hosting | None = None,
) -> Made:
    """Create the model on SageMaker, or find it there."""
    return models.create_model(result, settings, made_for=made_for, hosting=hosting)


@task(name="create endpoint configuration", task_run_name="configure-{model}", **_RETRIED)
def create_endpoint_configuration(
    result: Deployable,
    model: str,
    settings: EndpointSettings,
    *,
    endpoint: str | None = None,
    hosting: Hosting | None = None,
) -> Made:
    """Create an endpoint's configuration for a model, or find it there."""
    return models.create_endpoint_configuration(result, model, settings, endpoint=endpoint, hosting=hosting)


@task(name="deploy endpoint", task_run_name="deploy-{endpoint}", **_RETRIED)
def deploy_endpoint(
    endpoint: str,
    configuration: str,
    *,
    waiting: Waiting | None = None,
    deployment: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    hosting: Hosting | None = None,
) -> LiveEndpoint:
    """Bring an endpoint to a configuration and wait until it is in service. It is rolled back if it fails."""
    return endpoints.deploy_endpoint(
        endpoint,
        configuration,
        waiting=waiting,
        deployment=deployment,
        tags=tags,
        on_progress=_progress_log(),
        hosting=hosting,
    )


@task(name="roll back endpoint", task_run_name="roll-back-{endpoint}", **_PLAIN)
def roll_back_endpoint(
    endpoint: str,
    to: str | None = None,
    *,
    waiting: Waiting | None = None,
    hosting: Hosting | None = None,
) -> LiveEndpoint:
    """Bring an endpoint back to the configuration ``to``, or to that which its current one took over from."""
    return endpoints.roll_back_endpoint(
        endpoint, to, waiting=waiting, on_progress=_progress_log(), hosting=hosting
    )


def _progress_log() -> Callable[[EndpointProgress], None]:
    """Tells in the log whenever the status is another one."""
    log, last = get_run_logger(), ""

    def tell(progress: EndpointProgress) -> None:
        nonlocal last
        if progress.status != last:
            log.info("Endpoint %s is %s, after %.0f s.", progress.endpoint, progress.status, progress.seconds)
            last = progress.status

    return tell


# -- MLflow ----------------------------------------------------------------------------------------------


@task(name="promote in MLflow", task_run_name=_for_its_job("promote"), **_RETRIED)
def promote_mlflow(result: Deployable, uri: str, model: str) -> MlflowPromotion:
    """Register the model in MLflow, and move the alias ``champion`` to it."""
    run_id = runtime.flow_run.id
    lineage = {"prefect.flow_run_id": str(run_id)} if run_id else {}
    made = mlflow_registry.promote_mlflow(result, uri, model, lineage=lineage)
    before = made.previous or "none"
    get_run_logger().info("%s is version %s now; before it was %s.", made.address, made.version, before)
    return made


# Without the version to go to, doing it again goes back further: so it is not retried.
@task(name="roll back in MLflow", **_PLAIN)
def roll_back_mlflow(uri: str, model: str, to: str | None = None) -> MlflowPromotion:
    """Move the alias ``champion`` back: ``to``, or to what the current version took over from."""
    made = mlflow_registry.roll_back_mlflow(uri, model, to)
    get_run_logger().info("%s is version %s again, not %s.", made.address, made.version, made.previous)
    return made


# -- both ------------------------------------------------------------------------------------------------


@task(name="compare with champion", task_run_name=_for_its_job("compare"), **_RETRIED)
def compare_with_champion(
    result: Deployable,
    target: Target,
    min_improvement: float = 0.0,
    *,
    hosting: Hosting | None = None,
    is_decisive: bool = True,
) -> Comparison:
    """Whether the model is better than the one that is at work at the target. Where that doesn't decide
    (``is_decisive=False``), two that can't be compared are no error."""
    champion = None
    try:
        champion = promotion.champion_at(target, hosting=hosting)
        found = compare(result, champion, min_improvement)
    except NotComparable as error:
        if is_decisive:
            raise
        found = without_comparing(result, error, None if champion is None else champion.name)
    get_run_logger().info("%s", found.sentence)
    return found


TASKS = promotion.Steps(
    promote_local=promote_local,
    register_model=register_model,
    promote_mlflow=promote_mlflow,
    create_model=create_model,
    create_endpoint_configuration=create_endpoint_configuration,
    deploy_endpoint=deploy_endpoint,
    approve_model_package=approve_model_package,
)
"""The steps of :func:`amt_flows.deploy.promotion.promote` as task runs."""
STEP_NAMES: Final = [
    compare_with_champion.name,
    *(str(getattr(TASKS, field.name).name) for field in fields(promotion.Steps)),
]
"""Of the tasks of a promotion, the comparison before it included."""


def promote_in_tasks(
    result: Deployable, target: Target, *, approve: bool = True, hosting: Hosting | None = None
) -> promotion.Promotion:
    """:func:`amt_flows.deploy.promotion.promote` with each of its steps as a task run."""
    return promotion.promote(result, target, approve=approve, steps=TASKS, hosting=hosting)
