"""What parents know (warm start), in the shapes that strategies and answers need."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from amt_flows.events import Inherited, InheritedJob, Outcome
from amt_flows.ledger.history import TrialRow, TrialState, held_back

Loss = Callable[[float], float]


def inherited_rows(inherited: Sequence[Inherited], loss: Loss) -> list[TrialRow]:
    """A row per inherited job, in the order in which they were written, with numbers up to 0.

    Where a job that was cut short would have ended is unknown: it is held back by its parent's completed
    ones, as one of our own is by ours (:func:`amt_flows.ledger.history.held_back`).
    """
    rows: list[TrialRow] = []
    first = 1 - sum(len(one.jobs) for one in inherited)
    for one in inherited:
        completed = [loss(job.value) for job in one.jobs if job.outcome is Outcome.COMPLETED]
        for job in one.jobs:
            value = loss(job.value)
            if job.outcome is not Outcome.COMPLETED:
                (value,) = held_back([value], completed)
            rows.append(
                TrialRow(
                    number=first + len(rows),
                    configuration=job.configuration,
                    state=TrialState.COMPLETED,
                    loss=value,
                    seconds=_seconds(job),
                    parent=one.parent,
                    identical=one.identical,
                )
            )
    return rows


def best_inherited(inherited: Sequence[Inherited], loss: Loss) -> tuple[Inherited, InheritedJob] | None:
    """The best completed job among those whose values can be compared with ours, and its parent; of equals
    the first."""
    found = [
        (one, job)
        for one in inherited
        if one.identical
        for job in one.jobs
        if job.outcome is Outcome.COMPLETED
    ]
    return min(found, key=lambda pair: loss(pair[1].value), default=None)


def _seconds(job: InheritedJob) -> float | None:
    if job.started_at is None or job.ended_at is None:
        return None
    return max(0.0, job.ended_at - job.started_at)
