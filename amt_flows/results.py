"""What a tuning job came to: ``TuningResult``, AMT's describe shapes, and rows for a data frame.

A result is plain JSON both ways, so that a deploy step in another flow, process or year can read it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from amt_flows.events import Outcome, TuningStatus, number_from_json, number_to_json
from amt_flows.ledger import RETRYABLE, Ledger, TrainingJob
from amt_flows.rules.convergence import jobs_not_improving
from amt_flows.rules.early_stopping import early_stopping_rule
from amt_flows.space import Value
from amt_flows.spec import TuningSpec

if TYPE_CHECKING:
    import pandas as pd


def _number(value: object) -> object:
    return number_from_json(value) if isinstance(value, str) else value


# A metric may be NaN or infinite, which JSON has no word for.
Metric = Annotated[
    float,
    BeforeValidator(_number),
    PlainSerializer(number_to_json, return_type=float | str, when_used="json"),
]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ReasonRecord(_Record):
    """Why the tuning job ended: the rule, one sentence, and the numbers it saw."""

    rule: str
    message: str
    numbers: dict[str, Metric] = {}


class TrainingJobRecord(_Record):
    """One training job. Times are seconds since the epoch; ``objective_value`` is the final one, and
    ``latest_value`` that of the last epoch, which a running job has as well."""

    name: str
    trial: int
    attempt: int
    status: str
    outcome: str | None
    objective_value: Metric | None
    latest_value: Metric | None = None
    hyperparameters: dict[str, Value]
    metrics: dict[str, Metric] = {}
    epochs: int = 0
    source: str = ""
    launched_at: float
    started_at: float | None = None
    ended_at: float | None = None
    training_seconds: float = 0.0
    artifact: str | None = None
    log: str | None = None
    failure: str | None = None
    stopped_why: str | None = None


class Savings(_Record):
    """What early stopping saved: an estimate from the completed jobs' median length.

    ``seconds`` is what the jobs that were stopped early would have trained on had they gone on, at their
    own pace, to the median number of epochs of the completed jobs.
    """

    stopped_jobs: int = 0
    seconds: float = 0.0
    share: float = 0.0
    """Of the training time that would have been spent without it."""


class TuningResult(_Record):
    """The end of a tuning job, or where it stands. ``best`` has all that a deploy step needs."""

    name: str
    status: TuningStatus
    objective_metric: str
    objective_type: str
    reasons: tuple[ReasonRecord, ...]
    best: TrainingJobRecord | None
    jobs: tuple[TrainingJobRecord, ...]
    """Every training job, the best first, those without a value last."""
    created_at: float
    ended_at: float | None
    runtime_seconds: float
    """Wall clock of the tuning job."""
    training_seconds: float
    """Sum over all training jobs; more than the wall clock when they ran in parallel."""
    cost: float | None
    saved: Savings
    journal: str
    fingerprint: str
    spec: dict[str, Any]

    @property
    def headline(self) -> str:
        """One line for a person."""
        why = self.reasons[0].message if self.reasons else "still running"
        best = "no usable training job" if self.ended_at is not None else "no completed training job yet"
        if self.best is not None and self.best.objective_value is not None:
            best = f"best {self.objective_metric} = {self.best.objective_value:g} ({self.best.name})"
        return f"{self.status.value}: {best}; {why}"

    def rows(self) -> list[dict[str, Any]]:
        """One row a training job, best first, with the columns of the SageMaker SDK's analytics data
        frame: a typed one for each hyperparameter, and TrainingJobName, TrainingJobStatus,
        FinalObjectiveValue, TrainingStartTime, TrainingEndTime, TrainingElapsedTimeSeconds."""
        columns = self._columns()
        return [{name: cells[name] for name in columns} for cells in map(_cells, self.jobs)]

    def to_frame(self) -> pd.DataFrame:
        """:meth:`rows` as a pandas data frame, also when there are none. Needs the ``frame`` extra."""
        import pandas as pd

        return pd.DataFrame(self.rows(), columns=self._columns())

    def _columns(self) -> list[str]:
        names = [*spec_of(self).space().names, *_ANALYTICS_COLUMNS, *_OWN_COLUMNS]
        return list(dict.fromkeys(names))


_ANALYTICS_COLUMNS = (
    "TrainingJobName",
    "TrainingJobStatus",
    "FinalObjectiveValue",
    "TrainingStartTime",
    "TrainingEndTime",
    "TrainingElapsedTimeSeconds",
)
_OWN_COLUMNS = ("Outcome", "Epochs")


def _cells(job: TrainingJobRecord) -> dict[str, Any]:
    # A hyperparameter that bears the name of one of our own columns keeps it; one that bears the name
    # of a column of the SDK's loses it, as it does there.
    own = (job.outcome, job.epochs)
    analytics = (
        job.name,
        job.status,
        job.objective_value,
        _when(job.started_at),
        _when(job.ended_at),
        job.training_seconds,
    )
    return {
        **dict(zip(_OWN_COLUMNS, own, strict=True)),
        **job.hyperparameters,
        **dict(zip(_ANALYTICS_COLUMNS, analytics, strict=True)),
    }


def _when(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)


def training_job_status(job: TrainingJob) -> str:
    """AMT's ``TrainingJobStatus``."""
    match job.outcome:
        case None:
            return "Stopping" if job.stop_asked_at is not None else "InProgress"
        case Outcome.COMPLETED | Outcome.NO_METRIC:
            return "Completed"
        case Outcome.STOPPED_EARLY | Outcome.TIMED_OUT | Outcome.STOPPED:
            return "Stopped"
        case Outcome.FAILED | Outcome.INFRASTRUCTURE | Outcome.LOST:
            return "Failed"


