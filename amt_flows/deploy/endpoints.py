"""Bringing an endpoint to a configuration: created or updated, waited for, and rolled back when it fails.

One loop looks at the endpoint and does the next thing, and what it has done before it reads from the endpoint
itself. So a caller that dies anywhere and asks again goes on where the first one was.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html has the statuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amt_flows.backends.sagemaker.tags import as_pairs
from amt_flows.deploy.attempt import (
    BUSY,
    FAILED,
    IN_SERVICE,
    OUT,
    PREVIOUS,
    Attempt,
    Tell,
    Watch,
    begin,
    remember_previous,
    remembered_previous,
    tagged_previous,
)
from amt_flows.deploy.bodies import checked
from amt_flows.deploy.hosting import Hosting
from amt_flows.deploy.settings import Waiting
from amt_flows.errors import DeployFailed, DeployRejected, Problem


@dataclass(frozen=True)
class LiveEndpoint:
    """An endpoint that answers requests."""

    name: str
    arn: str
    configuration: str
    previous: str | None
    """The configuration that it had before, for a roll-back."""
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
    from amt_flows.deploy.undo import undo

    hosting, waiting = hosting or Hosting(), waiting or Waiting()
    create = {"EndpointName": endpoint, "EndpointConfigName": configuration, "Tags": as_pairs(tags or {})}
    update = {**create, "DeploymentConfig": dict(deployment or {}), "Tags": None}
    create, update = checked("CreateEndpoint", create), checked("UpdateEndpoint", update)
    if hosting.configuration(configuration) is None:
        raise DeployRejected(
            f"The deployment of endpoint {endpoint}",
            [Problem("configuration", configuration, "there is no endpoint configuration of this name")],
        )
    attempt = Attempt(endpoint, configuration)
    watch = Watch(hosting, waiting, endpoint, on_progress)
    while True:
        answer = hosting.endpoint(endpoint)
        if answer is None:
            if attempt.asked != "create" and _create(hosting, attempt, create):
                attempt.asked = "create"
            else:
                watch.wait("Creating")  # not visible yet
            continue
        status, serving = str(answer["EndpointStatus"]), str(answer["EndpointConfigName"])
        attempt.arn = str(answer["EndpointArn"])
        if attempt.asked is None and status in BUSY:
            _attach(attempt, answer)
        if status in BUSY or _is_stale(attempt, answer):
            watch.wait(status)
        elif status == IN_SERVICE and serving == configuration:
            previous = attempt.previous or tagged_previous(hosting, attempt)
            return LiveEndpoint(endpoint, attempt.arn, serving, previous, attempt.asked is not None)
        elif attempt.asked is not None or (status == FAILED and serving == configuration):
            raise undo(hosting, attempt, answer, watch)
        elif status == OUT and serving == configuration:
            raise DeployFailed(
                f"Endpoint {endpoint} has this configuration already, and is {OUT}. It was left as it is.",
                because=str(answer.get("FailureReason") or "its instances are gone"),
                remedy="look at its logs, and deploy another configuration or delete it",
            )
        elif status == FAILED:
            # It serves nobody, and can only be deleted. What it served before an update spoilt it is kept.
            if hosting.tags(attempt.arn).get(PREVIOUS) == serving:
                attempt.previous = serving
                remember_previous(hosting, attempt)
            if not begin(hosting, "delete_endpoint", {"EndpointName": endpoint}, f"deleting {endpoint}"):
                watch.wait(status)
        else:
            attempt.previous, attempt.seen_before = serving, answer.get("LastModifiedTime")
            hosting.add_tags(attempt.arn, {PREVIOUS: serving})
            if begin(hosting, "update_endpoint", update, f"updating endpoint {endpoint}"):
                attempt.asked = "update"
            else:
                watch.wait(status)


def roll_back_endpoint(
    endpoint: str,
    to: str | None = None,
    *,
    waiting: Waiting | None = None,
    on_progress: Tell = lambda progress: None,
    hosting: Hosting | None = None,
) -> LiveEndpoint:
    """Bring an endpoint back to the configuration ``to``, or to that which its current one took over from.

    With ``to`` it may be done again at any time; without, a second time leads forth again. Raises as
    :func:`deploy_endpoint`, and DeployRejected when the endpoint doesn't exist or never had another
    configuration.
    """
    hosting = hosting or Hosting()
    answer = hosting.endpoint(endpoint)
    if answer is None:
        raise _no_way_back(endpoint, "there is no endpoint of this name")
    to = to or hosting.tags(str(answer["EndpointArn"])).get(PREVIOUS)
    if to is None:
        raise _no_way_back(endpoint, "it has had no other configuration")
    return deploy_endpoint(endpoint, to, waiting=waiting, on_progress=on_progress, hosting=hosting)


def _no_way_back(endpoint: str, message: str) -> DeployRejected:
    return DeployRejected("The roll-back", [Problem("endpoint", endpoint, message)])


def _create(hosting: Hosting, attempt: Attempt, body: Mapping[str, Any]) -> bool:
    # An earlier call may have deleted a spoilt endpoint, to make it anew.
    attempt.previous = attempt.previous or remembered_previous(hosting, attempt)
    if attempt.previous is not None:
        body = {**body, "Tags": [*body.get("Tags", ()), {"Key": PREVIOUS, "Value": attempt.previous}]}
    return begin(hosting, "create_endpoint", body, f"creating endpoint {attempt.endpoint}")


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
