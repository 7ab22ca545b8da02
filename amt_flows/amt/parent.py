"""A tuning job of SageMaker's own tuner, read as the parent of a warm start."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from amt_flows.amt.api import TuningApi, not_found
from amt_flows.backends.sagemaker.clients import Clients
from amt_flows.backends.sagemaker.logs import in_32_bits
from amt_flows.backends.sagemaker.service import Answer, PassingTrouble
from amt_flows.backends.sagemaker.watched import seconds
from amt_flows.errors import Problem, SpecError

PAUSES: Final = (2.0, 5.0, 10.0, 20.0)
"""Seconds between tries, beyond those that boto3 makes itself."""
OBJECTIVE_HINT: Final = "_tuning_objective_metric"
"""AMT gives every training job this static hyperparameter, for algorithms that want to know."""

T = TypeVar("T")


@dataclass(frozen=True)
class AmtParentJob:
    """One training job. Times are seconds since the epoch. ``objective_value`` is what AMT took for the final
    one, None when there was none; that of a job with status ``Stopped`` is where it stood when it was cut
    short."""

    name: str
    status: str
    """AMT's ``TrainingJobStatus``."""
    tuned_hyperparameters: dict[str, str]
    objective_value: float | None
    started_at: float | None
    ended_at: float | None


@dataclass(frozen=True)
class AmtParent:
    """A tuning job with all its training jobs, in the order of their creation."""

    name: str
    status: str
    """AMT's ``HyperParameterTuningJobStatus``; it has ended when that is Completed, Failed or Stopped."""
    objective_metric: str
    maximize: bool
    static_hyperparameters: dict[str, str]
    jobs: tuple[AmtParentJob, ...]


def amt_parent(name: str, clients: Clients, *, sleep: Callable[[float], None] = time.sleep) -> AmtParent:
    """Read a tuning job of AMT's: one call, and one more for every hundred training jobs.

    Raises TuningJobNotFound, BackendError (AWS refuses, or can't be reached for half a minute), and SpecError
    for one that tunes several algorithms, which nothing can be warm-started from.
    """
    api = TuningApi(clients)
    answer = patiently(lambda: api.describe(name), sleep)
    if answer is None:
        raise not_found(name)
    if answer.get("TrainingJobDefinitions"):
        message = "tuned several algorithms, and AMT's warm start is for one; name another parent"
        raise SpecError([Problem("warm_start.parents", name, message)])
    entries = patiently(lambda: [one for page in api.pages_of_training_jobs(name) for one in page], sleep)
    config, definition = answer["HyperParameterTuningJobConfig"], answer.get("TrainingJobDefinition") or {}
    objective = config.get("HyperParameterTuningJobObjective") or definition.get("TuningObjective") or {}
    entries.sort(key=lambda entry: (entry["CreationTime"], str(entry["TrainingJobName"])))
    return AmtParent(
        name=str(answer["HyperParameterTuningJobName"]),
        status=str(answer["HyperParameterTuningJobStatus"]),
        objective_metric=str(objective.get("MetricName", "")),
        maximize=objective.get("Type") == "Maximize",
        static_hyperparameters=static_hyperparameters(definition),
        jobs=tuple(_job(entry) for entry in entries),
    )


def static_hyperparameters(definition: Mapping[str, Any]) -> dict[str, str]:
    """Those that the user gave."""
    given = definition.get("StaticHyperParameters") or {}
    return {str(key): str(value) for key, value in given.items() if key != OBJECTIVE_HINT}


def objective_value(entry: Answer) -> float | None:
    """What AMT took for a training job's final objective; None while it is pending, and when it has none."""
    final = entry.get("FinalHyperParameterTuningJobObjectiveMetric")
    return None if final is None else float(in_32_bits(float(final["Value"])))


def _job(entry: Answer) -> AmtParentJob:
    return AmtParentJob(
        name=str(entry["TrainingJobName"]),
        status=str(entry["TrainingJobStatus"]),
        tuned_hyperparameters={str(k): str(v) for k, v in entry["TunedHyperParameters"].items()},
        objective_value=objective_value(entry),
        started_at=seconds(entry.get("TrainingStartTime")),
        ended_at=seconds(entry.get("TrainingEndTime")),
    )


def patiently(ask: Callable[[], T], sleep: Callable[[float], None]) -> T:
    """The answer, after some pauses if need be. Raises BackendError when they were in vain."""
    for pause in PAUSES:
        try:
            return ask()
        except PassingTrouble:
            sleep(pause * random.uniform(0.7, 1.3))
    try:
        return ask()
    except PassingTrouble as trouble:
        raise trouble.error from trouble
