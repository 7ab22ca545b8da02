"""How much a tuning job may take: bounds that follow from its spec, and a run of the engine on a clock
that jumps. What early stopping may save of it: :mod:`amt_flows.plan.early_stops`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.events import Inherited
from amt_flows.ledger.algorithms import algorithms_of
from amt_flows.ledger.history import Proposal, TrialRow, used_keys
from amt_flows.ledger.inherited import inherited_rows
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.plan.paper import on_paper
from amt_flows.ports import JobReport
from amt_flows.rules.budget import worst_case_cost
from amt_flows.rules.completion import nothing_left
from amt_flows.space.space import Space
from amt_flows.spec import TrainingJobTemplate, TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive

MOST_SIMULATED_JOBS = 1000


def most_jobs(spec: TuningSpec, tried: int = 0) -> int | None:
    """The most training jobs that can be launched, repeats after faults of the infrastructure aside.
    ``tried``, here and below: the configurations that parents have tried for it (:func:`tried_before`)."""
    size = all_configurations(spec)
    most_cost = spec.limits.max_cost
    if most_cost is not None and most_cost < worst_case_cost(spec):
        return 0
    bounds = [spec.limits.max_number_of_training_jobs, None if size is None else size - tried]
    return min((bound for bound in bounds if bound is not None), default=None)


def tried_before(spec: TuningSpec, inherited: Sequence[Inherited]) -> int:
    """How many configurations of the space the parents tried whose results count as its own: no strategy
    tries them again."""
    if not any(one.identical and one.jobs for one in inherited):
        return 0
    (algorithm,) = algorithms_of(spec)  # several can't be warm started
    return len(used_keys(algorithm.space, inherited_rows(inherited, lambda value: value)))


def all_configurations(spec: TuningSpec) -> int | None:
    """How many there are to try, of all algorithms; None: without end."""
    sizes = [algorithm.space.size for algorithm in algorithms_of(spec)]
    return None if None in sizes else sum(size for size in sizes if size is not None)


def hourly_price(spec: TuningSpec) -> float | None:
    """Of a training job, of the dearest algorithm; None when that of any isn't known."""
    prices = [algorithm.spec.training_job.price_per_hour for algorithm in algorithms_of(spec)]
    return None if None in prices else max(price for price in prices if price is not None)


def most_cost(spec: TuningSpec, tried: int = 0) -> float | None:
    """What the tuning job can cost at most; None without a price."""
    price = hourly_price(spec)
    if not price:
        return None
    bounds = [math.inf]
    if spec.limits.max_cost is not None:
        bounds.append(spec.limits.max_cost)
    jobs = most_jobs(spec, tried)
    if jobs is not None:
        bounds.append(jobs * worst_case_cost(spec))
    if spec.limits.max_runtime_seconds is not None:
        # At its end the running jobs are stopped, and each may use all of its grace.
        grace = max(one.spec.training_job.stop_grace_seconds for one in algorithms_of(spec))
        seconds = spec.limits.max_runtime_seconds + grace
        bounds.append(spec.limits.max_parallel_training_jobs * seconds * price / 3600)
    return min(bounds)


def most_runtime(spec: TuningSpec, tried: int = 0) -> float | None:
    """The wall-clock seconds until it has ended in the worst case, but for time to start and to wait for
    capacity; None when nothing bounds it."""
    limits, templates = spec.limits, [one.spec.training_job for one in algorithms_of(spec)]
    bounds = []
    if limits.max_runtime_seconds is not None:
        bounds.append(limits.max_runtime_seconds + max(job.stop_grace_seconds for job in templates))
    jobs, longest = most_jobs(spec, tried), [job.max_runtime_seconds for job in templates]
    if jobs is not None and None not in longest:
        rounds = math.ceil(jobs / limits.max_parallel_training_jobs)
        bounds.append(
            rounds * max((job.max_runtime_seconds or 0) + job.stop_grace_seconds for job in templates)
        )
    return min(bounds, default=None)


def most_instances(spec: TuningSpec) -> int:
    """The instances of a training job, of the algorithm and configuration with most; one on this machine."""
    return max(_instances(one.spec.training_job.sagemaker) for one in algorithms_of(spec))


def _instances(sagemaker: Mapping[str, Any]) -> int:
    counts = [1]
    for name in ("ResourceConfig", "HyperParameterTuningResourceConfig"):
        given = sagemaker.get(name)
        if isinstance(given, Mapping):
            groups = [_count(one) for one in given.get("InstanceGroups", ())]
            counts += [_count(given), sum(groups), *map(_count, given.get("InstanceConfigs", ()))]
    return max(counts)


def _count(config: Any) -> int:
    count = config.get("InstanceCount") if isinstance(config, Mapping) else None
    return count if isinstance(count, int) else 0


