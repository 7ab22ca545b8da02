"""What ends a tuning job that SageMaker's own tuner drives, and what stops its training jobs, in words: AMT's
rules as its guides and its API reference tell them, not ours."""

from __future__ import annotations

from amt_flows.names import count
from amt_flows.plan.estimate import all_configurations
from amt_flows.plan.words import objectives_in_words
from amt_flows.show.text import duration, number
from amt_flows.spec import EarlyStopping, EarlyStoppingType, StrategyType, TuningSpec


def criteria_in_words(spec: TuningSpec) -> tuple[str, ...]:
    """What ends it, whichever comes first."""
    limits, completion, size = spec.limits, spec.completion, all_configurations(spec)
    lines = []
    if limits.max_number_of_training_jobs is not None:
        lines.append(f"{count(limits.max_number_of_training_jobs, 'training job')} launched and ended")
    if completion.max_number_of_training_jobs_not_improving is not None:
        jobs = count(completion.max_number_of_training_jobs_not_improving, "training job")
        lines.append(f"{jobs} that did not improve the best by 1% or more, as AMT counts them")
    if limits.max_runtime_seconds is not None:
        lines.append(f"{duration(limits.max_runtime_seconds)} since it was created; running jobs are stopped")
    target = completion.target_objective_metric_value
    if target is not None:
        side = "more" if spec.maximize else "less"
        lines.append(
            f"{objectives_in_words(spec)} of {number(target, 6)} or {side} reached by a training job"
        )
    if completion.complete_on_convergence:
        lines.append(
            "convergence as AMT detects it: no training job improves the best by more than 1%; how it tells, "
            "AWS has not published"
        )
    if size is not None:
        lines.append(f"all {count(size, 'configuration')} tried")
    if not lines:
        lines.append("what Autotune chooses" if spec.autotune else "nothing that was asked for")
    return tuple(lines)


def early_stopping_in_words(spec: TuningSpec) -> str:
    if spec.hyperband is not None:
        low, high = spec.hyperband.min_resource, spec.hyperband.max_resource
        return f"AMT's Hyperband stops jobs that do poorly, from epoch {low} on; epoch {high} is the last"
    if spec.early_stopping.type is EarlyStoppingType.OFF:
        chosen = spec.autotune and "type" not in spec.early_stopping.model_fields_set
        return "what Autotune chooses" if chosen else "off"
    return (
        "AMT stops a job whose objective at an epoch is worse than the median of the running averages of the "
        "previous training jobs up to the same epoch"
    )


def stopping_as(spec: TuningSpec) -> TuningSpec:
    """A spec of ours that stops its training jobs as AMT says it does: by the bare rule of its guide. How its
    Hyperband stops them is not told, so that nothing is assumed of it."""
    if spec.hyperband is not None:
        return spec.model_copy(update={"hyperband": None, "strategy": StrategyType.RANDOM})
    bare = EarlyStopping(type=spec.early_stopping.type, min_jobs=1, grace_epochs=0, spare_hopeful=False)
    return spec.model_copy(update={"early_stopping": bare})
