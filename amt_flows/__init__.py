"""Automatic model tuning with SageMaker AMT's semantics, as a Prefect flow or in a plain script."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from amt_flows.backends.local import LocalBackend
    from amt_flows.reporting import report
    from amt_flows.results import TuningResult
    from amt_flows.spec import (
        CategoricalRange,
        CompletionCriteria,
        ContinuousRange,
        EarlyStopping,
        IntegerRange,
        MetricDefinition,
        Objective,
        ResourceLimits,
        TrainingJobTemplate,
        TuningSpec,
    )

_HOMES = {
    "CategoricalRange": "amt_flows.spec",
    "CompletionCriteria": "amt_flows.spec",
    "ContinuousRange": "amt_flows.spec",
    "EarlyStopping": "amt_flows.spec",
    "IntegerRange": "amt_flows.spec",
    "LocalBackend": "amt_flows.backends.local",
    "MetricDefinition": "amt_flows.spec",
    "Objective": "amt_flows.spec",
    "ResourceLimits": "amt_flows.spec",
    "TrainingJobTemplate": "amt_flows.spec",
    "TuningResult": "amt_flows.results",
    "TuningSpec": "amt_flows.spec",
    "report": "amt_flows.reporting",
}

__all__ = [
    "CategoricalRange",
    "CompletionCriteria",
    "ContinuousRange",
    "EarlyStopping",
    "IntegerRange",
    "LocalBackend",
    "MetricDefinition",
    "Objective",
    "ResourceLimits",
    "TrainingJobTemplate",
    "TuningResult",
    "TuningSpec",
    "report",
    "tune",
]


def __getattr__(name: str) -> object:
    # Loaded on first use: a training script that imports amt_flows only to report a metric should not pay
    # for pydantic and scipy.
    if name == "tune":
        from amt_flows.run import tune

        return tune
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'amt_flows' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
