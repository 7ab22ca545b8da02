"""The order in which training jobs are listed."""

from __future__ import annotations

import math

from amt_flows.ledger import Ledger, TrainingJob


def ranked(ledger: Ledger) -> list[TrainingJob]:
    """All jobs: those that may be the best, then others that ended with a value, then the running ones, each
    best first, and last those that failed. Of equals the one that ended first leads, as it does in
    ``Ledger.best``."""
    places = {job.name: place for place, job in enumerate(ledger.ended)}

    def order(job: TrainingJob) -> tuple[int, float, int, int, int]:
        value = job.final_value if job.final_value is not None else job.curve.last_value
        loss = math.inf if value is None else ledger.loss(value)
        group = 0 if ledger.eligible(job) else 1 if job.has_usable_value else 2 if job.live else 3
        return group, loss, places.get(job.name, len(places)), job.trial, job.attempt

    return sorted(ledger.jobs.values(), key=order)
