"""What a deploy step needs of a tuning job's result, and nothing else: a small value to hand from step to
step, where the result itself carries every training job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from amt_flows.errors import DeployRejected, Problem
from amt_flows.events import decisive
from amt_flows.ledger.algorithms import algorithm_named
from amt_flows.ledger.failures import failure_line
from amt_flows.results import TuningResult
from amt_flows.results.result import Metric, spec_of
from amt_flows.spec.dotted import get

VERBATIM = "training_job.sagemaker"


class Candidate(BaseModel):
    """A training job's model that may be put to work, and how it came about. JSON both ways."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tuning_job: str
    training_job: str
    artifact: str
    """Where the model is: ``file://`` or a path, of a directory or an archive; ``s3://``."""
    objective_metric: str
    objective_type: str
    """``Maximize`` or ``Minimize``."""
    objective_value: float
    hyperparameters: dict[str, Any] = {}
    """The ones that were tuned and the static ones."""
    metrics: dict[str, Metric] = {}
    """The last value of each metric of the training job."""
    fingerprint: str = ""
    """The spec's."""
    journal: str = ""
    """The tuning job's record."""
    image: str | None = None
    """The training image, on SageMaker."""
    role: str | None = None
    vpc: dict[str, Any] = {}
    """SageMaker's VpcConfig of the training jobs."""
    network_isolation: bool = False
    tags: dict[str, str] = {}
    inputs: dict[str, str] = {}
    """What it was trained on: where each data channel is."""


Deployable = TuningResult | Candidate


def candidate_of(result: Deployable) -> Candidate:
    """The best training job of a tuning job, ready to be put to work. A candidate is its own.

    Raises DeployRejected when there is no best training job, or it left no model; it says what became of the
    tuning job. So it does for what is no result, such as the None of a step that returned nothing.
    """
    if isinstance(result, Candidate):
        return result
    given: object = result
    if not isinstance(given, TuningResult):  # whatever types say, a step may have returned nothing
        message = "is no result of a tuning job, and no candidate"
        raise DeployRejected("The deployment", [Problem("result", given, message)])
    best = result.best
    if best is None or best.objective_value is None:
        message = f"there is no training job with a usable objective value; {_what_became_of(result)}"
        raise _rejected(result, "best", None, message)
    if best.artifact is None:
        raise _rejected(
            result,
            "best.artifact",
            best.name,
            "this training job left no model; let the script save one in SM_MODEL_DIR",
        )
    spec = algorithm_named(spec_of(result), best.definition).spec
    verbatim = spec.training_job.sagemaker
    vpc = verbatim.get("VpcConfig")
    return Candidate(
        tuning_job=result.name,
        training_job=best.name,
        artifact=best.artifact,
        objective_metric=result.objective_metric,
        objective_type=result.objective_type,
        objective_value=best.objective_value,
        hyperparameters={**spec.static_hyperparameters, **best.hyperparameters},
        metrics=best.metrics,
        fingerprint=result.fingerprint,
        journal=result.journal,
        image=_text(get(verbatim, "AlgorithmSpecification.TrainingImage")),
        role=_text(verbatim.get("RoleArn")),
        vpc=vpc if isinstance(vpc, dict) else {},
        network_isolation=bool(verbatim.get("EnableNetworkIsolation", False)),
        tags=dict(spec.tags),
        inputs={**_channels(verbatim), **spec.training_job.inputs},
    )


def _channels(verbatim: Mapping[str, Any]) -> dict[str, str]:
    """Those of SageMaker's own words that are in S3."""
    channels = verbatim.get("InputDataConfig")
    found = {}
    for channel in channels if isinstance(channels, list) else ():
        place = get(channel, "DataSource.S3DataSource.S3Uri") if isinstance(channel, dict) else None
        if isinstance(place, str):
            found[str(channel.get("ChannelName"))] = place
    return found


def named_after(result: Deployable) -> str:
    """The training job whose model is put to work, or, when there is none, whatever has the best name: for
    titles, which are made before anything is refused."""
    if isinstance(result, Candidate):
        return result.training_job
    best = getattr(result, "best", None)
    return str(getattr(best or result, "name", "nothing"))


def _what_became_of(result: TuningResult) -> str:
    """The tuning job's end, and the last failure, which most often is everybody's."""
    reason = decisive(result.reasons)
    end = "it still runs" if reason is None else f"{result.status.value}: {reason.message}"
    failed = [job for job in result.jobs if job.failed]
    if not failed:
        return end
    last = max(failed, key=lambda job: job.ended_at or job.launched_at)
    why = failure_line(last.failure) or "it reported no usable value"
    return f"{end}; {last.name}: {why}"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _rejected(result: TuningResult, field: str, value: object, message: str) -> DeployRejected:
    return DeployRejected(f"The deployment of tuning job {result.name}", [Problem(field, value, message)])
