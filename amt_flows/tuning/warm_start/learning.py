"""Learning from what was found before, by our own rules (``learn_from``): which earlier tuning jobs fit, and
what they hand down.

A warm start's parents are as AMT wants them, or refused. Here the data, the script and static hyperparameters
may have changed since, and so may the ranges: what an earlier tuning job found is tried again, or a hint that
loses weight when it misleads (:mod:`amt_flows.strategies.hints`), never a result of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from amt_flows.errors import Problem, SpecError, TuningJobNotFound
from amt_flows.events import Inherited, InheritedJob
from amt_flows.space.space import Space
from amt_flows.space.values import same_value
from amt_flows.spec import TuningSpec
from amt_flows.spec.parts import AUTO_LEARNING, is_table
from amt_flows.tuning.warm_start.inherited_jobs import counts, inherited_job, without_service_own
from amt_flows.tuning.warm_start.parent import (
    ENDED,
    KnowsEarlier,
    Parent,
    PassedOver,
    Reader,
    Searched,
    kinds,
    what_runs,
)
from amt_flows.tuning.warm_start.reader import read_parent

MOST_LEARNT_FROM: Final = 5
"""The latest ones that fit: of AMT's own warm start as many."""


# -- which fit ----------------------------------------------------------------------------------------------


def searches_alike(theirs: Mapping[str, Any], ours: TuningSpec) -> bool:
    """Whether a spec, as plain JSON, is about the same: one algorithm with the same objective, and the same
    hyperparameters over ranges that meet."""
    if theirs.get("other_definitions"):
        return False
    objective = theirs.get("objective", {})
    goal = (objective.get("metric_name"), objective.get("type", "Maximize"))
    if goal != (ours.objective.metric_name, ours.objective.type.value):
        return False
    ranges = _ranges(theirs)
    static = theirs.get("static_hyperparameters", {})
    return not _other_names({*ranges}, {*ranges, *static}, ours) and all(
        _meet(ranges[name], one) for name, one in _ranges(ours.to_json()).items() if name in ranges
    )


