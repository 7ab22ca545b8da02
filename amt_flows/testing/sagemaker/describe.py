"""The shapes in which the service tells of training jobs.

Members are those of the service's model; which are there before a job has ended is what people's quoted
answers show. That a spot instance bills three tenths of its time is an example, not a price.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from amt_flows.testing.sagemaker.artifacts import model_uri
from amt_flows.testing.sagemaker.clocks import naive
from amt_flows.testing.sagemaker.job import MESSAGES, SimulatedTrainingJob

ECHOED = (
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "ResourceConfig",
    "VpcConfig",
    "CheckpointConfig",
    "DebugHookConfig",
    "DebugRuleConfigurations",
    "TensorBoardOutputConfig",
    "ExperimentConfig",
    "ProfilerConfig",
    "ProfilerRuleConfigurations",
    "Environment",
    "RetryStrategy",
    "RemoteDebugConfig",
    "InfraCheckConfig",
)
"""What Describe repeats of the request."""

ECHOED_FLAGS = (
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
)
SPOT_PRICE = 0.3
"""What spot instances cost of the full price, which shows in BillableTimeInSeconds."""


def describe(
    job: SimulatedTrainingJob, warm_pool: Mapping[str, Any] | None, *, final_metrics: bool
) -> dict[str, Any]:
    """DescribeTrainingJob's answer. ``final_metrics`` may keep those of an ended job back."""
    ended = not job.live
    answer = {
        "TrainingJobName": job.name,
        "TrainingJobArn": job.arn,
        "TuningJobArn": job.tuning_job_arn,
        # From the beginning, and when there will never be a model, too: the service promises this member.
        "ModelArtifacts": {"S3ModelArtifacts": model_uri(job.request, job.name)},
        "TrainingJobStatus": job.status,
        "SecondaryStatus": job.secondary_status,
        "FailureReason": job.failure_reason,
        **{name: job.request.get(name) for name in ECHOED},
        # The service says so when there is no key, and the SageMaker SDK counts on it.
        "OutputDataConfig": {"KmsKeyId": "", **job.request["OutputDataConfig"]},
        **{name: bool(job.request.get(name)) for name in ECHOED_FLAGS},
        "StoppingCondition": {
            "MaxRuntimeInSeconds": job.max_runtime_seconds,
            **(job.request.get("StoppingCondition") or {}),
        },
        "WarmPoolStatus": warm_pool,
        "CreationTime": naive(job.created_at),
        "LastModifiedTime": naive(job.last_modified_at),
        "TrainingStartTime": _time(job.training_started_at),
        "TrainingEndTime": _time(job.training_ended_at) if ended else None,
        "SecondaryStatusTransitions": [_transition(t) for t in job.transitions],
        "FinalMetricDataList": _final_metrics(job) if ended and final_metrics else None,
        **(_durations(job) if ended else {}),
    }
    return {name: value for name, value in answer.items() if value is not None}


def summary(job: SimulatedTrainingJob, warm_pool: Mapping[str, Any] | None) -> dict[str, Any]:
    """An entry of ListTrainingJobs."""
    answer = {
        "TrainingJobName": job.name,
        "TrainingJobArn": job.arn,
        "CreationTime": naive(job.created_at),
        "TrainingEndTime": None if job.live else _time(job.training_ended_at),
        "LastModifiedTime": naive(job.last_modified_at),
        "TrainingJobStatus": job.status,
        "SecondaryStatus": job.secondary_status,
        "WarmPoolStatus": warm_pool,
    }
    return {name: value for name, value in answer.items() if value is not None}


def _time(seconds: float | None) -> Any:
    return None if seconds is None else naive(seconds)


def _transition(transition: Any) -> dict[str, Any]:
    answer = {
        "Status": transition.status,
        "StartTime": naive(transition.started_at),
        "StatusMessage": MESSAGES[transition.status],
    }
    if transition.ended_at is not None:
        answer["EndTime"] = naive(transition.ended_at)
    return answer


def _final_metrics(job: SimulatedTrainingJob) -> list[dict[str, Any]] | None:
    found = [
        {"MetricName": e.metric, "Value": e.value, "Timestamp": naive(e.at)}
        for e in job.final_metrics().values()
    ]
    return found or None


def _durations(job: SimulatedTrainingJob) -> dict[str, int]:
    if job.training_started_at is None or job.training_ended_at is None:
        return {}
    seconds = max(1, math.ceil(job.running_seconds(job.training_ended_at) - 1e-9))
    billable = max(1, math.ceil(seconds * SPOT_PRICE)) if job.spot else seconds
    return {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": billable}
