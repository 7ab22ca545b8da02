"""What a tuning job came to: ``TuningResult``, and its rows for a data frame. AMT's own shapes are in
:mod:`amt_flows.results.amt_shapes`.

A result is plain JSON both ways, so that a deploy step in another flow, process or year can read it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from amt_flows.errors import TuningJobFailed
from amt_flows.events import Outcome, TuningStatus, decisive, number_from_json, number_to_json
from amt_flows.ledger.algorithms import algorithms_of
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.running_tuning_job import RunningTuningJob
from amt_flows.ledger.training_job import TrainingJob, has_failed, has_usable_value
from amt_flows.results.amt_shapes import STOPPING, training_job_status, until, when
from amt_flows.results.amt_shapes import describe as describe
from amt_flows.results.amt_shapes import training_jobs as training_jobs
from amt_flows.results.ranking import pareto_front, ranked
from amt_flows.space.space import Value
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
    went_on_after: int = 0
    """How many of them were of the trial's earlier training jobs, from whose checkpoint it went on."""
    source: str = ""
    definition: str = ""
    """Which of several algorithms it is of."""
    launched_at: float
    started_at: float | None = None
    ended_at: float | None = None
    training_seconds: float = 0.0
    artifact: str | None = None
    log: str | None = None
    failure: str | None = None
    stopped_why: str | None = None
    reached: Metric | None = None
    """The value by which it met the target."""

    @property
    def has_usable_value(self) -> bool:
        """It ended with a finite objective, by itself or cut short."""
        return has_usable_value(self.outcome, self.objective_value)

    @property
    def failed(self) -> bool:
        """It ended without a usable objective value, and not because it was stopped."""
        return has_failed(self.outcome, self.objective_value)

    @property
    def state(self) -> str:
        """How it ended, or what it is doing, in lower-case words."""
        if self.outcome is not None:
            return self.outcome
        return "stopping" if self.status == STOPPING else "running"


class Savings(_Record):
    """What early stopping saved: an estimate, the sum of what each job saved that was stopped early
    (:func:`amt_flows.results.saved.saved_seconds`)."""

    stopped_jobs: int = 0
    seconds: float = 0.0
    share: float = 0.0
    """Of the training time that would have been spent without it."""


