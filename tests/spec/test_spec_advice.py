"""Advice comes with a reason, and not without one."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from amt_flows.spec import TuningSpec
from amt_flows.spec.advice import warnings
from amt_flows.spec.dotted import MISSING
from spec.samples import changed, good, several

Changes = dict[str, Any]


def builtin(name: str) -> str:
    return f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/{name}:1"


IMAGE = "training_job.sagemaker.AlgorithmSpecification.TrainingImage"

ADVISED: list[tuple[Changes, str, str]] = [
    ({"early_stopping": {"type": "Auto"}, IMAGE: builtin("kmeans")}, "early_stopping.type", "kmeans"),
    (
        {"early_stopping": {"type": "Auto"}, IMAGE: builtin("linear-learner")},
        "early_stopping.type",
        "objective_loss",
    ),
    (
        {"continuous[0].scaling_type": "Linear"},
        "continuous[0].scaling_type",
        "Logarithmic",
    ),
    (
        {"integer[0].scaling_type": "Linear", "integer[0].max_value": 1000},
        "integer[0].scaling_type",
        "Logarithmic",
    ),
    ({"limits.max_parallel_training_jobs": 10}, "limits.max_parallel_training_jobs", "10 of 20"),
    ({"objective.metric_name": "validation:logloss"}, "objective.type", "looks like a loss"),
    ({"objective.metric_name": "val_RMSE"}, "objective.type", "looks like a loss"),
    ({"objective.metric_name": "myloss"}, "objective.type", "looks like a loss"),
    ({"objective.type": "Minimize"}, "objective.type", "looks like a score"),
    ({"objective": {"metric_name": "test:f1", "type": "Minimize"}}, "objective.type", "looks like a score"),
    (
        {"training_job.metric_definitions": [{"name": "accuracy", "regex": "acc=([0-9.]+)"}]},
        "training_job.metric_definitions[0].regex",
        "exponent",
    ),
    ({"categorical": [{"name": "mode", "values": ["a", "-x"]}]}, "categorical[0].values", "'-x'"),
    ({"static_hyperparameters": {"tag": "--y"}}, "static_hyperparameters.tag", "argparse"),
    ({"training_job.environment": {"DB_PASSWORD": "x"}}, "training_job.environment.DB_PASSWORD", "secret"),
    (
        {"limits": MISSING, "completion": {"target_objective_metric_value": 1}},
        "completion.target_objective_metric_value",
        "nothing ends",
    ),
    (
        {"completion": {"min_relative_improvement": 0.01}},
        "completion.min_relative_improvement",
        "decides nothing",
    ),
    (
        {"static_hyperparameters": {"weight-decay": 1, "Weight_Decay": 2}},
        "training_job",
        "weight-decay and Weight_Decay share the variable SM_HP_WEIGHT_DECAY",
    ),
]


@pytest.mark.parametrize(
    ("changes", "field", "words"), ADVISED, ids=[f"{row[1]}: {row[2]}" for row in ADVISED]
)
def test_advice_names_the_field_and_the_reason(changes: Changes, field: str, words: str) -> None:
    (advice,) = warnings(TuningSpec(**changed(good(), changes)))
    assert advice.startswith(f"{field}: ")
    assert words in advice


UNREMARKABLE: list[Changes] = [
    {},
    {"early_stopping": {"type": "Auto"}, IMAGE: builtin("xgboost")},
    {"early_stopping": {"type": "Auto"}, IMAGE: "my/kmeans-like-thing:2"},
    {IMAGE: builtin("kmeans")},
    {
        "early_stopping": {"type": "Auto"},
        IMAGE: builtin("linear-learner"),
        "objective": {"metric_name": "validation:objective_loss", "type": "Minimize"},
    },
    {"continuous[0].scaling_type": "Linear", "continuous[0].min_value": 1.1e-4},
    {"limits.max_parallel_training_jobs": 9},
    {"limits.max_parallel_training_jobs": 20, "strategy": "Random"},
    {"limits": {"max_number_of_training_jobs": 1}},
    {"objective.metric_name": "neg_mean_squared_error"},
    {"objective.metric_name": "closeness"},
    {"objective.metric_name": "throughput"},
    {"objective": {"metric_name": "val_loss", "type": "Minimize"}},
    {"training_job.environment": {"EPOCHS": "1"}},
]


@pytest.mark.parametrize("changes", UNREMARKABLE, ids=str)
def test_there_is_no_advice_without_a_reason(changes: Changes) -> None:
    assert warnings(TuningSpec(**changed(good(), changes))) == []


def test_advice_is_about_every_algorithm() -> None:
    spec = TuningSpec(**several(objective={"metric_name": "rmse"}))
    (advice,) = warnings(spec)
    assert advice.startswith("other_definitions[0].objective.type: ")


@pytest.mark.parametrize(
    "launcher", ["torchrun", "/opt/bin/torchrun", "python -m torch.distributed.run", "accelerate launch"]
)
def test_several_processes_are_told_to_let_one_print(launcher: str) -> None:
    spec = TuningSpec(**changed(good(), {"training_job.command": f"{launcher} --nproc-per-node 2 train.py"}))
    assert [advice for advice in warnings(spec) if "several processes" in advice and "RANK" in advice]


@pytest.mark.parametrize("text", ["-1", "-0.5", "-.5", "-", "-x y", "a-b", ""])
def test_what_argparse_takes_as_a_value_is_not_pointed_out(text: str) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode")
    assert parser.parse_args(["--mode", text]).mode == text
    spec = TuningSpec.parse(changed(good(), {"categorical": [{"name": "mode", "values": ["a", text]}]}))
    assert not [advice for advice in warnings(spec) if "argparse" in advice]


@pytest.mark.parametrize("text", ["-x", "--y", "-1e-05", "-inf"])
def test_what_argparse_takes_for_an_option_is(text: str) -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--mode")
    with pytest.raises(argparse.ArgumentError):
        parser.parse_args(["--mode", text])
    spec = TuningSpec.parse(changed(good(), {"categorical": [{"name": "mode", "values": ["a", text]}]}))
    assert [advice for advice in warnings(spec) if "argparse" in advice]
