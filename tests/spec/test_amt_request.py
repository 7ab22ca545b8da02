"""A verbatim ``CreateHyperParameterTuningJob`` body goes in and comes out; the service's model judges."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, Shape, StructureShape
from botocore.validate import ParamValidator
from hypothesis import given

from amt_flows.errors import SpecError
from amt_flows.spec import (
    StrategyType,
    TuningSpec,
    algorithm_rules,
    amt_reading,
    amt_shape,
    rules,
    sagemaker_rules,
    verbatim,
)
from amt_flows.spec.amt_fields import CONFIG, ONE, SINGLE, VERBATIM, Algorithm, one_of_several, table
from amt_flows.spec.amt_reading import is_amt_request
from amt_flows.spec.amt_request import from_amt_request, to_amt_request, unsupported
from amt_flows.spec.dotted import MISSING
from core import examples
from spec.bodies import BODIES, bayesian, grid, hyperband, two_algorithms
from spec.generated import tuning_jobs
from spec.samples import SAGEMAKER, changed, good, several

MODEL = botocore.session.get_session().get_service_model("sagemaker")
REQUEST: StructureShape = MODEL.operation_model("CreateHyperParameterTuningJob").input_shape

RANGES = f"{CONFIG}.ParameterRanges"
LIMITS = f"{CONFIG}.ResourceLimits"
INSIDE_ONE = Algorithm("", f"{ONE}.TuningObjective", f"{ONE}.HyperParameterRanges", ONE)


def assert_valid(body: dict[str, Any]) -> None:
    report = ParamValidator().validate(body, REQUEST)
    assert not report.has_errors(), report.generate_report()


def comparable(value: Any) -> Any:
    """A body with its numbers as numbers."""
    if isinstance(value, dict):
        return {
            key: float(one) if key in ("MinValue", "MaxValue") else comparable(one)
            for key, one in value.items()
        }
    return [comparable(one) for one in value] if isinstance(value, list) else value


# --- there and back --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BODIES)
def test_a_realistic_body_comes_back_equal(name: str) -> None:
    body = BODIES[name]()
    assert_valid(body)
    before = copy.deepcopy(body)
    written = to_amt_request(TuningSpec.parse(body))
    assert body == before, "the caller's body was changed"
    assert comparable(written) == comparable(body)
    assert_valid(written)


@examples(60)
@given(tuning_jobs())
def test_a_spec_survives_the_request(data: dict[str, Any]) -> None:
    spec = TuningSpec(**data)
    assert unsupported(spec) == []
    body = to_amt_request(spec)
    assert_valid(body)
    again = from_amt_request(body)
    assert again == spec
    assert again.fingerprint() == spec.fingerprint()
    assert to_amt_request(again) == body


def test_what_is_read_is_understood() -> None:
    spec = TuningSpec.parse(bayesian())
    assert spec.name == "churn-2024"
    assert spec.objective.metric_name == "validation:auc"
    assert [(one.name, one.min_value, one.max_value) for one in spec.continuous] == [
        ("eta", 1e-4, 1.0),
        ("momentum", 0.5, 0.999),
    ]
    assert spec.integer[0].max_value == 10
    assert spec.categorical[0].values == ("gbtree", "dart")
    assert spec.limits.max_runtime_seconds == 86400
    assert spec.completion.target_objective_metric_value == 0.95
    assert spec.completion.max_number_of_training_jobs_not_improving == 15
    assert spec.completion.complete_on_convergence
    assert spec.early_stopping.type.value == "Auto"
    assert spec.warm_start is not None
    assert spec.warm_start.parents == ("churn-2022", "churn-2023")
    assert spec.tags == {"team": "growth", "cost-centre": ""}
    assert spec.static_hyperparameters["rounds"] == "100"
    job = spec.training_job
    assert (job.max_runtime_seconds, job.max_retry_attempts) == (3600, 3)
    assert job.environment == {"OMP_NUM_THREADS": "4"}
    assert job.metric_definitions[0].regex == r"auc=(\S+)"


def test_a_mapped_member_is_not_kept_verbatim_too() -> None:
    job = TuningSpec.parse(bayesian()).training_job
    assert set(job.sagemaker) <= set(VERBATIM)
    assert job.sagemaker["StoppingCondition"] == {"MaxWaitTimeInSeconds": 7200}
    assert "MetricDefinitions" not in job.sagemaker["AlgorithmSpecification"]


def test_the_algorithms_of_a_body_become_the_spec_and_its_others() -> None:
    spec = TuningSpec.parse(two_algorithms())
    assert (spec.definition_name, spec.integer[0].name) == ("forest", "trees")
    (other,) = spec.other_definitions
    assert (other.definition_name, other.continuous[0].name) == ("net", "lr")
    assert other.objective.type.value == "Minimize"
    assert other.static_hyperparameters == {"epochs": "10"}


def test_no_retry_strategy_means_no_retries_and_our_default_is_written_out() -> None:
    assert TuningSpec.parse(grid()).training_job.max_retry_attempts == 0
    spec = TuningSpec(**{**good(), "training_job": {"sagemaker": SAGEMAKER}})
    assert to_amt_request(spec)[ONE]["RetryStrategy"] == {"MaximumRetryAttempts": 2}


def test_other_placements_that_amt_allows_are_read_as_the_usual_ones() -> None:
    usual = bayesian()
    moved = bayesian()
    moved[ONE]["TuningObjective"] = moved[CONFIG].pop("HyperParameterTuningJobObjective")
    moved[ONE]["HyperParameterRanges"] = moved[CONFIG].pop("ParameterRanges")
    assert_valid(moved)
    assert from_amt_request(moved) == from_amt_request(usual)
    listed = copy.deepcopy(moved)
    listed["TrainingJobDefinitions"] = [listed.pop(ONE)]
    assert_valid(listed)
    assert from_amt_request(listed) == from_amt_request(usual)


def test_numbers_need_no_quotes_and_the_name_may_wait() -> None:
    body = changed(
        bayesian(),
        {
            f"{RANGES}.IntegerParameterRanges[0].MinValue": 1,
            f"{RANGES}.ContinuousParameterRanges[0].MaxValue": 1.0,
            f"{ONE}.StaticHyperParameters.rounds": 100,
        },
    )
    del body["HyperParameterTuningJobName"]
    assert from_amt_request(body) == from_amt_request(bayesian()).model_copy(update={"name": None})


@pytest.mark.parametrize("key", ["epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs"])
def test_hyperband_takes_its_epochs_from_a_static_hyperparameter(key: str) -> None:
    body = changed(
        hyperband(), {f"{CONFIG}.StrategyConfig": MISSING, f"{ONE}.StaticHyperParameters": {key: "81"}}
    )
    spec = from_amt_request(body)
    assert spec.hyperband is not None
    assert spec.hyperband.max_resource == 81


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (bayesian(), True),
        ({ONE: {}}, True),
        ({"HyperParameterTuningJobName": "x", "Tags": []}, True),
        ({"HyperParameterTuningJobConfg": {}}, True),
        (good(), False),
        ({**good(), "Strategy": "Random"}, False),
        ({}, False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_request_is_told_from_a_spec(data: dict[str, Any], answer: bool) -> None:
    assert is_amt_request(data) is answer


# --- what AMT's request can't say ------------------------------------------------------------------------

OWN_ONLY: list[tuple[dict[str, Any], str]] = [
    ({"strategy": "QuasiRandom"}, "strategy"),
    ({"continuous[0].step": 0.01}, "continuous[0].step"),
    ({"integer[0].step": 2}, "integer[0].step"),
    (
        {"limits.max_cost": 3, "training_job.price_per_hour": 1, "training_job.max_runtime_seconds": 9},
        "limits.max_cost",
    ),
    ({"limits.max_failed_training_jobs": 3}, "limits.max_failed_training_jobs"),
    (
        {"completion": {"target_objective_metric_value": 1, "target_on_epochs": True}},
        "completion.target_on_epochs",
    ),
    ({"completion": {"min_relative_improvement": 0.1}}, "completion.min_relative_improvement"),
    ({"early_stopping": {"type": "Auto", "min_jobs": 1}}, "early_stopping.min_jobs"),
    ({"early_stopping": {"type": "Auto", "compare_with": "all"}}, "early_stopping.compare_with"),
    ({"early_stopping": {"type": "Auto", "grace_epochs": 0}}, "early_stopping.grace_epochs"),
    ({"best_eligible": "completed_and_stopped"}, "best_eligible"),
    ({"training_job.command": "train"}, "training_job.command"),
    ({"training_job.function": "a:b"}, "training_job.function"),
    ({"training_job.inputs": {"train": "s3://bucket"}}, "training_job.inputs"),
    ({"training_job.working_directory": "x"}, "training_job.working_directory"),
    ({"training_job.hyperparameters_as_arguments": False}, "training_job.hyperparameters_as_arguments"),
    ({"training_job.stop_grace_seconds": 1}, "training_job.stop_grace_seconds"),
]
READY = {**good(), "training_job": {"sagemaker": SAGEMAKER}}


@pytest.mark.parametrize(("changes", "field"), OWN_ONLY, ids=[field for _, field in OWN_ONLY])
def test_a_setting_without_a_place_is_refused_unless_it_may_be_dropped(
    changes: dict[str, Any], field: str
) -> None:
    spec = TuningSpec(**changed(READY, changes))
    with pytest.raises(SpecError) as caught:
        to_amt_request(spec)
    assert field in {problem.field for problem in caught.value.problems}
    body = to_amt_request(spec, drop_unsupported=True)
    assert_valid(body)
    assert unsupported(from_amt_request(body)) == []


def test_every_setting_of_another_algorithm_without_a_place_is_found() -> None:
    spec = TuningSpec(**several())
    assert {problem.field for problem in unsupported(spec)} == {
        "training_job.command",
        "other_definitions[0].training_job.command",
    }


def test_quasi_random_becomes_random_when_it_may_be_dropped() -> None:
    spec = TuningSpec(**{**READY, "strategy": "QuasiRandom"})
    body = to_amt_request(spec, drop_unsupported=True)
    assert from_amt_request(body).strategy is StrategyType.RANDOM


def test_what_amt_would_refuse_is_refused_even_when_settings_may_be_dropped() -> None:
    spec = TuningSpec(**{**good(), "name": None, "limits": {"max_runtime_seconds": 60}})
    with pytest.raises(SpecError) as caught:
        to_amt_request(spec, drop_unsupported=True)
    fields = {problem.field for problem in caught.value.problems}
    assert {"name", "limits.max_runtime_seconds", "training_job.sagemaker.RoleArn"} <= fields


# --- against the service's own model ---------------------------------------------------------------------


def structures(shape: Shape, path: str = "") -> Iterator[tuple[str, StructureShape]]:
    """Every object of the request that is ours to map, by its path."""
    if isinstance(shape, ListShape):
        yield from structures(shape.member, path)
    if isinstance(shape, StructureShape):
        yield path, shape
        for name, member in shape.members.items():
            if not path.endswith(("Definition", "Definitions")) or name not in VERBATIM:
                yield from structures(member, f"{path}.{name}".lstrip("."))


EVERYWHERE = [SINGLE, INSIDE_ONE, one_of_several(0)]


def test_every_member_of_the_request_has_a_place() -> None:
    """Mapped, or kept verbatim; and nothing that the service doesn't know."""
    ours = amt_shape.request_shape(EVERYWHERE)
    checked = []
    for path, structure in structures(REQUEST):
        assert set(ours.at(path).names) == set(structure.members), path
        checked.append(structure.name)
    assert {
        "CreateHyperParameterTuningJobRequest",
        "HyperParameterTuningJobConfig",
        "ResourceLimits",
        "TuningJobCompletionCriteria",
        "HyperbandStrategyConfig",
        "ParameterRanges",
        "AutoParameter",
        "HyperParameterTrainingJobDefinition",
        "RetryStrategy",
        "HyperParameterTuningJobWarmStartConfig",
        "Tag",
        "Autotune",
    } <= set(checked)


