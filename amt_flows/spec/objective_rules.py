"""The rules of ``other_objectives``: what can't be asked for beside several objectives, and why."""

from __future__ import annotations

from collections.abc import Iterator

from amt_flows.errors import Problem
from amt_flows.spec.parts import EarlyStoppingType, StrategyType, TuningFields

_LEAVE = "or leave `other_objectives` out"


def objective_problems(spec: TuningFields) -> Iterator[Problem]:
    """Ours: AMT has one objective."""
    if spec.other_objectives:
        yield from _names(spec)
        yield from _company(spec)


def _names(spec: TuningFields) -> Iterator[Problem]:
    defined = [definition.name for definition in spec.training_job.metric_definitions]
    seen = {spec.objective.metric_name}
    for i, one in enumerate(spec.other_objectives):
        field, name = f"other_objectives[{i}].metric_name", one.metric_name
        if name in seen:
            yield Problem(field, name, "is an objective already; name each metric once")
        elif defined and name not in defined:
            names = ", ".join(defined)
            yield Problem(
                field, name, f"no metric definition has this name; write one of {names}, or define it too"
            )
        seen.add(name)


def _company(spec: TuningFields) -> Iterator[Problem]:
    """What judges training jobs by one metric would end those that are good in another."""
    if spec.other_definitions:
        yield Problem(
            "other_objectives",
            [one.metric_name for one in spec.other_objectives],
            "the results of several algorithms are compared by one metric; tune one algorithm at a time, "
            "or leave this out",
        )
        return
    if spec.strategy is StrategyType.HYPERBAND:
        yield Problem(
            "strategy",
            spec.strategy.value,
            f"Hyperband stops training jobs by one metric; write Bayesian, {_LEAVE}",
        )
    elif spec.early_stopping.type is not EarlyStoppingType.OFF:
        yield Problem(
            "early_stopping.type",
            spec.early_stopping.type.value,
            f"it judges by one metric, and would stop jobs that are good in another; write Off, {_LEAVE}",
        )
    if spec.completion.complete_on_convergence:
        yield Problem(
            "completion.complete_on_convergence",
            True,
            f"it judges by one metric, and the others may still improve; write false, {_LEAVE}",
        )
    for field, parents in (
        ("warm_start", () if spec.warm_start is None else spec.warm_start.parents),
        ("learn_from", spec.learn_from),
    ):
        if parents:
            why = f"of earlier training jobs only the objective is known; leave this out, {_LEAVE}"
            yield Problem(field, list(parents), why)


def objective_field(spec: TuningFields, metric: str) -> str:
    """Where the name of a metric stands that is an objective."""
    names = spec.other_metrics
    return (
        f"other_objectives[{names.index(metric)}].metric_name" if metric in names else "objective.metric_name"
    )
