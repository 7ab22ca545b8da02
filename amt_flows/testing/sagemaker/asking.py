"""Asking a SageMaker, real or simulated, and forgetting which one it was: names, accounts and regions are
taken out of its answers, so that two can be compared. What was made is removed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

POLL_SECONDS = 5.0


@dataclass(frozen=True)
class Place:
    """Where training jobs of the questions run, and what they may cost."""

    role: str
    bucket: str
    image: str
    """It must have ``bash`` and ``python3``."""
    instance_type: str = "ml.m5.large"
    dollars_per_hour: float = 0.25
    """No less than the type's price."""


@dataclass
class Asker:
    """Clients of one SageMaker. ``run`` makes names that are this run's own."""

    client: Callable[[str], Any]
    place: Place
    run: str
    poll_seconds: float = POLL_SECONDS
    _undo: list[Callable[[], Any]] = field(default_factory=list)

    @property
    def sagemaker(self) -> Any:
        return self.client("sagemaker")

    def name(self, what: str) -> str:
        return f"{self.run}-{what}"

    def make(self, operation: str, **request: Any) -> Any:
        """Call ``create_...`` now, and at the end ``delete_...`` with the first member of the request."""
        answer = getattr(self.sagemaker, operation)(**request)
        remove = operation.replace("create_", "delete_")
        member, name = next(iter(request.items()))
        self.afterwards(lambda: getattr(self.sagemaker, remove)(**{member: name}))
        return answer

    def afterwards(self, action: Callable[[], Any]) -> None:
        self._undo.append(action)

    def model(self, what: str) -> str:
        """Make a model, which costs nothing."""
        name = self.name(what)
        container = {"Image": self.place.image}
        self.make(
            "create_model", ModelName=name, PrimaryContainer=container, ExecutionRoleArn=self.place.role
        )
        return name

    def train(self, what: str, script: str, *, seconds: int, **more: Any) -> dict[str, Any]:
        """Run a script of bash's as a training job, and wait for its end. Describe's last answer."""
        name = self.name(what)
        algorithm = {
            "TrainingImage": self.place.image,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["bash", "-c", script],
            **more.pop("algorithm", {}),
        }
        self.sagemaker.create_training_job(
            TrainingJobName=name,
            AlgorithmSpecification=algorithm,
            RoleArn=self.place.role,
            OutputDataConfig={"S3OutputPath": f"s3://{self.place.bucket}/{self.run}"},
            ResourceConfig=self.instances(),
            StoppingCondition={"MaxRuntimeInSeconds": seconds},
            **more,
        )
        self.afterwards(lambda: self._stop(name))
        while True:
            told: dict[str, Any] = self.sagemaker.describe_training_job(TrainingJobName=name)
            if told["TrainingJobStatus"] not in ("InProgress", "Stopping"):
                return told
            time.sleep(self.poll_seconds)

    def instances(self) -> dict[str, Any]:
        return {"InstanceType": self.place.instance_type, "InstanceCount": 1, "VolumeSizeInGB": 1}

    def _stop(self, name: str) -> None:
        told = self.sagemaker.describe_training_job(TrainingJobName=name)
        if told["TrainingJobStatus"] == "InProgress":
            self.sagemaker.stop_training_job(TrainingJobName=name)

    def refusal(self, operation: str, service: str = "sagemaker", **request: Any) -> str:
        """Code and text of a call that should be refused; else that it wasn't."""
        try:
            getattr(self.client(service), operation)(**request)
        except ClientError as error:
            told = error.response["Error"]
            return f"{told['Code']}: {told['Message']}"
        return "not refused"

    def plain(self, answer: Any) -> Any:
        """An answer without what is different in every run and account."""
        account = self.place.role.split(":")[4]
        region = str(self.sagemaker.meta.region_name)
        known = {
            self.run: "RUN",
            self.run.lower(): "RUN",
            self.place.bucket: "BUCKET",
            self.place.role: "ROLE",
            self.place.image: "IMAGE",
            account: "ACCOUNT",
            region: "REGION",
        }
        text = json.dumps(answer, default=_shown, sort_keys=True)
        for given in sorted(known, key=len, reverse=True):
            text = text.replace(given, known[given])
        return json.loads(text)

    def clean_up(self) -> list[str]:
        """Remove what was made, the last first. What couldn't be removed."""
        left = []
        while self._undo:
            try:
                self._undo.pop()()
            except ClientError as error:
                left.append(str(error))
        return left


def _shown(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def members(answer: Mapping[str, Any]) -> list[str]:
    """Which an answer has, whatever they hold."""
    return sorted(name for name in answer if name != "ResponseMetadata")
