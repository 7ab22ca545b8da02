"""The parts of a spec in words, as a plan lists them: ranges, completion criteria, early stopping."""

from __future__ import annotations

from dataclasses import dataclass

from amt_flows.render.text import count, duration, money, number
from amt_flows.rules.convergence import QUIET, SIGNIFICANT, WINDOW
from amt_flows.rules.early_stopping import GRACE_FRACTION, MedianRule, early_stopping_rule
from amt_flows.space import resolve_scaling
from amt_flows.spec import (
    CategoricalRange,
    ComparedJobs,
    ContinuousRange,
    IntegerRange,
    TuningSpec,
)
from amt_flows.strategies.brackets import ETA, rungs


@dataclass(frozen=True)
class PlannedRange:
    """A row of the space: what is searched and how. ``values`` counts them; None is a continuum."""

    name: str
    kind: str
    range: str
    scaling: str
    values: int | None


def planned_ranges(spec: TuningSpec) -> tuple[PlannedRange, ...]:
    """The rows of the space, in the spec's order."""
    rows = [_numeric(one) for one in spec.continuous]
    rows += [_numeric(one) for one in spec.integer]
    rows += [_categorical(one) for one in spec.categorical]
    return tuple(rows)


def _categorical(asked: CategoricalRange) -> PlannedRange:
    return PlannedRange(asked.name, "categorical", ", ".join(asked.values), "", len(asked.values))


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


def criteria_in_words(spec: TuningSpec) -> tuple[str, ...]:
    """What ends the tuning job, whichever comes first."""
    limits, completion, size = spec.limits, spec.completion, spec.space().size
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
        lines.append(f"{spec.objective.metric_name} of {number(target, 6)} or {side} reached{epochs}")
    if completion.complete_on_convergence:
        lines.append(
            f"convergence: {WINDOW} jobs in a row without improving the best by {SIGNIFICANT:.0%}, "
            f"the last {QUIET} of them not at all"
        )
    if limits.max_cost is not None:
        lines.append(f"one more training job might make it cost more than {money(limits.max_cost)}")
    if size is not None:
        lines.append(f"all {count(size, 'configuration')} tried")
    lines.append(f"as Failed: {count(limits.max_failed_training_jobs, 'failed job')} and not one success")
    if limits.max_failed_training_jobs_in_total is not None:
        lines.append(f"as Failed: {count(limits.max_failed_training_jobs_in_total, 'failed job')}")
    return tuple(lines)


def early_stopping_in_words(spec: TuningSpec) -> str:
    if spec.hyperband is not None:
        compared = ", ".join(map(str, rungs(spec.hyperband.min_resource, spec.hyperband.max_resource)))
        return (
            f"a job goes on from epoch {compared or 'none'} only among the best 1 in {ETA} of its bracket "
            f"there; epoch {spec.hyperband.max_resource} is the last"
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
    hope = ", nor while it may still reach the best" if rule.spares else ""
    beyond = "; later also one that can't reach the best any more" if policy.beyond_median else ""
    return (
        "a job is stopped at an epoch that is worse than the median of the running averages of "
        f"{policy.min_jobs} or more {others} jobs, but not before {grace}{hope}{beyond}"
    )
