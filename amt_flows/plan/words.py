"""The parts of a spec in words, as a plan lists them: ranges, completion criteria, early stopping."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from amt_flows.ledger.algorithms import algorithms_of
from amt_flows.names import count
from amt_flows.plan.estimate import all_configurations
from amt_flows.plan.first_jobs import PlannedProposal
from amt_flows.plan.scale import Tick, place_on, ticks
from amt_flows.rules.convergence import LEAST, QUIET, SIGNIFICANT, WINDOW
from amt_flows.rules.early_stopping import GRACE_FRACTION, MedianRule, early_stopping_rule
from amt_flows.show.text import duration, money, number
from amt_flows.space.space import Configuration, Parameter, resolve_scaling
from amt_flows.spec import (
    CategoricalRange,
    ComparedJobs,
    ContinuousRange,
    Hyperband,
    IntegerRange,
    TuningSpec,
)
from amt_flows.strategies.brackets import ETA, rungs

if TYPE_CHECKING:
    from amt_flows.space.conditions import Condition


@dataclass(frozen=True)
class PlannedRange:
    """A row of the space: what is searched and how. ``values`` counts them; None is a continuum."""

    name: str
    kind: str
    range: str
    scaling: str
    values: int | None
    ordered: bool = False
    """Categories that have an order."""
    only_when: str = ""
    """What another hyperparameter must be for this one to be used; empty: nothing."""
    ticks: tuple[Tick, ...] = ()
    """The scale as it is searched: both ends and the quartiles, or every value where there are few."""
    places: tuple[float | None, ...] = ()
    """Where on that scale the first configurations are, from 0 to 1; None for one that doesn't have it."""
    algorithm: str = ""
    """The name of the one of several algorithms that it belongs to."""


def planned_ranges(spec: TuningSpec, proposals: Sequence[PlannedProposal] = ()) -> tuple[PlannedRange, ...]:
    """The rows of the space, in the spec's order. ``proposals``: the first configurations."""
    return tuple(
        replace(row, algorithm=algorithm.name)
        for algorithm in algorithms_of(spec)
        for row in _ranges(
            algorithm.spec,
            # Algorithms may have hyperparameters of the same name.
            [one.configuration if one.algorithm == algorithm.name else {} for one in proposals],
        )
    )


def _ranges(spec: TuningSpec, first: Sequence[Configuration]) -> tuple[PlannedRange, ...]:
    rows = [_numeric(one) for one in spec.continuous]
    rows += [_numeric(one) for one in spec.integer]
    rows += [_categorical(one) for one in spec.categorical]
    space = spec.space()
    parameters = {parameter.name: parameter for parameter in space.parameters}
    return tuple(
        replace(
            row,
            only_when=_condition(space.condition_of(row.name)),
            ticks=ticks(parameters[row.name]),
            places=tuple(_place(parameters[row.name], configuration) for configuration in first),
        )
        for row in rows
    )


def _place(parameter: Parameter, configuration: Configuration) -> float | None:
    value = configuration.get(parameter.name)
    return None if value is None else place_on(parameter, value)


def _condition(condition: Condition | None) -> str:
    return "" if condition is None else str(condition)


def _categorical(asked: CategoricalRange) -> PlannedRange:
    between = " < " if asked.ordered else ", "
    values = between.join(asked.values)
    return PlannedRange(asked.name, "categorical", values, "", len(asked.values), ordered=asked.ordered)


def _numeric(asked: ContinuousRange | IntegerRange) -> PlannedRange:
    """A range with its scaling settled (``Auto`` says what it came to)."""
    continuous = isinstance(asked, ContinuousRange)
    resolved = resolve_scaling(asked.scaling_type, asked.min_value, asked.max_value, continuous=continuous)
    auto = "" if resolved is asked.scaling_type else f" ({asked.scaling_type.value})"
    every_integer = not continuous and asked.step == 1
    step = "" if asked.step is None or every_integer else f" in steps of {number(asked.step, 6)}"
    return PlannedRange(
        name=asked.name,
        kind="continuous" if continuous else "integer",
        range=f"{number(asked.min_value, 6)} to {number(asked.max_value, 6)}{step}",
        scaling=f"{resolved.value}{auto}",
        values=asked.parameter().size,
    )


