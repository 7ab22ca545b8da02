"""Each rule refuses what it is about, under the right field, in words that help; and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from amt_flows.spec import TuningSpec
from amt_flows.spec.dotted import MISSING
from amt_flows.spec.rules import grid_size
from spec.samples import REGEX, SAGEMAKER, changed, good, one_definition, problems_of, several

Changes = dict[str, Any]
SPOT = {**SAGEMAKER, "EnableManagedSpotTraining": True}
GRID = {"strategy": "Grid", "continuous": MISSING, "limits": MISSING}


def instances(count: int) -> dict[str, Any]:
    return {"HyperParameterTuningResourceConfig": {"InstanceConfigs": [{}] * count}}


def named(count: int, kind: str = "lr") -> list[dict[str, Any]]:
    return [{"name": f"{kind}{i}", "min_value": 0, "max_value": 1} for i in range(count)]


# (what is changed in a good spec, the field of the one problem, words of its message)
BROKEN: list[tuple[Changes, str, str]] = [
    # names
    ({"name": "my job"}, "name", "such as my-job"),
    ({"name": "-job"}, "name", "no hyphen at either end"),
    ({"name": "a" + "-" * 32 + "b"}, "name", "1 to 32"),
    ({"name": ""}, "name", "1 to 32"),
    ({"integer[0].name": "lr"}, "integer[0].name", "`continuous[0]`"),
    ({"categorical[0].name": "layers"}, "categorical[0].name", "`integer[0]`"),
    ({"static_hyperparameters": {"lr": 1}}, "static_hyperparameters.lr", "one place only"),
    ({"auto_parameters": [{"name": "lr", "value_hint": 1}]}, "auto_parameters[0].name", "`continuous[0]`"),
    ({"static_hyperparameters": {"n" * 257: 1}}, f"static_hyperparameters.{'n' * 257}", "256"),
    ({"static_hyperparameters": {"big": "x" * 2501}}, "static_hyperparameters.big", "2500"),
    # modules to import first
    (
        {"training_job.command": "sh -c true", "training_job.warm": ["torch"]},
        "training_job.warm",
        "script.py",
    ),
    (
        {"training_job.command": "python -u a.py", "training_job.warm": ["os"]},
        "training_job.warm",
        "no option",
    ),
    (
        {"training_job.command": "python a.py", "training_job.warm": ["a b"]},
        "training_job.warm[0]",
        "`import`",
    ),
    # what a training job needs
    ({"training_job.resources": {"gpus": 1.5}}, "training_job.resources.gpus", "a whole number"),
    ({"training_job.resources": {"gpus": 1e-6}}, "training_job.resources.gpus", "at least 0.001"),
    (
        {"training_job.resources": {"custom": {"GPU": 1}}},
        "training_job.resources.custom.GPU",
        "resources.gpus",
    ),
    # how many
    ({"continuous": MISSING, "integer": MISSING, "categorical": MISSING}, "continuous", "nothing to tune"),
    ({"continuous": named(29)}, "continuous", "at most 30"),
    ({"static_hyperparameters": {f"s{i}": i for i in range(98)}}, "static_hyperparameters", "at most 100"),
    # ranges
    ({"continuous[0].max_value": 1e-5}, "continuous[0].max_value", "static hyperparameter"),
    ({"continuous[0].max_value": 1e-6}, "continuous[0].max_value", "swap"),
    ({"integer[0].max_value": 1}, "integer[0].max_value", "make layers a static"),
    ({"integer[0].max_value": -1}, "integer[0].max_value", "greater than `min_value`, which is 1"),
    ({"integer[0].max_value": 10**400}, "integer[0].max_value", "narrow"),
    (
        {"continuous[0].min_value": -1e308, "continuous[0].max_value": 1e308},
        "continuous[0].max_value",
        "narrow",
    ),
    (
        {"continuous[0].scaling_type": "Logarithmic", "continuous[0].min_value": 0},
        "continuous[0].min_value",
        "greater than 0",
    ),
    (
        {"integer[0].scaling_type": "Logarithmic", "integer[0].min_value": -1},
        "integer[0].min_value",
        "use Linear",
    ),
    ({"integer[0].scaling_type": "ReverseLogarithmic"}, "integer[0].scaling_type", "real numbers"),
    (
        {"continuous[0].scaling_type": "ReverseLogarithmic", "continuous[0].max_value": 1},
        "continuous[0].max_value",
        "less than 1",
    ),
    (
        {"continuous[0].scaling_type": "ReverseLogarithmic", "continuous[0].min_value": -0.1},
        "continuous[0].min_value",
        "at least 0",
    ),
    ({"continuous[0].step": 0.2}, "continuous[0].step", "larger than the whole range"),
    ({"integer[0].step": 8}, "integer[0].step", "at most 7"),
    ({"categorical[0].values": ["adam", "sgd", "adam"]}, "categorical[0].values[2]", "twice"),
    ({"categorical[0].values": [1, "1"]}, "categorical[0].values[1]", "twice"),
    ({"categorical[0].values": ["x" * 257]}, "categorical[0].values[0]", "256"),
    # metrics
    (
        {"training_job.metric_definitions": [{"name": f"m{i}", "regex": REGEX} for i in range(40)]},
        "objective.metric_name",
        "no metric definition has this name",
    ),
    (
        {
            "training_job.metric_definitions": [
                {"name": name, "regex": REGEX} for name in ("accuracy", *map(str, range(40)))
            ]
        },
        "training_job.metric_definitions",
        "at most 40",
    ),
    (
        {"training_job.metric_definitions": [{"name": "accuracy", "regex": REGEX}] * 2},
        "training_job.metric_definitions[1].name",
        "twice",
    ),
    (
        {"training_job.metric_definitions": [{"name": "accuracy", "regex": "acc=[0-9.]+"}]},
        "training_job.metric_definitions[0].regex",
        "parentheses",
    ),
    (
        {"training_job.metric_definitions": [{"name": "accuracy", "regex": "acc=("}]},
        "training_job.metric_definitions[0].regex",
        "not a regular expression",
    ),
    # what ends it
    ({"limits": MISSING}, "limits", "max_number_of_training_jobs"),
    ({"limits": {"max_parallel_training_jobs": 4}}, "limits", "nothing would ever end"),
    (
        {"limits.max_cost": 10, "training_job.price_per_hour": 2},
        "training_job.max_runtime_seconds",
        "max_cost",
    ),
    (
        {"limits.max_cost": 10, "training_job.max_runtime_seconds": 60},
        "training_job.price_per_hour",
        "max_cost",
    ),
    (
        {
            "limits.max_cost": 10,
            "training_job.max_runtime_seconds": 60,
            "training_job.price_per_hour": 0,
        },
        "training_job.price_per_hour",
        "above 0",
    ),
    ({"completion": {"target_on_epochs": True}}, "completion.target_on_epochs", "there is no target"),
    # strategies
    (
        {"strategy": "Hyperband", "hyperband": {"max_resource": 9}, "early_stopping": {"type": "Auto"}},
        "early_stopping.type",
        "write Off",
    ),
    ({"strategy": "Hyperband"}, "hyperband.max_resource", "the most epochs"),
    ({"hyperband": {"max_resource": 9}}, "hyperband", "`strategy` is Bayesian"),
    (
        {"strategy": "Hyperband", "hyperband": {"min_resource": 10, "max_resource": 9}},
        "hyperband.max_resource",
        "at least `min_resource`, which is 10",
    ),
    ({"strategy": "Grid", "limits": MISSING}, "continuous[0].step", "values of lr"),
    (
        {**GRID, "auto_parameters": [{"name": "momentum", "value_hint": "0.9"}]},
        "auto_parameters",
        "which values",
    ),
    (
        {**GRID, "limits": {"max_number_of_training_jobs": 15}},
        "limits.max_number_of_training_jobs",
        "write 16",
    ),
    # warm start
    (
        {"warm_start": {"type": "TransferLearning", "parents": ["one", "One"]}},
        "warm_start.parents[1]",
        "twice",
    ),
    (
        {"warm_start": {"type": "TransferLearning", "parents": ["no good"]}},
        "warm_start.parents[0]",
        "not the name",
    ),
    ({"warm_start": {"type": "TransferLearning", "parents": ["DEMO"]}}, "warm_start.parents[0]", "itself"),
    # the training job
    ({"training_job.function": "pkg.mod:train"}, "training_job.function", "not both"),
    ({"training_job": {"function": "pkg.mod.train"}}, "training_job.function", "a colon"),
    ({"training_job": {"function": "pkg..mod:train"}}, "training_job.function", "a colon"),
    ({"training_job.inputs": {str(i): "x" for i in range(21)}}, "training_job.inputs", "at most 20"),
    ({"training_job.inputs": {"my data": "x"}}, "training_job.inputs.my data", "rename"),
    (
        {"training_job.environment": {f"V{i}": "x" for i in range(49)}},
        "training_job.environment",
        "at most 48",
    ),
    ({"training_job.environment": {"1ST": "x"}}, "training_job.environment.1ST", "begin with a digit"),
    ({"training_job.environment": {"A-B": "x"}}, "training_job.environment.A-B", "rename"),
    # tags
    ({"tags": {f"t{i}": "x" for i in range(51)}}, "tags", "at most 50"),
    ({"tags": {"k" * 129: "x"}}, f"tags.{'k' * 129}", "1 to 128"),
    ({"tags": {"team": "x" * 257}}, "tags.team", "256"),
    ({"tags": {"team": "a;b"}}, "tags.team", "can't hold ;"),
    ({"tags": {"aws:team": "x"}}, "tags.aws:team", "service's own"),
    # AMT's own words
    (
        {"training_job.sagemaker": {**SAGEMAKER, "Environment": {"A": "b"}}},
        "training_job.sagemaker.Environment",
        "`training_job.environment`",
    ),
    (
        {"training_job.sagemaker": {"RetryStrategy": {"MaximumRetryAttempts": 3}}},
        "training_job.sagemaker.RetryStrategy.MaximumRetryAttempts",
        "`training_job.max_retry_attempts`",
    ),
    (
        {"training_job.sagemaker": {"StoppingCondition": {"MaxRuntimeInSeconds": 3}}},
        "training_job.sagemaker.StoppingCondition.MaxRuntimeInSeconds",
        "`training_job.max_runtime_seconds`",
    ),
    (
        {"training_job.sagemaker": {"TuningObjective": {"Type": "Maximize"}}},
        "training_job.sagemaker.TuningObjective.Type",
        "`objective.type`",
    ),
    (
        {"training_job.sagemaker": {"HyperParameterRanges": {}}},
        "training_job.sagemaker.HyperParameterRanges",
        "fields of its own",
    ),
    ({"training_job.sagemaker": {"RoleARN": "x"}}, "training_job.sagemaker.RoleARN", "`RoleArn`"),
    ({"training_job.sagemaker": {"role_arn": "x"}}, "training_job.sagemaker.role_arn", "`RoleArn`"),
    ({"training_job.sagemaker": {"VpcConfig": "x"}}, "training_job.sagemaker.VpcConfig", "an object"),
    (
        {"training_job.sagemaker": {**SAGEMAKER, **instances(1)}},
        "training_job.sagemaker.HyperParameterTuningResourceConfig",
        "leave one",
    ),
    (
        {"training_job.sagemaker": instances(0)},
        "training_job.sagemaker.HyperParameterTuningResourceConfig.InstanceConfigs",
        "1 to 6",
    ),
    (
        {"training_job.sagemaker": instances(7)},
        "training_job.sagemaker.HyperParameterTuningResourceConfig.InstanceConfigs",
        "1 to 6",
    ),
    (
        {
            "training_job.sagemaker": {
                "HyperParameterTuningResourceConfig": {"InstanceConfigs": [{}], "InstanceCount": 1}
            }
        },
        "training_job.sagemaker.HyperParameterTuningResourceConfig.InstanceCount",
        "move it",
    ),
    (
        {"training_job.sagemaker": {"HyperParameterTuningResourceConfig": {"AllocationStrategy": "Cheap"}}},
        "training_job.sagemaker.HyperParameterTuningResourceConfig.AllocationStrategy",
        "Prioritized",
    ),
    (
        {"training_job.sagemaker": SPOT},
        "training_job.sagemaker.StoppingCondition.MaxWaitTimeInSeconds",
        "needs it",
    ),
    (
        {
            "training_job.sagemaker": {**SPOT, "StoppingCondition": {"MaxWaitTimeInSeconds": 3599}},
            "training_job.max_runtime_seconds": 3600,
        },
        "training_job.sagemaker.StoppingCondition.MaxWaitTimeInSeconds",
        "which is 3600",
    ),
    (
        {"training_job.sagemaker": {**SPOT, "StoppingCondition": {"MaxWaitTimeInSeconds": 3600}}},
        "training_job.sagemaker.StoppingCondition.MaxWaitTimeInSeconds",
        "86400 (AMT's default)",
    ),
    (
        {"training_job.sagemaker": {"StoppingCondition": {"MaxWaitTimeInSeconds": 3600}}},
        "training_job.sagemaker.StoppingCondition.MaxWaitTimeInSeconds",
        "spot",
    ),
    (
        {"training_job.sagemaker": {"InputDataConfig": []}},
        "training_job.sagemaker.InputDataConfig",
        "1 to 20",
    ),
    (
        {"training_job.sagemaker": {"InputDataConfig": [{"ChannelName": "a"}, {"ChannelName": "a"}]}},
        "training_job.sagemaker.InputDataConfig[1].ChannelName",
        "twice",
    ),
]

# The same for a good spec of two algorithms.
BROKEN_SEVERAL: list[tuple[Changes, str, str]] = [
    ({"definition_name": MISSING}, "definition_name", "is needed"),
    ({"definition_name": "a b"}, "definition_name", "1 to 64"),
    ({"other_definitions[0].definition_name": "first"}, "other_definitions[0].definition_name", "twice"),
    ({"other_definitions": [one_definition()] * 10}, "other_definitions", "at most 9"),
    ({"other_definitions[0].integer": MISSING}, "other_definitions[0].continuous", "nothing to tune"),
    (
        {"other_definitions[0].integer[0].max_value": 1},
        "other_definitions[0].integer[0].max_value",
        "swap",
    ),
    (
        {"other_definitions[0].static_hyperparameters": {"trees": 1}},
        "other_definitions[0].static_hyperparameters.trees",
        "`other_definitions[0].integer[0]`",
    ),
    (
        {"other_definitions[0].training_job.sagemaker": {"Environment": {}}},
        "other_definitions[0].training_job.sagemaker.Environment",
        "`other_definitions[0].training_job.environment`",
    ),
    ({"early_stopping": {"type": "Auto"}}, "early_stopping.type", "several algorithms"),
    ({"warm_start": {"type": "TransferLearning", "parents": ["old"]}}, "warm_start", "several algorithms"),
    (
        {
            "training_job.environment": {f"A{i}": "x" for i in range(30)},
            "other_definitions[0].training_job.environment": {f"B{i}": "x" for i in range(19)},
        },
        "training_job.environment",
        "over all algorithms",
    ),
    (
        {
            "limits.max_cost": 1,
            "training_job.price_per_hour": 1,
            "training_job.max_runtime_seconds": 60,
            "other_definitions[0].training_job.price_per_hour": 1,
        },
        "other_definitions[0].training_job.max_runtime_seconds",
        "max_cost",
    ),
]


def ids(table: list[tuple[Changes, str, str]]) -> list[str]:
    return [f"{field[:60]}: {words[:30]}" for _, field, words in table]


@pytest.mark.parametrize(("changes", "field", "words"), BROKEN, ids=ids(BROKEN))
def test_a_broken_rule_is_the_one_problem(changes: Changes, field: str, words: str) -> None:
    problems = problems_of(changed(good(), changes))
    assert list(problems) == [field]
    assert words in problems[field].message


@pytest.mark.parametrize(("changes", "field", "words"), BROKEN_SEVERAL, ids=ids(BROKEN_SEVERAL))
def test_a_broken_rule_of_several_algorithms(changes: Changes, field: str, words: str) -> None:
    problems = problems_of(changed(several(), changes))
    assert list(problems) == [field]
    assert words in problems[field].message


# Next to each limit, what is still allowed.
ALLOWED: list[Changes] = [
    {},
    {"name": MISSING},
    {"name": "a" * 32},
    {"name": "A-1--b"},
    {"static_hyperparameters": {"LR": 1}},
    {"static_hyperparameters": {"n" * 256: "x" * 2500}},
    {"continuous": named(28)},
    {"static_hyperparameters": {f"s{i}": i for i in range(97)}},
    {"continuous": MISSING, "integer": MISSING},
    {"categorical[0].values": ["only"]},
    {"continuous[0].step": 0.1 - 1e-5},
    {"integer[0].step": 7},
    {"continuous[0].scaling_type": "ReverseLogarithmic", "continuous[0].min_value": 0},
    {"integer[0].scaling_type": "Logarithmic"},
    {"limits": {"max_runtime_seconds": 1}},
    {"limits": MISSING, "completion": {"max_number_of_training_jobs_not_improving": 1}},
    {"limits": MISSING, "completion": {"complete_on_convergence": True}},
    {"limits": MISSING, "completion": {"target_objective_metric_value": 0.0, "target_on_epochs": True}},
    {"limits": MISSING, "autotune": True},
    {
        "limits": {"max_cost": 5},
        "training_job.price_per_hour": 0.1,
        "training_job.max_runtime_seconds": 60,
    },
    {"limits.max_parallel_training_jobs": 50},
    {**GRID},
    {**GRID, "limits": {"max_number_of_training_jobs": 16}},
    {
        "strategy": "Grid",
        "continuous[0]": {"name": "lr", "min_value": 0, "max_value": 1, "step": 0.1},
        "limits.max_number_of_training_jobs": 176,
    },
    {"strategy": "Hyperband", "hyperband": {"min_resource": 9, "max_resource": 9}},
    {"early_stopping": {"type": "Auto"}},
    {"warm_start": {"type": "TransferLearning", "parents": ["a", "b", "c", "d", "e"]}},
    {"name": MISSING, "warm_start": {"type": "IdenticalDataAndAlgorithm", "parents": ["demo"]}},
    {"definition_name": "alone"},
    {"auto_parameters": [{"name": "momentum", "value_hint": 0.9}]},
    {"training_job": {"function": "train:main"}},
    {"training_job": {"function": "package.module:Trainer.fit"}},
    {"training_job": MISSING},
    {"training_job.inputs": {f"in.put-{i}": "x" for i in range(20)}},
    {"training_job.environment": {f"_v{i}": 1 for i in range(48)}},
    {"training_job.metric_definitions": [{"name": "accuracy", "regex": REGEX}]},
    {"tags": {f"Größe {i}": "a:b/c=d+e-f@g" for i in range(50)}},
    {"tags": {"k" * 128: "v" * 256, "empty": ""}},
    {"training_job.sagemaker": SAGEMAKER},
    {"training_job.sagemaker": instances(6)},
    {"training_job.sagemaker": {"EnableRemoteAccess": {"Some": "new member of AWS's API"}}},
    {
        "training_job.sagemaker": {**SPOT, "StoppingCondition": {"MaxWaitTimeInSeconds": 3600}},
        "training_job.max_runtime_seconds": 3600,
    },
]


@pytest.mark.parametrize("changes", ALLOWED, ids=str)
def test_what_stands_next_to_a_limit_is_allowed(changes: Changes) -> None:
    TuningSpec(**changed(good(), changes))


def test_nine_others_and_the_same_names_in_different_algorithms_are_allowed() -> None:
    others = [{**one_definition(), "definition_name": f"other-{i}"} for i in range(9)]
    spec = TuningSpec(**changed(several(), {"other_definitions": others}))
    assert len(spec.other_definitions) == 9


def test_problems_of_all_kinds_are_reported_together() -> None:
    problems = problems_of(
        changed(
            several(),
            {
                "name": "no good",
                "limits": MISSING,
                "continuous[0].max_value": 0,
                "static_hyperparameters": {"layers": 1},
                "other_definitions[0].integer[0].max_value": 10,
                "other_definitions[0].training_job.inputs": {"a b": "x"},
                "training_job.sagemaker": {"RoleARN": "x", "InputDataConfig": {}},
                "tags": {"a": "?"},
                "early_stopping": {"type": "Auto"},
            },
        )
    )
    assert set(problems) == {
        "name",
        "limits",
        "continuous[0].max_value",
        "static_hyperparameters.layers",
        "other_definitions[0].integer[0].max_value",
        "other_definitions[0].training_job.inputs.a b",
        "training_job.sagemaker.RoleARN",
        "training_job.sagemaker.InputDataConfig",
        "tags.a",
        "early_stopping.type",
    }
    assert problems["continuous[0].max_value"].value == 0


def test_the_size_of_a_grid_counts_all_algorithms() -> None:
    spec = TuningSpec(**changed(several(), {**GRID, "other_definitions[0].integer[0].step": 45}))
    assert grid_size(spec) == 8 * 2 + 3
    assert grid_size(TuningSpec(**good())) is None
