"""What early stopping saved, job by job: an estimate, by how long the completed training jobs trained."""

from __future__ import annotations

import statistics

from amt_flows.events import Outcome
from amt_flows.ledger import Ledger


def saved_seconds(ledger: Ledger) -> dict[str, float]:
    """The training time that each job saved that was stopped early, by its name: what it would have trained
    on, at its own pace, to the median number of epochs of the completed jobs. 0 for one whose pace is unknown
    since it told no value, and for all while no job has completed."""
    lengths = [job.curve.last_epoch for job in ledger.ended if job.outcome is Outcome.COMPLETED]
    full_length = statistics.median(lengths) if lengths else 0.0
    saved = dict[str, float]()
    for job in ledger.ended:
        if job.outcome is Outcome.STOPPED_EARLY:
            epochs = job.curve.last_epoch
            pace = job.training_seconds(ledger.last_at) / epochs if epochs else 0.0
            saved[job.name] = pace * max(0.0, full_length - epochs)
    return saved
