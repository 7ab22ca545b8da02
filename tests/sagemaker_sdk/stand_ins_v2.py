"""Stand-ins for the classes of SageMaker SDK v2 that a tuner is made of: the same attributes, nothing more.

That they have the SDK's attributes, defaults and values is proved by ``test_with_the_real_sdk.py``.
"""

from __future__ import annotations

import json
import sys
from enum import Enum
from pathlib import Path
from typing import Any

from sagemaker_sdk.case import DEFAULT_BUCKET, Kit
from sagemaker_sdk.stand_ins import (
    CategoricalParameter,
    ContinuousParameter,
    IntegerParameter,
    ParameterString,
    Tuner,
)


class TrainingInput:
    def __init__(
        self, s3_data: str, *, content_type: str | None = None, input_mode: str | None = None
    ) -> None:
        source = {"S3DataType": "S3Prefix", "S3Uri": s3_data, "S3DataDistributionType": "FullyReplicated"}
        self.config: dict[str, Any] = {"DataSource": {"S3DataSource": source}}
        if content_type is not None:
            self.config["ContentType"] = content_type
        if input_mode is not None:
            self.config["InputMode"] = input_mode


class FileSystemInput:
    def __init__(self, *, file_system_id: str, file_system_type: str, directory_path: str) -> None:
        source = {
            "FileSystemId": file_system_id,
            "FileSystemType": file_system_type,
            "DirectoryPath": directory_path,
            "FileSystemAccessMode": "ro",
        }
        self.config = {"DataSource": {"FileSystemDataSource": source}}


class file_input:  # noqa: N801 - the SDK's name
    def __init__(self, file_uri: str) -> None:
        self.config = {"DataSource": {"FileDataSource": {"FileUri": file_uri}}}


class RecordSet:
    def __init__(self, s3_data: str, *, num_records: int, feature_dim: int, channel: str = "train") -> None:
        self.s3_data, self.num_records, self.feature_dim = s3_data, num_records, feature_dim
        self.channel = channel

    def data_channel(self) -> dict[str, TrainingInput]:
        records = TrainingInput(self.s3_data)
        records.config["DataSource"]["S3DataSource"] = {
            "S3DataType": "ManifestFile",
            "S3Uri": self.s3_data,
            "S3DataDistributionType": "ShardedByS3Key",
        }
        return {self.channel: records}


class InstanceGroup:
    def __init__(self, instance_group_name: str, instance_type: str, instance_count: int) -> None:
        self.instance_group_name, self.instance_type = instance_group_name, instance_type
        self.instance_count = instance_count


class InstanceConfig:
    def __init__(self, *, instance_count: int, instance_type: str, volume_size: int) -> None:
        self._request = {
            "InstanceCount": instance_count,
            "InstanceType": instance_type,
            "VolumeSizeInGB": volume_size,
        }

    def to_input_req(self) -> dict[str, Any]:
        return self._request


class HyperbandStrategyConfig:
    def __init__(self, *, max_resource: int, min_resource: int) -> None:
        self.max_resource, self.min_resource = max_resource, min_resource

    def to_input_req(self) -> dict[str, Any]:
        return {"MinResource": self.min_resource, "MaxResource": self.max_resource}


class StrategyConfig:
    def __init__(self, hyperband_strategy_config: HyperbandStrategyConfig) -> None:
        self.hyperband_strategy_config = hyperband_strategy_config

    def to_input_req(self) -> dict[str, Any]:
        return {"HyperbandStrategyConfig": self.hyperband_strategy_config.to_input_req()}


class TuningJobCompletionCriteriaConfig:
    def __init__(
        self,
        *,
        max_number_of_training_jobs_not_improving: int,
        complete_on_convergence: bool,
        target_objective_metric_value: float,
    ) -> None:
        self.max_number_of_training_jobs_not_improving = max_number_of_training_jobs_not_improving
        self.complete_on_convergence = complete_on_convergence
        self.target_objective_metric_value = target_objective_metric_value

    def to_input_req(self) -> dict[str, Any]:
        patience = self.max_number_of_training_jobs_not_improving
        return {
            "BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": patience},
            "ConvergenceDetected": {
                "CompleteOnConvergence": "Enabled" if self.complete_on_convergence else "Disabled"
            },
            "TargetObjectiveMetricValue": self.target_objective_metric_value,
        }


class WarmStartTypes(Enum):
    IDENTICAL_DATA_AND_ALGORITHM = "IdenticalDataAndAlgorithm"
    TRANSFER_LEARNING = "TransferLearning"


class WarmStartConfig:
    def __init__(self, warm_start_type: WarmStartTypes, parents: set[str]) -> None:
        self.type, self.parents = warm_start_type, set(parents)

    def to_input_req(self) -> dict[str, Any]:
        parents = [{"HyperParameterTuningJobName": name} for name in self.parents]
        return {"WarmStartType": self.type.value, "ParentHyperParameterTuningJobs": parents}


