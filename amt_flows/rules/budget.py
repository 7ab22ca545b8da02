"""How many training jobs may be launched now without passing a limit.

The number of jobs and the cost are limits that one job too many breaks, so they are checked before a
launch rather than noticed after it. Cost is reserved: a job is charged its worst case until it has ended.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from amt_flows.events import Outcome
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.spec import TrainingJobTemplate, TuningSpec


def worst_case_cost(spec: TuningSpec) -> float:
    """The price of a training job that runs into its time limit; 0 when jobs have no price, infinite when
    they have one and no time limit. Of several algorithms the dearest counts: whose the next job is, isn't
    known before it is proposed."""
    others = (other.training_job for other in spec.other_definitions)
    return max(map(_worst_case, (spec.training_job, *others)))


def _worst_case(job: TrainingJobTemplate) -> float:
    if not job.price_per_hour:
        return 0.0
    if job.max_runtime_seconds is None:
        return math.inf
    # A job that reaches its limit may use all of its grace before it is gone.
    return (job.max_runtime_seconds + job.stop_grace_seconds) * job.price_per_hour / 3600


def committed_cost(ledger: Ledger) -> float:
    """What ended jobs cost and running ones may cost at most."""
    return ledger.over_ended(_CostOfEnded()) + sum(_charge(ledger, job) for job in ledger.live)


@dataclass(frozen=True)
class _CostOfEnded:
    def start(self) -> float:
        return 0.0

    def step(self, ledger: Ledger, state: float, job: TrainingJob) -> float:
        return state + _charge(ledger, job)


def _charge(ledger: Ledger, job: TrainingJob) -> float:
    template = ledger.algorithm_of(job).spec.training_job
    worst = _worst_case(template)
    if job.live:
        return worst
    price = (template.price_per_hour or 0.0) / 3600
    if job.outcome is Outcome.LOST and job.started_at is None and job.ended_at is not None:
        # Nobody can tell when it started, if it did. Free of charge, it could be paid for twice.
        return min(worst, price * max(0.0, job.ended_at - job.launched_at))
    return price * job.training_seconds(ledger.last_at)


def launches_allowed(ledger: Ledger) -> int:
    """How many more jobs may be launched right now: free slots, within the number of jobs and the cost."""
    limits = ledger.spec.limits
    allowed = limits.max_parallel_training_jobs - len(ledger.live)
    if limits.max_number_of_training_jobs is not None:
        allowed = min(allowed, limits.max_number_of_training_jobs - len(ledger.jobs))
    if limits.max_cost is not None and allowed > 0:
        worst = worst_case_cost(ledger.spec)
        left = limits.max_cost - committed_cost(ledger)
        if worst > 0:
            allowed = min(allowed, math.floor(left / worst) if math.isfinite(worst) else 0)
    return max(allowed, 0)
