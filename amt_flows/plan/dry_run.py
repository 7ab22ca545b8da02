"""``plan``: what a tuning job would do, found out without launching or writing anything.

The first training jobs are those that the engine itself proposes and asks for, on a backend of paper; how
long it takes is what the engine itself does on a clock that jumps.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

from amt_flows.errors import Problem, SpecError
from amt_flows.events import number_to_json
from amt_flows.ledger import Ledger
from amt_flows.places import Place, SageMakerTuner
from amt_flows.plan.estimate import UNNAMED, Estimate, estimate, most_cost, most_jobs
from amt_flows.plan.first_jobs import PlannedJob, first_training_jobs
from amt_flows.plan.prepare import prepare
from amt_flows.plan.words import PlannedRange, criteria_in_words, early_stopping_in_words, planned_ranges
from amt_flows.ports import Backend
from amt_flows.spec import TuningSpec, differences
from amt_flows.spec.advice import warnings
from amt_flows.support import unsupported
from amt_flows.warm_start import Reader

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
    amt_request: dict[str, Any] | None = None
    """The body of the request, where SageMaker's own tuner is to drive the tuning job."""
    estimate: Estimate | None = None
    existing: Existing | None = None
    chosen: tuple[str, ...] = ()
    """What was left to us to choose: what it comes to and why, a sentence each."""
    inherited: tuple[str, ...] = ()
    """What it starts from: a sentence for each parent."""
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
    backend: Place,
    *,
    job_seconds: float | None = None,
    first_jobs: int = FIRST_JOBS,
    existing: Ledger | None = None,
    parents: Reader | None = None,
) -> Plan:
    """What running ``spec`` on ``backend`` would do.

    ``job_seconds``: how long one training job may take, from which the whole is estimated. ``existing``: the
    ledger of that name, if there is one. ``parents`` finds those of a warm start, as for ``Tuning.open``.
    """
    asked = spec
    if isinstance(backend, SageMakerTuner):
        made = _left_to_amt(spec)
    else:
        made = _ours(spec, backend, first_jobs, None if parents is None else cache(parents))
    spec = made.spec
    return Plan(
        name=spec.name,
        strategy=spec.strategy.value,
        objective=f"{spec.objective.type.value} {spec.objective.metric_name}",
        problems=made.problems,
        warnings=tuple(warnings(spec)),
        ranges=planned_ranges(spec),
        configurations=spec.space().size,
        criteria=criteria_in_words(spec),
        early_stopping=early_stopping_in_words(spec),
        parallel=spec.limits.max_parallel_training_jobs,
        most_jobs=most_jobs(spec),
        worst_case_cost=most_cost(spec),
        first_jobs=made.first_jobs,
        amt_request=made.amt_request,
        estimate=estimate(spec, job_seconds) if made.can_be_estimated and job_seconds is not None else None,
        existing=None if existing is None or not existing.opened else _compared(existing, asked),
        chosen=made.chosen,
        inherited=made.inherited,
        fingerprint=asked.fingerprint(),
    )


@dataclass(frozen=True)
class _Made:
    """What depends on who drives the tuning job."""

    spec: TuningSpec
    problems: tuple[Problem, ...]
    first_jobs: tuple[PlannedJob, ...] = ()
    amt_request: dict[str, Any] | None = None
    chosen: tuple[str, ...] = ()
    inherited: tuple[str, ...] = ()
    can_be_estimated: bool = False


def _ours(spec: TuningSpec, backend: Backend, count: int, parents: Reader | None) -> _Made:
    prepared = prepare(spec, parents)
    refused = [*prepared.problems, *unsupported(prepared.spec)]
    return _Made(
        spec=prepared.spec,
        problems=(*refused, *backend.check(prepared.spec)),
        # What can't be driven can't be asked for its first jobs either.
        first_jobs=() if refused else first_training_jobs(prepared.spec, backend, count, parents),
        chosen=prepared.chosen,
        inherited=prepared.inherited,
        can_be_estimated=not refused,
    )


def _left_to_amt(spec: TuningSpec) -> _Made:
    from amt_flows.handoff.asking import amt_request

    try:
        # What it proposes, only AMT knows; the request is all that there is to show.
        return _Made(spec, (), amt_request=amt_request(spec if spec.name else spec.named(UNNAMED)))
    except SpecError as error:
        return _Made(spec, error.problems)


def _compared(existing: Ledger, spec: TuningSpec) -> Existing:
    old, new = existing.asked.to_json(), spec.to_json()
    old.pop("name", None)
    new.pop("name", None)
    return Existing(existing.status.value, len(existing.jobs), tuple(differences(old, new)))