class EstimatorBase:
    def __init__(self, **given: Any) -> None:
        defaults: dict[str, Any] = {
            "role": None,
            "instance_count": 1,
            "instance_type": None,
            "instance_groups": None,
            "keep_alive_period_in_seconds": None,
            "training_plan": None,
            "instance_placement_config": None,
            "volume_size": 30,
            "volume_kms_key": None,
            "max_run": 86400,
            "max_wait": None,
            "input_mode": "File",
            "output_path": None,
            "output_kms_key": None,
            "disable_output_compression": False,
            "tags": None,
            "subnets": None,
            "security_group_ids": None,
            "model_uri": None,
            "model_channel_name": "model",
            "metric_definitions": None,
            "encrypt_inter_container_traffic": False,
            "use_spot_instances": False,
            "checkpoint_s3_uri": None,
            "checkpoint_local_path": None,
            "max_retry_attempts": None,
            "environment": None,
            "entry_point": None,
            "source_dir": None,
            "dependencies": [],
            "git_config": None,
            "container_entry_point": None,
            "container_arguments": None,
            "training_repository_access_mode": None,
            "training_repository_credentials_provider_arn": None,
        }
        self._enable_network_isolation = given.pop("enable_network_isolation", False)
        self._hyperparameters = dict(given.pop("hyperparameters", None) or {})
        self.image_uri = given.pop("image_uri", None)
        assert given.keys() <= defaults.keys(), given
        for name, value in {**defaults, **given}.items():
            setattr(self, name, value)
        self.code_uri: str | None = None
        self.code_channel_name = "code"
        self.uploaded_code: Any = None

    def hyperparameters(self) -> dict[str, Any]:
        return self._hyperparameters

    def training_image_uri(self) -> Any:
        return self.image_uri

    def enable_network_isolation(self) -> bool:
        return bool(self._enable_network_isolation)

    def get_vpc_config(self) -> Any:
        subnets, groups = getattr(self, "subnets", None), getattr(self, "security_group_ids", None)
        return {"Subnets": subnets, "SecurityGroupIds": groups} if subnets and groups else None


class Estimator(EstimatorBase):
    pass


class Framework(EstimatorBase):
    def hyperparameters(self) -> dict[str, Any]:
        return {name: json.dumps(value) for name, value in self._hyperparameters.items()}


class PyTorch(Framework):
    __module__ = "sagemaker.pytorch.estimator"


class Hyperparameter:
    """An attribute that isn't there before it is set, not even as None."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, thing: Any, owner: type) -> Any:
        if thing is None or self.name not in vars(thing):
            raise AttributeError(self.name)
        return vars(thing)[self.name]

    def __set__(self, thing: Any, value: Any) -> None:
        vars(thing)[self.name] = value


class KMeans(EstimatorBase):
    """Its hyperparameters are attributes, and one is taken from the records."""

    feature_dim = Hyperparameter()

    def __init__(self, *, k: int, **given: Any) -> None:
        super().__init__(**given)
        del self.image_uri
        self.k = k

    def training_image_uri(self) -> str:
        return "438346466558.dkr.ecr.eu-west-1.amazonaws.com/kmeans:1"

    def hyperparameters(self) -> dict[str, Any]:
        own = {"k": str(self.k), "force_dense": "True", "mini_batch_size": "5000"}
        return {**own, "feature_dim": str(self.feature_dim)} if hasattr(self, "feature_dim") else own


class HyperparameterTuner(Tuner):
    trainer = "estimator"

    def __init__(self, estimator: Any, *values: Any, **settings: Any) -> None:
        super().__init__(estimator, *values, **settings)

    @classmethod
    def create(cls, estimator_dict: Any, *values: Any, **settings: Any) -> Any:
        return cls.several(estimator_dict, *values, **settings)

    @classmethod
    def _prepare_estimator_for_tuning(cls, estimator: Any, inputs: Any, job_name: Any) -> None:
        """What the SDK leaves on an estimator after it uploaded the code and looked at the records."""
        if hasattr(inputs, "feature_dim"):
            estimator.feature_dim = inputs.feature_dim
        estimator.output_path = estimator.output_path or f"s3://{DEFAULT_BUCKET}/"
        if estimator.entry_point is None:
            return
        place = f"s3://bucket/{job_name}/source/sourcedir.tar.gz"
        isolated = estimator.enable_network_isolation()
        estimator.uploaded_code = (place, "train.py")
        estimator.code_uri = place if isolated else None
        estimator._hyperparameters |= {
            "sagemaker_submit_directory": "/opt/ml/input/data/code/sourcedir.tar.gz" if isolated else place,
            "sagemaker_program": "train.py",
            "sagemaker_container_log_level": 20,
            "sagemaker_job_name": job_name,
            "sagemaker_region": "eu-west-1",
        }


_IMPORTED = (IntegerParameter, ContinuousParameter, CategoricalParameter, ParameterString)


def kit(source_dir: Path) -> Kit:
    return Kit(vars(sys.modules[__name__]), source_dir)