def _ranges(spec: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {
        one["name"]: {**one, "kind": kind}
        for kind in ("continuous", "integer", "categorical")
        for one in spec.get(kind, ())
    }


def _meet(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if one["kind"] != other["kind"]:
        return False
    if one["kind"] == "categorical":
        return not {str(value) for value in one["values"]}.isdisjoint(str(value) for value in other["values"])
    return bool(one["min_value"] <= other["max_value"] and other["min_value"] <= one["max_value"])


def _other_names(tuned: set[str], known: set[str], ours: TuningSpec) -> list[str]:
    """Those that are tuned on one side and not known on the other; all of them where nothing is common."""
    own = set(ours.space().names)
    unknown = (own - known) | without_service_own(tuned - own - set(ours.static_hyperparameters))
    return sorted(unknown if own & tuned else own | tuned)


def why_not(parent: Parent, spec: TuningSpec) -> str | None:
    """What keeps ``spec`` from learning from a tuning job, as the rest of a sentence; None: nothing."""
    if parent.status not in ENDED:
        return f"is {parent.status} still"
    if parent.algorithms > 1:
        return f"tuned {parent.algorithms} algorithms"
    if parent.objective_metric != spec.objective.metric_name or parent.maximize != spec.maximize:
        return f"is to {'maximize' if parent.maximize else 'minimize'} {parent.objective_metric}"
    if not any(map(counts, parent.jobs)):
        return "has no training job with a usable value"
    known = {*parent.tuned, *parent.static_hyperparameters}
    if other := _other_names(set(parent.tuned), known, spec):
        are = "is" if len(other) == 1 else "are"
        return f"has other hyperparameters ({', '.join(other)} {are} not in both)"
    for name, kind in kinds(spec).items():
        if parent.kinds.get(name, kind) != kind:
            return f"tuned {name} over a range that is {parent.kinds[name]}, and here it is {kind}"
    if not _inside(parent, spec.space()):
        return "has no training job within the ranges of this one"
    return None


def differences(parent: Parent, spec: TuningSpec) -> list[str]:
    """What was not the same there, as far as it is known."""
    found = []
    if parent.runs and parent.runs != what_runs(spec.training_job):
        found.append(f"it ran {parent.runs}")
    for name, ours in spec.static_hyperparameters.items():
        theirs = parent.static_hyperparameters.get(name)
        if theirs is not None and not same_value(theirs, ours):
            found.append(f"{name} was {theirs}")
    return [*found, *parent.changed]


# -- what they hand down ------------------------------------------------------------------------------------


def _inside(parent: Parent, space: Space) -> tuple[InheritedJob, ...]:
    found = (inherited_job(parent, job, space) for job in parent.jobs if counts(job))
    return tuple(job for job in found if job is not None and space.contains(job.configuration))


def handed_down(parent: Parent, spec: TuningSpec, at: float, name: str = "") -> Inherited:
    """The event that says what is learnt from a tuning job which fits."""
    jobs = _inside(parent, spec.space())
    source = "; ".join([parent.source, *differences(parent, spec)])
    return Inherited(at, name or parent.name, source, False, jobs, len(parent.jobs) - len(jobs))


def learnt(spec: TuningSpec, read: Reader | None, at: float) -> list[Inherited]:
    """What ``learn_from`` comes to, as events at the time ``at``: of the tuning jobs that it names, or of the
    latest ones that searched this space. Those that are a warm start's parents already are left out.

    Raises SpecError for a named one that can't be learnt from; other errors of ``read`` pass through.
    """
    if not spec.learn_from:
        return []
    if spec.learn_from == (AUTO_LEARNING,):
        return [handed_down(one, spec, at) for one in searched(spec, read).parents]
    problems: list[Problem] = []
    events: list[Inherited] = []
    for field, name in _named(spec):
        try:
            parent = read_parent(spec, name, read)
        except TuningJobNotFound as error:
            problems.append(Problem(field, name, f"{error.happened} {error.remedy.capitalize()}".rstrip()))
            continue
        except SpecError as error:
            problems += [Problem(field, one.value, one.message) for one in error.problems]
            continue
        why = why_not(parent, spec)
        if why is not None:
            problems.append(Problem(field, name, f"{why}; name another, or leave it out"))
        else:
            events.append(handed_down(parent, spec, at, name))
    if problems:
        raise SpecError(problems)
    return events


def _named(spec: TuningSpec) -> Iterator[tuple[str, str]]:
    known = _parents_of(spec)
    for i, name in enumerate(spec.learn_from):
        if (name if is_table(name) else name.lower()) not in known:
            yield f"learn_from[{i}]", name


def searched(spec: TuningSpec, read: Reader | None) -> Searched:
    """The tuning jobs that searched this space, as far as ``read`` can find any; without a warm start's
    parents. Raises JournalError."""
    if not isinstance(read, KnowsEarlier) or spec.other_definitions or spec.other_objectives:
        return Searched()
    known = _parents_of(spec)
    found = read.earlier(spec)
    return Searched(
        tuple(one for one in found.parents if one.name.lower() not in known), found.passed_over, found.more
    )


def _parents_of(spec: TuningSpec) -> set[str]:
    parents = () if spec.warm_start is None else spec.warm_start.parents
    return {name if is_table(name) else name.lower() for name in parents}


def those_that_fit(latest_first: Iterable[Parent | PassedOver], like: TuningSpec) -> Searched:
    """The first few of them that ``like`` can learn from. They are read as they are come to, and no further
    than needed."""
    fit, passed_over = list[Parent](), list[PassedOver]()
    for one in latest_first:
        if isinstance(one, PassedOver):
            passed_over.append(one)
            continue
        why = why_not(one, like)
        if why is not None:
            passed_over.append(PassedOver(one.name, why))
            continue
        fit.append(one)
        if len(fit) == MOST_LEARNT_FROM:
            break
    return Searched(tuple(fit), tuple(passed_over))
