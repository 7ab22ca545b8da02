"""What the settings of a tuning job are called elsewhere: in SageMaker's SDK, Optuna, Ray Tune, Katib, Vizier
and scikit-learn. (AMT's own names are in :mod:`amt_flows.spec.amt_fields`.)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# Within one of our models: from a name (as `nearest.plain` writes it) to a field of that very model.
_NAME: Final = {"parameter": "name", "hyperparameter": "name", "key": "name"}
_RANGE: Final = {
    **_NAME,
    "low": "min_value",
    "lower": "min_value",
    "min": "min_value",
    "minimum": "min_value",
    "start": "min_value",
    "high": "max_value",
    "upper": "max_value",
    "max": "max_value",
    "maximum": "max_value",
    "stop": "max_value",
    "scale": "scaling_type",
    "scaling": "scaling_type",
    "log": "scaling_type",
    "quantum": "step",
}
SYNONYMS: Final[Mapping[str, Mapping[str, str]]] = {
    "ContinuousRange": _RANGE,
    "IntegerRange": _RANGE,
    "CategoricalRange": {**_NAME, "choices": "values", "categories": "values", "options": "values"},
    "AutoParameter": {**_NAME, "hint": "value_hint", "value": "value_hint", "default": "value_hint"},
    "Objective": {
        "metric": "metric_name",
        "name": "metric_name",
        "objectivemetricname": "metric_name",
        "direction": "type",
        "goal": "type",
        "mode": "type",
        "objectivetype": "type",
    },
    "MetricDefinition": {"metric": "name", "pattern": "regex", "regularexpression": "regex"},
}

# Anywhere: to the whole path of the setting.
WELL_KNOWN: Final[Mapping[str, str]] = {
    "maxjobs": "limits.max_number_of_training_jobs",
    "maxtrials": "limits.max_number_of_training_jobs",
    "maxtrialcount": "limits.max_number_of_training_jobs",
    "ntrials": "limits.max_number_of_training_jobs",
    "numtrials": "limits.max_number_of_training_jobs",
    "numsamples": "limits.max_number_of_training_jobs",
    "niter": "limits.max_number_of_training_jobs",
    "maxparalleljobs": "limits.max_parallel_training_jobs",
    "maxparallel": "limits.max_parallel_training_jobs",
    "maxconcurrent": "limits.max_parallel_training_jobs",
    "maxconcurrenttrials": "limits.max_parallel_training_jobs",
    "paralleltrialcount": "limits.max_parallel_training_jobs",
    "parallelism": "limits.max_parallel_training_jobs",
    "parallel": "limits.max_parallel_training_jobs",
    "njobs": "limits.max_parallel_training_jobs",
    "timeout": "limits.max_runtime_seconds",
    "maxtime": "limits.max_runtime_seconds",
    "maxwallclocktime": "limits.max_runtime_seconds",
    "maxfailedtrialcount": "limits.max_failed_training_jobs",
    "maxfailures": "limits.max_failed_training_jobs",
    "budget": "limits.max_cost",
    "patience": "completion.max_number_of_training_jobs_not_improving",
    "notimproving": "completion.max_number_of_training_jobs_not_improving",
    "target": "completion.target_objective_metric_value",
    "targetvalue": "completion.target_objective_metric_value",
    "convergence": "completion.complete_on_convergence",
    "earlystoppingtype": "early_stopping.type",
    "metric": "objective.metric_name",
    "metrics": "training_job.metric_definitions",
    "objectivemetricname": "objective.metric_name",
    "direction": "objective.type",
    "goal": "objective.type",
    "mode": "objective.type",
    "objectivetype": "objective.type",
    "basetuningjobname": "name",
    "tuningjobname": "name",
    "jobname": "name",
    "algorithm": "strategy",
    "sampler": "strategy",
    "tuner": "strategy",
    "searchstrategy": "strategy",
    "randomstate": "seed",
    "staticparameters": "static_hyperparameters",
    "constants": "static_hyperparameters",
    "env": "training_job.environment",
    "entrypoint": "training_job.command",
    "script": "training_job.command",
    "cwd": "training_job.working_directory",
    "workdir": "training_job.working_directory",
    "channels": "training_job.inputs",
    "retries": "training_job.max_retry_attempts",
}
