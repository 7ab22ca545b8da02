"""An estimator of SDK v2 as AMT's training job definition, as the SDK's tuner writes it on ``fit``.

Of what was asked of the estimator, the SDK's tuner (2.257) leaves these out of its request; they are kept
here: the warm pool, instance groups, training plan and placement (for which ``ResourceConfig`` is written
instead of ``HyperParameterTuningResourceConfig``), the credentials of a private registry, the container's
entry point and arguments, and the estimator's metric definitions when the tuner has none. Debugging,
profiling and TensorBoard only accompany a training job: left out, as there.
"""

from __future__ import annotations

import json
from typing import Any, Final

from amt_flows.sagemaker_sdk.channels import v2_channels, v2_code_channel, v2_model_channel
from amt_flows.sagemaker_sdk.reading import Reader, is_a

PREPARE: Final = (
    "call `amt_flows.sagemaker_sdk.prepare(tuner, job_name=...)` first, which lets the SDK upload it"
)
# (attribute, member) of what only ResourceConfig can say.
_ONLY_RESOURCE_CONFIG: Final = (
    ("keep_alive_period_in_seconds", "KeepAlivePeriodInSeconds"),
    ("training_plan", "TrainingPlanArn"),
    ("instance_placement_config", "InstancePlacementConfig"),
)


def is_framework(estimator: object) -> bool:
    """Whether it is an estimator of a framework, such as PyTorch: its hyperparameters are JSON."""
    return is_a(estimator, "Framework")


def hyperparameters(reader: Reader, estimator: Any, at: str) -> dict[str, str]:
    """All of them, as the SDK writes them: with the estimator's class when it is a framework's."""
    texts = {}
    for name, value in estimator.hyperparameters().items():
        texts[str(name)] = reader.text(value, f"{at}.hyperparameters().{name}")
    if is_framework(estimator):
        kind = type(estimator)
        texts["sagemaker_estimator_class_name"] = json.dumps(kind.__name__)
        texts["sagemaker_estimator_module"] = json.dumps(estimator.__module__)
    return texts


def definition(reader: Reader, estimator: Any, at: str, *, inputs: Any, inputs_at: str) -> dict[str, Any]:
    """The definition without hyperparameters, ranges and objective."""
    _what_is_in_place(reader, estimator, at)
    optional = {
        "InputDataConfig": _channels(reader, estimator, at, inputs=inputs, inputs_at=inputs_at),
        "VpcConfig": reader.plain(estimator.get_vpc_config(), f"{at}.get_vpc_config()"),
        "EnableNetworkIsolation": estimator.enable_network_isolation() or None,
        "EnableInterContainerTrafficEncryption": reader.get(estimator, "encrypt_inter_container_traffic", at)
        or None,
        "EnableManagedSpotTraining": reader.get(estimator, "use_spot_instances", at) or None,
        "CheckpointConfig": _checkpoints(reader, estimator, at),
        "RetryStrategy": _retries(reader, estimator, at),
        "Environment": reader.get(estimator, "environment", at),
    }
    return {
        "AlgorithmSpecification": _algorithm(reader, estimator, at, inputs=inputs),
        "RoleArn": _role(reader, estimator, at),
        "OutputDataConfig": _output(reader, estimator, at),
        **_resources(reader, estimator, at),
        "StoppingCondition": _stopping(reader, estimator, at),
        **{name: value for name, value in optional.items() if value is not None},
    }


def metric_definitions(reader: Reader, estimator: Any, at: str) -> Any:
    return reader.get(estimator, "metric_definitions", at)


def _what_is_in_place(reader: Reader, estimator: Any, at: str) -> None:
    """What the SDK does when tuning starts must have been done."""
    code = next(
        (
            (name, getattr(estimator, name, None))
            for name in ("source_dir", "entry_point", "dependencies", "git_config")
            if getattr(estimator, name, None)
        ),
        None,
    )
    if code is not None and getattr(estimator, "uploaded_code", None) is None:
        reader.refuse(f"{at}.{code[0]}", str(code[1]), f"is not in S3 yet; {PREPARE}")
    # The SDK declares it in the class, and an attribute that isn't set isn't there.
    of_records = any("feature_dim" in vars(kind) for kind in type(estimator).__mro__)
    if of_records and getattr(estimator, "feature_dim", None) is None:
        reader.refuse(
            f"{at}.feature_dim",
            None,
            "the SDK takes it from the records; call `amt_flows.sagemaker_sdk.prepare(tuner, inputs=...)`",
        )