def constraints_in_words(spec: TuningSpec) -> tuple[str, ...]:
    """What every configuration meets."""
    return tuple(
        f"{constraint} ({algorithm.name})" if algorithm.name else constraint
        for algorithm in algorithms_of(spec)
        for constraint in algorithm.spec.constraints
    )


def objectives_in_words(spec: TuningSpec) -> str:
    """The metric that is tuned; each, where algorithms have their own."""
    return " or ".join(dict.fromkeys(algorithm.metric_name for algorithm in algorithms_of(spec)))


def criteria_in_words(spec: TuningSpec) -> tuple[str, ...]:
    """What ends the tuning job, whichever comes first."""
    limits, completion, size = spec.limits, spec.completion, all_configurations(spec)
    lines = []
    if limits.max_number_of_training_jobs is not None:
        lines.append(f"{count(limits.max_number_of_training_jobs, 'training job')} launched and ended")
    if completion.max_number_of_training_jobs_not_improving is not None:
        jobs = count(completion.max_number_of_training_jobs_not_improving, "training job")
        by = completion.min_relative_improvement
        lines.append(f"{jobs} in a row without improving the best{f' by more than {by:.3g}' if by else ''}")
    if limits.max_runtime_seconds is not None:
        lines.append(f"{duration(limits.max_runtime_seconds)} since it was created; running jobs are stopped")
    target = completion.target_objective_metric_value
    if target is not None:
        side = "more" if spec.maximize else "less"
        epochs = ", by any epoch of a running job too" if completion.target_on_epochs else ""
        lines.append(f"{objectives_in_words(spec)} of {number(target, 6)} or {side} reached{epochs}")
    if completion.complete_on_convergence:
        lines.append(
            f"convergence: {WINDOW} jobs in a row without improving the best by {SIGNIFICANT:.0%}, "
            f"{QUIET} not at all, of at least {LEAST}"
        )
    if limits.max_cost is not None:
        lines.append(f"one more training job might make it cost more than {money(limits.max_cost)}")
    if size is not None:
        lines.append(f"all {count(size, 'configuration')} tried")
    lines.append(f"as Failed: {count(limits.max_failed_training_jobs, 'failed job')} and not one success")
    if limits.max_failed_training_jobs_in_total is not None:
        lines.append(f"as Failed: {count(limits.max_failed_training_jobs_in_total, 'failed job')}")
    return tuple(lines)


def _resumed_in_words(asked: Hyperband) -> str:
    """What it saves that stopped jobs go on from their checkpoints."""
    every = (*rungs(asked.min_resource, asked.max_resource), asked.max_resource)
    if not asked.resume_stopped or len(every) < 2:
        return ""
    further = " or ".join(str(later - rung) for rung, later in itertools.pairwise(every))
    anew = " or ".join(map(str, every[1:]))
    return (
        "; one that was stopped and comes to be among the best goes on from its checkpoints, as a further "
        f"training job: {further} epochs to the next rung instead of {anew} from nothing"
    )


def early_stopping_in_words(spec: TuningSpec) -> str:
    if spec.hyperband is not None:
        compared = ", ".join(map(str, rungs(spec.hyperband.min_resource, spec.hyperband.max_resource)))
        return (
            f"a job goes on from epoch {compared or 'none'} only among the best 1 in {ETA} of its bracket "
            f"there; epoch {spec.hyperband.max_resource} is the last{_resumed_in_words(spec.hyperband)}"
        )
    policy = spec.early_stopping
    rule = early_stopping_rule(spec)
    if not isinstance(rule, MedianRule):
        return "off"
    others = {
        ComparedJobs.COMPLETED: "completed",
        ComparedJobs.ENDED: "ended",
        ComparedJobs.ALL: "other",
    }[policy.compare_with]
    grace = f"{GRACE_FRACTION:.0%} of the completed jobs' usual length"
    if policy.grace_epochs is not None:
        grace = count(policy.grace_epochs, "epoch")
    wanted = str(policy.min_jobs or "1 (2 if jobs differ in length)")
    hope = ", nor while it may still reach the best" if rule.spares else ""
    beyond = "; later also one that can't reach the best any more" if policy.beyond_median else ""
    return (
        "a job is stopped at an epoch that is worse than the median of the running averages of "
        f"{wanted} or more {others} jobs, but not before {grace}{hope}{beyond}"
    )


def stopping_as(spec: TuningSpec) -> TuningSpec:
    """A spec that stops its training jobs as they are stopped when we drive it: as it says."""
    return spec
