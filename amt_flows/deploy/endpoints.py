"""Bringing an endpoint to a configuration: created or updated, waited for, and rolled back when it fails.

One loop looks at the endpoint and does the next thing, and what it has done before it reads from the endpoint
itself. So a caller that dies anywhere and asks again goes on where the first one was.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html has the statuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from amt_flows.backends.sagemaker.tags import as_pairs
from amt_flows.deploy.attempt import BUSY, FAILED, IN_SERVICE, OUT, Attempt, Tell, Watch, begin
from amt_flows.deploy.bodies import checked
from amt_flows.deploy.hosting import Hosting, Record
from amt_flows.deploy.settings import Waiting
from amt_flows.deploy.undo import undo
from amt_flows.deploy.way_back import (
    PREVIOUS,
    behind_of,
    kept_way_back,
    remember_previous,
    tag_change,
    tagged_previous,
)
from amt_flows.errors import DeployFailed, DeployRejected, Problem


@dataclass(frozen=True)
class LiveEndpoint:
    """An endpoint that answers requests."""

    name: str
    arn: str
    configuration: str
    previous: str | None
    """Of a deployment: what it served before, where a roll-back leads. Of a roll-back: what it served until
    then."""
    changed: bool
    """False when it served this configuration already."""


def deploy_endpoint(
    endpoint: str,
    configuration: str,
    *,
    waiting: Waiting | None = None,
    deployment: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    on_progress: Tell = lambda progress: None,
    hosting: Hosting | None = None,
) -> LiveEndpoint:
    """Create the endpoint with this configuration, or update it, and wait until it is in service.

    ``deployment`` is SageMaker's DeploymentConfig for updates (canary, alarms, ...), ``tags`` are for an
    endpoint that is created. When an update fails, the endpoint has its previous configuration again; when a
    creation fails, the endpoint is deleted. Either way the configuration and the model that were made for it
    are deleted, and DeployFailed says what happened. A time-out leaves the endpoint as it is, since SageMaker
    can't interrupt it; asking again waits on.

    Raises DeployRejected before anything was changed, DeployFailed, CapacityUnavailable, BackendError.
    """
    attempt = Attempt(endpoint, configuration)
    return _deployment(attempt, waiting, deployment, tags, on_progress, hosting or Hosting()).to_its_end()


def roll_back_endpoint(
    endpoint: str,
    to: str | None = None,
    *,
    waiting: Waiting | None = None,
    on_progress: Tell = lambda progress: None,
    hosting: Hosting | None = None,
) -> LiveEndpoint:
    """Bring an endpoint back to the configuration ``to``, or to the one that it served before its current one
    came to work.

    Without ``to``, a second time leads one further back, to what that one had taken over from. Going back to
    ``to`` along this way counts as so many roll-backs, and may be done again at any time; any other
    configuration takes over from the current one, as in a deployment. A line of names is kept in a tag of the
    endpoint, at least the last three that can be gone back to. Raises as :func:`deploy_endpoint`, and
    DeployRejected when the endpoint doesn't exist or its configuration took over from none.
    """
    hosting = hosting or Hosting()
    answer = hosting.endpoint(endpoint)
    if answer is None:
        raise _no_way_back(endpoint, "there is no endpoint of this name")
    if to is None:
        tags = hosting.tags(str(answer["EndpointArn"]))
        to = next(iter(behind_of(tags, str(answer["EndpointConfigName"]))), None)
    if to is None:
        raise _no_way_back(endpoint, "it has had no other configuration before this one")
    attempt = Attempt(endpoint, to, is_roll_back=True)
    return _deployment(attempt, waiting, None, None, on_progress, hosting).to_its_end()


def _no_way_back(endpoint: str, message: str) -> DeployRejected:
    return DeployRejected("The roll-back", [Problem("endpoint", endpoint, message)])


def _deployment(
    attempt: Attempt,
    waiting: Waiting | None,
    deployment: Mapping[str, Any] | None,
    tags: Mapping[str, str] | None,
    on_progress: Tell,
    hosting: Hosting,
) -> _Deployment:
    """Raises DeployRejected for what SageMaker would refuse."""
    endpoint, configuration = attempt.endpoint, attempt.configuration
    create = {"EndpointName": endpoint, "EndpointConfigName": configuration, "Tags": as_pairs(tags or {})}
    update = {**create, "DeploymentConfig": dict(deployment or {}), "Tags": None}
    create, update = checked("CreateEndpoint", create), checked("UpdateEndpoint", update)
    if hosting.configuration(configuration) is None:
        raise DeployRejected(
            f"The deployment of endpoint {endpoint}",
            [Problem("configuration", configuration, "there is no endpoint configuration of this name")],
        )
    watch = Watch(hosting, waiting or Waiting(), endpoint, on_progress)
    return _Deployment(hosting, attempt, watch, create, update)


class Standing(Enum):
    """How an endpoint stands to what is wanted of it. Each has its step in :class:`_Deployment`."""

    MOVING = "something is under way"
    ARRIVED = "it serves what is wanted"
    FAILED = "what was asked for failed"
    EMPTIED = "it has what is wanted, and no instances"
    SPOILT = "somebody else's change failed, and it serves nobody"
    ELSEWHERE = "it serves something else"


def standing_of(attempt: Attempt, answer: Record) -> Standing:
    status, is_wanted = str(answer["EndpointStatus"]), answer["EndpointConfigName"] == attempt.configuration
    if status in BUSY or _is_stale(attempt, answer):
        return Standing.MOVING
    if status == IN_SERVICE and is_wanted:
        return Standing.ARRIVED
    if attempt.asked is not None or (status == FAILED and is_wanted):
        return Standing.FAILED
    if status == OUT and is_wanted:
        return Standing.EMPTIED
    return Standing.SPOILT if status == FAILED else Standing.ELSEWHERE


@dataclass(frozen=True)
class _Deployment:
    """The loop, and its steps."""

    hosting: Hosting
    attempt: Attempt
    watch: Watch
    create: Record
    update: Record

    def to_its_end(self) -> LiveEndpoint:
        while True:
            answer = self.hosting.endpoint(self.attempt.endpoint)
            if answer is None:
                self._create()
                continue
            self.attempt.arn = str(answer["EndpointArn"])
            if self.attempt.asked is None and answer["EndpointStatus"] in BUSY:
                _attach(self.attempt, answer)
            match standing_of(self.attempt, answer):
                case Standing.ARRIVED:
                    return self._arrived()
                case Standing.FAILED:
                    raise undo(self.hosting, self.attempt, answer, self.watch)
                case Standing.EMPTIED:
                    raise _emptied(self.attempt.endpoint, answer)
                case Standing.SPOILT:
                    self._clear_away(answer)
                case Standing.ELSEWHERE:
                    self._update(answer)
                case Standing.MOVING:
                    self.watch.wait(str(answer["EndpointStatus"]))

    def _create(self) -> None:
        attempt = self.attempt
        if attempt.asked != "create":
            # An earlier call may have deleted a spoilt endpoint, to make it anew.
            kept = kept_way_back(self.hosting, attempt)
            attempt.previous = attempt.previous or kept.get(PREVIOUS)
            tags = [*self.create.get("Tags", ()), *as_pairs(kept)]
            body = {**self.create, "Tags": tags} if tags else self.create
            if begin(self.hosting, "create_endpoint", body, f"creating endpoint {attempt.endpoint}"):
                attempt.asked = "create"
                return
        self.watch.wait("Creating")  # not visible yet

    def _arrived(self) -> LiveEndpoint:
        attempt, serving = self.attempt, self.attempt.configuration
        previous = attempt.previous
        if previous is None and attempt.is_roll_back:
            previous = tagged_previous(self.hosting, attempt)
        elif previous is None:
            previous = next(iter(behind_of(self.hosting.tags(attempt.arn), serving)), None)
        return LiveEndpoint(attempt.endpoint, attempt.arn, serving, previous, attempt.asked is not None)

    def _clear_away(self, answer: Record) -> None:
        """A spoilt endpoint can only be deleted. What it served before an update spoilt it is kept."""
        endpoint, serving = self.attempt.endpoint, str(answer["EndpointConfigName"])
        if self.hosting.tags(self.attempt.arn).get(PREVIOUS) == serving:
            self.attempt.previous = serving
            remember_previous(self.hosting, self.attempt)
        if not begin(self.hosting, "delete_endpoint", {"EndpointName": endpoint}, f"deleting {endpoint}"):
            self.watch.wait(str(answer["EndpointStatus"]))

    def _update(self, answer: Record) -> None:
        attempt, serving = self.attempt, str(answer["EndpointConfigName"])
        attempt.previous, attempt.seen_before = serving, answer.get("LastModifiedTime")
        tag_change(self.hosting, attempt, serving)
        if begin(self.hosting, "update_endpoint", self.update, f"updating endpoint {attempt.endpoint}"):
            attempt.asked = "update"
        else:
            self.watch.wait(str(answer["EndpointStatus"]))


def _emptied(endpoint: str, answer: Record) -> DeployFailed:
    return DeployFailed(
        f"Endpoint {endpoint} has this configuration already, and is {OUT}. It was left as it is.",
        because=str(answer.get("FailureReason") or "its instances are gone"),
        remedy="look at its logs, and deploy another configuration or delete it",
    )


def _attach(attempt: Attempt, answer: Mapping[str, Any]) -> None:
    """Recognise a change to our configuration that an earlier call began. Without certainty it is taken for
    somebody else's: that is waited for, and never rolled back."""
    serving, status = str(answer["EndpointConfigName"]), str(answer["EndpointStatus"])
    coming = (answer.get("PendingDeploymentSummary") or {}).get("EndpointConfigName")
    if status == "Creating" and attempt.configuration == (coming or serving):
        attempt.asked = "create"
    elif status in ("Updating", "RollingBack") and attempt.configuration == coming:
        attempt.asked = "update"
        attempt.previous = serving if serving != attempt.configuration else None


def _is_stale(attempt: Attempt, answer: Mapping[str, Any]) -> bool:
    """Whether an answer was given before our update was known."""
    return attempt.asked == "update" and (
        attempt.seen_before is not None and answer.get("LastModifiedTime") == attempt.seen_before
    )
