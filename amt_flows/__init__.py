"""Automatic model tuning with SageMaker AMT's semantics, as a Prefect flow or in a plain script.

What users import is listed in docs/api.md; any other module may move or change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from amt_flows.lazy import lazy_names

if TYPE_CHECKING:
    from amt_flows.backends.home import home_directory
    from amt_flows.backends.local import LocalBackend
    from amt_flows.backends.places import SageMakerTuner, open_journal
    from amt_flows.backends.sagemaker import SageMakerBackend
    from amt_flows.errors import AmtFlowsError
    from amt_flows.events import TuningStatus
    from amt_flows.foreground import Tried, try_once
    from amt_flows.functions.ranges import Categorical, Continuous, Integer
    from amt_flows.metrics.reading import read_values
    from amt_flows.reporting import report
    from amt_flows.results import TuningResult, describe, training_jobs
    from amt_flows.results.explain import best_region, dependence, importance, predictability
    from amt_flows.results.records import load_result, read_record
    from amt_flows.run import attach_to_amt, spec_of, tune, tune_on_amt
    from amt_flows.show.terminal import terminal_summary
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
        metric_definitions,
    )

_HOMES = {
    "AmtFlowsError": "amt_flows.errors",
    "Categorical": "amt_flows.functions.ranges",
    "CategoricalRange": "amt_flows.spec",
    "CompletionCriteria": "amt_flows.spec",
    "Continuous": "amt_flows.functions.ranges",
    "ContinuousRange": "amt_flows.spec",
    "EarlyStopping": "amt_flows.spec",
    "Integer": "amt_flows.functions.ranges",
    "IntegerRange": "amt_flows.spec",
    "LocalBackend": "amt_flows.backends.local",
    "MetricDefinition": "amt_flows.spec",
    "Objective": "amt_flows.spec",
    "ResourceLimits": "amt_flows.spec",
    "SageMakerBackend": "amt_flows.backends.sagemaker",
    "SageMakerTuner": "amt_flows.backends.places",
    "TrainingJobTemplate": "amt_flows.spec",
    "Tried": "amt_flows.foreground",
    "TuningResult": "amt_flows.results",
    "TuningSpec": "amt_flows.spec",
    "TuningStatus": "amt_flows.events",
    "attach_to_amt": "amt_flows.run",
    "best_region": "amt_flows.results.explain",
    "dependence": "amt_flows.results.explain",
    "describe": "amt_flows.results",
    "home_directory": "amt_flows.backends.home",
    "importance": "amt_flows.results.explain",
    "load_result": "amt_flows.results.records",
    "metric_definitions": "amt_flows.spec",
    "open_journal": "amt_flows.backends.places",
    "predictability": "amt_flows.results.explain",
    "read_record": "amt_flows.results.records",
    "read_values": "amt_flows.metrics.reading",
    "report": "amt_flows.reporting",
    "spec_of": "amt_flows.run",
    "terminal_summary": "amt_flows.show.terminal",
    "training_jobs": "amt_flows.results",
    "try_once": "amt_flows.foreground",
    "tune": "amt_flows.run",
    "tune_on_amt": "amt_flows.run",
}

__all__ = [
    "AmtFlowsError",
    "Categorical",
    "CategoricalRange",
    "CompletionCriteria",
    "Continuous",
    "ContinuousRange",
    "EarlyStopping",
    "Integer",
    "IntegerRange",
    "LocalBackend",
    "MetricDefinition",
    "Objective",
    "ResourceLimits",
    "SageMakerBackend",
    "SageMakerTuner",
    "TrainingJobTemplate",
    "Tried",
    "TuningResult",
    "TuningSpec",
    "TuningStatus",
    "attach_to_amt",
    "best_region",
    "dependence",
    "describe",
    "home_directory",
    "importance",
    "load_result",
    "metric_definitions",
    "open_journal",
    "predictability",
    "read_record",
    "read_values",
    "report",
    "spec_of",
    "terminal_summary",
    "training_jobs",
    "try_once",
    "tune",
    "tune_on_amt",
]

# A training script that imports amt_flows only to report a metric should not pay for pydantic and scipy.
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
