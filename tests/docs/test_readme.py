"""The README's examples, run as they stand."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from amt_flows.spec import TuningSpec
from amt_flows.testing.sagemaker import AcceleratedClock, JobScript, SimulatedSageMaker
from commands import ok
from readme import block, enter_project

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the README's training script and spec, and a home of its own."""
    return enter_project(tmp_path, monkeypatch)


@pytest.mark.slow
def test_the_commands_tune_the_script(project: Path) -> None:
    commands = [
        line.partition("#")[0].strip() for line in block("sh", "amt-flows plan tuning.toml").splitlines()
    ]
    assert [command.split()[1] for command in commands] == ["plan", "run", "status", "jobs", "logs", "stop"]
    for command in commands:
        _, *arguments = shlex.split(command)
        if arguments == ["logs", "JOB"]:
            # The first one; a later one may have been stopped, the target reached, before it said a word.
            arguments = ["logs", min((project / "home/my-first-tuning/jobs").iterdir()).name]
        done = subprocess.run(
            [sys.executable, "-m", "amt_flows", *arguments], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, (command, done.stderr)
        assert "accuracy" in done.stdout or arguments[0] in ("stop", "jobs"), (command, done.stdout)


def test_python_gives_the_best_training_job(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    exec(block("python", "result.to_frame()"), names)
    # Those that were stopped early come after those that may be the best, whatever value they had.
    frame = names["frame"]
    completed = list(frame[frame["TrainingJobStatus"] == "Completed"]["FinalObjectiveValue"])
    assert completed == sorted(completed, reverse=True)
    assert set(frame["TrainingJobStatus"][: len(completed)]) == {"Completed"}
    assert "learning_rate" in capsys.readouterr().out


def scripted(hyperparameters: Mapping[str, str]) -> JobScript:
    rate = float(hyperparameters["learning_rate"])
    return JobScript([1 - abs(rate - 0.1) - 0.5**epoch for epoch in range(1, 6)], seconds_per_epoch=60)


REQUEST = {
    "HyperParameterTuningJobName": "from-the-readme",
    "HyperParameterTuningJobConfig": {
        "Strategy": "Random",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "accuracy"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
        "ParameterRanges": {
            "ContinuousParameterRanges": [{"Name": "learning_rate", "MinValue": "0.01", "MaxValue": "1"}]
        },
    },
    "TrainingJobDefinition": {
        "AlgorithmSpecification": {
            "TrainingImage": "my-image:1",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "accuracy", "Regex": r"accuracy[=:] ?(-?[0-9.e-]+)"}],
        },
        "RoleArn": "arn:aws:iam::123456789012:role/training",
        "OutputDataConfig": {"S3OutputPath": "s3://my-bucket/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    },
}


@pytest.mark.slow
def test_sagemaker_runs_the_same_on_the_simulated_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AMT_FLOWS_SAGEMAKER_POLL_SECONDS", "0.2")
    (tmp_path / "request.json").write_text(json.dumps(REQUEST))
    export, *commands = [
        line.partition("#")[0].strip() for line in block("sh", "--backend sagemaker").splitlines()
    ]
    variable, _, home = export.removeprefix("export ").partition("=")
    monkeypatch.setenv(variable, home)
    clock = AcceleratedClock(100)
    with SimulatedSageMaker(scripted, clock=clock, tunes=True) as world, world.serve():
        for name, value in world.environment.items():
            monkeypatch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="my-bucket")
        shown = [ok(*shlex.split(command)[1:]) for command in commands]
        assert len(world.jobs) == 8
        assert len(world.tuning_jobs) == 1
    plan, ours, theirs, status = shown
    assert "CreateTrainingJob" in plan
    for text in (ours, status):
        assert re.search(r"s3://my-bucket/models/from-the-readme-\d+.*model\.tar\.gz", text)
    assert re.search(r"s3://my-bucket/models/by-amt-\d+.*model\.tar\.gz", theirs)


@pytest.mark.parametrize("name", ["warm.toml", "auto.toml"])
def test_the_settings_for_what_is_known_are_settings(project: Path, name: str) -> None:
    given = tomllib.loads(block("toml", f"# {name}"))
    spec = tomllib.loads((project / "tuning.toml").read_text())
    if name == "auto.toml":
        # Its ranges are chosen.
        del spec["continuous"]
    (project / "old-jobs.csv").write_text("learning_rate,accuracy\n0.2,0.9\n")
    TuningSpec.parse({**spec, **given, "name": "the-next"})
