"""A person's approval in the middle of a flow: asked for in Prefect's UI, with a form, and a time-out.

A flow run of a deployment is suspended meanwhile: its process ends, and once somebody has answered the flow
runs again from its top. A flow run of a script or of another flow is paused: its process waits. Neither a
rejection nor a time-out is an error; both are answers.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Literal
from uuid import UUID

from prefect import get_run_logger, pause_flow_run, suspend_flow_run
from prefect.automations import Automation, EventTrigger, Posture
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.context import FlowRunContext
from prefect.events.actions import ResumeFlowRun
from prefect.exceptions import MissingContextError
from prefect.input import RunInput
from pydantic import ConfigDict, Field

from amt_flows.spec import form

DAY_SECONDS = 86_400
SHORTEST_DEADLINE_SECONDS = 10
"""Of a suspended flow run: Prefect's automations wait no shorter."""
# Prefect fails a flow run that it paused for longer than it was told; so it is told a very long time, and the
# time-out is ours.
_NEVER_SECONDS = 10 * 365 * DAY_SECONDS
_NUDGE_SECONDS = 2.0
TAKEN_UP_SECONDS = 6.0
"""A server hears nothing for an automation that it has saved until it has taken it up, which a busy one does
as late as in its next round; Prefect's are five seconds apart."""

Mode = Literal["auto", "pause", "suspend"]


class Choice(str, Enum):
    APPROVE = "Approve"
    REJECT = "Reject"
    OPEN = "Not decided"


class Approval(RunInput):
    """The form that a person fills in. All of it may be left out, as a time-out does, and nothing is
    approved."""

    model_config = ConfigDict(field_title_generator=form.title, json_schema_extra=form.editable)

    decision: Choice = Field(
        default=Choice.OPEN, description="Approve, and it is done. All else counts as a rejection."
    )
    comment: str = Field(default="", description="Why; it is kept with the outcome.")
    decided_by: str = Field(default="", description="Your name; it is kept with the outcome, too.")


class Verdict(str, Enum):
    APPROVED = "approved"
    REJECTED = "rejected"
    TIMED_OUT = "timed out"


@dataclass(frozen=True)
class Answer:
    """What asking for an approval came to."""

    verdict: Verdict
    comment: str = ""
    decided_by: str = ""

    @property
    def approved(self) -> bool:
        return self.verdict is Verdict.APPROVED

    @property
    def sentence(self) -> str:
        by = f" by {self.decided_by}" if self.decided_by else ""
        why = f": {self.comment.rstrip('.')}" if self.comment else ""
        return f"{self.verdict.value.capitalize()}{by}{why}."