def _algorithm(reader: Reader, estimator: Any, at: str, *, inputs: Any) -> dict[str, Any]:
    channel_mode = getattr(inputs, "config", None)
    mode = channel_mode.get("InputMode") if isinstance(channel_mode, dict) else None
    arn = reader.get(estimator, "algorithm_arn", at)
    which = (
        {"AlgorithmName": arn}
        if arn
        else {"TrainingImage": reader.plain(estimator.training_image_uri(), f"{at}.training_image_uri()")}
    )
    beside = {
        "TrainingImageConfig": _registry(reader, estimator, at),
        "ContainerEntrypoint": reader.get(estimator, "container_entry_point", at),
        "ContainerArguments": reader.get(estimator, "container_arguments", at),
    }
    return {
        **which,
        "TrainingInputMode": mode or reader.get(estimator, "input_mode", at),
        **{name: value for name, value in beside.items() if value},
    }


def _registry(reader: Reader, estimator: Any, at: str) -> dict[str, Any] | None:
    access = reader.get(estimator, "training_repository_access_mode", at)
    provider = reader.get(estimator, "training_repository_credentials_provider_arn", at)
    if access is None:
        return None
    auth = (
        {"TrainingRepositoryAuthConfig": {"TrainingRepositoryCredentialsProviderArn": provider}}
        if provider
        else {}
    )
    return {"TrainingRepositoryAccessMode": access, **auth}


def _role(reader: Reader, estimator: Any, at: str) -> Any:
    role = reader.get(estimator, "role", at)
    if isinstance(role, str) and "/" not in role:
        reader.refuse(
            f"{at}.role",
            role,
            "is a role's name, whose ARN the SDK would ask IAM for; give the ARN "
            "(`estimator.sagemaker_session.expand_role(role)` finds it)",
        )
    return role


def _output(reader: Reader, estimator: Any, at: str) -> dict[str, Any]:
    path = reader.get(estimator, "output_path", at)
    if path is None:
        reader.refuse(
            f"{at}.output_path",
            None,
            "is needed: the S3 address under which the models are stored. (For the bucket that the SDK makes "
            "by default, call `amt_flows.sagemaker_sdk.prepare(tuner)`)",
        )
    key = reader.get(estimator, "output_kms_key", at)
    return {
        "S3OutputPath": path,
        **({"KmsKeyId": key} if key is not None else {}),
        **({"CompressionType": "NONE"} if getattr(estimator, "disable_output_compression", False) else {}),
    }


def _resources(reader: Reader, estimator: Any, at: str) -> dict[str, Any]:
    instance = reader.get(estimator, "instance_type", at)
    if instance in ("local", "local_gpu"):
        reader.refuse(
            f"{at}.instance_type",
            instance,
            "is the SDK's local mode, which has no training job on SageMaker; give an instance type, or tune "
            "the training script itself with `training_job.command`",
        )
    key = reader.get(estimator, "volume_kms_key", at)
    groups = [
        {
            "InstanceGroupName": reader.get(group, "instance_group_name", where),
            "InstanceType": reader.get(group, "instance_type", where),
            "InstanceCount": reader.get(group, "instance_count", where),
        }
        for where, group in (
            (f"{at}.instance_groups[{i}]", one)
            for i, one in enumerate(getattr(estimator, "instance_groups", None) or ())
        )
    ]
    only = {
        member: reader.get(estimator, attribute, at)
        for attribute, member in _ONLY_RESOURCE_CONFIG
        if getattr(estimator, attribute, None) is not None
    }
    resources = {
        **({"VolumeKmsKeyId": key} if key is not None else {}),
        **(
            {"InstanceGroups": groups}
            if groups
            else {"InstanceCount": reader.get(estimator, "instance_count", at), "InstanceType": instance}
        ),
        "VolumeSizeInGB": reader.get(estimator, "volume_size", at),
        **only,
    }
    return {"ResourceConfig" if groups or only else "HyperParameterTuningResourceConfig": resources}


def _stopping(reader: Reader, estimator: Any, at: str) -> dict[str, Any]:
    longest, wait = reader.get(estimator, "max_run", at), reader.get(estimator, "max_wait", at)
    return {"MaxRuntimeInSeconds": longest, **({"MaxWaitTimeInSeconds": wait} if wait else {})}


def _checkpoints(reader: Reader, estimator: Any, at: str) -> dict[str, Any] | None:
    address = reader.get(estimator, "checkpoint_s3_uri", at)
    path = reader.get(estimator, "checkpoint_local_path", at)
    return {"S3Uri": address, **({"LocalPath": path} if path else {})} if address else None


def _retries(reader: Reader, estimator: Any, at: str) -> dict[str, Any] | None:
    attempts = reader.get(estimator, "max_retry_attempts", at)
    return None if attempts is None else {"MaximumRetryAttempts": attempts}


def _channels(reader: Reader, estimator: Any, at: str, *, inputs: Any, inputs_at: str) -> Any:
    channels = v2_channels(reader, inputs, inputs_at)
    own = [v2_model_channel(reader, estimator, at), v2_code_channel(reader, estimator, at)]
    added = [channel for channel in own if channel is not None]
    return channels if not added else [*(channels or ()), *added]
