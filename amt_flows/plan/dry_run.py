"""``plan``: what a tuning job would do, found out without launching or writing anything.

The first training jobs are those that the engine itself proposes and asks for, on a backend of paper; how
long it takes is what the engine itself does on a clock that jumps.
"""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from amt_flows.backends.local.paths import JobPaths
from amt_flows.backends.local.request import command_line, environment
from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.engine import Tuning
from amt_flows.errors import Problem
from amt_flows.events import number_to_json
from amt_flows.journals.memory import MemoryJournal
from amt_flows.ledger import Ledger
from amt_flows.plan.estimate import UNNAMED, Estimate, estimate, most_cost, most_jobs
from amt_flows.plan.words import PlannedRange, criteria_in_words, early_stopping_in_words, planned_ranges
from amt_flows.ports import Backend, JobRequest
from amt_flows.spec import StrategyType, TuningSpec, differences
from amt_flows.spec.advice import warnings
from amt_flows.strategies.choose import strategy_for
from amt_flows.support import unsupported

FIRST_JOBS = 3


@dataclass(frozen=True)
class PlannedJob:
    """One of the first training jobs. Of its environment there are the names, never the values: a plan is
    pasted into tickets."""

    name: str
    source: str
    hyperparameters: dict[str, str]
    command: str
    environment: tuple[str, ...]
    """The variables that the spec gives."""
    contract_environment: tuple[str, ...]
    """Those of the container contract beside them."""


@dataclass(frozen=True)
class Existing:
    """The tuning job that has this name already."""

    status: str
    jobs: int
    differences: tuple[str, ...]
    """Between its spec and this one. None: running it goes on with it, or returns its result."""


@dataclass(frozen=True)
class Plan:
    name: str | None
    strategy: str
    objective: str
    problems: tuple[Problem, ...]
    """Why it can't run here. The rest of the plan says what it would do otherwise."""
    warnings: tuple[str, ...]
    ranges: tuple[PlannedRange, ...]
    configurations: int | None
    """How many there are to try; None: without end."""
    criteria: tuple[str, ...]
    early_stopping: str
    parallel: int
    most_jobs: int | None
    """Training jobs that can be launched at most, as far as that is known without knowing how long
    one takes."""
    worst_case_cost: float | None
    """No currency; None when no price is given, infinite when nothing bounds it."""
    first_jobs: tuple[PlannedJob, ...] = ()
    estimate: Estimate | None = None
    existing: Existing | None = None
    fingerprint: str = field(default="", repr=False)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        data = asdict(self)
        data["problems"] = [{"field": p.field, "message": str(p)} for p in self.problems]
        if self.worst_case_cost is not None:
            data["worst_case_cost"] = number_to_json(self.worst_case_cost)
        return data


def plan(
    spec: TuningSpec,
    backend: Backend,
    *,
    job_seconds: float | None = None,
    first_jobs: int = FIRST_JOBS,
    existing: Ledger | None = None,
) -> Plan:
    """What running ``spec`` on ``backend`` would do.

    ``job_seconds``: how long one training job may take, from which the whole is estimated. ``existing``: the
    ledger of that name, if there is one.
    """
    refused = unsupported(spec)
    problems = (*refused, *backend.check(spec))
    space = spec.space()
    return Plan(
        name=spec.name,
        strategy=spec.strategy.value,
        objective=f"{spec.objective.type.value} {spec.objective.metric_name}",
        problems=problems,
        warnings=tuple(warnings(spec)),
        ranges=planned_ranges(spec),
        configurations=space.size,
        criteria=criteria_in_words(spec),
        early_stopping=early_stopping_in_words(spec),
        parallel=spec.limits.max_parallel_training_jobs,
        most_jobs=most_jobs(spec),
        worst_case_cost=most_cost(spec),
        # What can't be driven yet can't be asked for its first jobs either.
        first_jobs=() if refused else first_training_jobs(spec, first_jobs),
        estimate=None if refused or job_seconds is None else estimate(spec, job_seconds),
        existing=None if existing is None or not existing.opened else _compared(existing, spec),
        fingerprint=spec.fingerprint(),
    )


def _compared(existing: Ledger, spec: TuningSpec) -> Existing:
    old, new = existing.spec.to_json(), spec.to_json()
    old.pop("name", None)
    new.pop("name", None)
    return Existing(existing.status.value, len(existing.jobs), tuple(differences(old, new)))


# -- the first training jobs ----------------------------------------------------------------------


def first_training_jobs(spec: TuningSpec, count: int) -> tuple[PlannedJob, ...]:
    """The first ``count`` training jobs, as the engine would ask a backend for them if none had ended yet."""
    if count == 0:
        return ()
    clock = VirtualClock()
    backend = SimulatedBackend(clock, lambda hyperparameters: Script(hangs=True))
    strategy = strategy_for(spec.strategy.value)
    tuning = Tuning.open(_all_at_once(spec, count), backend, MemoryJournal(), clock=clock, strategy=strategy)
    tuning.propose(count)
    tuning.launch(count)
    trials = tuning.ledger.trials
    return tuple(_planned(job.request, trials[job.request.trial].source) for job in backend.jobs.values())


def _all_at_once(spec: TuningSpec, count: int) -> TuningSpec:
    """The same spec, but it may launch ``count`` jobs now: how many run at once changes no proposal."""
    limits: dict[str, object] = {"max_parallel_training_jobs": count, "max_cost": None}
    if spec.limits.max_number_of_training_jobs is None and spec.strategy is not StrategyType.GRID:
        # The cost may have been all that ended it.
        limits["max_number_of_training_jobs"] = count
    update = {"limits": spec.limits.model_copy(update=limits), "name": spec.name or UNNAMED}
    return spec.model_copy(update=update)


def _planned(request: JobRequest, source: str) -> PlannedJob:
    own = set(request.template.environment)
    return PlannedJob(
        name=request.name,
        source=source,
        hyperparameters=dict(request.hyperparameters),
        command=_what_runs(request),
        environment=tuple(sorted(own)),
        contract_environment=tuple(sorted(set(environment(request, JobPaths(Path()))) - own)),
    )


def _what_runs(request: JobRequest) -> str:
    """The command line as one would type it, or the call of a function."""
    if request.template.function is None:
        return shlex.join(command_line(request))
    arguments = ", ".join(f"{name}={value}" for name, value in request.hyperparameters.items())
    return f"{request.template.function}({arguments})"
