"""A spec in a file, as JSON, and compared with another."""

from __future__ import annotations

import itertools
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from amt_flows.errors import SpecError
from amt_flows.spec import TuningSpec, differences
from amt_flows.spec.dotted import MISSING, dotted, get, put, steps_of, take
from core import examples
from spec.generated import own_tuning_jobs
from spec.samples import SAGEMAKER, changed, good, one_definition

TOML = """
name = "demo"

[objective]
metric_name = "accuracy"

[[continuous]]
name = "lr"
min_value = 1e-5
max_value = 0.1

[[integer]]
name = "layers"
min_value = 1
max_value = 8

[[categorical]]
name = "optimizer"
values = ["adam", "sgd"]

[static_hyperparameters]
epochs = 10

[limits]
max_number_of_training_jobs = 20

[training_job]
command = "python train.py --name 'a b'"
working_directory = "src"
inputs = { train = "data/train.csv", remote = "s3://bucket/x", rooted = "/data" }
"""


def test_a_toml_file_is_read_and_its_paths_are_those_of_its_directory(tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_text(TOML, encoding="utf-8")
    spec = TuningSpec.load(path)
    assert spec.training_job.command == ("python", "train.py", "--name", "a b")
    assert spec.training_job.working_directory == str(tmp_path / "src")
    assert spec.training_job.inputs == {
        "train": str(tmp_path / "data/train.csv"),
        "remote": "s3://bucket/x",
        "rooted": "/data",
    }
    assert spec.static_hyperparameters == {"epochs": "10"}


def test_the_same_spec_in_json_is_equal(tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text(TOML, encoding="utf-8")
    data = good()
    data["training_job"] = {
        "command": ["python", "train.py", "--name", "a b"],
        "working_directory": "src",
        "inputs": {"train": "data/train.csv", "remote": "s3://bucket/x", "rooted": "/data"},
    }
    (tmp_path / "spec.json").write_text(json.dumps(data), encoding="utf-8")
    assert TuningSpec.load(str(tmp_path / "spec.json")) == TuningSpec.load(tmp_path / "spec.toml")


def test_a_file_may_hold_amts_request(tmp_path: Path) -> None:
    body = {
        "HyperParameterTuningJobName": "demo",
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 1},
            "ParameterRanges": {
                "IntegerParameterRanges": [{"Name": "layers", "MinValue": "1", "MaxValue": "8"}]
            },
        },
        "TrainingJobDefinition": {**SAGEMAKER, "StoppingCondition": {}},
    }
    (tmp_path / "body.json").write_text(json.dumps(body), encoding="utf-8")
    spec = TuningSpec.load(tmp_path / "body.json")
    assert spec.integer[0].max_value == 8
    assert spec.training_job.working_directory is None, "nothing of it is local"


def test_the_working_directory_is_the_files_own_when_none_is_given(tmp_path: Path) -> None:
    spec = TuningSpec(**good())
    assert spec.training_job.working_directory is None
    assert spec.anchored(tmp_path).training_job.working_directory == str(tmp_path)


def test_the_paths_of_every_algorithm_are_anchored(tmp_path: Path) -> None:
    other = {**one_definition(), "training_job": {"command": ["x"], "inputs": {"train": "more"}}}
    data = {**good(), "definition_name": "first", "other_definitions": [other], "training_job": {}}
    spec = TuningSpec(**data).anchored(tmp_path)
    assert spec.training_job.working_directory is None
    assert spec.other_definitions[0].training_job.working_directory == str(tmp_path)
    assert spec.other_definitions[0].training_job.inputs == {"train": str(tmp_path / "more")}


def test_reading_from_another_directory_makes_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spec.toml").write_text(TOML, encoding="utf-8")
    absolute = TuningSpec.load(tmp_path / "spec.toml")
    monkeypatch.chdir(tmp_path)
    assert TuningSpec.load("spec.toml") == absolute


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("spec.toml", "name = ", "is not valid TOML"),
        ("spec.json", "{", "is not valid JSON"),
        ("spec.json", "[1]", "one object"),
        ("spec.json", b"\xff\xfe\x00", "can't be read"),
        ("absent.toml", None, "no such file"),
    ],
)
def test_a_bad_file_is_one_problem_that_names_the_file(
    tmp_path: Path, name: str, content: str | bytes | None, words: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SpecError) as caught:
        TuningSpec.load(path)
    (problem,) = caught.value.problems
    assert problem.field == "file"
    assert problem.value == str(path)
    assert words in problem.message


def test_a_directory_is_not_a_spec(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="can't be read"):
        TuningSpec.load(tmp_path)


# --- JSON ------------------------------------------------------------------------------------------------