def objective_status(job: TrainingJob) -> str:
    """AMT's ``ObjectiveStatus``: Succeeded when a final metric was read and can be used."""
    if job.live:
        return "Pending"
    return "Succeeded" if job.has_usable_value else "Failed"


def training_seconds(job: TrainingJob, now: float) -> float:
    """How long a job trained. When a running one started is known once it has ended; until then it
    counts from its launch."""
    return max(0.0, now - job.launched_at) if job.live else job.training_seconds(now)


def _record_of(ledger: Ledger, job: TrainingJob, now: float) -> TrainingJobRecord:
    trial = ledger.trials[job.trial]
    return TrainingJobRecord(
        name=job.name,
        trial=job.trial,
        attempt=job.attempt,
        status=training_job_status(job),
        outcome=None if job.outcome is None else job.outcome.value,
        objective_value=job.final_value,
        latest_value=job.curve.last_value if job.final_value is None else job.final_value,
        hyperparameters=dict(trial.configuration),
        metrics=dict(job.metrics),
        epochs=job.curve.last_epoch,
        source=trial.source,
        launched_at=job.launched_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
        training_seconds=training_seconds(job, now),
        artifact=job.artifact,
        log=job.log,
        failure=job.failure,
        stopped_why=job.stop_why or None,
    )


def ranked(ledger: Ledger) -> list[TrainingJob]:
    """All jobs: those that may be the best, then others that ended with a value, then the running ones, each
    best first, and last those that failed."""

    def order(job: TrainingJob) -> tuple[int, float, int, int]:
        value = job.final_value if job.final_value is not None else job.curve.last_value
        loss = math.inf if value is None else ledger.loss(value)
        group = 0 if ledger.eligible(job) else 1 if job.has_usable_value else 2 if job.live else 3
        return group, loss, job.trial, job.attempt

    return sorted(ledger.jobs.values(), key=order)