class TuningResult(_Record):
    """The end of a tuning job, or where it stands. ``best`` has all that a deploy step needs."""

    name: str
    status: TuningStatus
    objective_metric: str
    """Of several algorithms: that of the best training job's."""
    objective_type: str
    reasons: tuple[ReasonRecord, ...]
    best: TrainingJobRecord | None
    jobs: tuple[TrainingJobRecord, ...]
    """Every training job, the best first: those that may be the best, others with a value (stopped early,
    say), those that run, and those that failed."""
    pareto_front: tuple[str, ...] = ()
    """Where there are further objectives: the training jobs than which no other is at least as good in all
    objectives and better in one, by their names, the best of the main objective first."""
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
        reason = decisive(self.reasons)
        why = "still running" if reason is None else reason.message
        best = "no usable training job" if self.ended_at is not None else "no completed training job yet"
        if self.best is not None and self.best.objective_value is not None:
            best = f"best {self.objective_metric} = {self.best.objective_value:g} ({self.best.name})"
        return f"{self.status.value}: {best}; {why}"

    def rows(self) -> list[dict[str, Any]]:
        """One row a training job, in the order of ``jobs``, with the columns of the SageMaker SDK's analytics
        data frame: a typed one for each hyperparameter (None where a training job doesn't have it), and
        TrainingJobName, TrainingJobStatus, FinalObjectiveValue, TrainingStartTime, TrainingEndTime,
        TrainingElapsedTimeSeconds."""
        columns = self.columns()
        objectives, rows = self._objective_columns(), []
        for job in self.jobs:
            told = {column: job.metrics.get(metric) for metric, column in objectives.items()}
            cells = {**_cells(job), **told, _FRONT_COLUMN: job.name in self.pareto_front}
            rows.append({name: cells.get(name) for name in columns})
        return rows

    def to_frame(self) -> pd.DataFrame:
        """:meth:`rows` as a pandas data frame, also when there are none. Needs the ``frame`` extra."""
        import pandas as pd

        frame: pd.DataFrame = pd.DataFrame(self.rows(), columns=self.columns())
        return frame

    def columns(self) -> list[str]:
        """Those of :meth:`rows`, also while there is no row."""
        several = [_DEFINITION_COLUMN] if self.spec.get("other_definitions") else []
        objectives = [*self._objective_columns().values()]
        own = [*several, *objectives, *([_FRONT_COLUMN] if objectives else []), *_OWN_COLUMNS]
        return list(dict.fromkeys([*self.tuned(), *_ANALYTICS_COLUMNS, *own]))

    def other_metrics(self) -> list[str]:
        """The names of the further objectives' metrics; the last value that each training job had is among
        its ``metrics``."""
        return [one["metric_name"] for one in self.spec.get("other_objectives", ())]

    def _objective_columns(self) -> dict[str, str]:
        """The further objectives' columns by their metrics."""
        if not self.other_metrics():
            return {}
        taken = (*self.tuned(), *_ANALYTICS_COLUMNS, *_OWN_COLUMNS, _FRONT_COLUMN)
        return {name: f"{name} (metric)" if name in taken else name for name in self.other_metrics()}

    def tuned(self) -> list[str]:
        """The names of all tuned hyperparameters, in the spec's order; not every training job has all. Those
        of ranges that AMT chose, which the spec's own ranges don't name, come last."""
        names = [name for algorithm in algorithms_of(spec_of(self)) for name in algorithm.space.names]
        return list(dict.fromkeys([*names, *(name for job in self.jobs for name in job.hyperparameters)]))

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from amt_flows.show.notebook_result import result_html

        return result_html(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What IPython shows where there is no HTML, and keeps in a notebook beside it: one line, for all of
        a long result would be a megabyte."""
        printer.text(f"TuningResult({self.name!r}, {self.headline})")


_ANALYTICS_COLUMNS = (
    "TrainingJobName",
    "TrainingJobStatus",
    "FinalObjectiveValue",
    "TrainingStartTime",
    "TrainingEndTime",
    "TrainingElapsedTimeSeconds",
)
_DEFINITION_COLUMN = "TrainingJobDefinitionName"
"""The SDK's too, where there are several."""
_FRONT_COLUMN = "OnParetoFront"
"""Where there are further objectives, after their metrics' columns."""
_OWN_COLUMNS = ("Outcome", "Epochs", "ModelUri", "LogUri")


def _cells(job: TrainingJobRecord) -> dict[str, Any]:
    # A hyperparameter that bears the name of one of our own columns keeps it; one that bears the name
    # of a column of the SDK's loses it, as it does there.
    own = (job.outcome, job.epochs, job.artifact, job.log)
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
        **({_DEFINITION_COLUMN: job.definition} if job.definition else {}),
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
        went_on_after=job.went_on_after,
        source=trial.source,
        definition=trial.definition,
        launched_at=job.launched_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
        training_seconds=training_seconds(job, now),
        artifact=job.artifact,
        log=job.log,
        failure=job.failure,
        stopped_why=job.stop_why or None,
        reached=job.reached,
    )


def savings(ledger: Ledger) -> Savings:
    """What early stopping saved; all zero when it has stopped nothing."""
    by_job = saved_seconds(ledger)
    # Exact sums: the order in which jobs were launched and ended is not to show in the last digit.
    saved = math.fsum(by_job.values())
    spent = math.fsum(job.training_seconds(ledger.last_at) for job in ledger.jobs.values())
    share = saved / (saved + spent) if saved > 0 else 0.0
    return Savings(stopped_jobs=len(by_job), seconds=saved, share=share)


def result_of(
    ledger: Ledger,
    journal: str,
    now: float | None = None,
    kept: dict[str, TrainingJobRecord] | None = None,
) -> TuningResult:
    """The result of a tuning job, or where it stands at ``now`` (seconds since the epoch). Whoever asks again
    and again gives what is ``kept`` of training jobs that have ended, by their names."""
    end = until(ledger, ledger.last_at if now is None else now)
    jobs = ranked(ledger)
    best = ledger.best
    training = sum(training_seconds(job, end) for job in jobs)
    leading = ledger.leading_algorithm
    return TuningResult(
        name=ledger.name,
        status=ledger.status,
        objective_metric=leading.metric_name,
        objective_type=ledger.spec.objective.type.value,
        reasons=tuple(
            ReasonRecord(rule=r.rule, message=r.message, numbers=dict(r.numbers)) for r in ledger.reasons
        ),
        best=None if best is None else _record_of(ledger, best, end),
        jobs=tuple(_records_of(ledger, jobs, end, {} if kept is None else kept)),
        pareto_front=tuple(job.name for job in pareto_front(ledger)),
        created_at=ledger.opened_at,
        ended_at=ledger.finished_at,
        runtime_seconds=ledger.running_seconds(end),
        training_seconds=training,
        cost=_cost(ledger, jobs, end),
        saved=savings(ledger),
        journal=journal,
        fingerprint=ledger.fingerprint,
        spec=ledger.spec.to_json(),
    )


