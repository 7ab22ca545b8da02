"""What is wrong with a request body is said in AMT's own paths and names."""

from __future__ import annotations

from typing import Any

import pytest

from amt_flows.spec.amt_fields import CONFIG, ONE
from amt_flows.spec.dotted import MISSING
from spec.bodies import bayesian, definition, two_algorithms
from spec.samples import changed, problems_of

RANGES = f"{CONFIG}.ParameterRanges"
LIMITS = f"{CONFIG}.ResourceLimits"
FLOATS, INTEGERS = f"{RANGES}.ContinuousParameterRanges", f"{RANGES}.IntegerParameterRanges"
PARENTS = "WarmStartConfig.ParentHyperParameterTuningJobs"
OBJECTIVE = f"{CONFIG}.HyperParameterTuningJobObjective"

# (what is changed in the Bayesian body, the field of the one problem, words of its message)
BAD_BODY: list[tuple[dict[str, Any], str, str]] = [
    # values
    ({f"{FLOATS}[0].MinValue": "2"}, f"{FLOATS}[0].MaxValue", "`MinValue`"),
    ({f"{FLOATS}[0].MinValue": "low"}, f"{FLOATS}[0].MinValue", "a number"),
    ({f"{FLOATS}[0].MinValue": "0"}, f"{FLOATS}[0].MinValue", "Logarithmic"),
    ({f"{INTEGERS}[0].MaxValue": "1.5"}, f"{INTEGERS}[0].MaxValue", "whole number"),
    ({f"{INTEGERS}[0].ScalingType": "log"}, f"{INTEGERS}[0].ScalingType", "write `Logarithmic`"),
    ({f"{INTEGERS}[0].Name": "eta"}, f"{INTEGERS}[0].Name", f"`{FLOATS}[0]`"),
    (
        {f"{RANGES}.CategoricalParameterRanges[0].Values": []},
        f"{RANGES}.CategoricalParameterRanges[0].Values",
        "empty",
    ),
    ({f"{OBJECTIVE}.Type": "max"}, f"{OBJECTIVE}.Type", "write `Maximize`"),
    ({f"{OBJECTIVE}.MetricName": "auc"}, f"{OBJECTIVE}.MetricName", "validation:auc"),
    ({f"{CONFIG}.Strategy": "bayes"}, f"{CONFIG}.Strategy", "write `Bayesian`"),
    ({f"{CONFIG}.Strategy": "QuasiRandom"}, f"{CONFIG}.Strategy", "no such strategy"),
    ({f"{LIMITS}.MaxParallelTrainingJobs": 0}, f"{LIMITS}.MaxParallelTrainingJobs", "at least 1"),
    ({f"{CONFIG}.RandomSeed": -1}, f"{CONFIG}.RandomSeed", "at least 0"),
    ({f"{CONFIG}.TrainingJobEarlyStoppingType": "On"}, f"{CONFIG}.TrainingJobEarlyStoppingType", "Off, Auto"),
    (
        {f"{CONFIG}.TuningJobCompletionCriteria.ConvergenceDetected.CompleteOnConvergence": True},
        f"{CONFIG}.TuningJobCompletionCriteria.ConvergenceDetected.CompleteOnConvergence",
        "Enabled or Disabled",
    ),
    ({"HyperParameterTuningJobName": "my job"}, "HyperParameterTuningJobName", "my-job"),
    ({"WarmStartConfig.WarmStartType": "Transfer"}, "WarmStartConfig.WarmStartType", "TransferLearning"),
    (
        {f"{PARENTS}[1].HyperParameterTuningJobName": "a b"},
        f"{PARENTS}[1].HyperParameterTuningJobName",
        "not the name",
    ),
    ({"Tags[1].Value": "v" * 257}, "Tags[1].Value", "256"),
    ({"Tags[1].Key": "team"}, "Tags", "more than once: team"),
    ({"Autotune": {"Mode": "Disabled"}}, "Autotune.Mode", "leave Autotune out"),
    ({f"{ONE}.RetryStrategy.MaximumRetryAttempts": 0}, f"{ONE}.RetryStrategy.MaximumRetryAttempts", "leave"),
    (
        {f"{ONE}.RetryStrategy.MaximumRetryAttempts": 31},
        f"{ONE}.RetryStrategy.MaximumRetryAttempts",
        "at most 30",
    ),
    ({f"{ONE}.StaticHyperParameters.rounds": None}, f"{ONE}.StaticHyperParameters.rounds", "a text"),
    ({f"{ONE}.Environment": {"A-B": "x"}}, f"{ONE}.Environment.A-B", "rename"),
    ({f"{ONE}.EnableManagedSpotTraining": False}, f"{ONE}.StoppingCondition.MaxWaitTimeInSeconds", "spot"),
    (
        {f"{ONE}.StoppingCondition.MaxWaitTimeInSeconds": 60},
        f"{ONE}.StoppingCondition.MaxWaitTimeInSeconds",
        f"`{ONE}.StoppingCondition.MaxRuntimeInSeconds`",
    ),
    (
        {f"{ONE}.AlgorithmSpecification.MetricDefinitions[0].Regex": "auc=x"},
        f"{ONE}.AlgorithmSpecification.MetricDefinitions[0].Regex",
        "parentheses",
    ),
    (
        {f"{ONE}.TuningObjective.Type": "Maximize"},
        f"{ONE}.TuningObjective.Type",
        f"write `{OBJECTIVE}.Type`",
    ),
    # members
    ({f"{CONFIG}.Stategy": "Random"}, f"{CONFIG}.Stategy", "write `Strategy`"),
    ({f"{LIMITS}.MaxRuntime": 200}, f"{LIMITS}.MaxRuntime", "write `MaxRuntimeInSeconds`"),
    ({f"{FLOATS}[0].Min": "0"}, f"{FLOATS}[0].Min", "write `MinValue`"),
    ({f"{FLOATS}[0].Colour": "red"}, f"{FLOATS}[0].Colour", "the members here are Name, MinValue"),
    ({f"{ONE}.RoleARN": "x"}, f"{ONE}.RoleARN", "write `RoleArn`"),
    ({f"{ONE}.Enviroment": {}}, f"{ONE}.Enviroment", "write `Environment`"),
    ({"Tag": []}, "Tag", "write `Tags`"),
    # needed ones
    ({CONFIG: MISSING}, CONFIG, "is needed"),
    ({LIMITS: MISSING}, LIMITS, "is needed"),
    ({f"{CONFIG}.Strategy": MISSING}, f"{CONFIG}.Strategy", "is needed"),
    ({f"{LIMITS}.MaxParallelTrainingJobs": MISSING}, f"{LIMITS}.MaxParallelTrainingJobs", "is needed"),
    ({OBJECTIVE: MISSING}, OBJECTIVE, "is needed"),
    ({f"{OBJECTIVE}.Type": MISSING}, f"{OBJECTIVE}.Type", "is needed"),
    ({f"{OBJECTIVE}.MetricName": MISSING}, f"{OBJECTIVE}.MetricName", "is needed"),
    ({f"{FLOATS}[1].MaxValue": MISSING}, f"{FLOATS}[1].MaxValue", "is needed"),
    ({"Tags[0].Value": MISSING}, "Tags[0].Value", "is needed"),
    ({f"{PARENTS}[0]": {}}, f"{PARENTS}[0].HyperParameterTuningJobName", "is needed"),
    ({"WarmStartConfig.WarmStartType": MISSING}, "WarmStartConfig.WarmStartType", "is needed"),
    # kinds of values
    ({FLOATS: {"Name": "eta"}}, FLOATS, "a list of objects with the members Name, MinValue"),
    ({f"{FLOATS}[0]": "eta"}, f"{FLOATS}[0]", "an object with the members Name, MinValue"),
    ({LIMITS: 5}, LIMITS, "an object with the members MaxParallelTrainingJobs"),
    ({ONE: "x"}, ONE, "an object"),
    ({"Tags": {"team": "growth"}}, "Tags", "a list of objects with the members Key, Value"),
    ({"TrainingJobDefinitions": [definition()]}, ONE, "move it"),
]


