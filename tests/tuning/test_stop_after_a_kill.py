"""``amt-flows stop`` where the controller was killed: the tuning job ends, with the best so far."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from amt_flows.amt.request import HANDED_OFF
from amt_flows.backends.home import home_directory
from amt_flows.backends.local import LocalBackend
from amt_flows.backends.places import open_journal
from amt_flows.errors import JournalError, NameTaken, TuningJobNotFound
from amt_flows.ledger.record import load_ledger
from commands import cli, ok, write_spec
from simulated_aws import aws

pytestmark = pytest.mark.slow

# The first two are quick, the others hang after an epoch.
SCRIPT = """
echo "amt-report epoch=1; accuracy=0.${2#0.};"
case "$SM_MODEL_DIR" in *-001-*|*-002-*) exit 0;; esac
exec sleep 300
"""
SAGEMAKER = {
    "AlgorithmSpecification": {"TrainingImage": "image:1", "TrainingInputMode": "File"},
    "RoleArn": "arn:aws:iam::123456789012:role/training",
    "OutputDataConfig": {"S3OutputPath": "s3://records/models"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
}


def eventually(condition: Callable[[], Any], seconds: float = 180.0) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(TuningJobNotFound):
            if found := condition():
                return found
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")


@contextlib.contextmanager
def controller(spec: Path, *options: str, home: str) -> Iterator[subprocess.Popen[bytes]]:
    """``amt-flows run`` in a process of its own, killed at the end if it wasn't before."""
    words = [sys.executable, "-m", "amt_flows", "run", str(spec), "--quiet", "--home", home, *options]
    process = subprocess.Popen(words, start_new_session=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def killed_after(count: int, spec: Path, *options: str, home: str) -> None:
    """Run a tuning job until so many training jobs have ended, and others run; then kill -9."""
    with controller(spec, *options, home=home) as process:

        def far_enough() -> bool:
            ledger = load_ledger(open_journal("demo", home), "demo")
            return len(ledger.ended) >= count and bool(ledger.live)

        eventually(far_enough)
        os.kill(process.pid, signal.SIGKILL)


def status_in_amt(name: str) -> str:
    described = boto3.client("sagemaker").describe_hyper_parameter_tuning_job
    return str(described(HyperParameterTuningJobName=name)["HyperParameterTuningJobStatus"])


def is_stopped_with_the_best_so_far(home: str) -> None:
    """The record, every command that reads it, and a tuning job that goes on from it."""
    ledger = load_ledger(open_journal("demo", home), "demo")
    assert (ledger.status.value, ledger.finished, ledger.live) == ("Stopped", True, [])
    assert ledger.best is not None
    told = json.loads(ok("status", "demo", "--json", "--home", home))
    assert told["HyperParameterTuningJobStatus"] == "Stopped"
    assert told["BestTrainingJob"]["TrainingJobName"] == ledger.best.name
    assert ledger.best.name in ok("jobs", "demo", "--home", home)
    # To resume it is to read its result; nothing is launched for that.
    assert json.loads(ok("resume", "demo", "--json", "--home", home))["status"] == "Stopped"
    assert "has ended already: Stopped" in ok("stop", "demo", "--home", home)


def test_on_this_machine(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    limits = {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 50}
    spec = write_spec(tmp_path, SCRIPT, limits=limits)
    killed_after(2, spec, home=home)
    began = time.monotonic()
    said = ok("stop", "demo", "--home", home, "--wait", "600")
    assert "No controller answers for demo" in said
    assert "demo is stopped." in said
    assert time.monotonic() - began < 200, "a dead controller is not waited for"
    is_stopped_with_the_best_so_far(home)
    assert [job for job in LocalBackend(home).find("demo") if not job.state.terminal] == []
    ok("report", "demo", "--home", home, "--output", tmp_path / "report.html")
    assert "demo" in (tmp_path / "report.html").read_text()
    child = write_spec(
        tmp_path,
        name="child",
        warm_start={"type": "IdenticalDataAndAlgorithm", "parents": ["demo"]},
    )
    ok("run", child, "--quiet", "--home", home)
    (inherited,) = load_ledger(open_journal("child", home), "child").inherited
    assert len(inherited.jobs) >= 2


@pytest.mark.parametrize("place", ["sagemaker", "amt"])
def test_on_sagemaker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    limits = {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 100}
    spec = write_spec(tmp_path, limits=limits, training_job={"sagemaker": SAGEMAKER})
    home = "s3://records/tunings"
    with aws(monkeypatch, [0.5] * 20, speed=60) as world:
        killed_after(2, spec, "--backend", place, home=home)
        said = ok("stop", "demo", "--home", home, "--wait", "5")
        assert "demo is stopped." in said
        assert [job.name for job in world.jobs if job.live] == []
        count = len(world.jobs)
        is_stopped_with_the_best_so_far(home)
        assert len(world.jobs) == count
        if place == "amt":
            assert [one.describe()["HyperParameterTuningJobStatus"] for one in world.tuning_jobs] == [
                "Stopped"
            ]


def test_what_amt_runs_without_a_record_is_stopped_by_its_tag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = write_spec(
        tmp_path,
        limits={"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 100},
        training_job={"sagemaker": SAGEMAKER},
    )
    home = str(tmp_path / "home")
    with aws(monkeypatch, [0.5] * 20, speed=60) as world:
        killed_after(1, spec, "--backend", "amt", home=home)
        elsewhere = str(tmp_path / "elsewhere")
        assert cli("stop", "demo", "--home", elsewhere).exit_code == TuningJobNotFound.exit_code
        assert [job for job in world.jobs if job.live], "nothing says that AMT has it"
        said = ok("stop", "demo", "--backend", "amt", "--home", elsewhere)
        assert "There is no record of demo; SageMaker's own tuner stops it" in said
        eventually(lambda: not [job for job in world.jobs if job.live])
        # Whoever has the record sees the end.
        ok("stop", "demo", "--home", home, "--wait", "5")
        is_stopped_with_the_best_so_far(home)
        assert (
            cli("stop", "nobody", "--backend", "amt", "--home", elsewhere).exit_code
            == TuningJobNotFound.exit_code
        )
        body = {**world.tuning_jobs[0].request, "HyperParameterTuningJobName": "theirs", "Tags": []}
        boto3.client("sagemaker").create_hyper_parameter_tuning_job(**body)
        refused = cli("stop", "theirs", "--backend", "amt", "--home", elsewhere)
        assert refused.exit_code == NameTaken.exit_code
        assert HANDED_OFF in refused.output
        assert status_in_amt("theirs") == "InProgress"


def test_the_training_jobs_are_stopped_though_the_record_can_not_be_read(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    spec = write_spec(
        tmp_path, SCRIPT, limits={"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 50}
    )
    killed_after(2, spec, home=home)
    journal = home_directory(home) / "demo" / "journal"
    entry = journal / "00000001.json"
    kept = entry.read_bytes()
    entry.write_text('{"events": [{"v": 1, "kind": "nothing of ours"}]}')
    result = cli("stop", "demo", "--home", home)
    assert result.exit_code == JournalError.exit_code
    assert "Its training jobs are stopped all the same: demo-00" in result.output
    assert [job for job in LocalBackend(home).find("demo") if not job.state.terminal] == []
    # Restored, it ends as it should.
    entry.write_bytes(kept)
    ok("stop", "demo", "--home", home)
    is_stopped_with_the_best_so_far(home)


def test_the_training_jobs_are_stopped_though_the_note_can_not_be_left(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    spec = write_spec(
        tmp_path, SCRIPT, limits={"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 50}
    )
    killed_after(2, spec, home=home)
    # As root, permissions keep nobody out: a directory stands where the note should be.
    (home_directory(home) / "demo" / "journal" / "stop").mkdir()
    result = cli("stop", "demo", "--home", home)
    assert "can't be left" in result.output
    assert [job for job in LocalBackend(home).find("demo") if not job.state.terminal] == []


def test_a_frozen_controller_is_waited_for_and_then_fenced_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amt_flows.cli.stop.PATIENCE_SECONDS", 2.0)
    home = str(tmp_path / "home")
    spec = write_spec(
        tmp_path, SCRIPT, limits={"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 50}
    )
    with controller(spec, home=home) as process:
        eventually(lambda: len(load_ledger(open_journal("demo", home), "demo").ended) >= 2)
        os.kill(process.pid, signal.SIGSTOP)
        said = ok("stop", "demo", "--home", home, "--wait", "1")
        assert "does not answer; its record is closed from here" in said
        is_stopped_with_the_best_so_far(home)
        decided = set(load_ledger(open_journal("demo", home), "demo").jobs)
        os.kill(process.pid, signal.SIGCONT)
        process.wait(60)
    # It may have stood still within a launch that was written down before: that one ends with it.
    backend = LocalBackend(home)
    eventually(lambda: all(job.state.terminal for job in backend.find("demo")))
    assert len({job.name for job in backend.find("demo")} - decided) <= 1
    is_stopped_with_the_best_so_far(home)
