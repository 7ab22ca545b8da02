"""The examples and the overhead benchmark, run as a user runs them, with small settings."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from amt_flows.backends.local import LocalBackend
from amt_flows.backends.places import open_backend, open_journal
from amt_flows.events import TuningStatus
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.record import load_ledger
from amt_flows.results import TuningResult
from amt_flows.run import tune
from amt_flows.spec import TuningSpec
from new_database import copy, left_by_the_first
from programs import environment, python

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PATIENCE_SECONDS = 240

Module = Callable[[str], ModuleType]


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Module:
    """Imports an example as a module."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module


def variables(tmp_path: Path) -> dict[str, str]:
    """For what starts a Prefect server."""
    # Above this test's own directory: a database is made once for all tests of the session.
    place = tmp_path.parent / "prefect"
    new = left_by_the_first(tmp_path.parent)
    if not place.exists() and new.exists():
        place.mkdir()
        copy(new, place / "prefect.db")
    return {"PREFECT_HOME": str(place), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


def run(tmp_path: Path, script: str, *arguments: str, exit_code: int = 0) -> str:
    """The standard output of a script that is run in an empty directory."""
    given = (str(ROOT / script), *arguments)
    return python(tmp_path, *given, variables=variables(tmp_path), exit_code=exit_code).stdout


def test_the_sagemaker_example_runs_on_the_simulated_service(tmp_path: Path) -> None:
    shown = run(tmp_path, "examples/tune_on_sagemaker.py", "--simulator", "--jobs", "3", "--name", "digits")
    assert "digits completed" in shown
    assert "3 of 3 training jobs launched" in shown
    assert "s3://simulated/digits/models/digits-00" in shown
    assert "s3://simulated/digits/tunings/digits/journal" in shown


def test_the_sagemaker_example_asks_for_what_it_needs(tmp_path: Path) -> None:
    run(tmp_path, "examples/tune_on_sagemaker.py", exit_code=2)


def test_the_sagemaker_spec_passes_the_checks_of_a_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    spec = TuningSpec.load(EXAMPLES / "digits_on_sagemaker.toml")
    assert list(open_backend("sagemaker").check(spec)) == []


def reported(output: str, metric: str) -> list[float]:
    return [float(value) for value in re.findall(rf"{re.escape(metric)}=(\S+);", output)]


# -- training scripts -----------------------------------------------------------------------------


def test_the_network_trained_by_hand_beats_guessing_and_its_saved_model_agrees(
    tmp_path: Path, example: Module
) -> None:
    output = run(tmp_path, "examples/digits_network.py", "--epochs", "3")

    accuracies = reported(output, "validation:accuracy")
    assert len(accuracies) == 3
    assert accuracies[-1] > 0.5  # a tenth for guessing
    digits = example("digits_network")
    data = digits.load_data(tmp_path)
    seen = digits.predict(tmp_path / "model", data.validation_images)
    assert np.mean(seen == data.validation_digits) == accuracies[-1]


def test_a_resumed_training_ends_where_an_uninterrupted_one_does(
    tmp_path: Path, example: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = example("digits_network")
    monkeypatch.setenv("SM_CHANNEL_TRAIN", str(digits.prepare_channel(tmp_path / "data")))
    settings = {"optimizer": "adam", "learning_rate": 0.01, "batch_size": 128, "hidden_units": 16}

    digits.train(digits.Settings(epochs=2, **settings), tmp_path / "interrupted")
    resumed = digits.train(digits.Settings(epochs=4, **settings), tmp_path / "interrupted")

    whole = digits.train(digits.Settings(epochs=4, **settings), tmp_path / "whole")
    assert np.array_equal(resumed.parameters, whole.parameters)


def test_a_checkpoint_of_other_hyperparameters_is_left_alone(tmp_path: Path, example: Module) -> None:
    digits = example("digits_network")
    training = digits.Training(digits.Settings(learning_rate=0.01))
    training.epoch = 7
    training.save_checkpoint(tmp_path / "checkpoint")

    assert not digits.Training(digits.Settings(learning_rate=0.02)).resume(tmp_path / "checkpoint")
    assert digits.Training(digits.Settings(learning_rate=0.01)).resume(tmp_path / "checkpoint")


def test_every_optimizer_learns(tmp_path: Path, example: Module) -> None:
    digits = example("digits_network")
    data = digits.load_data(digits.prepare_channel(tmp_path))
    rates = {"sgd": 0.1, "nag": 0.01, "rmsprop": 0.001, "adam": 0.001}
    assert set(rates) == set(digits.OPTIMIZERS)
    for optimizer, rate in rates.items():
        settings = digits.Settings(optimizer=optimizer, learning_rate=rate, batch_size=64)
        training = digits.Training(settings)
        assert [training.run_epoch(data) for _ in range(3)][-1] > 0.5, optimizer


def test_boosting_by_hand_beats_the_base_rate_and_its_saved_trees_agree(
    tmp_path: Path, example: Module
) -> None:
    output = run(tmp_path, "examples/breast_cancer_boosting.py", "--rounds", "12", "--subsample", "0.7")

    losses = reported(output, "validation:logloss")
    boosting = example("breast_cancer_boosting")
    data = boosting.load_data()
    dummy = boosting.log_loss(
        data.validation_labels, np.full(len(data.validation_labels), boosting.log_odds(data.labels))
    )
    assert len(losses) == 12
    assert losses[-1] < 0.5 * dummy
    scores = boosting.load_model(tmp_path / "model").scores(data.validation_rows)
    assert boosting.log_loss(data.validation_labels, scores) == pytest.approx(losses[-1], abs=1e-12)
    likely = boosting.predict(tmp_path / "model", data.validation_rows) > 0.5
    assert np.mean(likely == data.validation_labels) > 0.9


@pytest.mark.parametrize("script", ["digits_network", "breast_cancer_boosting", "tune_digits"])
def test_help_names_the_arguments(script: str, tmp_path: Path) -> None:
    output = run(tmp_path, f"examples/{script}.py", "--help")
    assert "--seed" in output
    assert not list(tmp_path.iterdir())


# -- specs ----------------------------------------------------------------------------------------


def small(file: str, epochs: Mapping[str, int]) -> TuningSpec:
    spec = TuningSpec.load(EXAMPLES / file).to_json()
    spec["name"] = "small"
    spec["strategy"] = "Random"
    spec["limits"]["max_number_of_training_jobs"] = 3
    spec["static_hyperparameters"] = dict(epochs)
    # Two run side by side at first: neither may be stopped for the other.
    spec["early_stopping"]["min_jobs"] = 2
    return TuningSpec.parse(spec)


def tuned(spec: TuningSpec, home: Path) -> TuningResult:
    return tune(spec, LocalBackend(home), journal=open_journal("small", home), progress=False)


def test_the_spec_for_the_network_tunes_it(tmp_path: Path, example: Module) -> None:
    result = tuned(small("digits.toml", {"epochs": 2}), tmp_path)

    # The third may be stopped early.
    assert [job.status for job in result.jobs][:2] == ["Completed"] * 2
    assert result.jobs[2].outcome in ("completed", "stopped early")
    assert [job.epochs for job in result.jobs][:2] == [2] * 2
    assert result.best is not None
    network = example("digits_network").load_model(model_of(result))
    assert network.hidden_units == result.best.hyperparameters["hidden_units"]


def test_the_spec_for_boosting_minimises_its_loss(tmp_path: Path, example: Module) -> None:
    result = tuned(small("breast_cancer.toml", {"rounds": 3}), tmp_path)

    losses = [job.objective_value for job in result.jobs]
    assert result.best is not None
    assert result.best.objective_value == min(losses, key=float)  # type: ignore[arg-type]
    assert len(example("breast_cancer_boosting").load_model(model_of(result)).roots) == 3


def model_of(result: TuningResult) -> Path:
    assert result.best is not None
    assert result.best.artifact is not None
    return Path(result.best.artifact.removeprefix("file://"))


# -- the main example -----------------------------------------------------------------------------


def stored(home: Path) -> Ledger:
    """The only tuning job below ``home``."""
    (journal,) = home.glob("digits-*/journal")
    name = journal.parent.name
    return load_ledger(open_journal(name, home), name)


def test_the_main_example_tunes_as_a_flow_and_says_what_came_of_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    output = run(tmp_path, "examples/tune_digits.py", "--jobs", "6", "--home", str(home))

    ledger = stored(home)
    assert ledger.status is TuningStatus.COMPLETED
    assert len(ledger.jobs) == 6
    assert ledger.best is not None
    assert "6 of 6 training jobs launched" in output
    assert "MaxNumberOfTrainingJobs: 6 training jobs were launched" in output
    assert re.search(rf"best +validation:accuracy \S+ by {ledger.best.name}", output)
    assert re.search(r"loaded again, reads \d{3} of 899", output)
    assert "prefect server start" in output
    assert f"amt-report-{ledger.name}" in output


def test_ctrl_c_ends_the_main_example_within_seconds_and_keeps_the_best(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "tune_digits.py"), "--home", str(tmp_path / "home")],
        env=environment(tmp_path / "home", variables(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        wait_until(lambda: any(tmp_path.glob("home/digits-*/jobs/*/end.json")))
        # To the whole group, as a terminal does it: Prefect's temporary server is part of it.
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert "StoppedByUser" in output
    ledger = stored(tmp_path / "home")
    assert ledger.status is TuningStatus.STOPPED
    assert not ledger.live


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_main_example_needs_no_prefect(tmp_path: Path) -> None:
    output = run(tmp_path, "examples/tune_digits.py", "--no-prefect", "--jobs", "2", "--parallel", "1")
    assert len(stored(tmp_path / "home").jobs) == 2
    assert "Prefect" not in output


def test_an_impossible_request_is_refused_in_words(tmp_path: Path) -> None:
    output = run(tmp_path, "examples/tune_digits.py", "--no-prefect", "--jobs", "0", exit_code=2)
    assert "Traceback" not in output
    assert not list((tmp_path / "home").glob("digits-*"))


# -- early stopping off and on --------------------------------------------------------------------


def test_off_and_auto_are_compared_on_the_same_configurations(tmp_path: Path) -> None:
    output = run(tmp_path, "examples/early_stopping_off_and_on.py", "--jobs", "3")

    rows = [line.strip("│ ").split("│") for line in output.splitlines() if "│" in line]
    cells = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}
    assert cells["training jobs"] == ["3", "3", "", "20 → 20"]
    assert cells["stopped early"][-1] == "0 → 6"
    assert cells["total training time"][-1] == "2 h 48 min → 2 h 10 min, 23% less"
    assert cells["best objective"][2] == "+0.0000"
    assert cells["best objective"][-1] == "0.356 → 0.353, -0.0030"
    off, auto = (
        load_ledger(open_journal(name, tmp_path / "home"), name)
        for name in sorted((p.parent.name for p in tmp_path.glob("home/*/journal")), reverse=True)
    )
    assert configurations(off) == configurations(auto)


def configurations(ledger: Ledger) -> list[Mapping[str, Any]]:
    return [ledger.trials[number].configuration for number in sorted(ledger.trials)]


def test_what_was_saved_is_a_share_of_off(example: Module) -> None:
    compared = example("early_stopping_off_and_on")
    report = compared.report(compared.POST_OFF, compared.POST_AUTO)
    assert report["training_time_saved"] == pytest.approx(0.23, abs=0.005)
    assert report["difference_of_the_best"] == pytest.approx(-0.003)
    assert json.loads(json.dumps(report)) == report


# -- the overhead benchmark -----------------------------------------------------------------------


def measure(tmp_path: Path, *arguments: str) -> Any:
    few = ["--jobs", "4", "--length", "0.1", "--rounds", "1", "--json"]
    return json.loads(run(tmp_path, "benchmarks/overhead.py", *few, *arguments))


@pytest.mark.long
def test_the_overhead_benchmark_measures_with_and_without_prefect(tmp_path: Path) -> None:
    measured = measure(tmp_path)

    assert [each["mode"] for each in measured["runs"]] == ["without Prefect", "with Prefect"]
    for each in measured["runs"]:
        assert each["jobs"] == 4
        assert each["ideal"] == pytest.approx(0.2)
        assert 0 < each["utilisation"] < 1
        assert each["job_length"] > 0.1
        assert 0 < each["wait_median"] <= each["wait_p95"]
        assert each["makespan"] < each["process"]


def test_the_overhead_benchmark_watches_the_memory(tmp_path: Path) -> None:
    (memory,) = measure(tmp_path, "--no-prefect", "--memory-jobs", "60")["memory"]

    assert memory["jobs"] == 60
    # Half a dozen KiB a job, with room for an allocator's mood.
    assert memory["rss_end"] - memory["rss_early"] < 2 * 2**20
    assert memory["rss_end"] <= memory["rss_peak"] + 2**20


def test_a_freed_slot_is_taken_by_the_next_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    overhead = importlib.import_module("overhead")
    # Two workers: the first end, at 1, frees a slot for the third start; the second, at 2.5, for the fourth.
    starts, ends = [0.0, 0.0, 1.5, 2.6], [1.0, 2.5, 3.0, 3.6]
    assert overhead.successors(starts, ends, 2) == pytest.approx([0.5, 0.1])
