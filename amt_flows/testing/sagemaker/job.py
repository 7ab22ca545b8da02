"""A training job of the simulated service: what it was asked to do, and what has become of it so far."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from amt_flows.testing.sagemaker.lines import finite
from amt_flows.testing.sagemaker.log_agent import LogAgent
from amt_flows.testing.sagemaker.quotas import is_spot
from amt_flows.testing.sagemaker.rules import max_runtime, max_wait

IN_PROGRESS, STOPPING = "InProgress", "Stopping"
COMPLETED, FAILED, STOPPED = "Completed", "Failed", "Stopped"

MESSAGES = {
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Interrupted": "Spot instances were interrupted; waiting for capacity",
    "Uploading": "Uploading generated training model",
    "Stopping": "Stopping the training job",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
    "MaxWaitTimeExceeded": "Training job wait time exceeded MaxWaitTimeInSeconds provided",
}
ON_INSTANCES = ("Downloading", "Training", "Stopping", "Uploading")
LONGEST_REASON = 1024


@dataclass
class Transition:
    """A secondary status and when it held, in seconds since the epoch."""

    status: str
    started_at: float
    ended_at: float | None = None


@dataclass(frozen=True)
class Start:
    """One time that a job's container was started; it has a log stream of its own."""

    at: float
    stream: str


@dataclass(frozen=True)
class Line:
    """A line of output."""

    at: float
    stream: str
    text: str


@dataclass(frozen=True)
class Emission:
    """A value that a metric definition found in the output. It may be NaN or infinite."""

    at: float
    metric: str
    value: float


class Driver(Protocol):
    """Whatever moves a job on. Called with the world's lock held."""

    def begin(self) -> None: ...

    def stop(self, now: float) -> None:
        """The service was asked to stop the job."""
        ...

    def interrupt(self, now: float) -> None:
        """The job's spot instances are taken away."""
        ...

    def abandon(self) -> None:
        """The job is forgotten: leave nothing running."""
        ...


@dataclass(eq=False)
class SimulatedTrainingJob:
    """One training job. Tests read it; times are in seconds since the epoch."""

    name: str
    arn: str
    account: str
    region: str
    request: Mapping[str, Any]
    created_at: float
    tags: list[dict[str, str]] = field(default_factory=list)
    tuning_job_arn: str | None = None
    algorithm: Mapping[str, Any] = field(default_factory=dict)
    """What the registered algorithm that it names is made of, if it names one."""
    status: str = IN_PROGRESS
    transitions: list[Transition] = field(default_factory=list)
    training_started_at: float | None = None
    training_ended_at: float | None = None
    last_modified_at: float = 0.0
    failure_reason: str | None = None
    model_uri: str | None = None
    """Where its model is, once it is there; Describe names the place before."""
    starts: list[Start] = field(default_factory=list)
    """Every time its container was started: once, and again after interruptions and internal errors."""
    lines: list[Line] = field(default_factory=list)
    emissions: list[Emission] = field(default_factory=list)
    pid: int | None = None
    """The training process, while one really runs."""
    warm: bool = False
    """It starts on the instances of a warm pool."""
    driver: Driver | None = None
    log_agent: LogAgent | None = None
    """Of its newest start."""

    # -- what it was asked -----------------------------------------------------------------------

    @property
    def hyperparameters(self) -> dict[str, str]:
        return dict(self.request.get("HyperParameters") or {})

    @property
    def spot(self) -> bool:
        return is_spot(self.request)

    @property
    def checkpointed(self) -> bool:
        return bool(self.request.get("CheckpointConfig"))

    @property
    def metric_definitions(self) -> list[Mapping[str, Any]]:
        asked = self.request.get("AlgorithmSpecification") or {}
        return list(asked.get("MetricDefinitions") or self.algorithm.get("MetricDefinitions") or ())

    @property
    def max_runtime_seconds(self) -> int:
        return max_runtime(self.request)

    @property
    def max_wait_seconds(self) -> int | None:
        return max_wait(self.request) if self.spot else None

    @property
    def max_retries(self) -> int:
        return int((self.request.get("RetryStrategy") or {}).get("MaximumRetryAttempts") or 0)

    # -- where it is -----------------------------------------------------------------------------

    @property
    def live(self) -> bool:
        """Whether it holds its instances."""
        return self.status in (IN_PROGRESS, STOPPING)

    @property
    def secondary_status(self) -> str:
        return self.transitions[-1].status if self.transitions else "Starting"

    @property
    def stream(self) -> str:
        return self.starts[-1].stream

    def running_seconds(self, now: float) -> float:
        """How long it has been on training instances by ``now``, over all its starts."""
        if self.training_started_at is None:
            return 0.0
        return sum(
            max(0.0, min(now, now if t.ended_at is None else t.ended_at) - t.started_at)
            for t in self.transitions
            if t.status in ON_INSTANCES
        )

    def final_metrics(self) -> dict[str, Emission]:
        """The last value of each metric that CloudWatch took, in the service's precision: 32 bits."""
        last: dict[str, Emission] = {}
        for emission in self.emissions:
            if finite(emission.value):
                last[emission.metric] = emission
        return {n: Emission(e.at, n, in_32_bits(e.value)) for n, e in last.items()}

    # -- moving on -------------------------------------------------------------------------------

    def enter(self, secondary: str, at: float) -> None:
        """Go on to the next secondary status."""
        if self.transitions:
            self.transitions[-1].ended_at = at
        self.transitions.append(Transition(secondary, at))
        self.last_modified_at = at

    def start_container(self, at: float) -> None:
        """The instances are there: from now on the job is paid for, and it has a log stream."""
        if self.training_started_at is None:
            self.training_started_at = at
        number = int(at)
        if self.starts:
            number = max(number, int(self.stream.rpartition("-")[2]) + 1)
        self.starts.append(Start(at, f"{self.name}/algo-1-{number}"))

    def leave_instances(self, at: float) -> None:
        """Set the end of what is paid for."""
        if self.training_started_at is not None:
            self.training_ended_at = at

    def finish(self, status: str, secondary: str, at: float, reason: str | None = None) -> None:
        self.enter(secondary, at)
        self.transitions[-1].ended_at = at
        self.status = status
        if reason is not None:
            self.failure_reason = reason[:LONGEST_REASON]


def in_32_bits(value: float) -> float:
    """A metric's value as the service keeps it."""
    # MetricData.Value is a Float in the service's model, not a Double: 0.9 comes back as 0.8999999761581421.
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return value
