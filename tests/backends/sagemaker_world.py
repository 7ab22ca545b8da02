"""A SageMaker backend on the simulated service, in scripted time: nothing here sleeps."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config

from amt_flows.backends.sagemaker import SageMakerBackend
from amt_flows.backends.simulated import Script
from amt_flows.ports import JobReport, JobRequest, MetricPoint
from amt_flows.spec import TrainingJobTemplate, TuningSpec
from amt_flows.testing.sagemaker import SimulatedSageMaker

REGION = "eu-west-1"
TUNING_JOB = "demo"
OBJECTIVE = "accuracy"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mine:1"
# A test of a refusal must not wait for botocore's own retries.
ONE_ATTEMPT = Config(retries={"total_max_attempts": 1, "mode": "standard"})


def verbatim(**changes: Any) -> dict[str, Any]:
    """A complete ``training_job.sagemaker``; a member that is changed to None is left out."""
    members: dict[str, Any] = {
        "RoleArn": "arn:aws:iam::123456789012:role/trainer",
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        **changes,
    }
    return {name: value for name, value in members.items() if value is not None}


def template(sagemaker: Mapping[str, Any] | None = None, **changes: Any) -> TrainingJobTemplate:
    return TrainingJobTemplate(sagemaker=verbatim(**(sagemaker or {})), **changes)


def spec(sagemaker: Mapping[str, Any] | None = None, **changes: Any) -> TuningSpec:
    values: dict[str, Any] = {
        "name": TUNING_JOB,
        "objective": {"metric_name": OBJECTIVE},
        "continuous": [{"name": "learning_rate", "min_value": 0.0001, "max_value": 1.0}],
        "strategy": "Random",
        "limits": {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 10},
        "training_job": {"sagemaker": verbatim(**(sagemaker or {}))},
    }
    return TuningSpec(**{**values, **changes})


def early(**changes: Any) -> TuningSpec:
    """Ten jobs at the most, with early stopping."""
    values: dict[str, Any] = {
        "early_stopping": {"type": "Auto", "min_jobs": 3},
        "limits": {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 10},
    }
    return spec(**{**values, **changes})


def own_level(hyperparameters: Mapping[str, str]) -> Script:
    """A curve of eight epochs that rises to a level of its own, the same for the same configuration."""
    chance = random.Random(hyperparameters["learning_rate"])
    level = chance.uniform(0.1, 1.0)
    values = [level * (1 - 0.3**epoch) + chance.uniform(-0.02, 0.02) for epoch in range(1, 9)]
    # Each starts after a time of its own: what happens at the same moment has no order that two worlds share.
    return Script(values, seconds_per_epoch=20.0, startup_seconds=chance.uniform(25, 35))


def request(trial: int = 1, **changes: Any) -> JobRequest:
    attempt = changes.get("attempt", 1)
    fields: dict[str, Any] = {
        "name": f"{TUNING_JOB}-{trial:03d}-{trial:08x}" + (f"-r{attempt}" if attempt > 1 else ""),
        "tuning_job": TUNING_JOB,
        "trial": trial,
        "attempt": 1,
        "hyperparameters": {"learning_rate": str(trial)},
        "fingerprint": "f" * 64,
        "template": template(),
        "objective_metric": OBJECTIVE,
    }
    return JobRequest(**{**fields, **changes})


@lru_cache(maxsize=1)
def session() -> Any:
    # One for all tests: each new one reads megabytes of models.
    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)


@lru_cache(maxsize=8)
def client(service: str) -> Any:
    return session().client(service, config=ONE_ATTEMPT)


class SharedClients:
    """A boto3 session whose clients are made once for all tests, and ask once."""

    region_name = REGION

    def client(self, service: str, **options: Any) -> Any:
        return client(service)

    def get_partition_for_region(self, region: str) -> str:
        return "aws"


def backend(world: SimulatedSageMaker, **options: Any) -> SageMakerBackend:
    """A backend that lives in the world's time and waits by moving it."""
    settings: dict[str, Any] = {
        "session": SharedClients(),
        "clock": world.clock,
        "sleep": world.sleep,
        "seed": 0,
    }
    return SageMakerBackend(**{**settings, **options})


class Controller:
    """What an engine does with a backend: it polls and keeps every value."""

    def __init__(self, world: SimulatedSageMaker, **options: Any) -> None:
        self.world = world
        self.backend = backend(world, **options)
        self.points: dict[str, list[MetricPoint]] = {}

    def launch(self, *requests: JobRequest) -> list[str]:
        for one in requests:
            self.backend.launch(one)
        return [one.name for one in requests]

    def poll(self, *names: str) -> list[JobReport]:
        reports = list(self.backend.poll(TUNING_JOB, names))
        for report in reports:
            self.points.setdefault(report.name, []).extend(report.points)
        return reports

    def until(self, condition: Callable[[JobReport], bool], *names: str) -> list[JobReport]:
        for _ in range(20_000):
            reports = self.poll(*names)
            if all(condition(report) for report in reports):
                return reports
            self.backend.wait(10.0)
        raise AssertionError(f"in vain waited for {names}: {reports}")

    def end(self, name: str) -> JobReport:
        return self.until(lambda report: report.state.terminal, name)[0]

    def run(self, one: JobRequest) -> JobReport:
        return self.end(*self.launch(one))

    def epochs(self, name: str, metric: str = OBJECTIVE) -> list[tuple[int, float]]:
        return [(p.epoch, p.value) for p in self.points.get(name, ()) if p.metric == metric]

    def values(self, name: str, metric: str = OBJECTIVE) -> list[float]:
        epochs = self.epochs(name, metric)
        assert [epoch for epoch, _ in epochs] == list(range(1, len(epochs) + 1))
        return [value for _, value in epochs]


def calls_since(world: SimulatedSageMaker, before: Mapping[str, int]) -> dict[str, int]:
    """The calls of each operation since a copy of ``world.calls`` was made."""
    return {name: n - before.get(name, 0) for name, n in world.calls.items() if n != before.get(name, 0)}


__all__: Sequence[str] = (
    "IMAGE",
    "OBJECTIVE",
    "ONE_ATTEMPT",
    "REGION",
    "TUNING_JOB",
    "Controller",
    "backend",
    "calls_since",
    "client",
    "request",
    "session",
    "spec",
    "template",
    "verbatim",
)
