"""How long one training job takes, as far as somebody knows: whoever asks, or earlier training jobs."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from amt_flows.events import Inherited, Outcome
from amt_flows.ledger.ledger import Ledger
from amt_flows.names import count


@dataclass(frozen=True)
class JobLength:
    """``seconds`` of training, and ``startup_seconds`` before it; ``source`` says whose they are. ``epochs``
    is None where nobody counted them."""

    seconds: float
    source: str
    startup_seconds: float = 0.0
    epochs: int | None = None


def length_in(ledger: Ledger) -> JobLength | None:
    """The medians of a tuning job's completed training jobs; None when it has none."""
    done = [job for job in ledger.ended if job.outcome is Outcome.COMPLETED and job.started_at is not None]
    seconds = [ledger.seconds_behind(job) for job in done]
    if not seconds or statistics.median(seconds) <= 0:
        return None
    epochs = int(statistics.median(job.curve.last_epoch for job in done))
    return JobLength(
        statistics.median(seconds),
        f"the median of {count(len(done), 'completed job')} of {ledger.name}",
        startup_seconds=max(
            0.0, statistics.median((job.started_at or 0.0) - job.launched_at for job in done)
        ),
        epochs=epochs or None,
    )


def length_inherited(events: Iterable[Inherited]) -> JobLength | None:
    """The median over the completed training jobs of a warm start's parents; None when none tells its
    times."""
    seconds: list[float] = []
    parents: list[str] = []
    for event in events:
        found = _seconds(event)
        seconds += found
        if found and event.parent not in parents:
            parents.append(event.parent)
    if not seconds or statistics.median(seconds) <= 0:
        return None
    source = f"the median of {count(len(seconds), 'completed job')} of {', '.join(parents)}"
    return JobLength(statistics.median(seconds), source)


def _seconds(event: Inherited) -> Sequence[float]:
    return [
        job.ended_at - job.started_at
        for job in event.jobs
        if job.outcome is Outcome.COMPLETED and job.started_at is not None and job.ended_at is not None
    ]