def _records_of(
    ledger: Ledger, jobs: Iterable[TrainingJob], now: float, kept: dict[str, TrainingJobRecord]
) -> Iterator[TrainingJobRecord]:
    for job in jobs:
        record = kept.get(job.name)
        if record is None:
            record = _record_of(ledger, job, now)
            if not job.live:
                kept[job.name] = record
        yield record


def _cost(ledger: Ledger, jobs: Iterable[TrainingJob], now: float) -> float | None:
    """None without a price of every algorithm's jobs."""
    prices = {one: one.spec.training_job.price_per_hour for one in ledger.algorithms}
    hourly = [price for price in prices.values() if price is not None]
    if len(hourly) < len(prices):
        return None
    return sum(training_seconds(job, now) * (prices[ledger.algorithm_of(job)] or 0.0) / 3600 for job in jobs)


def spec_of(result: TuningResult) -> TuningSpec:
    """The spec that a result came from."""
    return TuningSpec.parse(result.spec)


def saved_seconds(ledger: Ledger) -> dict[str, float]:
    """The training time that each job saved that was stopped early, by its name: what it would have trained
    on, at its own pace, to the median number of epochs of the completed jobs. 0 for one whose pace is unknown
    since it told no value, or whose trial went on later, and for all while no job has completed."""
    lengths = [job.curve.last_epoch for job in ledger.ended if job.outcome is Outcome.COMPLETED]
    full_length = statistics.median(lengths) if lengths else 0.0
    saved = dict[str, float]()
    for job in ledger.ended:
        if job.outcome is Outcome.STOPPED_EARLY:
            epochs, own = job.curve.last_epoch, job.curve.last_epoch - job.went_on_after
            pace = job.training_seconds(ledger.last_at) / own if own else 0.0
            goes_on = ledger.attempts(job.trial)[-1] is not job
            saved[job.name] = 0.0 if goes_on else pace * max(0.0, full_length - epochs)
    return saved


def usable_result(result: TuningResult) -> TuningResult:
    """The result of a tuning job that has ended, for whoever goes on with its best model.

    Raises TuningJobFailed if it ended as Failed, or without a best training job: one that was stopped before
    there was one stays Stopped, and nothing downstream is called with no model.
    """
    if result.status is not TuningStatus.FAILED and result.best is not None:
        return result
    name, why = (
        result.name,
        "; ".join(reason.message for reason in result.reasons) or "no reason was recorded",
    )
    lists = f"`amt-flows jobs {name}` lists the training jobs"
    if result.status is TuningStatus.STOPPED:
        raise TuningJobFailed(
            f"Tuning job {name} was stopped before any training job could be the best: {why}.",
            result=result,
            remedy=f"{lists}; run it under a new name, or give this one other limits with "
            f"`amt-flows extend {name}`, which goes on with it",
        )
    if not result.jobs:
        remedy = (
            f"no training job is at fault: raise the limit by `amt-flows extend {name}`, or run it under a "
            "new name with another space or other parents"
        )
    elif not any(job.failed for job in result.jobs):
        remedy = (
            f"{lists}; none of them failed: let them complete by `amt-flows extend {name}`, which raises the "
            "limit, or run it under a new name"
        )
    else:
        remedy = (
            f"{lists}, `amt-flows logs JOB` shows the output of one; mend the script and run it under a new "
            "name"
        )
    raise TuningJobFailed(f"Tuning job {name} failed: {why}.", result=result, remedy=remedy)


def finished_result(tuning: RunningTuningJob) -> TuningResult:
    """The result of a tuning job that has ended. Raises as :func:`usable_result` does."""
    return usable_result(result_of(tuning.ledger, tuning.journal.location))
