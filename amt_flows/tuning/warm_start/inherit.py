"""Reading the parents of a new tuning job: everything wrong with them is found before anything is launched,
and what they know becomes events of the new job's own record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from amt_flows.errors import Problem, SpecError, TuningJobNotFound
from amt_flows.events import Inherited, InheritedJob
from amt_flows.space.values import same_value, value_from
from amt_flows.spec import TuningSpec, WarmStartType
from amt_flows.tuning.warm_start.inherited_jobs import (
    SERVICE_OWN,
    counts,
    inherited_job,
    value_in,
    without_service_own,
)
from amt_flows.tuning.warm_start.learning import learnt
from amt_flows.tuning.warm_start.parent import ENDED, Parent, ParentJob, Reader, kinds
from amt_flows.tuning.warm_start.reader import read_parent


def inherit(spec: TuningSpec, read: Reader | None, at: float) -> tuple[Inherited, ...]:
    """What the parents of ``spec`` know, and what it learns from earlier tuning jobs, as events at the time
    ``at``; nothing without a warm start and ``learn_from``.

    Paths of CSV files are read here, names by ``read``. Raises SpecError with every problem of every parent;
    other errors of ``read`` pass through.
    """
    problems: list[Problem] = []
    events: list[Inherited] = []
    for i, name in enumerate(() if spec.warm_start is None else spec.warm_start.parents):
        field = f"warm_start.parents[{i}]"
        try:
            parent = read_parent(spec, name, read)
        except TuningJobNotFound as error:
            problems.append(Problem(field, name, f"{error.happened} {error.remedy.capitalize()}".rstrip()))
            continue
        except SpecError as error:
            problems += [Problem(field, one.value, one.message) for one in error.problems]
            continue
        found = list(parent_problems(parent, spec, field))
        problems += found
        if not found:
            events += _events(parent, spec, name, at)
    try:
        events += learnt(spec, read, at)
    except SpecError as error:
        problems += error.problems
    if problems:
        raise SpecError(problems)
    return tuple(events)


# --- what a parent must be -------------------------------------------------------------------------------


def parent_problems(parent: Parent, spec: TuningSpec, field: str) -> Iterator[Problem]:
    """What keeps ``parent`` from being one of ``spec``, after AMT's guide "Run a Warm Start Hyperparameter
    Tuning Job": it has ended, tuned one algorithm for the same objective, and had the same hyperparameters,
    tuned or static, each tuned one of the kind that it is here."""
    name = parent.name
    if parent.status not in ENDED:
        why = f"is {parent.status} still; wait until it has ended, or stop it"
        yield Problem(field, name, why)
    if parent.algorithms > 1:
        yield Problem(field, name, f"tuned {parent.algorithms} algorithms; name a parent that tuned one")
        return
    theirs, ours = _objective(parent.objective_metric, parent.maximize), _objective_of(spec)
    if theirs != ours:
        yield Problem(field, name, f"has another objective, to {theirs}; here it is to {ours}")
    yield from _other_names(parent, spec, field)
    for tuned, kind in kinds(spec).items():
        before = parent.kinds.get(tuned, kind)
        if before != kind:
            why = f"tuned {tuned} over a range that is {before}, and here it is {kind}; make them the same"
            yield Problem(field, name, why)
    yield from _unreadable(parent, spec, field)


def _objective_of(spec: TuningSpec) -> str:
    return _objective(spec.objective.metric_name, spec.maximize)


def _objective(metric: str, maximize: bool) -> str:
    return f"{'maximize' if maximize else 'minimize'} {metric}"


def _other_names(parent: Parent, spec: TuningSpec, field: str) -> Iterator[Problem]:
    if not parent.jobs:
        # Then nothing is inherited, and AMT's answers don't even tell what was tuned.
        return
    theirs = without_service_own({*parent.tuned, *parent.static_hyperparameters})
    ours = without_service_own({*spec.space().names, *spec.static_hyperparameters})
    if lacking := ", ".join(sorted(ours - theirs)):
        remedy = "both need the same hyperparameters, tuned or static; leave it out here, or the parent"
        yield Problem(field, parent.name, f"has no hyperparameter {lacking}; {remedy}")
    if more := ", ".join(sorted(theirs - ours)):
        remedy = "both need the same ones, tuned or static; give it here in `static_hyperparameters`"
        yield Problem(field, parent.name, f"has the hyperparameter {more} beside those of this one; {remedy}")


def _unreadable(parent: Parent, spec: TuningSpec, field: str) -> Iterator[Problem]:
    for parameter in spec.space().parameters:
        for job in parent.jobs:
            given = value_in(parent, job, parameter.name)
            if given is None or not counts(job):
                continue
            try:
                value_from(parameter, given)
            except ValueError as error:
                why = f"its job {job.name} has {parameter.name} = {given!r}, which {error}"
                yield Problem(field, parent.name, why)
                break


# --- what it hands down ----------------------------------------------------------------------------------


def _events(parent: Parent, spec: TuningSpec, name: str, at: float) -> list[Inherited]:
    """One event for the jobs whose values can be compared with ours, one for the others, if there are
    both."""
    space = spec.space()
    same: list[InheritedJob] = []
    similar: list[InheritedJob] = []
    left_out = 0
    for job in parent.jobs:
        inherited = inherited_job(parent, job, space) if counts(job) else None
        if inherited is None:
            left_out += 1
            continue
        (same if _is_identical(parent, job, spec) else similar).append(inherited)
    events = [
        Inherited(at, name, parent.source, identical, tuple(jobs))
        for identical, jobs in ((True, same), (False, similar))
        if jobs
    ]
    if not events:
        is_identical = spec.warm_start is not None and spec.warm_start.type is _IDENTICAL
        return [Inherited(at, name, parent.source, is_identical, (), left_out)]
    first, *rest = events
    return [Inherited(at, name, parent.source, first.identical, first.jobs, left_out), *rest]


_IDENTICAL: Final = WarmStartType.IDENTICAL_DATA_AND_ALGORITHM


def _is_identical(parent: Parent, job: ParentJob, spec: TuningSpec) -> bool:
    """Whether a job is one that we might have run ourselves: the same data and algorithm, and our values
    for all that is static here. AMT lets those change; then a value says something of another task."""
    if spec.warm_start is None or spec.warm_start.type is not _IDENTICAL:
        return False
    return all(
        same_value(value_in(parent, job, name), ours)
        for name, ours in spec.static_hyperparameters.items()
        if not name.startswith(SERVICE_OWN)
    )
