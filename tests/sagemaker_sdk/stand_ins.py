"""What the stand-ins of SDK v3 and v2 share: the classes that are the same in both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class PipelineVariable:
    """A value of the SDK's pipelines, known when they run."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        raise TypeError("a pipeline variable has no text before the pipeline runs")


class ParameterString(PipelineVariable):
    pass


class ParameterRange:
    def __init__(self, min_value: Any, max_value: Any, scaling_type: Any = "Auto") -> None:
        self.min_value, self.max_value, self.scaling_type = min_value, max_value, scaling_type


class IntegerParameter(ParameterRange):
    __name__ = "Integer"


class ContinuousParameter(ParameterRange):
    __name__ = "Continuous"


class CategoricalParameter(ParameterRange):
    __name__ = "Categorical"

    def __init__(self, values: Any) -> None:
        self.values = [str(value) for value in (values if isinstance(values, list) else [values])]


class Tuner:
    """A ``HyperparameterTuner`` whose trainer is called ``trainer`` (``model_trainer``, ``estimator``)."""

    trainer: str

    def __init__(
        self,
        trainer: Any,
        objective_metric_name: Any,
        hyperparameter_ranges: Any,
        *,
        metric_definitions: Any = None,
        trainer_name: str | None = None,
        hyperparameters_to_keep_static: Any = None,
        max_jobs: int | None = None,
        strategy: str = "Bayesian",
        tags: Any = None,
        **settings: Any,
    ) -> None:
        # Of these a tuner of one trainer has the plain attribute, and one of several the dict by its names.
        of_a_trainer = {
            self.trainer: trainer,
            "objective_metric_name": objective_metric_name,
            "_hyperparameter_ranges": hyperparameter_ranges,
            "metric_definitions": metric_definitions,
            "hyperparameters_to_keep_static": hyperparameters_to_keep_static,
        }
        for name, value in of_a_trainer.items():
            setattr(self, name, value if trainer_name is None else None)
            setattr(self, f"{name}_dict", None if trainer_name is None else {trainer_name: value})
        self.strategy = strategy
        self.max_jobs = 1 if max_jobs is None and strategy != "Grid" else max_jobs
        self.tags = tags
        self.instance_configs: Any = None
        self.instance_configs_dict: Any = None
        defaults = {
            "objective_type": "Maximize",
            "max_parallel_jobs": 1,
            "max_runtime_in_seconds": None,
            "base_tuning_job_name": None,
            "warm_start_config": None,
            "strategy_config": None,
            "completion_criteria_config": None,
            "early_stopping_type": "Off",
            "random_seed": None,
            "autotune": False,
        }
        assert settings.keys() <= defaults.keys()
        for name, value in {**defaults, **settings}.items():
            setattr(self, name, value)

    @classmethod
    def several(
        cls,
        trainers: Mapping[str, Any],
        objective_metric_name_dict: Mapping[str, Any],
        hyperparameter_ranges_dict: Mapping[str, Any],
        *,
        metric_definitions_dict: Mapping[str, Any] | None = None,
        hyperparameters_to_keep_static_dict: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> Any:
        """What the SDK calls ``create``, whose first argument is named after the trainer."""
        names = sorted(trainers)
        tuner: Any = cls(
            trainers[names[0]],
            objective_metric_name_dict[names[0]],
            hyperparameter_ranges_dict[names[0]],
            trainer_name=names[0],
            **settings,
        )
        setattr(tuner, f"{cls.trainer}_dict", dict(trainers))
        tuner.objective_metric_name_dict = dict(objective_metric_name_dict)
        tuner._hyperparameter_ranges_dict = dict(hyperparameter_ranges_dict)
        tuner.metric_definitions_dict = dict(metric_definitions_dict or {})
        tuner.hyperparameters_to_keep_static_dict = {
            name: (hyperparameters_to_keep_static_dict or {}).get(name) for name in names[:1]
        } | dict(hyperparameters_to_keep_static_dict or {})
        return tuner

    def override_resource_config(self, instance_configs: Any) -> None:
        if isinstance(instance_configs, dict):
            self.instance_configs_dict = instance_configs
        else:
            self.instance_configs = instance_configs