@pytest.mark.parametrize(("changes", "field", "words"), BAD_BODY, ids=[str(row[0])[:80] for row in BAD_BODY])
def test_an_error_names_amts_path(changes: dict[str, Any], field: str, words: str) -> None:
    problems = problems_of(changed(bayesian(), changes))
    assert list(problems) == [field]
    assert words in problems[field].message


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        (
            {"TrainingJobDefinitions[1].HyperParameterRanges.ContinuousParameterRanges[0].MinValue": "1"},
            "TrainingJobDefinitions[1].HyperParameterRanges.ContinuousParameterRanges[0].MaxValue",
            "`MinValue`",
        ),
        (
            {"TrainingJobDefinitions[1].TuningObjective.Type": "up"},
            "TrainingJobDefinitions[1].TuningObjective.Type",
            "Maximize",
        ),
        (
            {"TrainingJobDefinitions[1].DefinitionName": "forest"},
            "TrainingJobDefinitions[1].DefinitionName",
            "twice",
        ),
        (
            {"TrainingJobDefinitions[1].DefinitionName": MISSING},
            "TrainingJobDefinitions[1].DefinitionName",
            "is needed",
        ),
        (
            {"TrainingJobDefinitions[0].DefinitionName": MISSING},
            "TrainingJobDefinitions[0].DefinitionName",
            "is needed",
        ),
        ({"TrainingJobDefinitions[1]": "x"}, "TrainingJobDefinitions[1]", "an object"),
        ({"TrainingJobDefinitions": [definition()] * 11}, "TrainingJobDefinitions", "1 to 10"),
        ({"TrainingJobDefinitions": []}, "TrainingJobDefinitions", "1 to 10"),
        (
            {"TrainingJobDefinitions[1].RoleARN": "x"},
            "TrainingJobDefinitions[1].RoleARN",
            "`RoleArn`",
        ),
        ({RANGES: {}}, RANGES, "HyperParameterRanges"),
        (
            {f"{CONFIG}.TrainingJobEarlyStoppingType": "Auto"},
            f"{CONFIG}.TrainingJobEarlyStoppingType",
            "several",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_error_in_one_of_several_algorithms(changes: dict[str, Any], field: str, words: str) -> None:
    problems = problems_of(changed(two_algorithms(), changes))
    assert list(problems) == [field]
    assert words in problems[field].message


def test_errors_in_a_body_are_reported_together() -> None:
    problems = problems_of(
        changed(
            bayesian(),
            {
                f"{CONFIG}.Stategy": "Random",
                f"{FLOATS}[0].MinValue": "high",
                f"{LIMITS}.MaxParallelTrainingJobs": MISSING,
                f"{ONE}.RoleARN": "x",
                "Tags[0].Key": MISSING,
                "Autotune.Mode": "On",
                "HyperParameterTuningJobName": 3,
            },
        )
    )
    assert {
        f"{CONFIG}.Stategy",
        f"{FLOATS}[0].MinValue",
        f"{LIMITS}.MaxParallelTrainingJobs",
        f"{ONE}.RoleARN",
        "Tags[0].Key",
        "Autotune.Mode",
        "HyperParameterTuningJobName",
    } <= set(problems)


def test_what_follows_from_a_misspelt_member_is_not_reported() -> None:
    body = bayesian()
    body[CONFIG]["ResourceLimit"] = body[CONFIG].pop("ResourceLimits")
    body[ONE]["StaticHyperparameters"] = body[ONE].pop("StaticHyperParameters")
    assert set(problems_of(body)) == {f"{CONFIG}.ResourceLimit", f"{ONE}.StaticHyperparameters"}
