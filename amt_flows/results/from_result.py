"""A result as the ledger of its tuning job, for what is drawn from a ledger: the result of another process or
year has no journal within reach."""

from __future__ import annotations

import math
from collections.abc import Iterator

from amt_flows.errors import AmtFlowsError, JournalError
from amt_flows.events import (
    Concluding,
    Ended,
    Event,
    Finished,
    Launched,
    Observed,
    Opened,
    Outcome,
    Proposed,
    Reason,
    StopAsked,
    TuningStatus,
)
from amt_flows.ledger.algorithms import algorithm_named
from amt_flows.ledger.ledger import Ledger
from amt_flows.results.amt_shapes import STOPPING
from amt_flows.results.result import TrainingJobRecord, TuningResult, spec_of


def ledger_of(result: TuningResult) -> Ledger:
    """What a result knows, as a ledger: :func:`amt_flows.results.result_of` makes the same result of it.

    Of each learning curve it has the last point alone, and there are no judgements. Raises SpecError for a
    result whose spec this version can't read, JournalError for one whose parts don't belong together.
    """
    try:
        return _folded(result)
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        if isinstance(error, AmtFlowsError):
            raise
        raise JournalError(
            f"The result of tuning job {result.name} can't be followed: {error}.",
            because="it was edited, or a newer version of amt-flows has written it",
            remedy="use that version, or take the result from the tuning job's record",
        ) from error


def _folded(result: TuningResult) -> Ledger:
    ledger = Ledger()
    for event in (*_opening(result), *_launches(result), *_ends(result), *_conclusion(result)):
        ledger.apply(event)
    for job in result.jobs:
        # Of the epoch that met the target nothing else is left.
        ledger.jobs[job.name].reached = job.reached
    return ledger


def _until(result: TuningResult) -> float:
    """The end, or the time at which it stood so."""
    return result.created_at + result.runtime_seconds if result.ended_at is None else result.ended_at


def _opening(result: TuningResult) -> Iterator[Event]:
    yield Opened(result.created_at, result.name, result.fingerprint, result.spec, "a result")


def _launches(result: TuningResult) -> Iterator[Event]:
    """Each trial with its training jobs, as far as they have come."""
    for job in sorted(result.jobs, key=_launch):
        at = job.launched_at
        yield Proposed(at, job.trial, job.hyperparameters, job.source, "", job.definition)
        yield Launched(at, job.name, job.trial, job.attempt)
        if job.epochs and job.latest_value is not None:
            went_on = {job.name: job.went_on_after} if job.went_on_after else {}
            yield Observed(at, {job.name: ((job.epochs, job.latest_value),)}, went_on)
        if job.status == STOPPING or job.stopped_why is not None:
            early = job.outcome == Outcome.STOPPED_EARLY.value
            yield StopAsked(at, (job.name,), early, job.stopped_why or "")


def _ends(result: TuningResult) -> Iterator[Event]:
    spec = spec_of(result)
    for job in _as_they_ended(result):
        # A report may be late, or told by a clock ahead of ours: no event is later than the result.
        yield _end(job, algorithm_named(spec, job.definition).metric_name, _until(result))


def _as_they_ended(result: TuningResult) -> list[TrainingJobRecord]:
    """In the order of their ends, but those of equal values as the result has them, that is, as they were
    recorded: the first of them may be the best."""
    jobs = [job for job in result.jobs if job.outcome is not None]
    equals: dict[float, list[TrainingJobRecord]] = {}
    for job in jobs:
        equals.setdefault(_value(job), []).append(job)
    ranked = {value: iter(its) for value, its in equals.items()}
    jobs.sort(key=lambda job: (job.ended_at or 0.0, *_launch(job)))
    return [next(ranked[_value(job)]) for job in jobs]


def _launch(job: TrainingJobRecord) -> tuple[float, int, int]:
    """What says in which order they were launched."""
    return job.launched_at, job.trial, job.attempt


def _value(job: TrainingJobRecord) -> float:
    """What a job is ranked by, in its own sign: no value is better than what isn't finite, nor worse."""
    value = job.latest_value
    return math.inf if value is None or not math.isfinite(value) else value


def _end(job: TrainingJobRecord, objective: str, now: float) -> Ended:
    value = job.objective_value if job.latest_value is None else job.latest_value
    # A last value that no epoch has told is among the metrics. The results of older versions lack both.
    told = value is None or objective in job.metrics or (job.epochs > 0 and job.latest_value is not None)
    ended_at = job.launched_at if job.ended_at is None else job.ended_at
    return Ended(
        at=min(ended_at, now),
        job=job.name,
        outcome=Outcome(job.outcome),
        started_at=job.started_at,
        ended_at=ended_at,
        metrics=job.metrics if told or value is None else {**job.metrics, objective: value},
        artifact=job.artifact,
        log=job.log,
        failure=job.failure,
    )


def _conclusion(result: TuningResult) -> Iterator[Event]:
    now = _until(result)
    reasons = tuple(Reason(one.rule, one.message, one.numbers) for one in result.reasons)
    if result.ended_at is not None or reasons or result.status is TuningStatus.STOPPING:
        yield Concluding(now, result.status, reasons)
    if result.ended_at is not None:
        yield Finished(now, result.status)
    else:
        # Nothing new, but its time.
        yield Observed(now, {})
