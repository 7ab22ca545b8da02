"""The end of a training job, from its backend's last report to the event; and that of the tuning job."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from amt_flows.events import Ended, Finished, Outcome, TuningStatus
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.secrets import hidden
from amt_flows.ledger.unread import no_usable_value
from amt_flows.ports import JobReport, JobState
from amt_flows.rules.completion import nothing_usable
from amt_flows.rules.hyperband import used_its_resource


def is_unexpected(ledger: Ledger, report: JobReport) -> bool:
    """Whether a job ended before its time and unasked. Whoever ends a tuning job leaves a note and then stops
    what runs: nothing takes such a job's place before that note was looked for."""
    return report.state is not JobState.COMPLETED and ledger.jobs[report.name].stop_asked_at is None


def ending_of(
    ledger: Ledger,
    report: JobReport,
    metrics: Mapping[str, float],
    now: float,
    secrets: Iterable[str],
    *,
    is_ending: bool = False,
) -> Ended:
    """``metrics`` holds the last value of each; ``is_ending``: somebody wants the tuning job to end. What the
    environment variables ``secrets`` hold is taken out of the text of a failure."""
    outcome, failure = _outcome(ledger, report, metrics, is_ending=is_ending), report.failure
    if outcome in (Outcome.NO_METRIC, Outcome.COMPLETED, Outcome.TIMED_OUT):
        failure = _without_a_value(ledger, report, metrics, outcome)
    failure = failure or report.unsaved
    return Ended(
        at=now,
        job=report.name,
        outcome=outcome,
        started_at=report.started_at,
        ended_at=now if report.ended_at is None else report.ended_at,
        metrics=metrics,
        artifact=report.artifact,
        log=report.log,
        failure=None if failure is None else hidden(failure, secrets),
        checkpoints=report.checkpoints,
    )


def _without_a_value(
    ledger: Ledger, report: JobReport, metrics: Mapping[str, float], outcome: Outcome
) -> str | None:
    """Why a job that nobody stopped counts for nothing; None when it has a value that counts."""
    job = ledger.jobs[report.name]
    algorithm = ledger.algorithm_of(job)
    metric, given = algorithm.metric_name, algorithm.spec.training_job.metric_definitions
    last = metrics.get(metric, job.curve.last_value)
    if job.reached is not None or (last is not None and math.isfinite(last)):
        return None
    if last is not None:
        said = f"no usable value of {metric}: the last one was {last}"
    else:
        said = no_usable_value(
            metric,
            defined=any(one.name == metric for one in given),
            unread=report.unread,
            names=[*metrics, *report.names],
            said=report.failure,
        )
    if outcome is Outcome.TIMED_OUT:
        said = f"its time limit ended it; {said}"
    return "; ".join([said, *report.notes])


def _outcome(ledger: Ledger, report: JobReport, metrics: Mapping[str, float], *, is_ending: bool) -> Outcome:
    job = ledger.jobs[report.name]
    has_objective = ledger.algorithm_of(job).metric_name in metrics or len(job.curve) > 0
    was_asked = is_ending or ledger.concluding or job.stop_asked_at is not None
    outcome = report.outcome(
        stopped_early=job.stopped_early, has_objective=has_objective, was_asked=was_asked
    )
    if outcome is Outcome.STOPPED_EARLY and has_objective and used_its_resource(ledger.spec, job):
        # Its script would have gone on, but Hyperband has nothing more to give it.
        return Outcome.COMPLETED
    return outcome


def finished(ledger: Ledger, now: float) -> Finished:
    """The end of a tuning job, now that all is harvested: Failed, if it completes without a training job that
    can be used."""
    status = ledger.end_status or TuningStatus.COMPLETED
    unusable = nothing_usable(ledger) if status is TuningStatus.COMPLETED else None
    if unusable is None:
        return Finished(now, status)
    return Finished(now, TuningStatus.FAILED, (unusable,))
