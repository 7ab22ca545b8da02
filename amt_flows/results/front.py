"""The Pareto front: of several objectives, the training jobs of which none is beaten in all of them."""

from __future__ import annotations

from amt_flows.front import front
from amt_flows.ledger import Ledger, TrainingJob
from amt_flows.results.ranking import ranked


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
