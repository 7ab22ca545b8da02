"""One configuration in the foreground."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import amt_flows as amt
from amt_flows.errors import SpecError
from commands import cli, write_spec

DEPTH: dict[str, Any] = {"depth": amt.Integer(1, 3)}


def test_a_function_is_called_here_and_nothing_is_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here: list[int] = []
    path = list(sys.path)

    def train(depth: int) -> Any:
        here.append(os.getpid())
        yield 0.25
        print("half way")
        yield {"accuracy": depth / 4}

    tried = amt.try_once(train, DEPTH, maximize="accuracy", values={"depth": 3}, home=tmp_path / "home")
    assert here == [os.getpid()]
    assert tried.hyperparameters == {"depth": "3"}
    assert tried.values == {"accuracy": (0.25, 0.75)}
    assert tried.objective_value == 0.75
    assert "half way" in capsys.readouterr().out
    assert not (tmp_path / "home").exists()
    assert [name for name in os.environ if name.startswith(("SM_", "SAGEMAKER_BASE"))] == []
    assert list(sys.path) == path


def test_what_it_raises_is_told_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def crash(depth: int) -> float:
        raise ValueError("the loss exploded")

    tried = amt.try_once(crash, DEPTH, home=tmp_path)
    assert tried.failure == "ValueError: the loss exploded"
    shown = capsys.readouterr().err
    assert "in crash" in shown
    assert "amt_flows/foreground.py" not in shown


def test_a_value_that_is_none_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="write `depth`"):
        amt.try_once(lambda depth: 1.0, DEPTH, values={"dept": 3}, home=tmp_path)
    with pytest.raises(SpecError, match="must lie within its range"):
        amt.try_once(lambda depth: 1.0, DEPTH, values={"depth": 9}, home=tmp_path)


def test_the_command_shows_the_output_and_says_the_metric(tmp_path: Path) -> None:
    home, spec = tmp_path / "home", write_spec(tmp_path)
    done = cli("try", spec, "--set", "rate=0.5", "--home", home)
    assert done.exit_code == 0, done.output
    assert "got --rate 0.5" in done.stdout
    assert "Found accuracy = 0.5." in done.stdout
    told = json.loads(cli("try", spec, "--set", "rate=0.5", "--home", home, "--json").stdout)
    assert told["objective_value"] == 0.5
    called = write_spec(tmp_path, integer=[{"name": "seed", "min_value": 1, "max_value": 9}])
    assert "seed=7" in cli("try", called, "--set", "seed=7", "--home", home).stdout, "not the spec's field"
    assert not home.exists()


def test_a_failure_and_a_missing_metric_have_an_exit_code(tmp_path: Path) -> None:
    failed = cli("try", write_spec(tmp_path, "echo no; exit 3"), "--home", tmp_path / "home")
    assert failed.exit_code == 8
    assert "It failed: exit status 3" in failed.stdout
    mute = cli("try", write_spec(tmp_path, "echo no"), "--home", tmp_path / "home")
    assert mute.exit_code == 8
    assert "Found no accuracy" in mute.stdout


def test_a_debugger_has_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("def train(depth):\n    breakpoint()\n    return depth * 2.0\n")
    (tmp_path / "tuning.json").write_text(
        json.dumps(
            {
                "objective": {"metric_name": "accuracy"},
                "integer": [{"name": "depth", "min_value": 1, "max_value": 3}],
                "limits": {"max_number_of_training_jobs": 1},
                "training_job": {"function": "shop:train"},
            }
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "amt_flows", "try", "tuning.json", "--set", "depth=2"],
        cwd=tmp_path,
        env={**os.environ, "AMT_FLOWS_HOME": str(tmp_path / "home")},
        input="p depth + 40\nc\n",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "(Pdb) 42" in done.stdout
    assert "Found accuracy = 4." in done.stdout
