"""Stand-ins for the classes of SageMaker SDK v3 that a tuner is made of: the same attributes, nothing more.

That they have the SDK's attributes, defaults and values is proved by ``test_with_the_real_sdk.py``.
"""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar

from sagemaker_sdk.case import DEFAULT_BUCKET, Kit
from sagemaker_sdk.stand_ins import (
    CategoricalParameter,
    ContinuousParameter,
    IntegerParameter,
    ParameterString,
    Tuner,
)


class Unassigned:
    """The SDK's value of a member that was not given."""


class Shape:
    """A part of a request. Members that are not given are ``Unassigned``, or None in the SDK's own parts."""

    fields: ClassVar[tuple[str, ...]] = ()
    defaults: ClassVar[dict[str, Any]] = {}
    unset: ClassVar[Any] = Unassigned()

    def __init__(self, **given: Any) -> None:
        assert given.keys() <= set(self.fields), given
        for name in self.fields:
            setattr(self, name, given.get(name, self.defaults.get(name, self.unset)))


def _shape(name: str, *fields: str, unset: Any = Shape.unset, **defaults: Any) -> type[Shape]:
    members = {"fields": (*fields, *defaults), "defaults": defaults, "unset": unset}
    return type(name, (Shape,), members)


Tag = _shape("Tag", "key", "value")
MetricDefinition = _shape("MetricDefinition", "name", "regex")
RetryStrategy = _shape("RetryStrategy", "maximum_retry_attempts")
TrainingImageConfig = _shape(
    "TrainingImageConfig", "training_repository_access_mode", "training_repository_auth_config"
)
InstanceGroup = _shape("InstanceGroup", "instance_type", "instance_count", "instance_group_name")
SourceCode = _shape("SourceCode", "source_dir", "requirements", "entry_script", "command", "args", unset=None)
InputData = _shape("InputData", "channel_name", "data_source", "content_type", unset=None)
Channel = _shape(
    "Channel",
    "channel_name",
    "data_source",
    "content_type",
    "compression_type",
    "record_wrapper_type",
    "input_mode",
    "shuffle_config",
)
DataSource = _shape("DataSource", "s3_data_source", "file_system_data_source", "dataset_source")
S3DataSource = _shape(
    "S3DataSource",
    "s3_data_type",
    "s3_uri",
    "s3_data_distribution_type",
    "attribute_names",
    "instance_group_names",
)
FileSystemDataSource = _shape(
    "FileSystemDataSource",
    "file_system_id",
    "file_system_access_mode",
    "file_system_type",
    "directory_path",
)
Compute = _shape(
    "Compute",
    "instance_type",
    "instance_count",
    "volume_kms_key_id",
    "keep_alive_period_in_seconds",
    "instance_groups",
    "training_plan_arn",
    "enable_managed_spot_training",
    unset=None,
    volume_size_in_gb=30,
)
Networking = _shape(
    "Networking",
    "security_group_ids",
    "subnets",
    "enable_network_isolation",
    "enable_inter_container_traffic_encryption",
    unset=None,
)
StoppingCondition = _shape(
    "StoppingCondition",
    "max_runtime_in_seconds",
    "max_wait_time_in_seconds",
    "max_pending_time_in_seconds",
)
OutputDataConfig = _shape(
    "OutputDataConfig", "s3_output_path", "kms_key_id", unset=None, compression_type="GZIP"
)
CheckpointConfig = _shape("CheckpointConfig", "s3_uri", unset=None, local_path="/opt/ml/checkpoints")
HyperParameterTuningInstanceConfig = _shape(
    "HyperParameterTuningInstanceConfig", "instance_type", "instance_count", "volume_size_in_gb"
)
HyperbandStrategyConfig = _shape("HyperbandStrategyConfig", "min_resource", "max_resource")
HyperParameterTuningJobStrategyConfig = _shape(
    "HyperParameterTuningJobStrategyConfig", "hyperband_strategy_config"
)
BestObjectiveNotImproving = _shape("BestObjectiveNotImproving", "max_number_of_training_jobs_not_improving")
ConvergenceDetected = _shape("ConvergenceDetected", "complete_on_convergence")
TuningJobCompletionCriteria = _shape(
    "TuningJobCompletionCriteria",
    "target_objective_metric_value",
    "best_objective_not_improving",
    "convergence_detected",
)
ParentHyperParameterTuningJob = _shape("ParentHyperParameterTuningJob", "hyper_parameter_tuning_job_name")
HyperParameterTuningJobWarmStartConfig = _shape(
    "HyperParameterTuningJobWarmStartConfig", "parent_hyper_parameter_tuning_jobs", "warm_start_type"
)


