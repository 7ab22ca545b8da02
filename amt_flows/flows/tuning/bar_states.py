"""A training job as a task run: what Prefect's server is told of it, as the events that a task's engine
sends.

A task run told in this way costs no call for each of its states, and telling one again changes nothing: its
id is made of the flow run and the training job, and that of a state of the task run and the state.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from uuid import UUID, uuid5

from amt_flows.events import Outcome
from amt_flows.ledger.failures import failure_line
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.names import count
from amt_flows.show.links import is_local, log_link, model_link
from amt_flows.show.markdown import link
from amt_flows.show.text import duration, hyperparameter, last_lines, number, place, visible

NAMESPACE: Final = UUID("5b0e3a52-9a5c-4d5e-8f7a-2f1f6d2f9b60")
TASK_KEY: Final = "training-job"
TAG: Final = "training-job"
LONGEST_NAME: Final = 80
LONGEST_MESSAGE: Final = 2000
LAST_LINES: Final = 8
LARGEST_TAIL: Final = 4000
"""Bytes of a log that are looked at."""

RUNNING: Final = ("RUNNING", "Running")
COMPLETED: Final = ("COMPLETED", "Completed")
UNFOLLOWED: Final = ("CANCELLED", "Unfollowed")
_ENDS: Final = {
    Outcome.COMPLETED: COMPLETED,
    # Its value counts, but its bar is to be told from those that went to their end; AMT counts it as Stopped.
    Outcome.STOPPED_EARLY: ("CANCELLED", "StoppedEarly"),
    Outcome.STOPPED: ("CANCELLED", "Stopped"),
    Outcome.STOPPED_OUTSIDE: ("CANCELLED", "StoppedOutside"),
    Outcome.FAILED: ("FAILED", "Failed"),
    Outcome.NO_METRIC: ("FAILED", "NoMetric"),
    Outcome.INFRASTRUCTURE: ("CRASHED", "InfrastructureFailed"),
    Outcome.LOST: ("CRASHED", "Lost"),
}
"""Type and name of the state in which a task run ends: the type gives the bar its colour."""


@dataclass(frozen=True)
class BarState:
    """A state of a training job's task run, and what its page says from then on."""

    job: str
    event: dict[str, Any]
    lines: tuple[str, ...] = ()
    """For its log, the reason first, besides the last lines of what the training job wrote."""
    log: str | None = None
    """Where what it wrote is."""
    links: str = ""
    """Those that a browser opens, in markdown."""
    failed: bool = False

    @property
    def task_run_id(self) -> UUID:
        return UUID(self.event["resource"]["prefect.resource.id"].rpartition(".")[2])


def task_run_id(flow_run_id: UUID, training_job: str) -> UUID:
    """Of the task run that shows a training job in a flow run's graph."""
    return uuid5(NAMESPACE, f"{flow_run_id} {training_job}")


def running(ledger: Ledger, job: TrainingJob, flow_run_id: UUID) -> BarState:
    """That it runs."""
    message = f"{job.name} runs."
    return BarState(job.name, _event(ledger, job, flow_run_id, RUNNING, message, job.launched_at, None))


def ended(ledger: Ledger, job: TrainingJob, flow_run_id: UUID) -> BarState:
    """How it ended. A state's name is the outcome, and its message the reason."""
    start = job.began_at
    end = max(start, ledger.last_at if job.ended_at is None else job.ended_at)
    event = _event(ledger, job, flow_run_id, state_of(job), message_of(ledger, job), start, end)
    return BarState(job.name, event, tuple(_lines(ledger, job)), job.log, _links(job), job.failed)


def unfollowed(ledger: Ledger, job: TrainingJob, flow_run_id: UUID, at: float) -> BarState:
    """That this flow run no longer knows of it."""
    message = f"This flow run ended before {job.name} did; `amt-flows status {ledger.name}` tells of it."
    return BarState(job.name, _event(ledger, job, flow_run_id, UNFOLLOWED, message, job.launched_at, at))


def state_of(job: TrainingJob) -> tuple[str, str]:
    """The type and the name of the state of a training job that has ended."""
    if job.outcome is Outcome.TIMED_OUT:
        # Into its own limit, which may be meant; without a value nothing came of it.
        return ("COMPLETED" if job.has_usable_value else "FAILED"), "TimedOut"
    if job.outcome is Outcome.COMPLETED and not job.has_usable_value:
        return "FAILED", "Failed"
    return COMPLETED if job.outcome is None else _ENDS[job.outcome]


