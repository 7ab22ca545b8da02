"""Valid specs and request bodies that the tests of this folder spoil in one place at a time."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from amt_flows.errors import Problem, SpecError
from amt_flows.spec import TuningSpec
from amt_flows.spec.dotted import MISSING, get, put, take

REGEX = r"accuracy=(\S+)"

SAGEMAKER: dict[str, Any] = {
    "AlgorithmSpecification": {"TrainingImage": "my/image:1", "TrainingInputMode": "File"},
    "RoleArn": "arn:aws:iam::123456789012:role/Tuner",
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
}


def good() -> dict[str, Any]:
    """A valid spec in our own shape that uses every kind of range."""
    return {
        "name": "demo",
        "objective": {"metric_name": "accuracy"},
        "continuous": [{"name": "lr", "min_value": 1e-5, "max_value": 0.1}],
        "integer": [{"name": "layers", "min_value": 1, "max_value": 8}],
        "categorical": [{"name": "optimizer", "values": ["adam", "sgd"]}],
        "static_hyperparameters": {"epochs": 10},
        "limits": {"max_number_of_training_jobs": 20},
        "training_job": {"command": "python train.py"},
    }


def changed(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with other values at some paths; the value ``MISSING`` removes."""
    result = copy.deepcopy(dict(base))
    for path, value in changes.items():
        if value is not MISSING:
            put(result, path, copy.deepcopy(value))
        elif get(result, path) is not MISSING:
            take(result, path)
    return result


def problems_of(data: Mapping[str, Any]) -> dict[str, Problem]:
    """The problems of a spec or body that must not be accepted, by field."""
    with pytest.raises(SpecError) as caught:
        TuningSpec.parse(data)
    problems = {problem.field: problem for problem in caught.value.problems}
    assert len(problems) == len(caught.value.problems), "two problems of one field"
    return problems


def one_definition() -> dict[str, Any]:
    """A valid second algorithm."""
    return {
        "definition_name": "second",
        "objective": {"metric_name": "accuracy"},
        "integer": [{"name": "trees", "min_value": 10, "max_value": 100}],
        "training_job": {"command": ["python", "forest.py"]},
    }


def several(**second: Any) -> dict[str, Any]:
    """A valid spec of two algorithms; ``second`` changes the second one."""
    return {**good(), "definition_name": "first", "other_definitions": [{**one_definition(), **second}]}
