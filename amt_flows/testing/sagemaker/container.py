"""SageMaker's container layout in a directory of this machine.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo.html has the files; the ``SM_``
variables are those of SageMaker's training toolkit. This is written apart from the local backend, which keeps
the same contract: a test of one against the other would prove nothing if they shared it.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amt_flows.testing.sagemaker.artifacts import Storage, files_in, output_uri, tar_gz
from amt_flows.testing.sagemaker.commands import Command, decoded, of_the_user, plain_text, user_arguments
from amt_flows.testing.sagemaker.job import SimulatedTrainingJob

HOST = "algo-1"


class CannotPrepare(Exception):
    """The container can't be filled; the text is the job's failure reason."""


@dataclass(frozen=True)
class Container:
    """The directory that stands for ``/opt/ml`` of one job."""

    base: Path

    @property
    def model(self) -> Path:
        return self.base / "model"

    @property
    def output(self) -> Path:
        return self.base / "output"

    @property
    def code(self) -> Path:
        return self.base / "code"

    def data(self, channel: str) -> Path:
        return self.base / "input/data" / channel

    def checkpoints(self, request: Mapping[str, Any]) -> Path:
        """The request may name another place below /opt/ml."""
        given = str((request.get("CheckpointConfig") or {}).get("LocalPath") or "/opt/ml/checkpoints")
        inside = self.base / given.removeprefix("/opt/ml").strip("/")
        return inside if inside.is_relative_to(self.base) else self.base / "checkpoints"

    def failure(self) -> str:
        """What the training wrote about its failure."""
        try:
            return (self.output / "failure").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""


def prepare(container: Container, job: SimulatedTrainingJob, storage: Storage) -> None:
    """Make the directory anew, as on a new machine, and download what the job reads.

    Raises CannotPrepare.
    """
    shutil.rmtree(container.base, ignore_errors=True)
    for directory in ("input/config", "input/data", "model", "output/data"):
        (container.base / directory).mkdir(parents=True)
    for name, content in config_files(job).items():
        path = container.base / "input/config" / name
        path.write_text(json.dumps(content), encoding="utf-8")
    for channel in job.request.get("InputDataConfig") or ():
        _download_channel(container, channel, storage)
    _unpack_sources(container, job, storage)
    checkpoints = container.checkpoints(job.request)
    checkpoints.mkdir(parents=True, exist_ok=True)
    if job.checkpointed:
        storage.download(_checkpoint_uri(job), checkpoints)


def config_files(job: SimulatedTrainingJob) -> dict[str, Any]:
    """The content of the files in ``input/config``."""
    channels = {
        str(channel["ChannelName"]): {
            "TrainingInputMode": channel.get("InputMode") or "File",
            "S3DistributionType": (channel["DataSource"].get("S3DataSource") or {}).get(
                "S3DataDistributionType", "FullyReplicated"
            ),
            "RecordWrapperType": channel.get("RecordWrapperType") or "None",
            **({"ContentType": channel["ContentType"]} if channel.get("ContentType") else {}),
        }
        for channel in job.request.get("InputDataConfig") or ()
    }
    resources = {
        "current_host": HOST,
        "hosts": [HOST],
        "current_instance_type": (job.request.get("ResourceConfig") or {}).get("InstanceType"),
        "network_interface_name": "lo",
    }
    return {
        "hyperparameters.json": job.hyperparameters,
        "inputdataconfig.json": channels,
        "resourceconfig.json": resources,
    }


def _download_channel(container: Container, channel: Mapping[str, Any], storage: Storage) -> None:
    name, source = str(channel["ChannelName"]), channel["DataSource"].get("S3DataSource")
    if source is None:
        raise CannotPrepare(f"ClientError: only S3 is simulated as a data source (channel {name})")
    directory = container.data(name)
    directory.mkdir(parents=True, exist_ok=True)
    if not storage.download(str(source["S3Uri"]), directory):
        raise CannotPrepare(
            f'ClientError: Data download failed: no S3 objects found under S3 URL "{source["S3Uri"]}" given '
            f"in input data source of channel {name}"
        )


def _unpack_sources(container: Container, job: SimulatedTrainingJob, storage: Storage) -> None:
    """Script mode: an archive in S3, or a directory of this machine."""
    given = job.hyperparameters.get("sagemaker_submit_directory")
    if given is None:
        return
    place = str(decoded(given))
    if not place.startswith("s3://"):
        source = Path(place.removeprefix("file://"))
        if not source.is_dir():
            raise CannotPrepare(f"ClientError: sagemaker_submit_directory is no directory: {place}")
        shutil.copytree(source, container.code)
        return
    found = storage.under(place)
    if not found:
        raise CannotPrepare(f"ClientError: sagemaker_submit_directory does not exist: {place}")
    container.code.mkdir()
    try:
        with tarfile.open(fileobj=io.BytesIO(found[0][1])) as archive:
            if hasattr(tarfile, "data_filter"):
                archive.extractall(container.code, filter="data")
            else:
                archive.extractall(container.code)  # noqa: S202 -- the user's own sources, in an old Python
    except tarfile.TarError as error:
        raise CannotPrepare(f"ClientError: {place} can't be unpacked: {error}") from None


def environment(
    container: Container, job: SimulatedTrainingJob, command: Command, aws: Mapping[str, str]
) -> dict[str, str]:
    """The variables of the training process; the request's own and the command's win."""
    values = of_the_user(job.hyperparameters)
    channels = [str(c["ChannelName"]) for c in job.request.get("InputDataConfig") or ()]
    resources = job.request.get("ResourceConfig") or {}
    return {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "AWS_REGION": job.region,
        "AWS_DEFAULT_REGION": job.region,
        **aws,
        "SAGEMAKER_BASE_DIR": str(container.base),
        "TRAINING_JOB_NAME": job.name,
        "TRAINING_JOB_ARN": job.arn,
        "SM_HPS": json.dumps({name: decoded(value) for name, value in values.items()}),
        "SM_USER_ARGS": json.dumps(user_arguments(values)),
        "SM_MODEL_DIR": str(container.model),
        "SM_CHECKPOINT_DIR": str(container.checkpoints(job.request)),
        "SM_OUTPUT_DIR": str(container.output),
        "SM_OUTPUT_DATA_DIR": str(container.output / "data"),
        "SM_INPUT_DIR": str(container.base / "input"),
        "SM_INPUT_CONFIG_DIR": str(container.base / "input/config"),
        "SM_CHANNELS": json.dumps(sorted(channels)),
        "SM_HOSTS": json.dumps([HOST]),
        "SM_CURRENT_HOST": HOST,
        "SM_CURRENT_INSTANCE_TYPE": str(resources.get("InstanceType") or ""),
        "SM_NUM_CPUS": str(os.cpu_count() or 1),
        "SM_NUM_GPUS": "0",
        **{_variable("SM_HP_", name): plain_text(value) for name, value in values.items()},
        **{_variable("SM_CHANNEL_", name): str(container.data(name)) for name in channels},
        **(job.request.get("Environment") or {}),
        **command.environment,
    }


def _variable(prefix: str, name: str) -> str:
    return prefix + re.sub(r"[^A-Za-z0-9]", "_", name).upper()


def save_checkpoints(container: Container, job: SimulatedTrainingJob, storage: Storage) -> None:
    """Checkpoints outlive the machine if the request says where. Raises MissingBucket."""
    if job.checkpointed:
        storage.upload(container.checkpoints(job.request), _checkpoint_uri(job))


def save_output_data(container: Container, job: SimulatedTrainingJob, storage: Storage) -> None:
    """What the training left in ``output/data``, if anything. Raises MissingBucket."""
    files = dict(files_in(container.output / "data"))
    if files:
        storage.put(output_uri(job.request, job.name, "output.tar.gz"), tar_gz(files))


def _checkpoint_uri(job: SimulatedTrainingJob) -> str:
    return str(job.request["CheckpointConfig"]["S3Uri"]).rstrip("/") + "/"
