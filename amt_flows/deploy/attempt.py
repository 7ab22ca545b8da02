"""One attempt to bring an endpoint to a configuration: what is known of it, and what was at work before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from amt_flows.backends.sagemaker.errors import Trouble
from amt_flows.deploy.hosting import Hosting, trouble_of
from amt_flows.deploy.settings import Waiting
from amt_flows.errors import BackendError, CapacityUnavailable, DeployFailed

IN_SERVICE, FAILED, MIXED, OUT = "InService", "Failed", "UpdateRollbackFailed", "OutOfService"
BUSY: Final = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")


@dataclass(frozen=True)
class EndpointProgress:
    """Where an endpoint stands while it is waited for."""

    endpoint: str
    status: str
    seconds: float
    """Since the wait began."""


Tell = Callable[[EndpointProgress], None]


@dataclass
class Attempt:
    """What one call has asked for so far, and what it knows."""

    endpoint: str
    configuration: str
    is_roll_back: bool = False
    asked: str | None = None
    """``create`` or ``update`` once it is under way, begun by this call or by an earlier one."""
    previous: str | None = None
    """What was at work before, to return to should this fail."""
    seen_before: Any = None
    """LastModifiedTime before our update: an answer that still has it is older than the update."""
    arn: str = ""


class Watch:
    """Waits between looks, tells where the endpoint stands, and gives up in time."""

    def __init__(self, hosting: Hosting, waiting: Waiting, endpoint: str, tell: Tell) -> None:
        self._hosting, self._waiting, self._endpoint, self._tell = hosting, waiting, endpoint, tell
        self._began = hosting.now()

    def wait(self, status: str) -> None:
        """Raises DeployFailed when the time is up."""
        seconds = self._hosting.now() - self._began
        self._tell(EndpointProgress(self._endpoint, status, seconds))
        if seconds >= self._waiting.timeout_seconds:
            raise DeployFailed(
                f"Endpoint {self._endpoint} is still {status} after {seconds:.0f} s. It was left as it is.",
                because="SageMaker takes long, and can't interrupt what it has begun",
                remedy="do the same again: it waits on, and rolls back if SageMaker fails in the end",
            )
        self._hosting.sleep(self._waiting.poll_seconds)

    def restart(self) -> None:
        """A roll-back has the whole time again."""
        self._began = self._hosting.now()


def begin(hosting: Hosting, operation: str, asked: Mapping[str, Any], what: str) -> bool:
    """Ask for a change. False if the endpoint is busy or gone: somebody else was quicker, or the answer to
    our own first try was lost. Which of the two, the next look tells."""
    try:
        hosting.call(operation, asked, what)
    except CapacityUnavailable:
        raise
    except BackendError as error:
        if trouble_of(error) not in (Trouble.IN_USE, Trouble.NOT_FOUND) or _names_missing_part(error):
            raise
        return False
    return True


def _names_missing_part(error: BackendError) -> bool:
    """Whether what is not found is the endpoint's configuration and not the endpoint."""
    return trouble_of(error) is Trouble.NOT_FOUND and "config" in error.happened.partition(":")[2].lower()