class Mode(Enum):
    LOCAL_CONTAINER = "LOCAL_CONTAINER"
    SAGEMAKER_TRAINING_JOB = "SAGEMAKER_TRAINING_JOB"


class ModelTrainer:
    def __init__(self, **given: Any) -> None:
        self.training_mode = given.pop("training_mode", Mode.SAGEMAKER_TRAINING_JOB)
        self.role = given.pop("role", None)
        self.training_image = given.pop("training_image", None)
        self.algorithm_name = given.pop("algorithm_name", None)
        self.training_image_config = given.pop("training_image_config", None)
        self.source_code = given.pop("source_code", None)
        self.compute = given.pop("compute", Compute())
        if not self.compute.instance_groups:
            self.compute.instance_type = self.compute.instance_type or "ml.m5.xlarge"
            self.compute.instance_count = self.compute.instance_count or 1
        self.networking = given.pop("networking", None)
        self.stopping_condition = given.pop(
            "stopping_condition", StoppingCondition(max_runtime_in_seconds=3600)
        )
        self.base_job_name = given.pop("base_job_name", "mine-job")
        self.output_data_config = given.pop(
            "output_data_config", OutputDataConfig(s3_output_path=f"s3://{DEFAULT_BUCKET}/mine-job")
        )
        self.input_data_config = given.pop("input_data_config", None)
        self.checkpoint_config = given.pop("checkpoint_config", None)
        self.training_input_mode = given.pop("training_input_mode", "File")
        self.environment = given.pop("environment", {})
        self.hyperparameters = given.pop("hyperparameters", {})
        self.tags = given.pop("tags", None)
        self._retry_strategy: Any = None
        self._metric_definitions: Any = None
        assert not given, given

    def with_retry_strategy(self, retry_strategy: Any) -> ModelTrainer:
        self._retry_strategy = retry_strategy
        return self

    def with_metric_definitions(self, metric_definitions: Any) -> ModelTrainer:
        self._metric_definitions = metric_definitions
        return self


class HyperparameterTuner(Tuner):
    trainer = "model_trainer"

    def __init__(self, model_trainer: Any, *values: Any, **settings: Any) -> None:
        super().__init__(model_trainer, *values, **settings)

    @classmethod
    def create(cls, model_trainer_dict: Any, *values: Any, **settings: Any) -> Any:
        return cls.several(model_trainer_dict, *values, **settings)

    @classmethod
    def _prepare_model_trainer_for_tuning(
        cls, model_trainer: Any, inputs: Any = None, job_name: Any = None
    ) -> None:
        """What the SDK leaves on a trainer after it uploaded the code."""
        if model_trainer.source_code is None:
            return
        place = f"s3://{DEFAULT_BUCKET}/{model_trainer.base_job_name}/tuning-1700000000/input"
        uploaded = S3DataSource(
            s3_data_type="S3Prefix",
            s3_uri=f"{place}/sm_drivers",
            s3_data_distribution_type="FullyReplicated",
        )
        model_trainer._tuner_channels = [
            Channel(
                channel_name="sm_drivers", data_source=DataSource(s3_data_source=uploaded), input_mode="File"
            )
        ]
        model_trainer.hyperparameters["sagemaker_program"] = model_trainer.source_code.entry_script
        model_trainer.hyperparameters["sagemaker_submit_directory"] = f"{place}/sourcedir/sourcedir.tar.gz"


_IMPORTED = (IntegerParameter, ContinuousParameter, CategoricalParameter, ParameterString)


def kit(source_dir: Path) -> Kit:
    return Kit(vars(sys.modules[__name__]), source_dir)
