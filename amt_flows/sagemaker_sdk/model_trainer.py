"""A ``ModelTrainer`` of SDK v3 as AMT's training job definition, as the SDK's tuner writes it on ``tune``.

Of what was asked of the trainer, the SDK's tuner (3.27) leaves these out of its request; they are kept here:
``algorithm_name``, ``training_image_config``, everything of ``compute`` but the instances' type, count and
volume size (a key, the warm pool, ...), the longest pending time, network isolation and the encryption
between containers, the metric definitions of ``with_metric_definitions``, and 0 as a value. Debugging,
TensorBoard, infrastructure checks and session chaining only accompany a training job: left out, as there.
"""

from __future__ import annotations

from typing import Any, Final

from amt_flows.sagemaker_sdk.channels import v3_channels
from amt_flows.sagemaker_sdk.reading import Reader, without_empty

PREPARE: Final = "call `amt_flows.sagemaker_sdk.prepare(tuner)` first, which lets the SDK upload it"


def hyperparameters(reader: Reader, trainer: Any, at: str) -> dict[str, str]:
    """All of them, as the SDK writes them."""
    given = getattr(trainer, "hyperparameters", None) or {}
    if isinstance(given, str):
        reader.refuse(f"{at}.hyperparameters", given, "is a file's name; give the hyperparameters themselves")
        return {}
    return {str(name): reader.text(value, f"{at}.hyperparameters.{name}") for name, value in given.items()}


def definition(reader: Reader, trainer: Any, at: str, *, inputs: Any, inputs_at: str) -> dict[str, Any]:
    """The definition without hyperparameters, ranges and objective. Members that say nothing are left out."""
    _local_mode(reader, trainer, at)
    _source_code(reader, trainer, at)
    resources = dict(reader.get(trainer, "compute", at) or {})
    spot = resources.pop("EnableManagedSpotTraining", False)
    return dict(
        without_empty(
            {
                "AlgorithmSpecification": _algorithm(reader, trainer, at),
                "RoleArn": reader.get(trainer, "role", at) or "",
                "InputDataConfig": _channels(reader, trainer, at, inputs=inputs, inputs_at=inputs_at),
                "OutputDataConfig": reader.get(trainer, "output_data_config", at) or {},
                "ResourceConfig": resources,
                "StoppingCondition": reader.get(trainer, "stopping_condition", at) or {},
                "EnableManagedSpotTraining": spot,
                "CheckpointConfig": _checkpoints(reader, trainer, at),
                "Environment": reader.get(trainer, "environment", at) or {},
                "RetryStrategy": reader.get(trainer, "_retry_strategy", at) or {},
                **_network(reader, trainer, at),
            }
        )
    )


def metric_definitions(reader: Reader, trainer: Any, at: str) -> Any:
    return reader.get(trainer, "_metric_definitions", at)


def _local_mode(reader: Reader, trainer: Any, at: str) -> None:
    mode = reader.get(trainer, "training_mode", at)
    if mode == "LOCAL_CONTAINER":
        reader.refuse(
            f"{at}.training_mode",
            mode,
            "has no training job on SageMaker; use Mode.SAGEMAKER_TRAINING_JOB, or tune the training script "
            "itself with `training_job.command`",
        )


def _source_code(reader: Reader, trainer: Any, at: str) -> None:
    """The SDK packs a script and its drivers into a channel, in S3, when tuning starts.

    AMT's training jobs can't be given a command; the SDK's tuner would leave one out without a word and
    train with whatever the image runs by itself.
    """
    code = getattr(trainer, "source_code", None)
    if code is None:
        return
    script = reader.get(code, "entry_script", f"{at}.source_code")
    if script is None:
        reader.refuse(
            f"{at}.source_code",
            reader.get(code, "command", f"{at}.source_code"),
            "AMT can't pass a command to its training jobs; give an `entry_script`, or an image that runs it",
        )
    elif not getattr(trainer, "_tuner_channels", None):
        reader.refuse(f"{at}.source_code", script, f"is not in S3 yet; {PREPARE}")


def _algorithm(reader: Reader, trainer: Any, at: str) -> dict[str, Any]:
    image, name = reader.get(trainer, "training_image", at), reader.get(trainer, "algorithm_name", at)
    return {
        "TrainingImage": image or "",
        "AlgorithmName": name or "",
        "TrainingImageConfig": reader.get(trainer, "training_image_config", at) or {},
        "TrainingInputMode": reader.get(trainer, "training_input_mode", at) or "File",
    }


def _channels(reader: Reader, trainer: Any, at: str, *, inputs: Any, inputs_at: str) -> list[dict[str, Any]]:
    """The inputs, then the trainer's own channels and those of the code, each name once."""
    channels: dict[Any, dict[str, Any]] = {}
    for given, where in (
        (inputs, inputs_at),
        (getattr(trainer, "input_data_config", None), f"{at}.input_data_config"),
        (getattr(trainer, "_tuner_channels", None), f"{at}.source_code"),
    ):
        known = set(channels)
        for i, channel in enumerate(v3_channels(reader, given, where)):
            name = channel.get("ChannelName")
            # A name given twice in one list is kept twice, to be refused by the spec.
            if name not in known:
                channels[name if name not in channels else (name, i)] = channel
    return list(channels.values())


def _checkpoints(reader: Reader, trainer: Any, at: str) -> dict[str, Any]:
    checkpoints = dict(reader.get(trainer, "checkpoint_config", at) or {})
    if checkpoints and not checkpoints.get("S3Uri"):
        reader.refuse(f"{at}.checkpoint_config.s3_uri", None, "is needed: where in S3 checkpoints are kept")
    return checkpoints


def _network(reader: Reader, trainer: Any, at: str) -> dict[str, Any]:
    given = dict(reader.get(trainer, "networking", at) or {})
    alone = {
        name: given.pop(name, "")
        for name in ("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption")
    }
    return {**alone, "VpcConfig": given}