def compute_seconds(spec: TuningSpec) -> float | None:
    """The "estimated max compute time" of AMT's guide "Track and set completion criteria":
    MaxRuntimeInSeconds x MaxParallelTrainingJobs x MaxInstancesPerTrainingJob; None without the first."""
    limits = spec.limits
    if limits.max_runtime_seconds is None:
        return None
    return float(limits.max_runtime_seconds * limits.max_parallel_training_jobs * most_instances(spec))


@dataclass(frozen=True)
class Estimate:
    """What the tuning job takes at most when every training job takes ``job_seconds``, after
    ``startup_seconds`` until it trains, and completes."""

    job_seconds: float
    startup_seconds: float
    jobs: int
    runtime_seconds: float
    training_seconds: float
    cost: float | None
    ends_because: str
    is_cut_short: bool
    """The simulation stopped at its own limit of jobs; the tuning job would go on."""


@dataclass
class Jumping(SimulatedBackend):
    """Waits for the next event, or for the tuning job's deadline, in one step: the engine's heartbeat would
    take an hour of training in 3,600."""

    deadline: float = math.inf

    def poll(self, tuning_job: str, names: Sequence[str]) -> Sequence[JobReport]:
        reports = super().poll(tuning_job, names)
        for report in reports:
            if report.state.terminal:
                # Nobody asks for it again, and every wait would look at it.
                del self.jobs[report.name.lower()]
        return reports

    def wait(self, timeout: float) -> None:
        ahead = self.deadline - self.clock.now()
        super().wait(ahead if ahead > 0 else timeout)


class AnyConfiguration:
    """Proposes at once and never looks back: a simulation needs the number of jobs, not their values."""

    ignores_results: ClassVar[bool] = False

    def propose(
        self, space: Space, history: Sequence[TrialRow], *, number: int, seed: int
    ) -> Proposal | None:
        return Proposal(space.decode([number / (number + 1)] * space.dimension), "plan")


def estimate(
    spec: TuningSpec, job_seconds: float, startup_seconds: float = 0.0, tried: int = 0
) -> Estimate | None:
    """Drive the tuning job on a virtual clock with training jobs that all complete after ``job_seconds``.

    ``startup_seconds`` pass before each of them trains, and aren't paid for, as at SageMaker. Nothing is
    assumed of their objective, so the criteria that look at it and early stopping are left out: it is the
    most that the tuning job takes. None when only they would end it, and when nothing is left to try.
    """
    jobs = most_jobs(spec, tried)
    if jobs == 0:
        return None
    limits = spec.limits
    endless = jobs is None and limits.max_runtime_seconds is None
    if endless and (limits.max_cost is None or not hourly_price(spec)):
        return None
    most = min(MOST_SIMULATED_JOBS, jobs if jobs is not None else MOST_SIMULATED_JOBS)
    template = spec.training_job
    simulated = on_paper(
        spec,
        limits.model_copy(update={"max_number_of_training_jobs": most}),
        TrainingJobTemplate(
            price_per_hour=hourly_price(spec),
            max_runtime_seconds=template.max_runtime_seconds,
            stop_grace_seconds=template.stop_grace_seconds,
        ),
    )
    clock = VirtualClock()
    deadline = clock.now() + (limits.max_runtime_seconds or math.inf)
    script = Script([0.0], job_seconds, startup_seconds)
    backend = Jumping(clock, lambda hyperparameters: script, deadline=deadline)
    tuning = Tuning.open(simulated, backend, MemoryJournal(), clock=clock, strategy=AnyConfiguration())
    drive(tuning)
    found = replace(
        _estimate_of(tuning.ledger, job_seconds, cut_short=most != jobs), startup_seconds=startup_seconds
    )
    # On paper the number of jobs stands for the space, too.
    if found.jobs == most == jobs != limits.max_number_of_training_jobs:
        return replace(found, ends_because=nothing_left(jobs, by_parents=tried > 0))
    return found


def _estimate_of(ledger: Ledger, job_seconds: float, *, cut_short: bool) -> Estimate:
    end = ledger.last_at
    training = sum(job.training_seconds(end) for job in ledger.jobs.values())
    price = ledger.spec.training_job.price_per_hour
    by_jobs = ledger.reasons[0].rule == "MaxNumberOfTrainingJobs"
    return Estimate(
        job_seconds=job_seconds,
        startup_seconds=0.0,
        jobs=len(ledger.jobs),
        runtime_seconds=end - ledger.opened_at,
        training_seconds=training,
        cost=None if price is None else training * price / 3600,
        ends_because=ledger.reasons[0].message,
        is_cut_short=cut_short and by_jobs,
    )
