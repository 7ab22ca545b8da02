"""What a spec, or a file beside it, can't be is refused by a sentence, at once, wherever it is given."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from amt_flows.errors import AmtFlowsError, JournalError, SpecError
from amt_flows.events import Opened, event_to_json
from amt_flows.ledger.journals.directory import DirectoryJournal
from amt_flows.ledger.record import load_ledger
from amt_flows.plan.prices import PricesError, read_table
from amt_flows.spec import TuningSpec
from amt_flows.tuning.warm_start import parent_from_frame
from commands import cli, write_spec
from spec.bodies import definition
from spec.samples import good

QUICK_SECONDS = 20.0  # on a busy machine; PyYAML takes two to see how deep a document is


def deep(depth: int = 5_000, end: Any = 1) -> Any:
    value: Any = end
    for _ in range(depth):
        value = {"a": value}
    return value


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "deep tags": ({"tags": deep()}, "depth"),
    "deep settings of SageMaker": ({"training_job": {"sagemaker": deep()}}, "depth"),
    "deep lists": ({"training_job": {"command": [deep()]}}, "depth"),
    "a count of 400 digits": ({"limits": {"max_number_of_training_jobs": 10**400}}, "63 bits"),
    "a time of 5,000 digits": ({"limits": {"max_runtime_seconds": 10**5_000}}, "63 bits"),
    "an unknown field of 5,000 digits": ({"unheard_of": 10**5_000}, "63 bits"),
    "a null in a name": ({"name": "de\0mo"}, "null character"),
    "a line break in a name": ({"name": "demo\n"}, "letters, digits and hyphens"),
    "a null in an argument": ({"training_job": {"command": ["true", "a\0"]}}, "null character"),
    "a null in a variable": (
        {"training_job": {"command": ["true"], "environment": {"A": "\0"}}},
        "null character",
    ),
    "half a character": ({"training_job": {"command": ["true", "\ud800"]}}, "lone surrogate"),
    "a line break in a hyperparameter": ({"static_hyperparameters": {"a\nb": "1"}}, "line break"),
    "another kind of line break": ({"static_hyperparameters": {"a\u2028b": "1"}}, "line break"),
    "NaN": ({"continuous": [{"name": "a", "min_value": float("nan"), "max_value": 1}]}, "finite"),
    "too many repetitions": (
        {
            "training_job": {
                "command": ["true"],
                "metric_definitions": [{"name": "accuracy", "regex": "a{99999999999}(b)"}],
            }
        },
        "not a regular expression",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_field_holds_is_refused_in_python(case: str) -> None:
    changes, words = REFUSED[case]
    for parse in (TuningSpec.parse, lambda data: TuningSpec(**data)):
        began = time.process_time()
        with pytest.raises(SpecError) as refused:
            parse({**good(), **changes})
        assert words in str(refused.value)
        assert time.process_time() - began < QUICK_SECONDS


def test_and_in_a_request_body() -> None:
    for name, value in {
        "Environment": deep(),
        "RoleArn": "a\0",
        "StaticHyperParameters": {"a\n": "1"},
    }.items():
        with pytest.raises(SpecError, match=r"depth|null character|line break"):
            TuningSpec.parse({"TrainingJobDefinition": {**definition(), name: value}})
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(SpecError, match="depth"):
        TuningSpec.parse({"TrainingJobDefinition": loop})


def test_at_most_ten_of_a_kind_are_told() -> None:
    with pytest.raises(SpecError) as refused:
        TuningSpec(**{**good(), "training_job": {"command": ["\0"] * 1_000_000}})
    assert len(refused.value.problems) == 10


FILES: dict[str, tuple[str, str, str]] = {
    "JSON lists": (".json", "[" * 5_000 + "]" * 5_000, "depth"),
    "JSON objects": (".json", '{"a":' * 5_000 + "1" + "}" * 5_000, "depth"),
    "TOML lists": (".toml", "a = " + "[" * 5_000 + "]" * 5_000, "depth"),
    "TOML keys": (".toml", ".".join("a" * 5_000) + " = 1", "depth"),
    "TOML inline": (".toml", "a = " + "{a=" * 5_000 + "1" + "}" * 5_000, "depth"),
    "YAML lists": (".yaml", "[" * 5_000 + "]" * 5_000, "depth"),
    "YAML aliases": (
        ".yaml",
        "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)),
        "aliases",
    ),
    "digits": (".json", '{"name": 1' + "0" * 5_000 + "}", "digits|63 bits"),
    "TOML digits": (".toml", "name = 1" + "0" * 5_000, "digits|63 bits"),
    "twice": (".json", '{"name": "a", "name": "b"}', "twice"),
    "NaN": (".json", '{"name": NaN}', "text"),
    "large": (".json", " " * 11_000_000 + "{}", "10 MB"),
}


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize("case", FILES)
def test_a_file_that_is_no_spec_is_refused_by_every_command(tmp_path: Path, case: str, command: str) -> None:
    suffix, text, words = FILES[case]
    path = tmp_path / f"spec{suffix}"
    path.write_text(text)
    began = time.process_time()
    result = cli(command, path, "--home", tmp_path / "home")
    assert result.exit_code == 2
    assert re.search(words, result.output), result.output
    assert time.process_time() - began < QUICK_SECONDS
    assert not (tmp_path / "home").exists()


def test_a_pipe_in_a_directory_and_a_directory_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "directory.json").mkdir()
    for name in ("pipe.json", "directory.json"):
        assert "no file" in cli("plan", tmp_path / name).output
        with pytest.raises(PricesError, match="no file"):
            read_table(tmp_path / name)
        with pytest.raises(SpecError, match="no file"):
            parent_from_frame(tmp_path / name, TuningSpec(**good()))


def test_but_what_the_shell_pipes_is_one(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, write_spec(tmp_path).read_bytes())
    os.close(writing)
    assert TuningSpec.load(f"/dev/fd/{reading}").name == "demo"
    os.close(reading)


@pytest.mark.parametrize("value", ["[" * 5_000 + "]" * 5_000, "1" + "0" * 5_000, "\0"])
def test_a_changed_field_can_t_hold_it_either(tmp_path: Path, value: str) -> None:
    result = cli("plan", write_spec(tmp_path), "--set", f"limits.max_number_of_training_jobs={value}")
    assert result.exit_code == 2


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5_000 + "]" * 5_000,
        "currency = " + "{a=" * 200 + "1" + "}" * 200,
        ".".join("a" * 5_000) + " = 1",
        "currency." + ".".join("a" * 5_000) + " = 1",
        "local = 0x" + "f" * 5_000,
        "local = 1" + "0" * 400,
        "local = 1" + "0" * 5_000,
        "local = nan",
        "[instances]\na." + ".".join("a" * 5_000) + " = 1",
        "#" * 2_000_000,
    ],
)
def test_a_price_table_is_refused_by_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "prices.toml").write_text(text)
    with pytest.raises(PricesError):
        read_table(tmp_path / "prices.toml")


@pytest.mark.parametrize(
    "row",
    ["9" * 5_000, "1e999", "nan", '"' + "[" * 5_000 + '"', "\0", "x" * 200_000, '"unended'],
)
def test_a_table_of_training_jobs_is_taken_or_refused_by_a_sentence(tmp_path: Path, row: str) -> None:
    spec = TuningSpec(**good())
    names = [parameter.name for parameter in spec.space().parameters]
    for column in range(len(names) + 1):
        cells = ["1"] * (len(names) + 1)
        cells[column] = row
        path = tmp_path / "jobs.csv"
        path.write_text(",".join([*names, spec.objective.metric_name]) + "\n" + ",".join(cells) + "\n")
        try:
            parent_from_frame(path, spec)
        except AmtFlowsError:
            continue


@pytest.mark.parametrize("spec", [deep(), deep(300), {**good(), "name": "a\0"}])
def test_a_journal_that_holds_it_is_damaged(tmp_path: Path, spec: Any) -> None:
    directory = tmp_path / "demo" / "journal"
    directory.mkdir(parents=True)
    event = event_to_json(Opened(0.0, "demo", "0", {}, "me"))
    text = json.dumps({"events": [{**event, "spec": "HERE"}]})
    inner = _nested(spec) if "a" in spec else json.dumps(spec)
    (directory / "00000000.json").write_text(text.replace('"HERE"', inner))
    with pytest.raises(JournalError):
        load_ledger(DirectoryJournal(directory), "demo")
    result = cli("status", "demo", "--home", tmp_path)
    assert result.exit_code == JournalError.exit_code


def _nested(value: Any) -> str:
    """As JSON; json itself is not up to it."""
    depth = 0
    while isinstance(value, dict):
        value, depth = value["a"], depth + 1
    return '{"a":' * depth + "1" + "}" * depth
