"""The order in which training jobs are listed."""

from __future__ import annotations

import math

from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.strategies.front import front


def ranked(ledger: Ledger) -> list[TrainingJob]:
    """All jobs: those that may be the best, then others that ended with a value, then the running ones, each
    best first, and last those that failed. Of equals the one that ended first leads, as it does in
    ``Ledger.best``."""
    places = {job.name: place for place, job in enumerate(ledger.ended)}

    def order(job: TrainingJob) -> tuple[int, bool, float, int, int, int]:
        value = job.final_value if job.final_value is not None else job.curve.last_value
        loss = math.inf if value is None else ledger.loss(value)
        group = 0 if ledger.eligible(job) else 1 if job.has_usable_value else 2 if job.live else 3
        behind = group == 0 and job.reached is None
        return group, behind, loss, places.get(job.name, len(places)), job.trial, job.attempt

    return sorted(ledger.jobs.values(), key=order)


def pareto_front(ledger: Ledger) -> list[TrainingJob]:
    """The training jobs of the front, of those that may be the best and have a finite value of every
    objective; in the order of the main one. None without further objectives."""
    jobs: list[TrainingJob] = []
    losses: list[list[float]] = []
    for job in ranked(ledger) if ledger.spec.other_objectives else ():
        told = ledger.other_losses(job)
        others = [loss for loss in told if loss is not None]
        if ledger.eligible(job) and job.final_value is not None and len(others) == len(told):
            jobs.append(job)
            losses.append([ledger.loss(job.final_value), *others])
    return [jobs[i] for i in front(losses)]
