"""What pydantic finds is said in our words: the field, the value and what to write instead."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from amt_flows.backends.sagemaker.service_model import service_model
from amt_flows.errors import SpecError
from amt_flows.names import nearest, plain
from amt_flows.spec import TuningSpec
from amt_flows.spec import parts as parts_module
from amt_flows.spec.amt_fields import own_names
from amt_flows.spec.dotted import MISSING
from amt_flows.spec.shape import model_at
from amt_flows.spec.synonyms import AS_A_NUMBER, IN_PART, SYNONYMS, WELL_KNOWN
from spec.samples import changed, good, one_definition, problems_of, several

Changes = dict[str, Any]
LR = "continuous[0]"

# (what is changed in a good spec, the field of the one problem, words of its message)
WRONG: list[tuple[Changes, str, str]] = [
    ({f"{LR}.min_value": "small"}, f"{LR}.min_value", "must be a number"),
    ({f"{LR}.min_value": None}, f"{LR}.min_value", "must be a number"),
    ({f"{LR}.max_value": float("inf")}, f"{LR}.max_value", "finite"),
    ({f"{LR}.max_value": float("nan")}, f"{LR}.max_value", "finite"),
    ({f"{LR}.step": 0}, f"{LR}.step", "greater than 0"),
    ({"integer[0].min_value": 1.5}, "integer[0].min_value", "whole number"),
    ({"integer[0].min_value": "one"}, "integer[0].min_value", "whole number"),
    ({"integer[0].step": 0}, "integer[0].step", "at least 1"),
    ({"integer[0]": 8}, "integer[0]", "an object with the fields name, min_value"),
    ({"integer": {"name": "layers"}}, "integer", "must be a list"),
    ({"categorical[0].values": []}, "categorical[0].values", "must not be empty"),
    ({"categorical[0].values": "adam"}, "categorical[0].values", "must be a list"),
    ({"categorical[0].values": [None]}, "categorical[0].values[0]", "must be a text"),
    ({"categorical[0].values": list(range(31))}, "categorical[0].values", "at most 30 items; 31 are given"),
    ({"categorical[0].name": ""}, "categorical[0].name", "must not be empty"),
    ({"categorical[0].name": "n" * 257}, "categorical[0].name", "at most 256 characters"),
    ({"objective.type": "maximise"}, "objective.type", "write `Maximize`"),
    ({"objective.type": "min"}, "objective.type", "write `Minimize`"),
    ({"objective.type": "best"}, "objective.type", "the choices are Maximize, Minimize"),
    ({"strategy": "bayesain"}, "strategy", "write `Bayesian`"),
    ({"strategy": "quasi-random"}, "strategy", "write `QuasiRandom`"),
    ({"strategy": "sobol"}, "strategy", "the choices are Bayesian, Random, Grid, QuasiRandom, Hyperband"),
    ({f"{LR}.scaling_type": "log"}, f"{LR}.scaling_type", "write `Logarithmic`"),
    ({"early_stopping": {"type": "AUTO"}}, "early_stopping.type", "write `Auto`"),
    ({"early_stopping": {"compare_with": "complete"}}, "early_stopping.compare_with", "write `completed`"),
    ({"early_stopping": "Auto"}, "early_stopping", "an object with the fields type, compare_with"),
    ({"limits.max_parallel_training_jobs": 0}, "limits.max_parallel_training_jobs", "at least 1"),
    ({"limits.max_cost": -1}, "limits.max_cost", "greater than 0"),
    ({"completion": {"min_relative_improvement": 1}}, "completion.min_relative_improvement", "less than 1"),
    ({"training_job.max_retry_attempts": 31}, "training_job.max_retry_attempts", "at most 30"),
    ({"training_job.command": "echo 'a"}, "training_job.command", "close the quote"),
    ({"training_job.inputs": ["data"]}, "training_job.inputs", "names with values"),
    ({"training_job.environment": {"A": None}}, "training_job.environment.A", "must be a text"),
    ({"training_job.environment": {1: "x"}}, "training_job.environment[1]", "must be a text"),
    ({"autotune": "perhaps"}, "autotune", "true or false"),
    ({"seed": -1}, "seed", "at least 0"),
    ({"objective": {}}, "objective.metric_name", "needed and not given. The metric to opt"),
    ({"objective": MISSING}, "objective", "needed and not given. What to optimise"),
    ({f"{LR}.max_value": MISSING}, f"{LR}.max_value", "The largest value"),
    ({"warm_start": {"parents": ["a"]}}, "warm_start.type", "same data"),
    (
        {"warm_start": {"type": "TransferLearning", "parents": list("abcdef")}},
        "warm_start.parents",
        "at most 5 items; 6",
    ),
    ({"hyperband": {}}, "hyperband.max_resource", "The most resource"),
]

# (an unknown field, what its message says to write); the value fits the right field.
MISSPELT: list[tuple[str, Any, str]] = [
    # resembling a field of the same part
    ("objectiv", {"metric_name": "m"}, "objective"),
    ("categorial", [], "categorical"),
    ("early-stopping", {}, "early_stopping"),
    ("limits.max_parallel_training_job", 2, "max_parallel_training_jobs"),
    ("limits.MaxParallelTrainingJobs", 2, "max_parallel_training_jobs"),
    ("limits.MaxRuntimeInSeconds", 200, "max_runtime_seconds"),
    ("training_job.MaxRuntimeInSeconds", 200, "max_runtime_seconds"),
    ("training_job.enviroment", {}, "environment"),
    ("training_job.metrics", [], "metric_definitions"),
    ("continuous[0].scalling", "Linear", "scaling_type"),
    ("continuous[0].ScalingType", "Linear", "scaling_type"),
    ("categorical[0].choices", ["a"], "values"),
    ("objective.direction", "Maximize", "type"),
    ("objective.metric", "m", "metric_name"),
    ("warm_start.parent", ["a"], "parents"),
    # AMT's names
    ("Strategy", "Random", "strategy"),
    ("MaxNumberOfTrainingJobs", 3, "limits.max_number_of_training_jobs"),
    ("ResourceLimits", {}, "limits"),
    ("RandomSeed", 3, "seed"),
    ("TrainingJobEarlyStoppingType", "Auto", "early_stopping.type"),
    ("StaticHyperParameters", {}, "static_hyperparameters"),
    ("IntegerParameterRanges", [], "integer"),
    ("completion.MaxNumberOfTrainingJobsNotImproving", 3, "max_number_of_training_jobs_not_improving"),
    ("RoleArn", "x", "training_job.sagemaker.RoleArn"),
    ("training_job.ResourceConfig", {}, "training_job.sagemaker.ResourceConfig"),
    # well-known names, and our own in another part
    ("max.jobs", 3, "limits.max_number_of_training_jobs"),
    ("max_jobs", 3, "limits.max_number_of_training_jobs"),
    ("max_parallel_jobs", 3, "limits.max_parallel_training_jobs"),
    ("n_trials", 3, "limits.max_number_of_training_jobs"),
    ("limits.max_jobs", 3, "max_number_of_training_jobs"),
    ("random_state", 3, "seed"),
    ("direction", "Minimize", "objective.type"),
    ("env", {}, "training_job.environment"),
    ("command", "train", "training_job.command"),
    ("max_cost", 3, "limits.max_cost"),
    ("complete_on_convergence", True, "completion.complete_on_convergence"),
]


def ids(table: list[Any]) -> list[str]:
    return [str(row[0])[:70] for row in table]


@pytest.mark.parametrize(("changes", "field", "words"), WRONG, ids=ids(WRONG))
def test_a_wrong_value_is_the_one_problem(changes: Changes, field: str, words: str) -> None:
    problems = problems_of(changed(good(), changes))
    assert list(problems) == [field]
    assert words in problems[field].message


@pytest.mark.parametrize(("path", "value", "right"), MISSPELT, ids=ids(MISSPELT))
def test_a_misspelt_field_is_told_the_right_one(path: str, value: Any, right: str) -> None:
    base = good()
    if path.startswith("completion"):
        base["completion"] = {}
    if path.startswith("warm_start"):
        base["warm_start"] = {"type": "TransferLearning"}
    data = {**base, path: value} if path == "max.jobs" else changed(base, {path: value})
    problems = problems_of(data)
    assert problems[path].message == f"no such field; write `{right}`"
    assert problems[path].value == value


def test_an_unknown_field_that_resembles_none_gets_the_list() -> None:
    problems = problems_of(changed(good(), {"limits.colour": "red"}))
    assert problems["limits.colour"].message.startswith("no such field; the fields here are max_parallel_")


def test_a_misspelt_field_of_another_algorithm_stays_with_that_algorithm() -> None:
    changes = {"other_definitions[0].metric": "x", "other_definitions[0].env": {}}
    problems = problems_of(changed(several(), changes))
    assert "`other_definitions[0].objective.metric_name`" in problems["other_definitions[0].metric"].message
    assert "`other_definitions[0].training_job.environment`" in problems["other_definitions[0].env"].message


def test_a_misspelt_needed_field_is_one_problem_and_not_also_missing() -> None:
    data = good()
    data["objective"] = {"metric_nme": "accuracy"}
    data["continuous"] = [{"nam": "lr", "low": 0, "high": 1}]
    assert list(problems_of(data)) == [
        "objective.metric_nme",
        "continuous[0].nam",
        "continuous[0].low",
        "continuous[0].high",
    ]


def test_what_follows_from_a_misspelling_is_not_reported_but_all_else_is() -> None:
    """With `max_jobs` read as what it means, the limits are there, and the broken range is seen too."""
    data = changed(good(), {"limits": MISSING, "max_jobs": 20, "continuous[0].max_value": 0})
    assert set(problems_of(data)) == {"max_jobs", "continuous[0].max_value"}


def test_a_value_under_a_misspelt_name_is_checked_too() -> None:
    data = changed(good(), {"limits": MISSING, "max_jobs": 0})
    problems = problems_of(data)
    assert set(problems) == {"max_jobs"}, "nothing is said of a field that nobody wrote"
    assert problems["max_jobs"].message.endswith(
        "`limits.max_number_of_training_jobs`; there it must be at least 1"
    )


def test_a_misspelt_field_beside_the_right_one_does_not_replace_it() -> None:
    data = changed(good(), {"max_jobs": 0, "continuous[0].max_value": 0})
    assert set(problems_of(data)) == {"max_jobs", "continuous[0].max_value"}


def test_errors_of_shape_are_reported_together() -> None:
    data = changed(
        several(),
        {
            "objective.type": "up",
            "continuous[0].min_value": "x",
            "integer[0].name": MISSING,
            "categorical[0].value": 3,
            "other_definitions[0].integer[0].step": -1,
            "seed": "many",
        },
    )
    assert set(problems_of(data)) == {
        "objective.type",
        "continuous[0].min_value",
        "integer[0].name",
        "categorical[0].value",
        "other_definitions[0].integer[0].step",
        "seed",
    }


def test_the_error_shows_field_value_and_remedy() -> None:
    with pytest.raises(SpecError, match=r"2 problems in its spec") as caught:
        TuningSpec(**changed(good(), {"max_jobs": 3, "seed": -1}))
    assert "  - max_jobs: no such field; write `limits.max_number_of_training_jobs` (given: 3)" in str(
        caught.value
    )


def test_parts_may_be_given_as_values_of_their_own() -> None:
    """A misspelling beside a ready-made part must not trip over that part."""
    data = good()
    data["objective"] = parts_module.Objective(metric_name="accuracy")
    data["limits"] = parts_module.ResourceLimits(max_number_of_training_jobs=3)
    assert set(problems_of({**data, "max_parallel_jobs": 3})) == {"max_parallel_jobs"}


def test_every_synonym_leads_to_a_field() -> None:
    for part, names in SYNONYMS.items():
        model: type[BaseModel] = getattr(parts_module, part)
        assert set(names.values()) <= set(model.model_fields), part
        assert all(name == plain(name) for name in names)
    well_known = [*WELL_KNOWN.values(), *AS_A_NUMBER.values()]
    in_parts = [path for names in IN_PART.values() for path in names.values() if path is not None]
    for path in [*well_known, *in_parts, *(path for paths in own_names().values() for path in paths)]:
        verbatim = path.partition("training_job.sagemaker.")[2]
        if verbatim:
            definition = service_model("sagemaker").shape_for("HyperParameterTrainingJobDefinition")
            for name in verbatim.split("."):
                assert name in definition.members, path
                definition = definition.members[name]
            continue
        *way, name = path.split(".")
        part_model = model_at(TuningSpec, way)
        assert part_model is not None, path
        assert name in part_model.model_fields, path


@pytest.mark.parametrize(
    ("word", "names", "found"),
    [
        ("MaxRuntime", ["max_runtime"], "max_runtime"),
        ("log", ["Linear", "Logarithmic", "ReverseLogarithmic"], "Logarithmic"),
        ("max", ["max_value", "max_jobs"], None),
        ("mni", ["min"], "min"),
        ("colour", ["strategy", "seed"], None),
        ("", ["a"], None),
    ],
)
def test_nearest(word: str, names: list[str], found: str | None) -> None:
    assert nearest(word, names) == found


def test_definition_sample_is_complete() -> None:
    """The samples of these tests are themselves valid."""
    TuningSpec(**good())
    TuningSpec(**several())
    assert "definition_name" in one_definition()


# --- the form --------------------------------------------------------------------------------------------


def test_the_schema_can_be_edited_in_a_form() -> None:
    """Prefect's form can't edit unions beyond "or nothing", and shows each field's description."""
    schema = TuningSpec.model_json_schema()
    for name in ("continuous", "integer", "categorical"):
        assert schema["properties"][name]["type"] == "array"
        assert "$ref" in schema["properties"][name]["items"]
    models = [schema, *(model for model in schema["$defs"].values() if "properties" in model)]
    for model in models:
        for name, field in model["properties"].items():
            assert field.get("description", "").endswith("."), (model["title"], name)
            choices = field.get("anyOf", [])
            assert "oneOf" not in field
            assert not choices or [one for one in choices if one.get("type") != "null"] == choices[:1], name
