"""What a schedule's end must look like, compared with what really happened in its world."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from amt_flows.events import Outcome, TuningStatus
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import STOPPED, TrainingJob
from amt_flows.ports import JobState
from amt_flows.spec import BestEligible
from amt_flows.testing.chaos.truth import TrueJob
from amt_flows.testing.chaos.world import World

ROUNDING = 1e-6


def judge(world: World, final: Ledger | None) -> None:
    """Note everything about the end of a schedule that should not be so. ``final`` is the ledger of the
    controller that came to the end."""
    ledger, jobs = world.ledger(), world.truth.jobs()
    if final is None or not ledger.finished:
        world.broken("unended", "the tuning job has not finished")
        return
    _nothing_is_lost(world, ledger, jobs)
    for job in jobs:
        if job.alive:
            world.broken("orphaned", f"{job.name} lives after the end")
    _budgets_hold(world, ledger, jobs)
    if told(ledger) != told(final):
        world.broken("replay", "the journal, replayed, tells something else than the ledger that was driven")
    _the_best_is_best(world, ledger, jobs)
    if ledger.status is TuningStatus.COMPLETED and ledger.best is None:
        world.broken("best", "it is completed, and no training job is the best")
    configurations = [(one.definition, *one.configuration.items()) for one in ledger.trials.values()]
    if len(configurations) != len(set(configurations)):
        world.broken("doubled", "one configuration belongs to two trials")


def told(ledger: Ledger) -> dict[str, Any]:
    """All of a ledger that matters, in values that can be compared."""
    return {
        "status": (ledger.status, ledger.end_status, ledger.finished_at),
        "reasons": ledger.reasons,
        "trials": list(ledger.trials.values()),
        "jobs": [repr(_facts_of(job)) for job in ledger.jobs.values()],
        "ended": [job.name for job in ledger.ended],
        "best": None if ledger.best is None else ledger.best.name,
    }


def _facts_of(job: TrainingJob) -> dict[str, Any]:
    return {**{one.name: getattr(job, one.name) for one in fields(job)}, "curve": list(job.curve)}


def _nothing_is_lost(world: World, ledger: Ledger, jobs: Sequence[TrueJob]) -> None:
    for number, true in enumerate(jobs):
        job = ledger.jobs.get(true.name)
        if job is None and world.jobs_at_end is not None and number >= world.jobs_at_end:
            # Of a controller that was frozen in the middle of a launch until the record was closed: it is in
            # no ledger. That it was ended at once is seen elsewhere.
            continue
        if job is None:
            world.broken("lost", f"{true.name} was started and is not in the ledger")
        elif job.outcome is None:
            world.broken("lost", f"{true.name} was started and has no end in the ledger")
        elif not true.alive and job.outcome not in _possible(true):
            world.broken("lost", f"{true.name} was {true.state.value}; the ledger: {job.outcome.value}")
    for name in ledger.jobs.keys() - {true.name for true in jobs}:
        world.broken("lost", f"{name} is in the ledger and never started")


def _possible(job: TrueJob) -> set[Outcome]:
    match job.state:
        case JobState.COMPLETED:
            return {Outcome.COMPLETED, Outcome.NO_METRIC}
        case JobState.FAILED:
            return {Outcome.INFRASTRUCTURE if job.retryable else Outcome.FAILED}
        case JobState.LOST:
            return {Outcome.LOST}
        case _:
            return {*STOPPED, Outcome.TIMED_OUT}


def _budgets_hold(world: World, ledger: Ledger, jobs: Sequence[TrueJob]) -> None:
    limit, price = world.plan.spec.limits.max_cost, world.plan.spec.training_job.price_per_hour
    if limit is not None and price is not None:
        spent = sum(job.seconds for job in jobs) * price / 3600
        if spent > limit + ROUNDING:
            world.broken("overshot", f"{spent:.3f} was spent of {limit:.3f}")
    if abs(ledger.opened_at - world.opened_wall) > ROUNDING:
        world.broken("overshot", "the time of the tuning job's creation has changed")


def _the_best_is_best(world: World, ledger: Ledger, jobs: Sequence[TrueJob]) -> None:
    spec = world.plan.spec
    eligible = [JobState.COMPLETED]
    if spec.best_eligible is BestEligible.COMPLETED_AND_STOPPED:
        eligible.append(JobState.STOPPED)
    target = spec.completion.target_objective_metric_value
    met = math.inf if target is None else (-target if spec.maximize else target)
    losses: list[float] = []
    for job in jobs:
        if job.name in ledger.jobs and job.finite and job.value is not None:
            loss = -job.value if spec.maximize else job.value
            meets = target is not None and loss <= met
            if job.state in eligible or (meets and job.state is JobState.STOPPED):
                losses.append(loss)
    best = None if ledger.best is None else ledger.best.final_value
    if ledger.best is not None and ledger.best.reached is not None and spec.completion.target_on_epochs:
        # It met the target by an epoch: its last value may be any.
        return
    expected = None if not losses else -min(losses) if spec.maximize else min(losses)
    if best != expected:
        world.broken("best", f"the best in the ledger has {best}, the best in the world {expected}")