def savings(ledger: Ledger) -> Savings:
    """What early stopping saved; all zero when it is off or has stopped nothing."""
    lengths = sorted(j.curve.last_epoch for j in ledger.ended if j.outcome is Outcome.COMPLETED)
    stopped = [job for job in ledger.ended if job.outcome is Outcome.STOPPED_EARLY]
    if early_stopping_rule(ledger.spec) is None or not stopped or not lengths:
        return Savings(stopped_jobs=len(stopped))
    full_length = lengths[len(lengths) // 2]
    saved = 0.0
    for job in stopped:
        epochs = max(job.curve.last_epoch, 1)
        pace = job.training_seconds(ledger.last_at) / epochs
        saved += pace * max(0, full_length - epochs)
    spent = sum(job.training_seconds(ledger.last_at) for job in ledger.jobs.values())
    share = saved / (saved + spent) if saved + spent > 0 else 0.0
    return Savings(stopped_jobs=len(stopped), seconds=saved, share=share)


def _end(ledger: Ledger, now: float) -> float:
    """Until when the tuning job has run; never before the last thing known of it."""
    return ledger.finished_at if ledger.finished_at is not None else max(now, ledger.last_at)


def result_of(ledger: Ledger, journal: str, now: float | None = None) -> TuningResult:
    """The result of a tuning job, or where it stands at ``now`` (seconds since the epoch)."""
    end = _end(ledger, ledger.last_at if now is None else now)
    jobs = ranked(ledger)
    best = ledger.best
    training = sum(training_seconds(job, end) for job in jobs)
    price = ledger.spec.training_job.price_per_hour
    return TuningResult(
        name=ledger.name,
        status=ledger.status,
        objective_metric=ledger.spec.objective.metric_name,
        objective_type=ledger.spec.objective.type.value,
        reasons=tuple(
            ReasonRecord(rule=r.rule, message=r.message, numbers=dict(r.numbers)) for r in ledger.reasons
        ),
        best=None if best is None else _record_of(ledger, best, end),
        jobs=tuple(_record_of(ledger, job, end) for job in jobs),
        created_at=ledger.opened_at,
        ended_at=ledger.finished_at,
        runtime_seconds=end - ledger.opened_at,
        training_seconds=training,
        cost=None if price is None else training * price / 3600,
        saved=savings(ledger),
        journal=journal,
        fingerprint=ledger.fingerprint,
        spec=ledger.spec.to_json(),
    )


# -- AMT's describe shapes ------------------------------------------------------------------------

_REGION_AND_ACCOUNT = "local:000000000000"


def _arn(kind: str, name: str) -> str:
    # The shapes require an ARN; a job on one's own machine has none, so its region says "local".
    return f"arn:aws:sagemaker:{_REGION_AND_ACCOUNT}:{kind}/{name.lower()}"


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def training_job_summary(ledger: Ledger, job: TrainingJob) -> dict[str, Any]:
    """AMT's ``HyperParameterTrainingJobSummary``; times are aware datetimes, as boto3 gives them."""
    from amt_flows.space import hyperparameter_texts

    trial = ledger.trials[job.trial]
    final = None
    if job.has_usable_value:
        final = {
            "Type": ledger.spec.objective.type.value,
            "MetricName": ledger.spec.objective.metric_name,
            "Value": job.final_value,
        }
    return _without_none(
        {
            "TrainingJobDefinitionName": ledger.spec.definition_name,
            "TrainingJobName": job.name,
            "TrainingJobArn": _arn("training-job", job.name),
            "CreationTime": _when(job.launched_at),
            "TrainingStartTime": _when(job.started_at),
            "TrainingEndTime": _when(job.ended_at),
            "TrainingJobStatus": training_job_status(job),
            "TunedHyperParameters": hyperparameter_texts(trial.configuration),
            "FailureReason": None if job.failure is None else job.failure[:1024],
            "FinalHyperParameterTuningJobObjectiveMetric": final,
            "ObjectiveStatus": objective_status(job),
        }
    )


def training_job_status_counters(ledger: Ledger) -> dict[str, int]:
    statuses = [training_job_status(job) for job in ledger.jobs.values()]
    retryable = sum(job.outcome in RETRYABLE for job in ledger.jobs.values())
    return {
        "Completed": statuses.count("Completed"),
        "InProgress": statuses.count("InProgress") + statuses.count("Stopping"),
        "RetryableError": retryable,
        "NonRetryableError": statuses.count("Failed") - retryable,
        "Stopped": statuses.count("Stopped"),
    }


def objective_status_counters(ledger: Ledger) -> dict[str, int]:
    statuses = [objective_status(job) for job in ledger.jobs.values()]
    return {status: statuses.count(status) for status in ("Succeeded", "Pending", "Failed")}


def describe(ledger: Ledger, now: float) -> dict[str, Any]:
    """AMT's ``DescribeHyperParameterTuningJob`` answer for a tuning job as it stands at ``now``."""
    from amt_flows.amt_request import to_amt_request

    request = to_amt_request(ledger.spec, drop_own_fields=True)
    end = _end(ledger, now)
    best = ledger.best
    not_improving = jobs_not_improving(ledger, ledger.spec.completion.min_relative_improvement)
    details: dict[str, Any] = {"NumberOfTrainingJobsObjectiveNotImproving": not_improving}
    if ledger.converged_at is not None:
        details["ConvergenceDetectedTime"] = _when(ledger.converged_at)
    failure = ledger.reasons[0].message[:1024] if ledger.reasons else None
    return _without_none(
        {
            "HyperParameterTuningJobName": ledger.name,
            "HyperParameterTuningJobArn": _arn("hyper-parameter-tuning-job", ledger.name),
            "HyperParameterTuningJobConfig": request["HyperParameterTuningJobConfig"],
            "TrainingJobDefinition": request.get("TrainingJobDefinition"),
            "TrainingJobDefinitions": request.get("TrainingJobDefinitions"),
            "HyperParameterTuningJobStatus": ledger.status.value,
            "CreationTime": _when(ledger.opened_at),
            "HyperParameterTuningEndTime": _when(ledger.finished_at),
            "LastModifiedTime": _when(ledger.last_at),
            "TrainingJobStatusCounters": training_job_status_counters(ledger),
            "ObjectiveStatusCounters": objective_status_counters(ledger),
            "BestTrainingJob": None if best is None else training_job_summary(ledger, best),
            "WarmStartConfig": request.get("WarmStartConfig"),
            "Autotune": request.get("Autotune"),
            "FailureReason": failure if ledger.status is TuningStatus.FAILED else None,
            "TuningJobCompletionDetails": details,
            "ConsumedResources": {"RuntimeInSeconds": int(end - ledger.opened_at)},
        }
    )


def training_jobs(ledger: Ledger) -> dict[str, Any]:
    """AMT's ``ListTrainingJobsForHyperParameterTuningJob`` answer, best objective first."""
    jobs: Sequence[TrainingJob] = ranked(ledger)
    return {"TrainingJobSummaries": [training_job_summary(ledger, job) for job in jobs]}


def spec_of(result: TuningResult) -> TuningSpec:
    """The spec that a result came from."""
    return TuningSpec.parse(result.spec)
