"""Why AMT ends a tuning job. It doesn't say; but it tells the numbers that its criteria look at.

Everything here is told from the spec and Describe's answer, and by AMT's own figures: our ledger may be
behind them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from amt_flows.amt.parent import objective_value
from amt_flows.backends.sagemaker.service import Answer
from amt_flows.backends.sagemaker.watched import seconds
from amt_flows.events import FAILED_BY_AMT, Reason, TuningStatus
from amt_flows.ledger.secrets import hidden
from amt_flows.names import count
from amt_flows.rules.completion import as_many_as_asked, nothing_left
from amt_flows.spec import TuningSpec
from amt_flows.spec.rules import grid_size

STATUSES: Final[Mapping[str, TuningStatus]] = {
    "InProgress": TuningStatus.IN_PROGRESS,
    "Stopping": TuningStatus.STOPPING,
    "Completed": TuningStatus.COMPLETED,
    "Failed": TuningStatus.FAILED,
    "Stopped": TuningStatus.STOPPED,
    # Only a tuning job that has ended can be deleted; how it ended is gone with it.
    "Deleting": TuningStatus.STOPPED,
    "DeleteFailed": TuningStatus.STOPPED,
}
LIVE: Final = (TuningStatus.IN_PROGRESS, TuningStatus.STOPPING)


def status_of(answer: Answer) -> TuningStatus:
    """A status that we don't know is taken for InProgress."""
    return STATUSES.get(str(answer["HyperParameterTuningJobStatus"]), TuningStatus.IN_PROGRESS)


def job_count(answer: Answer) -> int:
    """How many training jobs AMT has launched."""
    return sum(int(jobs) for jobs in (answer.get("TrainingJobStatusCounters") or {}).values())


def runtime_seconds(answer: Answer) -> float | None:
    """The wall clock that AMT counts."""
    consumed = (answer.get("ConsumedResources") or {}).get("RuntimeInSeconds")
    if consumed is not None:
        return float(consumed)
    end = seconds(answer.get("HyperParameterTuningEndTime"))
    return None if end is None else end - answer["CreationTime"].timestamp()


def converged_at(answer: Answer) -> float | None:
    return seconds((answer.get("TuningJobCompletionDetails") or {}).get("ConvergenceDetectedTime"))


CONVERGED: Final = Reason("CompleteOnConvergence", "AMT detected that the tuning job has converged")


def criteria_met(spec: TuningSpec, answer: Answer) -> tuple[Reason, ...]:
    """The completion criteria that hold, in the order in which they are named as the reason."""
    return tuple(_criteria_met(spec, answer))


def _criteria_met(spec: TuningSpec, answer: Answer) -> Iterator[Reason]:
    limits, completion = spec.limits, spec.completion
    launched, running = (
        job_count(answer),
        (answer.get("TrainingJobStatusCounters") or {}).get("InProgress", 0),
    )
    most = limits.max_number_of_training_jobs
    if most is not None and launched >= most and not running:
        yield Reason(
            "MaxNumberOfTrainingJobs", as_many_as_asked(launched), {"launched": launched, "limit": most}
        )
    patience = completion.max_number_of_training_jobs_not_improving
    details = answer.get("TuningJobCompletionDetails") or {}
    since = details.get("NumberOfTrainingJobsObjectiveNotImproving")
    if patience is not None and since is not None and since >= patience:
        message = f"{count(since, 'training job')} did not improve on the best"
        yield Reason("MaxNumberOfTrainingJobsNotImproving", message, {"count": since, "limit": patience})
    elapsed = runtime_seconds(answer)
    if (
        limits.max_runtime_seconds is not None
        and elapsed is not None
        and elapsed >= limits.max_runtime_seconds
    ):
        message = f"the tuning job has run for {elapsed:g} s of the {limits.max_runtime_seconds} s allowed"
        yield Reason(
            "MaxRuntimeInSeconds", message, {"elapsed": elapsed, "limit": limits.max_runtime_seconds}
        )
    yield from _target_met(spec, answer.get("BestTrainingJob"))
    if completion.complete_on_convergence and converged_at(answer) is not None:
        yield CONVERGED


def _target_met(spec: TuningSpec, best: Any) -> Iterator[Reason]:
    target = spec.completion.target_objective_metric_value
    value = None if best is None else objective_value(best)
    if target is None or value is None or (value < target if spec.maximize else value > target):
        return
    message = f"{best['TrainingJobName']} reached {value:g}; the target is {target:g}"
    yield Reason("TargetObjectiveMetricValue", message, {"value": value, "target": target})


def reasons_to_end(spec: TuningSpec, answer: Answer) -> tuple[Reason, ...]:
    """Why a tuning job that doesn't go on doesn't; at least one reason."""
    status = status_of(answer)
    if status is TuningStatus.FAILED:
        return (Reason(FAILED_BY_AMT, hidden(str(answer.get("FailureReason") or "AMT gave no reason"))),)
    met = criteria_met(spec, answer)
    if met:
        return met
    if status in (TuningStatus.STOPPED, TuningStatus.STOPPING):
        return (Reason("StoppedByUser", "it was stopped in SageMaker, not by this program"),)
    launched, size = job_count(answer), grid_size(spec)
    numbers = {"launched": float(launched)}
    if size is not None and launched >= size:
        return (Reason("SpaceExhausted", nothing_left(size), {"trials": size}),)
    message = f"AMT ended it after {count(launched, 'training job')} and says no more"
    return (Reason("CompletedByAMT", message, numbers),)
