"""What is done when an endpoint fails: it serves what it served before, and what was made for it is gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amt_flows.deploy.attempt import (
    BUSY,
    FAILED,
    IN_SERVICE,
    MIXED,
    OUT,
    Attempt,
    Watch,
    begin,
)
from amt_flows.deploy.bodies import MADE_FOR
from amt_flows.deploy.hosting import Hosting
from amt_flows.deploy.way_back import PREVIOUS, remember_previous, remembered_previous, tagged_previous
from amt_flows.errors import AmtFlowsError, BackendError, DeployFailed

Record = Mapping[str, Any]


def undo(hosting: Hosting, attempt: Attempt, answer: Record, watch: Watch) -> DeployFailed:
    """Roll a failed deployment back, and say what happened. Returned and not raised: it never stands for
    anything but an error."""
    reason = str(answer.get("FailureReason") or f"it is {answer['EndpointStatus']}, and no reason was given")
    done: list[str] = []
    creating = attempt.asked == "create"
    try:
        watch.restart()
        attempt.previous = attempt.previous or _previous(hosting, attempt)
        if attempt.previous is not None:
            done.append(_restore(hosting, attempt, answer, watch))
        elif answer["EndpointStatus"] in (FAILED, OUT):
            done.append(_delete_endpoint(hosting, attempt.endpoint, watch))
        done += _delete_what_was_made(hosting, attempt)
    except AmtFlowsError as error:
        done.append(f"the roll-back was not finished: {error.happened}")
        remedy = "do the same again once that is mended: the roll-back goes on from where it is"
    else:
        remedy = "mend what the reason names; the container's output is in CloudWatch Logs, in the group "
        remedy += f"/aws/sagemaker/Endpoints/{attempt.endpoint}"
    verb = "created" if creating or attempt.previous is None else f"updated to {attempt.configuration}"
    return DeployFailed(
        f"Endpoint {attempt.endpoint} could not be {verb}: {reason.rstrip('.')}. Then {'; '.join(done)}.",
        remedy=remedy,
    )


def _previous(hosting: Hosting, attempt: Attempt) -> str | None:
    """What the endpoint served before an earlier call changed it."""
    if attempt.asked == "create":
        return remembered_previous(hosting, attempt)
    return tagged_previous(hosting, attempt)


def _restore(hosting: Hosting, attempt: Attempt, answer: Record, watch: Watch) -> str:
    """Bring the endpoint back to its previous configuration. SageMaker does so itself as a rule."""
    name, previous = attempt.endpoint, attempt.previous
    assert previous is not None
    if answer["EndpointStatus"] in (FAILED, OUT):
        # Nobody is served any more, and a failed endpoint can only be deleted.
        tags = {key: value for key, value in hosting.tags(attempt.arn).items() if key != PREVIOUS}
        remember_previous(hosting, attempt)
        _delete_endpoint(hosting, name, watch)
        body = {"EndpointName": name, "EndpointConfigName": previous}
        pairs = [{"Key": key, "Value": value} for key, value in tags.items() if not key.startswith("aws:")]
        begin(hosting, "create_endpoint", {**body, "Tags": pairs}, f"creating endpoint {name} again")
        _settle(hosting, name, watch)
        return f"it was created again with its previous configuration {previous}"
    if answer["EndpointStatus"] == MIXED or answer["EndpointConfigName"] != previous:
        body = {"EndpointName": name, "EndpointConfigName": previous}
        begin(hosting, "update_endpoint", body, f"returning endpoint {name} to {previous}")
        _settle(hosting, name, watch)
        return f"it was returned to its previous configuration {previous}"
    return f"SageMaker returned it to its previous configuration {previous}"


def _settle(hosting: Hosting, name: str, watch: Watch) -> None:
    while True:
        answer = hosting.endpoint(name)
        status = "Creating" if answer is None else str(answer["EndpointStatus"])
        if status == IN_SERVICE:
            return
        if status not in BUSY:
            reason = "" if answer is None else answer.get("FailureReason") or "no reason was given"
            raise BackendError(f"endpoint {name} is {status} ({reason})")
        watch.wait(status)


def _delete_endpoint(hosting: Hosting, name: str, watch: Watch) -> str:
    hosting.look("delete_endpoint", {"EndpointName": name}, f"deleting endpoint {name}")
    while hosting.endpoint(name) is not None:
        watch.wait("Deleting")
    return "the endpoint was deleted"


def _delete_what_was_made(hosting: Hosting, attempt: Attempt) -> list[str]:
    """Delete the configuration if it was made for this endpoint, and its models if they were made for this
    configuration. Others may count on anything else."""
    name = attempt.configuration
    endpoint = hosting.endpoint(attempt.endpoint)
    if endpoint is not None and endpoint["EndpointConfigName"] == name:
        return [f"its configuration {name} was left, which it still names"]
    answer = hosting.configuration(name)
    if answer is None or hosting.tags(str(answer["EndpointConfigArn"])).get(MADE_FOR) != attempt.endpoint:
        return [f"its configuration {name} was left, which was not made for it"]
    models = [str(v["ModelName"]) for v in answer["ProductionVariants"] if v.get("ModelName")]
    doomed = [model for model in models if _is_made_for(hosting, model, name)]
    # Models first: the configuration is what leads to them, should we not come to its end.
    for model in doomed:
        hosting.look("delete_model", {"ModelName": model}, f"deleting model {model}")
    hosting.look("delete_endpoint_config", {"EndpointConfigName": name}, f"deleting configuration {name}")
    parts = [f"configuration {name}", *(f"model {model}" for model in doomed)]
    return [f"{' and '.join(parts)}, made for it, {'was' if len(parts) == 1 else 'were'} deleted"]


def _is_made_for(hosting: Hosting, model: str, configuration: str) -> bool:
    found = hosting.look("describe_model", {"ModelName": model}, f"describing model {model}")
    return found is not None and hosting.tags(str(found["ModelArn"])).get(MADE_FOR) == configuration
