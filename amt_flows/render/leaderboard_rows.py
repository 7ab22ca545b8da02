"""The training jobs of a result as rows for a table: best first, plain JSON values, short."""

from __future__ import annotations

import math

from amt_flows.events import Outcome
from amt_flows.failures import failure_line
from amt_flows.render.text import duration, number, place
from amt_flows.results import TrainingJobRecord, TuningResult

LAST_COLUMN = "Model"


def leaderboard(result: TuningResult, limit: int = 20) -> list[dict[str, object]]:
    """The best ``limit`` training jobs, a row each. No value is NaN or infinite, which JSON has no word for
    and a table artifact can't hold: they are the words. A running job shows its latest value, unranked."""
    return [_row(rank, job) for rank, job in enumerate(result.jobs[:limit], start=1)]


def _row(rank: int, job: TrainingJobRecord) -> dict[str, object]:
    row: dict[str, object] = {
        "Rank": rank if usable(job) else "",
        "Training job": job.name,
        "Objective": _json_number(job.latest_value),
        "Status": state(job),
        "Why it stopped": why(job),
        "Epochs": job.epochs,
        "Time": duration(job.training_seconds),
    }
    for name, value in job.hyperparameters.items():
        taken = name in row or name == LAST_COLUMN
        short = float(f"{value:.6g}") if isinstance(value, float) else value
        row[f"{name} (hyperparameter)" if taken else name] = short
    row[LAST_COLUMN] = "" if job.artifact is None else place(job.artifact)
    return row


def usable(job: TrainingJobRecord) -> bool:
    """Ended with an objective value, by itself or cut short."""
    return job.objective_value is not None


def failed(job: TrainingJobRecord) -> bool:
    """Ended without a value that can be used, and not because it was stopped."""
    ended = job.outcome is not None and not usable(job)
    return ended and job.outcome not in (Outcome.STOPPED.value, Outcome.STOPPED_EARLY.value)


def state(job: TrainingJobRecord) -> str:
    """How it ended, or what it is doing, in lower-case words."""
    if job.outcome is not None:
        return job.outcome
    return "stopping" if job.status == "Stopping" else "running"


def why(job: TrainingJobRecord) -> str:
    """Why it was stopped or failed; empty for a job that went its way."""
    if job.outcome == Outcome.COMPLETED.value:
        return ""
    if failed(job) and job.failure:
        return failure_line(job.failure)
    return job.stopped_why or ""


def _json_number(value: float | None) -> float | str:
    if value is None:
        return ""
    return float(f"{value:.6g}") if math.isfinite(value) else number(value)
