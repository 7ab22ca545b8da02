"""What a mark in a picture says of its training job."""

from __future__ import annotations

from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.show.pictures.plot import Job
from amt_flows.show.text import duration, hyperparameter, number

MOST_HYPERPARAMETERS = 12


def job_of(ledger: Ledger, job: TrainingJob) -> Job:
    """Its name, its value, how it ended and its hyperparameters, a line each."""
    trial = ledger.trials[job.trial]
    value = job.final_value if job.final_value is not None else job.curve.last_value
    metric = ledger.algorithm_of(job).metric_name
    best = ", the best" if job is ledger.best else ""
    seconds = ledger.last_at - job.began_at if job.live else job.training_seconds(ledger.last_at)
    lines = [
        f"{job.name}{best}",
        f"{metric} {number(value)}, {job.standing}, {duration(max(seconds, 0.0))}",
        *(f"{name} = {hyperparameter(v)}" for name, v in list(trial.configuration.items())),
    ]
    return Job(job.name, "\n".join(line[:120] for line in lines[: 2 + MOST_HYPERPARAMETERS]))


def state_of(ledger: Ledger, job: TrainingJob) -> str:
    """Which colour and mark it has."""
    return "best" if job is ledger.best else job.standing
