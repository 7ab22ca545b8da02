"""When a tuning job is done: AMT's five completion criteria and our own limits.

Each criterion is a frozen value; ``met(ledger, now)`` answers with a :class:`Reason` that carries the numbers
it saw, or None. Source: AMT's guide "Track and set completion criteria for your tuning job". The criteria
that limit launches (number of jobs, cost) are met only when nothing runs any more: the jobs already
launched are within the limit and are allowed to end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from amt_flows.events import Reason
from amt_flows.ledger.failures import failure_line
from amt_flows.ledger.ledger import Ledger
from amt_flows.rules.budget import committed_cost, worst_case_cost
from amt_flows.rules.convergence import Convergence, jobs_not_improving
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
        message = f"{launched} training jobs were launched, the maximum asked for"
        return Reason("MaxNumberOfTrainingJobs", message, {"launched": launched, "limit": self.limit})


@dataclass(frozen=True)
class MaxTrainingJobsNotImproving:
    limit: int
    min_relative_improvement: float = 0.0

    def met(self, ledger: Ledger, now: float) -> Reason | None:
        count = jobs_not_improving(ledger, self.min_relative_improvement)
        if count < self.limit:
            return None
        message = f"{count} finished training jobs in a row did not improve on the best"
        return Reason("MaxNumberOfTrainingJobsNotImproving", message, {"count": count, "limit": self.limit})


@dataclass(frozen=True)
class MaxRuntime:
    seconds: float

    def met(self, ledger: Ledger, now: float) -> Reason | None:
        elapsed = now - ledger.opened_at
        if elapsed < self.seconds:
            return None
        message = f"the tuning job has run for {elapsed:.1f} s of the {self.seconds:g} s allowed"
        return Reason("MaxRuntimeInSeconds", message, {"elapsed": elapsed, "limit": self.seconds})


@dataclass(frozen=True)
class TargetValue:
    value: float
    on_epochs: bool = False

    def met(self, ledger: Ledger, now: float) -> Reason | None:
        target = ledger.loss(self.value)
        for job in ledger.ended:
            value = job.final_value
            if value is not None and job.has_usable_value and ledger.loss(value) <= target:
                return self._reason(job.name, value)
        if self.on_epochs:
            for job in ledger.jobs.values():
                for _, value in job.curve:
                    if ledger.loss(value) <= target:
                        return self._reason(job.name, value)
        return None

    def _reason(self, job: str, value: float) -> Reason:
        message = f"{job} reached {value:g}; the target is {self.value:g}"
        return Reason("TargetObjectiveMetricValue", message, {"value": value, "target": self.value})


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
        failed = [job for job in ledger.ended if job.failed]
        if len(failed) < self.limit:
            return None
        if self.unless_success and any(job.has_usable_value for job in ledger.ended):
            return None
        last = failed[-1]
        why = failure_line(last.failure) or (
            f"no finite value of {ledger.algorithm_of(last).metric_name} was found in its output"
        )
        none = " and none succeeded" if self.unless_success else ""
        message = f"{len(failed)} training jobs failed{none}; the last, {last.name}: {why}"
        return Reason("MaxFailedTrainingJobs", message, {"failed": len(failed), "limit": self.limit})


def failure_limits(spec: TuningSpec) -> tuple[Criterion, ...]:
    """The limits that make a tuning job Failed rather than Completed."""
    limits: list[Criterion] = [MaxFailures(spec.limits.max_failed_training_jobs, unless_success=True)]
    if spec.limits.max_failed_training_jobs_in_total is not None:
        limits.append(MaxFailures(spec.limits.max_failed_training_jobs_in_total, unless_success=False))
    return tuple(limits)


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


def reasons_to_complete(ledger: Ledger, now: float) -> tuple[Reason, ...]:
    """All completion criteria that hold, in the order of precedence."""
    met = (criterion.met(ledger, now) for criterion in criteria(ledger.spec))
    return tuple(reason for reason in met if reason is not None)


def reasons_to_fail(ledger: Ledger, now: float) -> tuple[Reason, ...]:
    met = (limit.met(ledger, now) for limit in failure_limits(ledger.spec))
    return tuple(reason for reason in met if reason is not None)