def message_of(ledger: Ledger, job: TrainingJob) -> str:
    """Why it ended as it did, and with which value."""
    metric = ledger.algorithm_of(job).metric_name
    value = None if job.final_value is None else f"{metric} {number(job.final_value)}"
    epochs = f"after {count(len(job.curve), 'epoch')}" if len(job.curve) else ""
    if job.failed:
        why = failure_line(job.failure) or (f"{value}" if value else f"no value of {metric} in its output")
    elif job.outcome is Outcome.COMPLETED:
        why = ", the best so far" if job is ledger.best else ""
        return visible(f"{value} {epochs}{why}".strip())
    else:
        why = job.stop_why or failure_line(job.failure)
    told = f"{why} ({value} {epochs})" if value and why and not job.failed else why or value or ""
    return visible(told)[:LONGEST_MESSAGE]


def name_of(ledger: Ledger, job: TrainingJob) -> str:
    """``007 learning_rate=0.0231 batch_size=32``: its trial and as many hyperparameters as there is room
    for."""
    trial = ledger.trials[job.trial]
    first = f"{job.trial:03d}" if job.attempt <= 1 else f"{job.trial:03d} attempt {job.attempt}"
    name = f"{first} {trial.definition}" if trial.definition else first
    for one, value in trial.configuration.items():
        shown = number(value, 3) if isinstance(value, float) else hyperparameter(value)
        longer = f"{name} {one}={shown}"
        if len(longer) > LONGEST_NAME:
            break
        name = longer
    return visible(name)


def _lines(ledger: Ledger, job: TrainingJob) -> Iterator[str]:
    yield f"{state_of(job)[1]}: {message_of(ledger, job) or 'without a reason'}."
    trial = ledger.trials[job.trial]
    lines = [
        f"{job.name}, {duration(job.training_seconds(ledger.last_at))} of training with",
        *(f"  {name} = {hyperparameter(value)}" for name, value in trial.configuration.items()),
    ]
    if job.artifact is not None:
        lines.append(f"Its model: {place(job.artifact)}")
    if job.log is not None:
        lines.append(f"Its log: {place(job.log)}")
    yield "\n".join(lines)
    # Of a file they are read when they are sent.
    if not is_file(job.log) and job.failure and "\n" in job.failure.strip():
        yield f"Its last lines:\n{last_lines(visible(job.failure), LAST_LINES)}"


def _links(job: TrainingJob) -> str:
    found = (("its log", log_link(job)), ("its model", model_link(job)))
    # A page of a server may not lead to a file.
    return " · ".join(link(words, to) for words, to in found if to is not None and not is_local(to))


def is_file(log: str | None) -> bool:
    return log is not None and log.startswith("file:///")


def last_words(log: str | None) -> str:
    """The last lines of a log that is a file of this machine; empty for any other, and for one that is
    gone."""
    if log is None or not is_file(log):
        return ""
    try:
        with Path(unquote(urlsplit(log).path)).open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - LARGEST_TAIL))
            text = file.read().decode(errors="replace")
    except (OSError, ValueError):
        return ""
    return last_lines(visible(text), LAST_LINES)


def _event(
    ledger: Ledger,
    job: TrainingJob,
    flow_run_id: UUID,
    state: tuple[str, str],
    message: str,
    start: float,
    end: float | None,
) -> dict[str, Any]:
    """As :func:`prefect.utilities.engine.emit_task_run_state_change_event` makes it."""
    kind, name = state
    run_id = task_run_id(flow_run_id, job.name)
    occurred = _time(start if end is None else end)
    task_run: dict[str, Any] = {
        "name": name_of(ledger, job),
        "task_key": TASK_KEY,
        "dynamic_key": job.name,
        "tags": [TAG],
        "task_inputs": {},
        "run_count": 1,
        "expected_start_time": _time(start),
        "start_time": _time(start),
    }
    if end is not None:
        task_run |= {"end_time": _time(end), "total_run_time": end - start}
    return {
        "id": str(uuid5(run_id, f"{name} {occurred}")),
        "occurred": occurred,
        "event": f"prefect.task-run.{name}",
        "resource": {
            "prefect.resource.id": f"prefect.task-run.{run_id}",
            "prefect.resource.name": task_run["name"],
            "prefect.run-count": "1",
            "prefect.state-message": message,
            "prefect.state-name": name,
            "prefect.state-timestamp": occurred,
            "prefect.state-type": kind,
            "prefect.orchestration": "client",
        },
        "related": [
            {"prefect.resource.id": f"prefect.flow-run.{flow_run_id}", "prefect.resource.role": "flow-run"},
            {"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"},
        ],
        "payload": {
            "intended": {"from": None, "to": kind},
            "initial_state": None,
            "validated_state": {"type": kind, "name": name, "message": message, "state_details": {}},
            "task_run": task_run,
        },
    }


def _time(seconds: float) -> str:
    moment = seconds if math.isfinite(seconds) else 0.0
    return datetime.fromtimestamp(moment, timezone.utc).isoformat()
