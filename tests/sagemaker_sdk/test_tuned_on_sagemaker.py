"""The whole way of a person who has a tuner of the SDK: its spec is tuned on the simulated SageMaker, by
training jobs with the trainer's image, data and hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from amt_flows.backends.sagemaker import SageMakerBackend
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.run import tune
from amt_flows.sagemaker_sdk import prepare, spec_from_tuner
from amt_flows.testing.sagemaker import JobScript, SimulatedSageMaker
from sagemaker_sdk import cases_v2, cases_v3, stand_ins_v2, stand_ins_v3
from sagemaker_sdk.case import JOB, ROLE, source_dir

WORLDS: dict[str, Any] = {"3": (cases_v3, stand_ins_v3.kit), "2": (cases_v2, stand_ins_v2.kit)}


def best_in_the_middle(hyperparameters: Mapping[str, str]) -> JobScript:
    return JobScript([1 - abs(float(hyperparameters["rate"]) - 0.1)])


@pytest.mark.parametrize("version", ["3", "2"])
def test_a_tuner_of_the_sdk_is_tuned(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases, kit = WORLDS[version]
    case = cases.script(kit(source_dir(tmp_path)))
    prepare(case.tuner, inputs=case.inputs, job_name=JOB)
    spec = spec_from_tuner(case.tuner, inputs=case.inputs, job_name=JOB)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with SimulatedSageMaker(best_in_the_middle) as world:
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="bucket")
        backend = SageMakerBackend(clock=world.clock, sleep=world.sleep)
        result = tune(spec, backend, journal=MemoryJournal())
        asked = [job.request for job in world.jobs]
    assert result.best is not None
    assert result.best.objective_value == pytest.approx(
        1 - abs(float(result.best.hyperparameters["rate"]) - 0.1)
    )
    assert len(asked) == 4
    verbatim = spec.training_job.sagemaker
    for request in asked:
        assert request["RoleArn"] == ROLE
        for member in ("InputDataConfig", "OutputDataConfig"):
            assert request[member] == verbatim[member]
        assert request["AlgorithmSpecification"]["TrainingImage"].endswith("/mine:1")
        for name, value in spec.static_hyperparameters.items():
            assert request["HyperParameters"][name] == value
