"""A tuning job on paper: what of a spec decides how long it takes and what is stopped, and nothing else.

Nothing that is only about where training runs, or what is searched, may keep a simulation from being one.
"""

from __future__ import annotations

from typing import Final

from amt_flows.spec import (
    ContinuousRange,
    EarlyStopping,
    Hyperband,
    Objective,
    ResourceLimits,
    StrategyType,
    TrainingJobTemplate,
    TuningSpec,
)

UNNAMED: Final = "unnamed"


def on_paper(
    spec: TuningSpec,
    limits: ResourceLimits,
    training_job: TrainingJobTemplate,
    *,
    early_stopping: EarlyStopping | None = None,
    hyperband: Hyperband | None = None,
) -> TuningSpec:
    """A tuning job with ``spec``'s name and direction, these limits and this training job, over one range."""
    return TuningSpec(
        name=spec.name or UNNAMED,
        objective=Objective(metric_name="value", type=spec.objective.type),
        continuous=(ContinuousRange(name="x", min_value=0.0, max_value=1.0),),
        limits=limits.model_copy(update={"prefer_cheap": False}),
        training_job=training_job,
        strategy=StrategyType.RANDOM if hyperband is None else StrategyType.HYPERBAND,
        early_stopping=early_stopping or EarlyStopping(),
        hyperband=hyperband,
        best_eligible=spec.best_eligible,
    )