@examples(60)
@given(own_tuning_jobs())
def test_a_spec_survives_json(data: dict[str, Any]) -> None:
    spec = TuningSpec(**data)
    text = json.dumps(spec.to_json(), allow_nan=False)
    again = TuningSpec.parse(json.loads(text))
    assert again == spec
    assert again.to_json() == spec.to_json()
    assert again.fingerprint() == spec.fingerprint()
    assert differences(spec.to_json(), again.to_json()) == []


def test_defaults_are_not_written() -> None:
    written = TuningSpec(**{**good(), "seed": None, "early_stopping": {"type": "Off"}}).to_json()
    assert "seed" not in written
    assert "early_stopping" not in written
    assert written["training_job"] == {"command": ["python", "train.py"]}


def test_a_spec_can_be_sent_to_another_process() -> None:
    spec = TuningSpec(**good())
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_a_new_name_is_checked() -> None:
    spec = TuningSpec(**good())
    assert spec.named("other").name == "other"
    with pytest.raises(SpecError, match="such as not-a-name"):
        spec.named("not a name")


# --- comparing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "another"},
        {"name": MISSING},
        {"seed": None},
        {"limits.max_parallel_training_jobs": 1},
        {"static_hyperparameters.epochs": "10"},
        {"continuous[0].scaling_type": "Auto"},
        {"training_job.command": ["python", "train.py"]},
        {"integer[0].max_value": 8.0},
    ],
    ids=str,
)
def test_fingerprints_are_equal_when_the_same_is_asked_for(changes: dict[str, Any]) -> None:
    assert TuningSpec(**changed(good(), changes)).fingerprint() == TuningSpec(**good()).fingerprint()


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 0},
        {"seed": 1},
        {"limits.max_parallel_training_jobs": 2},
        {"static_hyperparameters.epochs": "11"},
        {"static_hyperparameters.more": "1"},
        {"continuous[0].max_value": 0.2},
        {"continuous[0].name": "rate"},
        {"categorical[0].values": ["sgd", "adam"]},
        {"objective.type": "Minimize"},
        {"training_job.command": ["python", "other.py"]},
        {"training_job.sagemaker": SAGEMAKER},
        {"tags": {"a": "b"}},
    ],
    ids=str,
)
def test_fingerprints_differ_when_something_else_is_asked_for(changes: dict[str, Any]) -> None:
    assert TuningSpec(**changed(good(), changes)).fingerprint() != TuningSpec(**good()).fingerprint()


def test_differences_are_readable() -> None:
    new = changed(
        good(),
        {
            "limits.max_number_of_training_jobs": 30,
            "strategy": "Random",
            "static_hyperparameters": {"epochs": 12},
            "training_job.environment": {"A": "b"},
        },
    )
    assert differences(TuningSpec(**good()).to_json(), TuningSpec(**new).to_json()) == [
        "limits.max_number_of_training_jobs: 20 -> 30",
        'static_hyperparameters.epochs: "10" -> "12"',
        'strategy: (default) -> "Random"',
        'training_job.environment: (default) -> {"A": "b"}',
    ]


def test_where_the_fingerprints_differ_a_difference_is_shown() -> None:
    """1, 1.0 and true are equal to Python."""
    function = {"training_job": {"function": "train:main"}}
    given = [TuningSpec(**changed(good(), {**function, "static_hyperparameters": {"n": n}})) for n in ONES]
    for one, other in itertools.combinations(given, 2):
        assert one.fingerprint() != other.fingerprint()
        assert len(differences(one.to_json(), other.to_json())) == 1


ONES = (1, 1.0, True, "1")


# --- paths -----------------------------------------------------------------------------------------------


def test_paths_are_written_and_read() -> None:
    steps: list[str | int] = ["other_definitions", 0, "continuous", 12, "min_value"]
    assert dotted(steps) == "other_definitions[0].continuous[12].min_value"
    assert steps_of(dotted(steps)) == steps


def test_values_are_put_found_and_taken_by_path() -> None:
    data: dict[str, Any] = {}
    put(data, "a.b[0].c", 1)
    put(data, "a.b[1]", 2)
    assert data == {"a": {"b": [{"c": 1}, 2]}}
    assert get(data, "a.b[0].c") == 1
    assert get(data, "a.b[2]") is MISSING
    assert get(data, "a.x.y") is MISSING
    assert get(data, "a.b[1].c") is MISSING
    put(data, "d.e.f", 3)
    assert take(data, "d.e.f") == 3
    assert "d" not in data
    assert take(data, "a.b[0].c") == 1
    assert data == {"a": {"b": [{}, 2]}}, "an item of a list stays, or the others would move"