def test_partly_mapped_objects_have_the_members_that_are_mapped() -> None:
    for name in ("AlgorithmSpecification", "StoppingCondition"):
        theirs = MODEL.shape_for("HyperParameterTrainingJobDefinition").members[name].members
        assert set(amt_shape.request_shape([SINGLE]).at(f"{ONE}.{name}").members) < set(theirs)


def test_what_the_service_requires_is_needed() -> None:
    """Except for the tuning job's name, which we derive, and what only SageMaker needs of a definition."""
    needed = {place.amt for place in table([SINGLE]) if place.needed}
    needed |= {f"{place.amt}.{item.amt}" for place in table([SINGLE]) for item in place.items if item.needed}
    needed |= {CONFIG, LIMITS, "HyperParameterTuningJobName"}
    for path, structure in structures(REQUEST):
        if path == ONE or path.startswith(
            ("TrainingJobDefinitions", INSIDE_ONE.objective, INSIDE_ONE.ranges)
        ):
            continue
        for name in structure.required_members:
            assert f"{path}.{name}".lstrip(".") in needed


@pytest.mark.parametrize(
    ("shape", "key", "ours"),
    [
        ("ContinuousParameterRanges", "max", algorithm_rules.MAX_TUNABLE),
        ("HyperParameters", "max", algorithm_rules.MAX_HYPERPARAMETERS),
        ("HyperParameterValue", "max", algorithm_rules.MAX_STATIC_VALUE),
        ("ParameterKey", "max", algorithm_rules.MAX_NAME),
        ("ParameterValue", "max", algorithm_rules.MAX_VALUE),
        ("MetricDefinitionList", "max", algorithm_rules.MAX_METRICS),
        ("InputDataConfig", "max", verbatim.MAX_CHANNELS),
        ("HyperParameterTuningInstanceConfigs", "max", verbatim.MAX_INSTANCE_CONFIGS),
        ("HyperParameterTrainingJobEnvironmentMap", "max", rules.MAX_ENVIRONMENT),
        ("HyperParameterTrainingJobEnvironmentValue", "max", sagemaker_rules.MAX_VARIABLE),
        ("TagList", "max", rules.MAX_TAGS),
        ("TagKey", "max", rules.MAX_TAG_KEY),
        ("TagValue", "max", rules.MAX_TAG_VALUE),
        ("HyperParameterTrainingJobDefinitions", "max", amt_reading.MAX_DEFINITIONS),
        ("HyperParameterTuningMaxRuntimeInSeconds", "min", sagemaker_rules.TUNING_RUNTIME[0]),
        ("HyperParameterTuningMaxRuntimeInSeconds", "max", sagemaker_rules.TUNING_RUNTIME[1]),
        ("MaxNumberOfTrainingJobsNotImproving", "min", sagemaker_rules.MIN_NOT_IMPROVING),
        ("RoleArn", "pattern", sagemaker_rules.ROLE.pattern),
        ("HyperParameterTrainingJobDefinitionName", "pattern", rules.DEFINITION_NAME.pattern),
        ("HyperParameterTrainingJobEnvironmentKey", "pattern", algorithm_rules.VARIABLE.pattern),
    ],
)
def test_our_limits_are_the_services(shape: str, key: str, ours: object) -> None:
    theirs = MODEL.shape_for(shape).metadata[key]
    # A pattern holds for the whole text; older models of botocore say so by ^ and $.
    assert (theirs.removeprefix("^").removesuffix("$") if key == "pattern" else theirs) == ours
