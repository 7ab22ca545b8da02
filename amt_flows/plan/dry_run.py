"""``plan``: what a tuning job would do, found out without launching or writing anything.

The first training jobs are those that the engine itself proposes and asks for, on a backend of paper; how
long it takes is what the engine itself does on a clock that jumps.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from amt_flows.errors import Problem
from amt_flows.events import number_to_json
from amt_flows.ledger import Ledger
from amt_flows.plan.estimate import Estimate, estimate, most_cost, most_jobs
from amt_flows.plan.first_jobs import PlannedJob, first_training_jobs
from amt_flows.plan.words import PlannedRange, criteria_in_words, early_stopping_in_words, planned_ranges
from amt_flows.ports import Backend
from amt_flows.spec import TuningSpec, differences
from amt_flows.spec.advice import warnings
from amt_flows.support import unsupported

FIRST_JOBS = 3


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
        first_jobs=() if refused else first_training_jobs(spec, backend, first_jobs),
        estimate=None if refused or job_seconds is None else estimate(spec, job_seconds),
        existing=None if existing is None or not existing.opened else _compared(existing, spec),
        fingerprint=spec.fingerprint(),
    )


def _compared(existing: Ledger, spec: TuningSpec) -> Existing:
    old, new = existing.spec.to_json(), spec.to_json()
    old.pop("name", None)
    new.pop("name", None)
    return Existing(existing.status.value, len(existing.jobs), tuple(differences(old, new)))
