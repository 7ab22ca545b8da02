"""The page on several algorithms says what is so, and its example chooses between two real ones."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from amt_flows.ledger.algorithms import algorithms_of
from amt_flows.spec import Definition, TuningSpec
from amt_flows.strategies.allocation import FIRST_TRIALS, SHARE
from pages import ROOT, block, page

EXAMPLE = ROOT / "examples/algorithms/digits.toml"
PAGE = page("docs/algorithms.md")
OPTIMISER = page("docs/optimiser.md")


def test_the_code_runs() -> None:
    exec(block(PAGE, "python"), {"__name__": "page"})


def test_the_settings_are_the_examples() -> None:
    assert block(PAGE, "toml") == EXAMPLE.read_text(encoding="utf-8")
    spec = TuningSpec.load(EXAMPLE)
    assert [one.name for one in algorithms_of(spec)] == ["logistic", "forest"]


def test_what_is_said_to_be_each_algorithms_is() -> None:
    (each,) = re.findall(r"^\| `definition_name`, (.*?) \|", PAGE, re.MULTILINE)
    for name in ("static_hyperparameters", "training_job", "objective"):
        assert name in each
        assert name in Definition.model_fields
    (whole,) = re.findall(r"body \| (.*?) \|$", PAGE, re.MULTILINE)
    for name in re.findall(r"`(\w+)`", whole):
        assert name in TuningSpec.model_fields
        assert name not in Definition.model_fields


def test_the_numbers_are_those_of_the_rule() -> None:
    assert (FIRST_TRIALS, SHARE) == (3, 0.5)
    for text in (PAGE, OPTIMISER):
        assert "three trials" in text
        assert "half of an equal share" in text


@pytest.mark.slow
def test_two_real_algorithms_of_scikit_learn_compete(tmp_path: Path) -> None:
    """As a reader runs it, with fewer jobs: two scripts that print in different words, on this machine."""
    home = {"AMT_FLOWS_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "amt_flows", "run", str(EXAMPLE), "--name", "which", "--json"]
    few = ["limits.max_number_of_training_jobs=4", "limits.max_parallel_training_jobs=2"]
    done = subprocess.run(
        [*command, "--set", few[0], "--set", few[1]],
        env={**os.environ, **home},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert sorted(job["definition"] for job in result["jobs"]) == ["forest", "forest", "logistic", "logistic"]
    assert {job["outcome"] for job in result["jobs"]} == {"completed"}
    for job in result["jobs"]:
        names = {"max_features", "min_samples_leaf"} if job["definition"] == "forest" else {"C"}
        assert set(job["hyperparameters"]) == names
        assert 0.5 < job["objective_value"] < 1.0
    best = max(result["jobs"], key=lambda job: job["objective_value"])
    assert result["best"]["name"] == best["name"]
    assert result["objective_metric"] == ("oob" if best["definition"] == "forest" else "validation:accuracy")
    model = Path(result["best"]["artifact"].removeprefix("file://"))
    assert model.exists()
