"""What AMT is asked: every field of a spec that it has a place for, and nothing that it would refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from amt.scripted_amt import Plan, opened, scripted_world
from amt_flows.amt.request import HANDED_OFF, amt_request
from amt_flows.backends.sagemaker.model_rules import violations
from amt_flows.errors import Problem, SpecError
from amt_flows.spec import TuningSpec
from amt_flows.spec.dotted import get
from amt_flows.spec.metric_definitions import definitions
from amt_flows.testing.sagemaker import JobScript
from backends.sagemaker_world import client, spec, verbatim
from spec.bodies import BODIES, two_algorithms

MAKES = [make for name, make in BODIES.items() if name != "two_algorithms"]


def comparable() -> dict[str, Any]:
    """Two algorithms whose objectives can be compared."""
    body = two_algorithms()
    body["TrainingJobDefinitions"][1]["TuningObjective"]["Type"] = "Maximize"
    return body


def without_tags(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "Tags"}


@pytest.mark.parametrize("make", [*MAKES, comparable], ids=lambda make: str(make.__name__))
def test_amts_own_request_is_handed_over_as_it_is(make: Callable[[], dict[str, Any]]) -> None:
    body = make()
    asked = TuningSpec.parse(body)
    request = amt_request(asked)
    assert without_tags(request) == {**without_tags(body), **_rewritten(body)}
    tags = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
    assert tags.pop(HANDED_OFF) == asked.fingerprint()
    assert tags == {tag["Key"]: tag["Value"] for tag in body.get("Tags", ())}
    assert violations("CreateHyperParameterTuningJob", request) == []
    with scripted_world(JobScript([0.5]), Plan([])):
        client("sagemaker").create_hyper_parameter_tuning_job(**request)  # botocore and the service take it


def _rewritten(body: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers in strings are written in one way; everything else in the request's own."""
    written = amt_request(TuningSpec.parse(body))
    config, given = (one["HyperParameterTuningJobConfig"] for one in (written, body))
    assert {n: v for n, v in config.items() if n != "ParameterRanges"} == {
        n: v for n, v in given.items() if n != "ParameterRanges"
    }
    for kind, ranges in (given.get("ParameterRanges") or {}).items():
        for one, other in zip(ranges, config["ParameterRanges"][kind], strict=True):
            assert {n: _number(v) for n, v in one.items()} == {n: _number(v) for n, v in other.items()}
    if "TrainingJobDefinition" in body:
        # A registered algorithm brings its definitions, and so it is given none here either.
        assert written["TrainingJobDefinition"] == body["TrainingJobDefinition"] | {
            "StoppingCondition": body["TrainingJobDefinition"].get("StoppingCondition", {})
        }
    return {"HyperParameterTuningJobConfig": config}


def _number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def test_a_spec_for_our_own_backends_is_understood() -> None:
    asked = spec(
        training_job={
            "command": ["python", "train.py"],
            "stop_grace_seconds": 30,
            "price_per_hour": 0.5,
            "inputs": {"train": "s3://bucket/train"},
            "sagemaker": verbatim(),
        }
    )
    request = amt_request(asked)
    definition = request["TrainingJobDefinition"]
    [channel] = definition["InputDataConfig"]
    assert get(channel, "DataSource.S3DataSource.S3Uri") == "s3://bucket/train"
    # Without one AMT could not read what `report` prints.
    [metric] = definition["AlgorithmSpecification"]["MetricDefinitions"]
    [ours] = definitions(asked.training_job, "accuracy")
    assert metric == {"Name": "accuracy", "Regex": ours.regex}
    assert violations("CreateHyperParameterTuningJob", request) == []


