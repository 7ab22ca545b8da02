"""Whoever runs what has ended is told that nothing was run, when it ended, and what has changed since."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from amt_flows.backends.local.changes import changed_since
from amt_flows.results.records import read_record
from amt_flows.show.ended_before import ended_before
from commands import TRAIN, cli, write_spec
from worlds import spec


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AMT_FLOWS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_finished_tuning_job_says_that_nothing_was_run_and_that_its_script_has_changed(
    tmp_path: Path, home: Path
) -> None:
    script = tmp_path / "train.sh"
    script.write_text(TRAIN)
    long_ago = time.time() - 3600
    os.utime(script, (long_ago, long_ago))
    asked = write_spec(tmp_path, training_job={"command": ["sh", "train.sh"], "stop_grace_seconds": 1})
    assert "Nothing was run" not in cli("run", asked, "-q").stderr
    for command in (["run", asked, "-q"], ["run", asked, "-q", "--json"], ["resume", "demo", "-q"]):
        again = cli(*command)
        assert again.stderr.startswith("Nothing was run: tuning job demo of this spec ended as Completed on ")
        assert "changed" not in again.stderr
    os.utime(script)
    assert "; train.sh has changed since" in cli("run", asked, "-q").stderr
    ledger = read_record("demo", home).ledger
    assert ledger.finished_at is not None
    assert ", 2 min ago. " in ended_before(ledger, ledger.finished_at + 120)


def test_what_training_jobs_are_made_from_is_looked_at(tmp_path: Path) -> None:
    for name in ("train.py", "mod.py", "data.csv", "other.py"):
        (tmp_path / name).write_text("def train(lr): ...")
    here: dict[str, Any] = {
        "working_directory": str(tmp_path),
        "inputs": {"train": str(tmp_path / "data.csv")},
    }
    by_command = spec(training_job={**here, "command": ["python", "train.py", "--missing.py"]})
    by_function = spec(training_job={**here, "function": "mod:train"})
    assert [file.name for file in changed_since(by_command, 0.0)] == ["train.py", "data.csv"]
    assert [file.name for file in changed_since(by_function, 0.0)] == ["mod.py", "data.csv"]
    assert changed_since(by_command, time.time() + 60) == []
