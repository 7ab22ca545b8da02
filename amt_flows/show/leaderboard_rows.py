"""The training jobs of a result as rows for a table: best first, plain JSON values, short. The addresses of
the model and the log are the last ones, for they are long: what clicks on them is in
:mod:`amt_flows.show.links`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from amt_flows.events import Outcome
from amt_flows.ledger.failures import failure_line
from amt_flows.results import TrainingJobRecord, TuningResult
from amt_flows.show.text import duration, hyperparameter, number
from amt_flows.space.space import Value

MODEL, LOG, FRONT = "Model", "Log", "Pareto front"
MOST_ROWS = 1000
"""Of a table in a browser: an older one, which draws all rows before it shows any, takes a second for some
hundred of them."""
_LAST = ("Status", "Why it stopped", "Epochs", "Time", MODEL, LOG)


def leaderboard(
    result: TuningResult, limit: int | None = None, first: Sequence[str] = ()
) -> list[dict[str, object]]:
    """The training jobs, a row each; the best ``limit`` of them if it is given. Hyperparameters stand in the
    order of ``first``, those that matter most first, and then in the spec's; why a job ended after them. No
    value is NaN or infinite, which JSON has no word for and a table artifact can't hold: they are the words.
    A running job shows its latest value, unranked. The addresses are URIs as they were recorded; empty where
    there is none. All rows have the same columns, for a table may ask the first one only; a hyperparameter
    that a job doesn't have is empty."""
    jobs = result.jobs[:limit]
    tuned = tuned_in(result, jobs)
    names = [*(name for name in first if name in tuned), *(name for name in tuned if name not in first)]
    return [_row(result, rank, names) for rank in range(1, len(jobs) + 1)]


def tuned_in(result: TuningResult, jobs: Sequence[TrainingJobRecord]) -> list[str]:
    """The hyperparameters that any of ``jobs`` has, in the spec's order."""
    present = {name for job in jobs for name in job.hyperparameters}
    return [name for name in result.tuned() if name in present]


def _row(result: TuningResult, rank: int, names: Sequence[str]) -> dict[str, object]:
    job = result.jobs[rank - 1]
    row: dict[str, object] = {
        "Rank": rank if job.has_usable_value else "",
        "Training job": job.name,
        **({"Algorithm": job.definition} if job.definition else {}),
        "Objective": _json_number(job.latest_value),
        **({FRONT: "yes" if job.name in result.pareto_front else ""} if result.other_metrics() else {}),
    }
    for metric in result.other_metrics():
        taken = metric in row or metric in _LAST
        row[f"{metric} (metric)" if taken else metric] = _json_number(job.metrics.get(metric))
    for name in names:
        taken = name in row or name in _LAST
        row[f"{name} (hyperparameter)" if taken else name] = _setting(job.hyperparameters.get(name))
    return {
        **row,
        "Status": job.state,
        "Why it stopped": why(job),
        "Epochs": job.epochs,
        "Time": duration(job.training_seconds),
        MODEL: job.artifact or "",
        LOG: job.log or "",
    }


def _setting(value: Value | None) -> Value:
    if value is None:
        return ""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return hyperparameter(value) if isinstance(value, str) else value


def why(job: TrainingJobRecord) -> str:
    """Why it was stopped or failed; empty for a job that went its way."""
    if job.failed and job.failure:
        return failure_line(job.failure)
    if job.outcome == Outcome.COMPLETED.value:
        return ""
    return job.stopped_why or ""


def _json_number(value: float | None) -> float | str:
    if value is None:
        return ""
    return float(f"{value:.6g}") if math.isfinite(value) else number(value)