def wait_for_approval(
    message: str,
    *,
    timeout_seconds: float | None = DAY_SECONDS,
    key: str = "approval",
    mode: Mode = "auto",
    poll_seconds: int = 5,
) -> Answer:
    """Ask a person, in the flow run around the caller, and wait for the answer.

    ``message`` is Markdown, shown above the form. ``key`` tells several approvals of one flow apart. ``mode``
    is ``suspend`` for flow runs of a deployment and ``pause`` for all others, unless said otherwise.
    Everything in the flow above a suspension runs again when it is resumed, so it must be cheap to do again.
    A suspended flow run's time-out is kept by an automation that is made here and removed afterwards, of 10 s
    at least.

    An answer is Approved only if somebody chose so in time. Raises Prefect's MissingContextError outside of a
    flow.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise MissingContextError("wait_for_approval is for the inside of a flow.")
    run = context.flow_run
    suspends = mode == "suspend" or (
        mode == "auto" and run.deployment_id is not None and run.parent_task_run_id is None
    )
    asked = Approval.with_initial_data(description=message)
    if suspends:
        given, late = _suspended(run, asked, key, timeout_seconds)
    else:
        given, late = _paused(run, asked, key, timeout_seconds, poll_seconds)
    answer = _answer(given, late)
    get_run_logger().info("%s", answer.sentence)
    return answer


def _answer(given: Approval, late: bool) -> Answer:
    if late:
        return Answer(Verdict.TIMED_OUT, given.comment, given.decided_by)
    if given.decision is Choice.APPROVE:
        return Answer(Verdict.APPROVED, given.comment, given.decided_by)
    comment = given.comment
    if given.decision is Choice.OPEN and not comment:
        comment = "resumed without a decision"
    return Answer(Verdict.REJECTED, comment, given.decided_by)


# -- paused: this process waits ------------------------------------------------------------------------


def _paused(
    run: FlowRun, asked: type[Approval], key: str, timeout: float | None, poll: int
) -> tuple[Approval, bool]:
    # A retry asks again: a pause that its process did not outlive has no answer.
    with _resumed_after(run.id, timeout) as late:
        given = pause_flow_run(
            wait_for_input=asked,
            timeout=_NEVER_SECONDS,
            poll_interval=poll,
            key=f"{key}-{run.run_count}",
        )
    return given, late.is_set()


@contextlib.contextmanager
def _resumed_after(run_id: UUID, timeout: float | None) -> Iterator[threading.Event]:
    """Resume the flow run, with an empty form, when the time is up. The event tells whether that was done."""
    over, late = threading.Event(), threading.Event()

    def watch() -> None:
        if over.wait(timeout):
            return
        while not over.is_set():
            # Prefect's server may be away for a while, and the pause may be young.
            with contextlib.suppress(Exception):
                if _resume(run_id):
                    late.set()
                    return
            over.wait(_NUDGE_SECONDS)

    thread = threading.Thread(target=watch, name="approval-deadline", daemon=True)
    thread.start()
    try:
        yield late
    finally:
        over.set()
        thread.join()


def _resume(run_id: UUID) -> bool:
    with get_client(sync_client=True) as client:
        response = client.resume_flow_run(run_id, run_input={})
    return response.status.value == "ACCEPT"


# -- suspended: the process ends, and another one goes on ------------------------------------------------


def _suspended(run: FlowRun, asked: type[Approval], key: str, timeout: float | None) -> tuple[Approval, bool]:
    name = f"amt-approval-{run.id}-{key}"
    if timeout is not None and not _asked_before(run, key):
        _set_deadline(name, run.id, timeout)
    # Returns only in the run after the suspension; this one ends here.
    given = suspend_flow_run(wait_for_input=asked, timeout=_NEVER_SECONDS, key=key)
    _remove_deadline(name)
    since = _suspended_at(run.id, key)
    waited = 0.0 if since is None else (_resumed_at(run.id, since) - since).total_seconds()
    return given, timeout is not None and waited >= max(timeout, SHORTEST_DEADLINE_SECONDS)


def _asked_before(run: FlowRun, key: str) -> bool:
    keys = run.empirical_policy.pause_keys or set()
    return key in keys


def _set_deadline(name: str, run_id: UUID, timeout: float) -> None:
    """An automation that resumes the flow run, with an empty form, once it was suspended for so long."""
    try:
        _remove_deadline(name)
        _deadline(name, run_id, max(timeout, SHORTEST_DEADLINE_SECONDS)).create()
        # It counts from the suspension: one that it did not hear of would last until somebody answers.
        time.sleep(TAKEN_UP_SECONDS)
    except Exception as error:
        get_run_logger().warning(
            "The approval's time-out can't be kept by Prefect; an answer that comes later counts as none: %r",
            error,
        )


def _deadline(name: str, run_id: UUID, seconds: float) -> Automation:
    return Automation(
        name=name,
        description="Ends the wait for an approval. It is removed when somebody has decided.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            match={"prefect.resource.id": f"prefect.flow-run.{run_id}"},
            for_each={"prefect.resource.id"},
            after={"prefect.flow-run.Suspended"},
            # Not heartbeats: the process that ends sends another one.
            expect={f"prefect.flow-run.{state}" for state in ("Resuming", "Running", "Cancelled", "Failed")},
            threshold=1,
            within=timedelta(seconds=seconds),
        ),
        actions=[ResumeFlowRun()],
    )


def _remove_deadline(name: str) -> None:
    with contextlib.suppress(Exception), get_client(sync_client=True) as client:
        for automation in client.read_automations_by_name(name):
            client.delete_automation(automation.id)


def _suspended_at(run_id: UUID, key: str) -> datetime | None:
    with get_client(sync_client=True) as client:
        states = client.read_flow_run_states(run_id)
    times = [s.timestamp for s in states if s.type is StateType.PAUSED and s.state_details.pause_key == key]
    return max(times, default=None)


def _resumed_at(run_id: UUID, since: datetime) -> datetime:
    with get_client(sync_client=True) as client:
        states = client.read_flow_run_states(run_id)
    return min((s.timestamp for s in states if s.timestamp > since), default=datetime.now(timezone.utc))
