"""When a tuning job is done: AMT's five completion criteria and our own limits.

Each criterion is a frozen value; ``met(ledger, now)`` answers with a :class:`Reason` that carries the numbers
it saw, or None. Source: AMT's guide "Track and set completion criteria for your tuning job". The criteria
that limit launches (number of jobs, cost) are met only when nothing runs any more: the jobs already
launched are within the limit and are allowed to end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from amt_flows.events import NOTHING_USABLE, Reason
from amt_flows.ledger.failures import failure_line
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.names import count, were
from amt_flows.rules.budget import committed_cost, worst_case_cost
from amt_flows.rules.convergence import Convergence, jobs_not_improving
from amt_flows.rules.tallies import Failed, Meets, Usable
from amt_flows.spec import TuningSpec


class Criterion(Protocol):
    def met(self, ledger: Ledger, now: float) -> Reason | None: ...


@dataclass(frozen=True)
class MaxTrainingJobs:
    limit: int

    def met(self, ledger: Ledger, now: float) -> Reason | None:
        launched = len(ledger.jobs)
        if launched < self.limit or ledger.live:
            return None
        numbers = {"launched": launched, "limit": self.limit}
        return Reason("MaxNumberOfTrainingJobs", as_many_as_asked(launched), numbers)


@dataclass(frozen=True)
class MaxTrainingJobsNotImproving:
    limit: int
    min_relative_improvement: float = 0.0

    def met(self, ledger: Ledger, now: float) -> Reason | None:
        since = jobs_not_improving(ledger, self.min_relative_improvement)
        if since < self.limit:
            return None
        message = f"{count(since, 'finished training job')} in a row did not improve on the best"
        return Reason("MaxNumberOfTrainingJobsNotImproving", message, {"count": since, "limit": self.limit})


@dataclass(frozen=True)
class MaxRuntime:
    seconds: float

    def met(self, ledger: Ledger, now: float) -> Reason | None:
        elapsed = ledger.running_seconds(now)
        if elapsed < self.seconds:
            return None
        message = f"the tuning job has run for {elapsed:.1f} s of the {self.seconds:g} s allowed"
        return Reason("MaxRuntimeInSeconds", message, {"elapsed": elapsed, "limit": self.seconds})


@dataclass(frozen=True)
class TargetValue:
    value: float
    on_epochs: bool = False

    def met(self, ledger: Ledger, now: float) -> Reason | None:
        """Only a job that may be the best training job meets it, or a running one that may become it."""
        target = ledger.loss(self.value)
        found = ledger.over_ended(Meets(target))
        if found is None and self.on_epochs:
            found = self._running(ledger, target)
        if found is None:
            return None
        job, value = found
        message = f"{job.name} reached {value:g}; the target is {self.value:g}"
        return Reason("TargetObjectiveMetricValue", message, {"value": value, "target": self.value})

    def _running(self, ledger: Ledger, target: float) -> tuple[TrainingJob, float] | None:
        for job in ledger.live:
            if any(ledger.loss(value) <= target for value in job.curve.extremes):
                return job, next(value for _, value in job.curve if ledger.loss(value) <= target)
        return None


@dataclass(frozen=True)
class MaxCost:
    limit: float

    def met(self, ledger: Ledger, now: float) -> Reason | None:
        if ledger.live:
            return None
        spent, reserve = committed_cost(ledger), worst_case_cost(ledger.spec)
        if spent + reserve <= self.limit:
            return None
        message = (
            f"{spent:.4g} was spent and one more training job may cost {reserve:.4g}; "
            f"the limit is {self.limit:.4g}"
        )
        return Reason("MaxCost", message, {"spent": spent, "next": reserve, "limit": self.limit})


@dataclass(frozen=True)
class MaxFailures:
    """Ends a tuning job that can't succeed. With ``unless_success`` any success lifts it for good."""

    limit: int
    unless_success: bool

    def met(self, ledger: Ledger, now: float) -> Reason | None:
        failed, last = ledger.over_ended(Failed())
        if failed < self.limit or last is None:
            return None
        if self.unless_success and ledger.over_ended(Usable()):
            return None
        none = " and none succeeded" if self.unless_success else ""
        message = f"{count(failed, 'training job')} failed{none}; {_last(ledger, last)}"
        return Reason("MaxFailedTrainingJobs", message, {"failed": failed, "limit": self.limit})


