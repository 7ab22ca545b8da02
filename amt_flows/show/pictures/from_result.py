"""A result as the ledger of its tuning job, for what is drawn from a ledger: the result of another process or
year has no journal within reach."""

from __future__ import annotations

from amt_flows.events import (
    Concluding,
    Ended,
    Finished,
    Launched,
    Observed,
    Opened,
    Outcome,
    Proposed,
    Reason,
)
from amt_flows.ledger.ledger import Ledger
from amt_flows.results.result import TrainingJobRecord, TuningResult


def ledger_of(result: TuningResult) -> Ledger:
    """What a result knows, as a ledger. Of each learning curve that is the last point alone, and there are no
    judgements. Raises SpecError for a result whose spec this version can't read."""
    ledger = Ledger()
    ledger.apply(Opened(result.created_at, result.name, result.fingerprint, result.spec, "a result"))
    for job in sorted(result.jobs, key=lambda job: (job.launched_at, job.trial, job.attempt)):
        ledger.apply(Proposed(job.launched_at, job.trial, job.hyperparameters, job.source, ""))
        ledger.apply(Launched(job.launched_at, job.name, job.trial, job.attempt))
        if job.epochs and job.latest_value is not None:
            ledger.apply(Observed(job.launched_at, {job.name: ((job.epochs, job.latest_value),)}))
    for job in sorted(result.jobs, key=lambda job: (job.ended_at or 0.0, job.trial, job.attempt)):
        if job.ended_at is not None and job.outcome is not None:
            ledger.apply(_end(job, job.ended_at, result.objective_metric))
    if result.ended_at is not None:
        reasons = tuple(Reason(reason.rule, reason.message, reason.numbers) for reason in result.reasons)
        ledger.apply(Concluding(result.ended_at, result.status, reasons))
        ledger.apply(Finished(result.ended_at, result.status))
    return ledger


def _end(job: TrainingJobRecord, at: float, objective: str) -> Ended:
    own = {} if job.latest_value is None else {objective: job.latest_value}
    return Ended(
        at=at,
        job=job.name,
        outcome=Outcome(job.outcome),
        started_at=job.started_at,
        ended_at=at,
        metrics={**job.metrics, **own},
        artifact=job.artifact,
        log=job.log,
        failure=job.failure,
    )
