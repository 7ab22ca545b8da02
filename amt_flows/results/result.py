"""What a tuning job came to: ``TuningResult``, and its rows for a data frame. AMT's own shapes are in
:mod:`amt_flows.results.amt_shapes`.

A result is plain JSON both ways, so that a deploy step in another flow, process or year can read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from amt_flows.events import Outcome, TuningStatus, number_from_json, number_to_json
from amt_flows.ledger import Ledger, TrainingJob
from amt_flows.results.amt_shapes import describe as describe
from amt_flows.results.amt_shapes import training_job_status, until, when
from amt_flows.results.amt_shapes import training_jobs as training_jobs
from amt_flows.results.ranking import ranked
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
    """One training job. Times are seconds since the epoch. ``objective_value`` is the final one, of a job
    that counts: None when it failed or the value is not finite. ``latest_value`` is that of the last epoch,
    which any job may have."""

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
        columns = self.columns()
        return [{name: cells.get(name) for name in columns} for cells in map(_cells, self.jobs)]

    def to_frame(self) -> pd.DataFrame:
        """:meth:`rows` as a pandas data frame, also when there are none. Needs the ``frame`` extra."""
        import pandas as pd

        frame: pd.DataFrame = pd.DataFrame(self.rows(), columns=self.columns())
        return frame

    def columns(self) -> list[str]:
        """Those of :meth:`rows`, also while there is no row. The training jobs of several algorithms, or of
        ranges that AMT chose, have hyperparameters that the spec's own ranges don't name."""
        tuned = [*spec_of(self).space().names, *(name for job in self.jobs for name in job.hyperparameters)]
        return list(dict.fromkeys([*tuned, *_ANALYTICS_COLUMNS, *_OWN_COLUMNS]))


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
        when(job.started_at),
        when(job.ended_at),
        job.training_seconds,
    )
    return {
        **dict(zip(_OWN_COLUMNS, own, strict=True)),
        **job.hyperparameters,
        **dict(zip(_ANALYTICS_COLUMNS, analytics, strict=True)),
    }


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
        objective_value=job.final_value if job.has_usable_value else None,
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


def result_of(ledger: Ledger, journal: str, now: float | None = None) -> TuningResult:
    """The result of a tuning job, or where it stands at ``now`` (seconds since the epoch)."""
    end = until(ledger, ledger.last_at if now is None else now)
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


def spec_of(result: TuningResult) -> TuningSpec:
    """The spec that a result came from."""
    return TuningSpec.parse(result.spec)
