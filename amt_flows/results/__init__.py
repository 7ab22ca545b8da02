"""What a tuning job came to, in our own shape and in AMT's."""

from amt_flows.results.amt_shapes import describe, training_jobs
from amt_flows.results.result import (
    TrainingJobRecord,
    TuningResult,
    result_of,
    savings,
    spec_of,
    training_seconds,
)

__all__ = [
    "TrainingJobRecord",
    "TuningResult",
    "describe",
    "result_of",
    "savings",
    "spec_of",
    "training_jobs",
    "training_seconds",
]
