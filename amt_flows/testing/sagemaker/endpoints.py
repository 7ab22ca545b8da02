"""The life of an endpoint: it is created, updated, rolled back and deleted, and each takes its time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from amt_flows.testing.sagemaker.clocks import naive
from amt_flows.testing.sagemaker.shared_state import SharedState

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
    _plan: int = 0

    @property
    def busy(self) -> bool:
        return self.status in ("Creating", "Updating", "RollingBack", "Deleting")

    def describe(self) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "EndpointName": self.name,
            "EndpointArn": self.arn,
            "EndpointConfigName": self.configuration,
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
        self, status: str, configuration: str, script: EndpointScript, is_there: Callable[[], bool]
    ) -> None:
        """Start a creation or an update. ``is_there`` tells whether configuration and model still exist: the
        service needs them to the end."""
        now = self.shared.now()
        self.failure, self.coming = None, configuration
        self.enter(status, now)
        if script.end is not EndpointEnd.HANG:
            self._then(now + script.seconds, lambda at: self._end(at, configuration, script, is_there()))

    def _end(self, at: float, configuration: str, script: EndpointScript, is_there: bool) -> None:
        end, self.failure = script.end, script.failure
        if not is_there:
            end, self.failure = EndpointEnd.FAIL, "The endpoint configuration or its model was deleted."
        updating = self.status == "Updating"
        if end is EndpointEnd.IN_SERVICE:
            self.configuration, self.failure = configuration, None
            self._settle("InService", at)
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
