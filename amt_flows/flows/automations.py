"""The automations around tuning jobs, as values: what makes a deployment run, and with which parameters.

`deployments/automations.py` saves them on a server; so can you, with one's ``create()``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.automations import Automation, EventTrigger, Posture
from prefect.events.actions import RunDeployment, SendNotification

from amt_flows.flows.tuning.clean_up import SILENT_SECONDS, Remedy
from amt_flows.flows.tuning.liveness import HEARTBEAT

PREFIX = "amt-flows: "
TUNING_FLOWS = ("tune", "tune-quick", "tune-then-deploy", "retune", "resume-tuning")
NEWS = ("amt.tuning.new-best", "amt.tuning.failed")
AFTER_CRASH = timedelta(seconds=15)
"""A worker reports a crash for several seconds, and its crash hook stops training jobs meanwhile."""

# Where nothing has happened there is no event to ask, but there is what the silence is about.
DEAD_RUN = "{{ labels['prefect.resource.id'].rpartition('.')[2] }}"
_STATES = ("Completed", "Failed", "Cancelled", "Crashed", "Suspended", "Paused", "AwaitingRetry")


def promote_when_completed(
    name: str, deployment_id: UUID, *, tuning_jobs: str = "*", parameters: Mapping[str, Any]
) -> Automation:
    """Run ``promote`` for each tuning job that has completed and was no step of another flow: a pipeline
    promotes, or asks a person first, on its own.

    ``tuning_jobs`` is a name, or the beginning of one and a ``*``; ``parameters`` are those of the flow
    beside the tuning job's name, ``target`` above all.
    """
    return Automation(
        name=f"{PREFIX}promote {name}",
        description=f"Puts the best model of {tuning_jobs} to work when its tuning has completed.",
        trigger=EventTrigger(
            expect={"amt.tuning.completed"},
            match={
                "prefect.resource.id": f"amt.tuning.{tuning_jobs.lower()}",
                "amt.step-of-a-flow": "no",
            },
            posture=Posture.Reactive,
        ),
        actions=[_running(deployment_id, {**parameters, "tuning_job": _jinja("{{ event.payload.name }}")})],
    )


def clean_up_after_crash(
    deployment_id: UUID, *, remedy: Remedy = Remedy.STOP_JOBS, delay: timedelta = AFTER_CRASH
) -> Automation:
    """Run ``clean_up`` for each flow run that tunes and has crashed."""
    return Automation(
        name=f"{PREFIX}clean up after a crash",
        description="Stops what a crashed flow run left running, or goes on with its tuning job.",
        trigger=EventTrigger(
            expect={"prefect.flow-run.Crashed"},
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            **_of_tuning_flows(),
        ),
        actions=[_cleaning(deployment_id, remedy, SILENT_SECONDS, delay)],
    )


def clean_up_when_silent(
    deployment_id: UUID,
    *,
    remedy: Remedy = Remedy.STOP_JOBS,
    silent_seconds: int = SILENT_SECONDS,
    delay: timedelta | None = None,
) -> Automation:
    """Run ``clean_up`` for each flow run that tunes and has sent no heartbeat for ``silent_seconds`` (at
    least 10): its process was killed with its worker, or its machine is gone.

    It does so after a ``delay``, half of that time unless given: when the server was away for a while all
    runs look silent, until their heartbeats come back. It is the flow that looks once more, and marks the
    run as crashed.
    """
    if delay is None:
        delay = timedelta(seconds=silent_seconds / 2)
    return Automation(
        name=f"{PREFIX}clean up after a lost run",
        description="Marks a flow run as crashed that nothing is heard of, and looks after its tuning job.",
        trigger=EventTrigger(
            after={HEARTBEAT},
            expect={HEARTBEAT, *(f"prefect.flow-run.{state}" for state in _STATES)},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=silent_seconds),
            **_of_tuning_flows(),
        ),
        actions=[_cleaning(deployment_id, remedy, silent_seconds, delay)],
    )


def notify(block_document_id: UUID, events: Sequence[str] = NEWS) -> Automation:
    """Send each of these events by a notification block."""
    body = (
        "{% for key, value in event.payload.items() if value is not none and value is not mapping %}"
        "{{ key }}: {{ value }}\n{% endfor %}"
    )
    return Automation(
        name=f"{PREFIX}notify",
        description="Tells of news of tuning jobs.",
        trigger=EventTrigger(
            expect=set(events),
            match={"prefect.resource.id": "amt.tuning.*"},
            posture=Posture.Reactive,
        ),
        actions=[
            SendNotification(
                block_document_id=block_document_id,
                subject="{{ event.event }}: {{ event.payload.name }}",
                body=body,
            )
        ],
    )


def _of_tuning_flows() -> dict[str, Any]:
    return {
        "match": {"prefect.resource.id": "prefect.flow-run.*"},
        "match_related": {
            "prefect.resource.role": "flow",
            "prefect.resource.name": list(TUNING_FLOWS),
        },
    }


def _cleaning(deployment_id: UUID, remedy: Remedy, silent_seconds: int, delay: timedelta) -> RunDeployment:
    given = {
        "flow_run_id": _jinja(DEAD_RUN),
        "remedy": remedy.value,
        "silent_seconds": silent_seconds,
    }
    return _running(deployment_id, given, delay)


def _running(
    deployment_id: UUID, parameters: Mapping[str, Any], delay: timedelta = timedelta(0)
) -> RunDeployment:
    return RunDeployment.model_validate(
        {"deployment_id": deployment_id, "parameters": dict(parameters), "schedule_after": delay}
    )


def _jinja(template: str) -> dict[str, str]:
    return {"__prefect_kind": "jinja", "template": template}
