"""What the tests of the simulated SageMaker ask it, and how they look at its answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from amt_flows.backends.sagemaker.service_model import service_model
from amt_flows.reporting import metric_regex
from amt_flows.testing.sagemaker import Credentials

REGION = "eu-west-1"
GROUP = "/aws/sagemaker/TrainingJobs"
ENDED = ("Completed", "Failed", "Stopped")
KEYS = Credentials("test", "test")
"""The clients' own, for a world that is served to them."""


@lru_cache(maxsize=1)
def _session() -> Any:
    # One for all tests: each new one reads megabytes of models.
    return boto3.Session()


@lru_cache(maxsize=64)
def client(service: str = "sagemaker", url: str | None = None, *, attempts: int = 1, **config: Any) -> Any:
    """A boto3 client that asks once: a test of a refusal must not wait for botocore's retries. In process it
    lives longer than the world that a test talks to by it, as a user's may."""
    return _session().client(
        service,
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=KEYS.access_key_id,
        aws_secret_access_key=KEYS.secret_access_key,
        config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}, **config),
    )


def training(name: str = "job-1", **changes: Any) -> dict[str, Any]:
    """A complete CreateTrainingJob request; a member that is changed to None is left out."""
    request: dict[str, Any] = {
        "TrainingJobName": name,
        "RoleArn": "arn:aws:iam::123456789012:role/trainer",
        "AlgorithmSpecification": {
            "TrainingImage": "my-image:1",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "accuracy", "Regex": metric_regex("accuracy")}],
        },
        "HyperParameters": {"rate": "0.1"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "Tags": [{"Key": "tuning", "Value": "demo"}],
        **changes,
    }
    return {member: value for member, value in request.items() if value is not None}


def spot(name: str = "job-1", *, runtime: int = 3600, wait: int = 7200, **changes: Any) -> dict[str, Any]:
    """The same on managed spot instances, with checkpoints."""
    return training(
        name,
        **{
            "EnableManagedSpotTraining": True,
            "StoppingCondition": {"MaxRuntimeInSeconds": runtime, "MaxWaitTimeInSeconds": wait},
            "CheckpointConfig": {"S3Uri": f"s3://bucket/checkpoints/{name}"},
            **changes,
        },
    )


def tuning(name: str = "tune-1", **changes: Any) -> dict[str, Any]:
    """A CreateHyperParameterTuningJob request."""
    definition = training()
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "accuracy"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {
                "ContinuousParameterRanges": [{"Name": "rate", "MinValue": "0.1", "MaxValue": "1"}]
            },
        },
        "TrainingJobDefinition": {
            member: definition[member]
            for member in ("AlgorithmSpecification", "RoleArn", "OutputDataConfig", "ResourceConfig")
        }
        | {"StoppingCondition": {"MaxRuntimeInSeconds": 3600}},
        **changes,
    }


def refusal(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    """The error code and message of a call that must be refused."""
    try:
        call(**params)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError(f"not refused: {params}")


def wait_for(condition: Callable[[], Any], seconds: float = 120.0) -> Any:
    """Poll until a condition holds; its value."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def wait_for_end(sagemaker: Any, name: str) -> dict[str, Any]:
    """Poll a job until it has ended; Describe's last answer."""

    def ended() -> dict[str, Any] | None:
        told: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=name)
        return told if told["TrainingJobStatus"] in ENDED else None

    found: dict[str, Any] = wait_for(ended)
    return found


def statuses(told: Mapping[str, Any]) -> list[str]:
    """The secondary statuses that Describe has told a job went through."""
    return [transition["Status"] for transition in told["SecondaryStatusTransitions"]]


def messages(logs: Any, job: str) -> dict[str, list[str]]:
    """The lines in CloudWatch Logs of a job, by stream."""
    streams = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=f"{job}/")["logStreams"]
    return {
        stream["logStreamName"]: [
            event["message"]
            for event in logs.get_log_events(
                logGroupName=GROUP, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        ]
        for stream in streams
    }


def check_shape(operation: str, answer: Mapping[str, Any]) -> None:
    """Hold an answer against the output that botocore's model of the service promises."""
    shape = service_model("sagemaker").operation_model(operation).output_shape
    _check(shape, {k: v for k, v in answer.items() if k != "ResponseMetadata"}, operation)


def _check(shape: Any, value: Any, path: str) -> None:
    kinds: dict[str, Any] = {
        "string": str,
        "integer": int,
        "long": int,
        "float": (int, float),
        "double": (int, float),
        "boolean": bool,
        "structure": dict,
        "list": list,
        "map": dict,
    }
    kind = shape.type_name
    assert kind == "timestamp" or isinstance(value, kinds[kind]), f"{path} is {value!r}, no {kind}"
    if "enum" in shape.metadata:
        assert value in shape.metadata["enum"], f"{path} is {value!r}"
    if kind in ("string", "list", "map"):
        assert shape.metadata.get("min", 0) <= len(value) <= shape.metadata.get("max", 10**9), path
    if kind in ("integer", "long"):
        assert value >= shape.metadata.get("min", value), path
    if kind == "structure":
        assert set(shape.metadata.get("required", ())) <= set(value), f"{path} lacks a member: {value}"
        for member, item in value.items():
            assert member in shape.members, f"{path} has a member {member} that nobody knows"
            _check(shape.members[member], item, f"{path}.{member}")
    elif kind == "list":
        for item in value:
            _check(shape.member, item, f"{path}[]")
    elif kind == "map":
        for item in value.values():
            _check(shape.value, item, f"{path}{{}}")


def shapes_below(shape: Any) -> dict[str, Any]:
    """Every shape of botocore's model that a message of this shape may be made of, by its name."""
    found: dict[str, Any] = {}

    def walk(one: Any) -> None:
        if one.name in found:
            return
        found[one.name] = one
        for inner in (
            *(getattr(one, "members", None) or {}).values(),
            *(getattr(one, name) for name in ("member", "key", "value") if hasattr(one, name)),
        ):
            walk(inner)

    walk(shape)
    return found
