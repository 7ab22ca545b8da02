"""What a tuning job tells Prefect's event system, for automations to act on.

Every event is about the resource ``amt.tuning.<name>`` (the name in lower case) and related to the flow run.
The resource's label ``amt.step-of-a-flow`` is ``yes`` when another flow called that run, which may do more
with the result, and ``no`` otherwise. The payload is plain JSON; a number that JSON has no word for is
``"NaN"``, ``"Infinity"`` or ``"-Infinity"``.

``amt.tuning.started``
    ``name``, ``objective``, ``direction``, ``strategy``, ``journal``, and ``resumed``: whether a controller
    goes on with it.
``amt.tuning.new-best``
    ``name``, ``training_job``, ``objective_value``, ``previous`` (or null), ``hyperparameters``,
    ``artifact``, ``training_jobs_ended``.
``amt.training-job.failed``
    ``name``, ``training_job``, ``outcome``, ``reason`` (its first line, or null), ``log``.
``amt.training-job.stopped-early``
    ``name``, ``training_job``, ``epoch``, ``value``, ``median``, ``why``.
``amt.tuning.completed``, ``amt.tuning.stopped``, ``amt.tuning.failed``
    ``name``, ``status``, ``reason`` (the rule), ``message``, ``headline``, ``training_jobs``,
    ``training_seconds``, ``cost``, ``journal``, and ``best`` (or null) with ``training_job``,
    ``objective_value``, ``hyperparameters``, ``artifact``.

Events are told once: their ids are made from what they tell, so a controller that goes on with a tuning job
and tells one again tells nothing new.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid5

from prefect.client.schemas.objects import FlowRun
from prefect.events import emit_event

from amt_flows.events import Outcome, TuningStatus, decisive
from amt_flows.flows.tuning.artifacts import plain
from amt_flows.ledger.failures import failure_line
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.running_tuning_job import News, RunningTuningJob
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.results import TrainingJobRecord, TuningResult, result_of

NAMESPACE = UUID("0c9f8d1e-5f0e-4f6e-9d8e-0a5a6a3f7b11")

ENDS = {
    TuningStatus.COMPLETED: "amt.tuning.completed",
    TuningStatus.STOPPED: "amt.tuning.stopped",
    TuningStatus.FAILED: "amt.tuning.failed",
}


def resource_id(name: str) -> str:
    """The resource that a tuning job's events are about: ``amt.tuning.<name>``."""
    return f"amt.tuning.{name.lower()}"


class Announcer:
    """Emits the events of one flow run. Emitting puts them into a queue of Prefect's client, which costs well
    below a millisecond and waits for no server; what can't be told never fails the tuning job."""

    def __init__(self, flow_run: FlowRun, tuning: RunningTuningJob) -> None:
        self._flow_run = flow_run
        ledger = tuning.ledger
        self._told = len(ledger.ended)
        self._best = ledger.best
        # Of one that has ended another flow run has told; a retry of that run tells again, in case it died
        # before it could.
        self._silent = ledger.finished and flow_run.run_count < 2
        if not ledger.finished:
            self._emit(
                "amt.tuning.started", ledger, str(ledger.last_at), started(ledger, tuning.journal.location)
            )

    def tick(self, tuning: RunningTuningJob, news: News) -> None:
        """Tell of the training jobs that ended since the last time."""
        ledger = tuning.ledger
        for job in ledger.ended[self._told :]:
            for name, payload in ending(ledger, job):
                self._emit(name, ledger, job.name, payload)
        self._told = len(ledger.ended)
        best = ledger.best
        if best is not None and best is not self._best:
            self._emit("amt.tuning.new-best", ledger, best.name, new_best(ledger, best, self._best))
            self._best = best

    def conclude(self, tuning: RunningTuningJob) -> None:
        """Tell of the end."""
        ledger = tuning.ledger
        if ledger.status in ENDS and not self._silent:
            result = result_of(ledger, tuning.journal.location)
            self._emit(ENDS[ledger.status], ledger, "end", end(result))

    def _emit(self, event: str, ledger: Ledger, about: str, payload: dict[str, Any]) -> None:
        run = self._flow_run
        emit_event(
            event,
            resource={
                "prefect.resource.id": resource_id(ledger.name),
                "prefect.resource.name": ledger.name,
                "amt.step-of-a-flow": "no" if run.parent_task_run_id is None else "yes",
            },
            related=[
                {
                    "prefect.resource.id": f"prefect.flow-run.{run.id}",
                    "prefect.resource.role": "flow-run",
                    "prefect.resource.name": run.name,
                }
            ],
            payload=plain(payload),
            id=uuid5(NAMESPACE, f"{ledger.name} {ledger.opened_at} {event} {about}"),
        )


def started(ledger: Ledger, journal: str) -> dict[str, Any]:
    spec = ledger.spec
    return {
        "name": ledger.name,
        "objective": spec.objective.metric_name,
        "direction": spec.objective.type.value,
        "strategy": spec.strategy.value,
        "resumed": bool(ledger.trials),
        "journal": journal,
    }


def ending(ledger: Ledger, job: TrainingJob) -> Iterator[tuple[str, dict[str, Any]]]:
    """The event of a training job's end, if it is one that somebody would act on."""
    base = {"name": ledger.name, "training_job": job.name}
    if job.outcome is Outcome.STOPPED_EARLY:
        stop = job.verdict
        yield (
            "amt.training-job.stopped-early",
            {
                **base,
                "epoch": job.curve.last_epoch if stop is None else stop.epoch,
                "value": job.curve.last_value if stop is None else stop.value,
                "median": None if stop is None else stop.median,
                "why": job.stop_why,
            },
        )
    elif job.failed:
        outcome = None if job.outcome is None else job.outcome.value
        reason = failure_line(job.failure) or None
        yield "amt.training-job.failed", {**base, "outcome": outcome, "reason": reason, "log": job.log}


def new_best(ledger: Ledger, job: TrainingJob, previous: TrainingJob | None) -> dict[str, Any]:
    return {
        "name": ledger.name,
        "training_job": job.name,
        "objective_value": job.final_value,
        "previous": None if previous is None else previous.final_value,
        "hyperparameters": dict(ledger.trials[job.trial].configuration),
        "artifact": job.artifact,
        "training_jobs_ended": len(ledger.ended),
    }


def end(result: TuningResult) -> dict[str, Any]:
    reason = decisive(result.reasons)
    return {
        "name": result.name,
        "status": result.status.value,
        "reason": None if reason is None else reason.rule,
        "message": None if reason is None else reason.message,
        "headline": result.headline,
        "best": None if result.best is None else _best(result.best),
        "training_jobs": len(result.jobs),
        "training_seconds": result.training_seconds,
        "cost": result.cost,
        "journal": result.journal,
    }


def _best(job: TrainingJobRecord) -> dict[str, Any]:
    return {
        "training_job": job.name,
        "objective_value": job.objective_value,
        "hyperparameters": dict(job.hyperparameters),
        "artifact": job.artifact,
    }
