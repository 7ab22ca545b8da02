"""What CreateTrainingJob refuses although every single member of the request is fine.

That these are refused is the reference's: AlgorithmSpecification (an image or an algorithm; no entry point
with an algorithm), ResourceConfig (instance groups or a type; no warm pool with spot instances) and
StoppingCondition (28 days at most; a waiting time with spot instances only, and no less than the run time).
The words about times are quoted in public issues; all others, and that names may not be there twice, are
assumed (the question ``wrong-requests``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from amt_flows.testing.sagemaker.quotas import is_spot
from amt_flows.testing.sagemaker.refusals import Refusal, validation

DAY = 86_400
LONGEST_RUN = 28 * DAY


def check_training_job(request: Mapping[str, Any]) -> Refusal | None:
    """The first rule that a well-formed request breaks."""
    message = next(_problems(request), None)
    return None if message is None else validation(message)


def max_runtime(request: Mapping[str, Any]) -> int:
    """In seconds; a day when the request doesn't say."""
    return int((request.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds") or DAY)


def max_wait(request: Mapping[str, Any]) -> int | None:
    """In seconds, for managed spot training."""
    found = (request.get("StoppingCondition") or {}).get("MaxWaitTimeInSeconds")
    return None if found is None else int(found)


def _problems(request: Mapping[str, Any]) -> Iterator[str]:
    yield from _algorithm(request)
    yield from _resources(request)
    yield from _times(request)
    yield from _names(request)


def _algorithm(request: Mapping[str, Any]) -> Iterator[str]:
    given = request.get("AlgorithmSpecification") or {}
    if not given:
        yield "AlgorithmSpecification is required."
    elif bool(given.get("TrainingImage")) == bool(given.get("AlgorithmName")):
        yield "You must specify either TrainingImage or AlgorithmName in AlgorithmSpecification, not both."
    elif given.get("AlgorithmName") and (given.get("ContainerEntrypoint") or given.get("ContainerArguments")):
        yield "ContainerEntrypoint and ContainerArguments can only be specified with TrainingImage."


def _resources(request: Mapping[str, Any]) -> Iterator[str]:
    config = request.get("ResourceConfig") or {}
    if not config:
        yield "ResourceConfig is required."
    elif config.get("InstanceGroups"):
        if config.get("InstanceType") or config.get("InstanceCount"):
            yield "InstanceType and InstanceCount can't be specified together with InstanceGroups."
    elif not config.get("InstanceType") or not config.get("InstanceCount"):
        yield "InstanceType and InstanceCount must be specified in ResourceConfig."
    if config.get("KeepAlivePeriodInSeconds") and is_spot(request):
        yield "KeepAlivePeriodInSeconds is not supported when EnableManagedSpotTraining is set to true."


def _times(request: Mapping[str, Any]) -> Iterator[str]:
    runtime, wait = max_runtime(request), max_wait(request)
    if runtime > LONGEST_RUN:
        yield f"Invalid MaxRuntimeInSeconds. It must be less than or equal to {LONGEST_RUN}"
    if is_spot(request) and (wait is None or wait < runtime):
        yield (
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to "
            "MaxRuntimeInSeconds"
        )
    if wait is not None and not is_spot(request):
        yield (
            "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true"
        )


def _names(request: Mapping[str, Any]) -> Iterator[str]:
    algorithm = request.get("AlgorithmSpecification") or {}
    for what, names in (
        ("metric definition", [d["Name"] for d in algorithm.get("MetricDefinitions") or ()]),
        ("channel", [c["ChannelName"] for c in request.get("InputDataConfig") or ()]),
        ("tag key", [t["Key"] for t in request.get("Tags") or ()]),
    ):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            yield f"Duplicate {what} found: {', '.join(twice)}"
