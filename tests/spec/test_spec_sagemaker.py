"""What only SageMaker refuses is refused for SageMaker only."""

from __future__ import annotations

from typing import Any

import pytest

from amt_flows.spec import TuningSpec
from amt_flows.spec.dotted import MISSING
from amt_flows.spec.sagemaker_rules import sagemaker_problems, training_job_problems
from spec.samples import SAGEMAKER, changed, good

Changes = dict[str, Any]
GRID = {"strategy": "Grid", "continuous": MISSING, "limits": MISSING}
READY = {**good(), "training_job": {"sagemaker": SAGEMAKER}}

REFUSED_BY_AMT: list[tuple[Changes, str, str]] = [
    ({"limits.max_runtime_seconds": 119}, "limits.max_runtime_seconds", "120"),
    ({"limits.max_runtime_seconds": 15_768_001}, "limits.max_runtime_seconds", "15,768,000"),
    (
        {"completion": {"max_number_of_training_jobs_not_improving": 2}},
        "completion.max_number_of_training_jobs_not_improving",
        "3 or more",
    ),
    (
        {"strategy": "Hyperband", "hyperband": {"max_resource": 20_001}},
        "hyperband.max_resource",
        "20,000",
    ),
    ({**GRID}, "integer[0]", "only categorical"),
    ({"auto_parameters": [{"name": "momentum", "value_hint": "0.9"}]}, "auto_parameters", "`autotune`"),
    (
        {"static_hyperparameters": {f"s{i}": i for i in range(97)}},
        "static_hyperparameters",
        "leave one out",
    ),
    ({"training_job.sagemaker.RoleArn": MISSING}, "training_job.sagemaker.RoleArn", "IAM role"),
    ({"training_job.sagemaker.RoleArn": "Tuner"}, "training_job.sagemaker.RoleArn", "arn:aws:iam::"),
    (
        {"training_job.sagemaker.OutputDataConfig": MISSING},
        "training_job.sagemaker.OutputDataConfig.S3OutputPath",
        "S3",
    ),
    (
        {"training_job.sagemaker.AlgorithmSpecification.TrainingInputMode": MISSING},
        "training_job.sagemaker.AlgorithmSpecification.TrainingInputMode",
        "File",
    ),
    (
        {"training_job.sagemaker.AlgorithmSpecification.TrainingImage": MISSING},
        "training_job.sagemaker.AlgorithmSpecification.TrainingImage",
        "either",
    ),
    (
        {"training_job.sagemaker.AlgorithmSpecification.AlgorithmName": "mine"},
        "training_job.sagemaker.AlgorithmSpecification.TrainingImage",
        "either",
    ),
    (
        {"training_job.sagemaker.ResourceConfig": MISSING},
        "training_job.sagemaker.ResourceConfig",
        "instances",
    ),
    ({"training_job.max_runtime_seconds": 2_419_201}, "training_job.max_runtime_seconds", "28 days"),
    ({"training_job.environment": {"A": "x" * 513}}, "training_job.environment.A", "512"),
]


@pytest.mark.parametrize(
    ("changes", "field", "words"), REFUSED_BY_AMT, ids=[f"{row[1]}: {row[2]}" for row in REFUSED_BY_AMT]
)
def test_what_only_amt_refuses_is_fine_elsewhere(changes: Changes, field: str, words: str) -> None:
    spec = TuningSpec(**changed(READY, changes))
    problems = {problem.field: problem.message for problem in sagemaker_problems(spec)}
    assert list(problems) == [field]
    assert words in problems[field]


def test_amt_takes_a_complete_spec_and_our_engine_needs_less_than_amt() -> None:
    assert sagemaker_problems(TuningSpec(**READY)) == []
    grid = TuningSpec(**changed(READY, {**GRID, "limits": {"max_runtime_seconds": 60}}))
    assert training_job_problems(grid) == []
