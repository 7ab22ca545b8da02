"""The README's examples, run as they stand."""

from __future__ import annotations

import functools
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

from amt_flows.backends import sagemaker
from amt_flows.backends.sagemaker import SageMakerBackend
from amt_flows.testing.sagemaker import JobScript, SimulatedSageMaker

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def block(language: str, containing: str) -> str:
    """The one block of a language that holds a text."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = [text for text in blocks if containing in text]
    return str(found)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the README's training script and spec, and a home of its own."""
    (tmp_path / "train.py").write_text(block("python", "# train.py"))
    (tmp_path / "tuning.toml").write_text(block("toml", "# tuning.toml"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AMT_FLOWS_HOME", str(tmp_path / "home"))
    return tmp_path


def test_the_commands_tune_the_script(project: Path) -> None:
    commands = [line.partition("#")[0].strip() for line in block("sh", "amt-flows plan").splitlines()]
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
    assert list(names["frame"]["FinalObjectiveValue"].dropna()) == sorted(
        names["frame"]["FinalObjectiveValue"].dropna(), reverse=True
    )
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


def test_sagemaker_runs_the_same_on_the_simulated_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    (tmp_path / "request.json").write_text(json.dumps(REQUEST))
    with SimulatedSageMaker(scripted) as world:
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="my-bucket")
        there = functools.partial(SageMakerBackend, clock=world.clock, sleep=world.sleep)
        monkeypatch.setattr(sagemaker, "SageMakerBackend", there)
        exec(block("python", "S3Journal(f"), {})
        assert len(world.jobs) == 4
    assert re.search(r"s3://my-bucket/models/from-the-readme-\d+.*model\.tar\.gz", capsys.readouterr().out)