def _last(ledger: Ledger, last: TrainingJob) -> str:
    why = failure_line(last.failure) or (
        f"no finite value of {ledger.algorithm_of(last).metric_name} was found in its output"
    )
    return f"the last, {last.name}: {why}"


def failure_limits(spec: TuningSpec) -> tuple[Criterion, ...]:
    """The limits that make a tuning job Failed rather than Completed."""
    limits: list[Criterion] = [MaxFailures(spec.limits.max_failed_training_jobs, unless_success=True)]
    if spec.limits.max_failed_training_jobs_in_total is not None:
        limits.append(MaxFailures(spec.limits.max_failed_training_jobs_in_total, unless_success=False))
    return tuple(limits)


def nothing_usable(ledger: Ledger) -> Reason | None:
    """Why a tuning job that ends now is Failed, whatever made it end: no training job may be the best. None
    while there is a best one."""
    if ledger.best is not None:
        return None
    failed, last = ledger.over_ended(Failed())
    cut_short = [job for job in ledger.ended if job.has_usable_value]
    launched = len(ledger.jobs)
    said = [f"none of {launched} training jobs can be used" if launched else "no job was launched"]
    if launched == 1:
        said = ["its only training job can't be used"]
    if cut_short:
        said.append(
            f"{len(cut_short)} {were(len(cut_short))} stopped with a value, and only completed ones may be "
            'the best (best_eligible = "completed_and_stopped" lets these be it too)'
        )
    if last is not None:
        said.append(f"{failed} failed; {_last(ledger, last)}")
    numbers = {"launched": launched, "failed": failed, "stopped": len(cut_short)}
    return Reason(NOTHING_USABLE, "; ".join(said), numbers)


def criteria(spec: TuningSpec) -> tuple[Criterion, ...]:
    """The completion criteria a spec asks for; the order is that in which they are named as the reason."""
    asked: list[Criterion] = []
    limits, completion = spec.limits, spec.completion
    if limits.max_number_of_training_jobs is not None:
        asked.append(MaxTrainingJobs(limits.max_number_of_training_jobs))
    if completion.max_number_of_training_jobs_not_improving is not None:
        asked.append(
            MaxTrainingJobsNotImproving(
                completion.max_number_of_training_jobs_not_improving, completion.min_relative_improvement
            )
        )
    if limits.max_runtime_seconds is not None:
        asked.append(MaxRuntime(limits.max_runtime_seconds))
    if completion.target_objective_metric_value is not None:
        asked.append(TargetValue(completion.target_objective_metric_value, completion.target_on_epochs))
    if completion.complete_on_convergence:
        asked.append(Convergence())
    if limits.max_cost is not None:
        asked.append(MaxCost(limits.max_cost))
    return tuple(asked)


def reasons_to_complete(ledger: Ledger, now: float, *, exhausted: bool = False) -> tuple[Reason, ...]:
    """All completion criteria that hold, in the order of precedence; else, where the strategy has no
    configuration left (``exhausted``), that all were tried."""
    met = (criterion.met(ledger, now) for criterion in criteria(ledger.spec))
    reasons = tuple(reason for reason in met if reason is not None)
    return reasons or (_all_tried(ledger) if exhausted else ())


def as_many_as_asked(launched: int) -> str:
    """That so many training jobs were all that there were to be."""
    return f"{count(launched, 'training job')} {were(launched)} launched, the maximum asked for"


def nothing_left(tried: int, *, by_parents: bool = False) -> str:
    """That so many configurations were all that there was to try."""
    if by_parents:
        return f"every configuration was tried: {tried or 'none'} here, the others by parents"
    return "its only configuration was tried" if tried == 1 else f"all {tried} configurations were tried"


def _all_tried(ledger: Ledger) -> tuple[Reason, ...]:
    if ledger.live or ledger.to_launch():
        return ()
    tried = len(ledger.trials)
    by_parents = any(one.identical and one.jobs for one in ledger.inherited)
    message = nothing_left(tried, by_parents=by_parents)
    return (Reason("SpaceExhausted", message, {"trials": tried}),)


def reasons_to_fail(ledger: Ledger, now: float) -> tuple[Reason, ...]:
    met = (limit.met(ledger, now) for limit in failure_limits(ledger.spec))
    return tuple(reason for reason in met if reason is not None)
