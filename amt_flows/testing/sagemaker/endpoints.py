"""The life of an endpoint: it is created, updated, rolled back and deleted, and each takes its time.

Its statuses and what may follow which are DescribeEndpoint's reference; how long each takes is what people
report, and differs widely.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from amt_flows.testing.sagemaker.clocks import naive
from amt_flows.testing.sagemaker.shared_state import SharedState
from amt_flows.testing.sagemaker.variants import Variant, settled

NO_HEALTH = "The primary container for production variant AllTraffic did not pass the ping health check."


class EndpointEnd(str, Enum):
    """How a creation or an update ends."""

    IN_SERVICE = "in service"
    FAIL = "fail"
    """A creation: Failed. An update: SageMaker returns to the previous configuration by itself."""
    FAIL_FOR_GOOD = "fail for good"
    """Failed, also after an update: it can only be deleted."""
    FAIL_BETWEEN = "fail between"
    """An update: UpdateRollbackFailed, some instances new, some old."""
    HANG = "hang"
    """Never."""


@dataclass(frozen=True)
class EndpointScript:
    """What becomes of a configuration that is deployed. Times are in seconds."""

    end: EndpointEnd = EndpointEnd.IN_SERVICE
    seconds: float = 240.0
    rolling_back_seconds: float = 120.0
    deleting_seconds: float = 30.0
    failure: str = NO_HEALTH


Deployed = tuple[list[Variant], Mapping[str, Any] | None]
"""The variants that are served, and what is said of capturing data."""

Deploy = Callable[[str, Mapping[str, Any]], EndpointScript]
"""From an endpoint's name and the request of its configuration to what becomes of them."""


@dataclass
class SimulatedEndpoint:
    """An endpoint, and what it has gone through."""

    name: str
    arn: str
    configuration: str
    """The one that it serves, or is to serve first."""
    created_at: float
    tags: list[dict[str, str]]
    shared: SharedState
    status: str = "Creating"
    coming: str | None = None
    """The configuration of the change that is under way."""
    failure: str | None = None
    last_modified_at: float = 0.0
    history: list[tuple[str, str]] = field(default_factory=list)
    """(status, configuration), from the first."""
    variants: list[Variant] = field(default_factory=list)
    """Of what it serves."""
    capture: Mapping[str, Any] | None = None
    """What its configuration says of capturing data."""
    _plan: int = 0

    @property
    def busy(self) -> bool:
        return self.status in ("Creating", "Updating", "RollingBack", "Deleting")

    def describe(self) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "EndpointName": self.name,
            "EndpointArn": self.arn,
            "EndpointConfigName": self.configuration,
            "ProductionVariants": self.variants or None,
            "DataCaptureConfig": _captured(self.capture) if self.capture else None,
            "EndpointStatus": self.status,
            "FailureReason": self.failure,
            "CreationTime": naive(self.created_at),
            "LastModifiedTime": naive(self.last_modified_at),
        }
        if self.coming is not None:
            answer["PendingDeploymentSummary"] = {"EndpointConfigName": self.coming}
        return {name: value for name, value in answer.items() if value is not None}

    def enter(self, status: str, at: float) -> None:
        self.status, self.last_modified_at = status, at
        self.history.append((status, self.configuration))

    def begin(
        self, status: str, configuration: str, script: EndpointScript, deployed: Callable[[], Deployed | None]
    ) -> None:
        """Start a creation or an update. ``deployed`` tells what is served then, or None where configuration
        or model no longer exist: the service needs them to the end."""
        now = self.shared.now()
        self.failure, self.coming = None, configuration
        self.enter(status, now)
        if script.end is not EndpointEnd.HANG:
            self._then(now + script.seconds, lambda at: self._end(at, configuration, script, deployed()))

    def reweigh(self, variants: list[Variant], seconds: float) -> None:
        """Change weights and instances, in so many seconds."""
        now = self.shared.now()
        self.variants = variants
        self.enter("Updating", now)
        self._then(now + seconds, self._reweighed)

    def _reweighed(self, at: float) -> None:
        self.variants = settled(self.variants)
        self._settle("InService", at)

    def serve(self, configuration: str, deployed: Deployed, at: float) -> None:
        """It serves this from now on."""
        self.configuration, self.failure = configuration, None
        self.variants, self.capture = deployed
        self._settle("InService", at)

    def _end(self, at: float, configuration: str, script: EndpointScript, deployed: Deployed | None) -> None:
        end, self.failure = script.end, script.failure
        if deployed is None:
            end, self.failure = EndpointEnd.FAIL, "The endpoint configuration or its model was deleted."
        updating = self.status == "Updating"
        if end is EndpointEnd.IN_SERVICE and deployed is not None:
            self.serve(configuration, deployed, at)
        elif end is EndpointEnd.FAIL and updating:
            self.enter("RollingBack", at)
            self._then(at + script.rolling_back_seconds, lambda later: self._settle("InService", later))
        elif end is EndpointEnd.FAIL_BETWEEN and updating:
            self._settle("UpdateRollbackFailed", at)
        else:
            self._settle("Failed", at)

    def _settle(self, status: str, at: float) -> None:
        self.coming = None
        self.enter(status, at)

    def delete(self, seconds: float, gone: Callable[[], None]) -> None:
        now = self.shared.now()
        self._settle("Deleting", now)
        self._then(now + seconds, lambda at: gone())

    def _then(self, at: float, step: Callable[[float], None]) -> None:
        self._plan += 1
        plan = self._plan
        self.shared.at(at, lambda now: step(now) if plan == self._plan else None)


def _captured(asked: Mapping[str, Any]) -> dict[str, Any]:
    """DataCaptureConfig as Describe tells it."""
    return {
        "EnableCapture": bool(asked.get("EnableCapture")),
        "CaptureStatus": "Started" if asked.get("EnableCapture") else "Stopped",
        "CurrentSamplingPercentage": asked["InitialSamplingPercentage"],
        "DestinationS3Uri": asked["DestinationS3Uri"],
        "KmsKeyId": asked.get("KmsKeyId", ""),
    }


def pace(seconds: float) -> Deploy:
    """All goes well, in so many seconds; a roll-back takes half of it and a deletion an eighth."""
    script = EndpointScript(seconds=seconds, rolling_back_seconds=seconds / 2, deleting_seconds=seconds / 8)
    return lambda endpoint, configuration: script
