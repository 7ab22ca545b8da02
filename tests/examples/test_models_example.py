"""The example with three kinds of model: real training, a kill in the middle of it, and a warm start from its
table of training jobs."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from amt_flows.spec import TuningSpec
from programs import environment, python

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
SPEC = EXAMPLES / "digits_models.toml"
PATIENCE_SECONDS = 240
JOBS = 10
OF_EACH = {"svc": {"C", "gamma"}, "forest": {"trees", "depth"}, "mlp": {"hidden", "learning_rate"}}


def program(tmp_path: Path, *arguments: str, exit_code: int = 0) -> str:
    done = python(tmp_path, *arguments, exit_code=exit_code)
    return done.stdout + done.stderr


def amt_flows(tmp_path: Path, *arguments: str) -> str:
    return program(tmp_path, "-m", "amt_flows", *arguments)


def test_the_script_refuses_what_its_model_does_not_have(tmp_path: Path) -> None:
    script = str(EXAMPLES / "digits_models.py")
    fitting = ("--C", "1", "--gamma", "0.1")
    assert "validation:accuracy=0.9" in program(tmp_path, script, "--model", "svc", *fitting)
    shown = program(tmp_path, script, "--model", "svc", *fitting, "--trees", "9", exit_code=2)
    assert "unrecognized arguments: --trees 9" in shown


def test_its_spec_has_three_conditions_of_two_and_a_constraint() -> None:
    space = TuningSpec.load(SPEC).space()
    by_value = {value: {c.parameter for c in space.conditions if value in c.values} for value in OF_EACH}
    assert by_value == OF_EACH
    assert not space.allows({"model": "forest", "trees": 300, "depth": 20})


@pytest.mark.long
def test_a_killed_tuning_goes_on_and_its_table_is_a_parent(tmp_path: Path) -> None:
    small = [
        f"--set=limits.max_number_of_training_jobs={JOBS}",
        '--set=strategy="Random"',
        "--set=seed=4",
    ]
    run = ["run", str(SPEC), "--name", "models", *small]
    process = subprocess.Popen(
        [sys.executable, "-m", "amt_flows", *run],
        env=environment(tmp_path / "home"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for_ends(tmp_path, 3)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    shown = amt_flows(tmp_path, *run)
    assert f"{JOBS} of {JOBS} training jobs launched ({JOBS} completed)" in shown
    table = amt_flows(tmp_path, "jobs", "models", "--csv")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert Counter(row["TrainingJobStatus"] for row in rows) == {"Completed": JOBS}
    for row in rows:
        assert {
            name for name in {"C", "gamma", "trees", "depth", "hidden", "learning_rate"} if row[name]
        } == (OF_EACH[row["model"]])
        assert row["model"] != "forest" or int(row["trees"]) * int(row["depth"]) <= 2000
    assert len({row["model"] for row in rows}) == 3
    page = tmp_path / "models.html"
    amt_flows(tmp_path, "report", "models", "-o", str(page))
    assert "when model is svc" in page.read_text(encoding="utf-8")

    (tmp_path / "jobs.csv").write_text(table, newline="")
    parents = json.dumps({"type": "IdenticalDataAndAlgorithm", "parents": [str(tmp_path / "jobs.csv")]})
    warm = amt_flows(
        tmp_path, *("run", str(SPEC), "--name", "warm"), f"--set=warm_start={parents}", *few_jobs(2)
    )
    assert "2 of 2 training jobs launched (2 completed)" in warm
    (name,) = [line.split()[0] for line in warm.splitlines() if line.startswith("warm-001-")][:1]
    # With ten results to learn from there is no initial design any more.
    assert "Proposed by bayesian/gp" in amt_flows(tmp_path, "explain", "warm", name)


def few_jobs(amount: int) -> tuple[str, ...]:
    return (f"--set=limits.max_number_of_training_jobs={amount}",)


def wait_for_ends(tmp_path: Path, amount: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(list(tmp_path.glob("home/models/jobs/*/end.json"))) < amount:
        assert time.monotonic() < deadline
        time.sleep(0.1)
