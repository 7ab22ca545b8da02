"""A series whose tuning jobs SageMaker's own tuner drives: it learns from those that it drove before."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from amt_flows.deploy import Target, current_version
from amt_flows.flows.promotion.outcome import Decision
from amt_flows.flows.promotion.retune import retune
from backends.sagemaker_world import spec as sagemaker_spec
from simulated_aws import aws

pytestmark = pytest.mark.slow

LIMITS = {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 2}


def test_amt_learns_from_its_last_tuning_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, target = sagemaker_spec(name="digits", limits=LIMITS), Target(directory=str(tmp_path / "served"))
    with aws(monkeypatch, [0.4, 0.6, 0.8], speed=60):
        first, second = [retune(spec, target, backend="amt", home="s3://records/tunings") for _ in range(2)]
        client = boto3.client("sagemaker")
        starts = [
            client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=one.tuning_job).get(
                "WarmStartConfig"
            )
            for one in (first, second)
        ]
    assert starts[0] is None
    parents = [{"HyperParameterTuningJobName": first.tuning_job}]
    assert starts[1] == {"ParentHyperParameterTuningJobs": parents, "WarmStartType": "TransferLearning"}
    assert first.promoted
    assert second.decision is Decision.NOT_BETTER
    current = current_version(target.directory or "")
    assert current is not None
    assert current.candidate.tuning_job == first.tuning_job
