"""From a job request to the body of ``CreateTrainingJob``.

The template's verbatim part is AMT's ``HyperParameterTrainingJobDefinition`` without the members that have a
field of ours; those are put back here. Members that only ``CreateTrainingJob`` has (``ProfilerConfig``,
``AlgorithmSpecification.ContainerEntrypoint``, ...) may stand in it too. Decided here, once:

- ``HyperParameterTuningResourceConfig``: attempt *n* of a trial gets the *n*-th of its instance
  configurations, and after the last the first again. So the preferred one comes first, as ``Prioritized``
  says, and a trial that found no capacity is tried on the next.
- ``CheckpointConfig``: every trial gets a folder of its own below the given address, as AMT does it, or the
  jobs would resume from each other's models. A further attempt at a trial goes on in the folder of the first.
- ``RetryStrategy`` is sent for jobs with checkpoints only. A restart without one would print its first
  epochs a second time, as later epochs; there a failure of the infrastructure makes a new attempt with a
  curve of its own.
- ``inputs`` that are S3 addresses become channels, so that one spec serves both here and locally.
- The metric definitions of SageMaker's own algorithms are the service's: a request that gives any is
  refused, so none are made up for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from amt_flows.backends.sagemaker.tags import as_pairs, tags_of
from amt_flows.ledger.names import parse_training_job_name
from amt_flows.ports import JobRequest
from amt_flows.spec import MetricDefinition, TrainingJobTemplate
from amt_flows.spec.dotted import copied
from amt_flows.spec.metric_definitions import definitions

FLEXIBLE: Final = "HyperParameterTuningResourceConfig"

# The image names of https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-algo-docker-registry-paths.html
OWN_ALGORITHMS: Final = frozenset(
    {
        "blazingtext",
        "factorization-machines",
        "forecasting-deepar",
        "image-classification",
        "ipinsights",
        "kmeans",
        "knn",
        "lda",
        "linear-learner",
        "ntm",
        "object-detection",
        "object2vec",
        "pca",
        "randomcutforest",
        "sagemaker-xgboost",
        "semantic-segmentation",
        "seq2seq",
        "xgboost",
    }
)
WITH_SCRIPT_MODE: Final = ("sagemaker-xgboost", "xgboost")
"""Those that also run a script of the user's, which may print metrics of its own."""

_REGISTRY: Final = re.compile(r"\d{12}\.dkr\.ecr\.[^/]+/(?P<name>[^:@]+)")


def create_training_job_request(request: JobRequest) -> dict[str, Any]:
    """The body that asks for this training job. Raises ValueError for an objective that can't be read."""
    template = request.template
    given: dict[str, Any] = copied(template.sagemaker)
    body = {
        **given,
        "TrainingJobName": request.name,
        "HyperParameters": dict(request.hyperparameters),
        "AlgorithmSpecification": _algorithm(request),
        "InputDataConfig": [*given.get("InputDataConfig", ()), *channels_of(template.inputs)],
        "ResourceConfig": _resources(given, request.attempt - request.resumptions),
        "StoppingCondition": _stopping_condition(template),
        "CheckpointConfig": _checkpoints(given.get("CheckpointConfig"), request.name),
        "RetryStrategy": _retries(template),
        "Environment": dict(template.environment),
        "Tags": as_pairs(tags_of(request)),
    }
    body.pop(FLEXIBLE, None)
    return {name: value for name, value in body.items() if value not in (None, {}, [])}


def sent_definitions(
    template: TrainingJobTemplate, objective_metric: str, other_metrics: Iterable[str] = ()
) -> tuple[MetricDefinition, ...]:
    """The metric definitions that the request has."""
    if not template.metric_definitions and own_algorithm(template) is not None:
        return ()
    return definitions(template, objective_metric, other_metrics)


def own_algorithm(template: TrainingJobTemplate) -> str | None:
    """Which of SageMaker's own algorithms the image is; None for any other image."""
    specification = template.sagemaker.get("AlgorithmSpecification")
    image = specification.get("TrainingImage") if isinstance(specification, Mapping) else None
    found = _REGISTRY.match(image) if isinstance(image, str) else None
    return found["name"] if found is not None and found["name"] in OWN_ALGORITHMS else None


def _algorithm(request: JobRequest) -> dict[str, Any]:
    given = copied(request.template.sagemaker.get("AlgorithmSpecification", {}))
    sent = sent_definitions(request.template, request.objective_metric, request.other_metrics)
    if sent:
        given["MetricDefinitions"] = [{"Name": one.name, "Regex": one.regex} for one in sent]
    return dict(given)


def channels_of(inputs: Mapping[str, str]) -> list[dict[str, Any]]:
    """Inputs at S3 addresses as SageMaker's channels."""
    return [
        {
            "ChannelName": name,
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "S3Prefix",
                    "S3Uri": address,
                    "S3DataDistributionType": "FullyReplicated",
                }
            },
        }
        for name, address in inputs.items()
    ]


def _resources(given: Mapping[str, Any], attempt: int) -> Any:
    if FLEXIBLE not in given:
        return given.get("ResourceConfig")
    flexible = {name: value for name, value in given[FLEXIBLE].items() if name != "AllocationStrategy"}
    configs = flexible.pop("InstanceConfigs", None)
    return {**flexible, **configs[(attempt - 1) % len(configs)]} if configs else flexible


def _stopping_condition(template: TrainingJobTemplate) -> dict[str, Any]:
    given = copied(template.sagemaker.get("StoppingCondition", {}))
    if template.max_runtime_seconds is not None:
        given["MaxRuntimeInSeconds"] = template.max_runtime_seconds
    return dict(given)


def _checkpoints(given: Any, name: str) -> Any:
    if not isinstance(given, Mapping) or not isinstance(given.get("S3Uri"), str):
        return given
    parts = parse_training_job_name(name)
    folder = name if parts is None else str(replace(parts, attempt=1))
    return {**given, "S3Uri": f"{given['S3Uri'].rstrip('/')}/{folder}"}


def _retries(template: TrainingJobTemplate) -> dict[str, int] | None:
    if not template.max_retry_attempts or "CheckpointConfig" not in template.sagemaker:
        return None
    return {"MaximumRetryAttempts": template.max_retry_attempts}