def test_a_registered_algorithm_brings_its_own_metrics() -> None:
    algorithm = {"AlgorithmName": "mine", "TrainingInputMode": "File"}
    request = amt_request(spec(sagemaker={"AlgorithmSpecification": algorithm}))
    assert request["TrainingJobDefinition"]["AlgorithmSpecification"] == algorithm


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"strategy": "QuasiRandom"}, "strategy", "no such strategy"),
    (
        {
            "limits": {"max_number_of_training_jobs": 5, "max_cost": 9.0},
            "training_job": {
                "sagemaker": verbatim(),
                "price_per_hour": 1.0,
                "max_runtime_seconds": 60,
            },
        },
        "limits.max_cost",
        "no place for it",
    ),
    ({"early_stopping": {"type": "Auto", "min_jobs": 3}}, "early_stopping.min_jobs", "no place for it"),
    ({"early_stopping": {"type": "Auto", "grace_epochs": 1}}, "early_stopping.grace_epochs", "no place"),
    ({"best_eligible": "completed_and_stopped"}, "best_eligible", "no place for it"),
    (
        {"limits": {"max_number_of_training_jobs": 5, "max_failed_training_jobs": 2}},
        "limits.max_failed_training_jobs",
        "no place",
    ),
    (
        {"continuous": [{"name": "x", "min_value": 0, "max_value": 1, "step": 0.5}]},
        "continuous[0].step",
        "categorical",
    ),
    (
        {"warm_start": {"type": "TransferLearning", "parents": ["old.csv"]}},
        "warm_start.parents[0]",
        "own tuning jobs",
    ),
    ({"seed": 2**31}, "seed", "at most 2147483647"),
    ({"tags": {HANDED_OFF: "x"}}, f"tags.{HANDED_OFF}", "set by amt-flows"),
    ({"tags": {f"k{i}": "v" for i in range(50)}}, "tags", "one is ours"),
    ({"objective": {"metric_name": "a;b"}}, "objective.metric_name", "a;b"),
    ({"limits": {"max_runtime_seconds": 60}}, "limits.max_runtime_seconds", "120"),
    (
        {"training_job": {"sagemaker": verbatim(), "inputs": {"train": "data"}}},
        "training_job.inputs",
        "InputDataConfig",
    ),
    (
        {"sagemaker": {"OutputDataConfig": {"S3OutputPath": "bucket"}}},
        "training_job.sagemaker.OutputDataConfig.S3OutputPath",
        "form",
    ),
    (
        {"sagemaker": {"EnableNetworkIsolation": "yes"}},
        "training_job.sagemaker.EnableNetworkIsolation",
        "true or false",
    ),
]


@pytest.mark.parametrize(("changes", "field", "words"), REFUSED, ids=[row[1] for row in REFUSED])
def test_what_amt_cant_do_is_refused_before_it_is_asked(
    changes: dict[str, Any], field: str, words: str
) -> None:
    with scripted_world(JobScript([0.5]), Plan([])) as world:
        with pytest.raises(SpecError) as caught:
            opened(world, spec(**changes))
        problem = found(caught.value.problems, field)
        assert words in f"{problem.message} {problem.value}"
        assert world.calls["CreateHyperParameterTuningJob"] == 0


def found(problems: tuple[Problem, ...], field: str) -> Problem:
    named = {problem.field: problem for problem in problems}
    assert field in named, named
    return named[field]


def test_everything_is_refused_at_once() -> None:
    asked = spec(
        strategy="QuasiRandom", best_eligible="completed_and_stopped", seed=2**31, tags={HANDED_OFF: "x"}
    )
    with pytest.raises(SpecError) as caught:
        amt_request(asked)
    assert {problem.field for problem in caught.value.problems} >= {
        "strategy",
        "best_eligible",
        f"tags.{HANDED_OFF}",
    }


def test_algorithms_that_cant_be_compared_are_refused() -> None:
    with pytest.raises(SpecError) as caught:
        amt_request(TuningSpec.parse(two_algorithms()))
    [problem] = caught.value.problems
    assert problem.field == "other_definitions[0].objective.type"
    assert "write Maximize" in problem.message
