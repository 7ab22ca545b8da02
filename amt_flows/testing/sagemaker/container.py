"""The container of a training job that really runs: filled before it starts, and what it left saved in S3.

The layout below /opt/ml, the files of settings and the failure file are those of the guide's page "How Amazon
SageMaker AI provides training information" and of the public training toolkit; which of its SM_ variables are
set is the toolkit's. The words about what can't be downloaded are assumed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amt_flows.backends.container import HOST, Container, variables
from amt_flows.testing.sagemaker.artifacts import Storage, files_in, output_uri, tar_gz
from amt_flows.testing.sagemaker.commands import Command, decoded, of_the_user, plain_text, user_arguments
from amt_flows.testing.sagemaker.job import SimulatedTrainingJob
from amt_flows.testing.sagemaker.unpacking import Unpackable, unpack


class CannotPrepare(Exception):
    """The container can't be filled; the text is the job's failure reason."""


def checkpoints(container: Container, request: Mapping[str, Any]) -> Path:
    """Where a request has them: it may name another place below ``/opt/ml``."""
    given = str((request.get("CheckpointConfig") or {}).get("LocalPath") or "/opt/ml/checkpoints")
    inside = container.base / given.removeprefix("/opt/ml").strip("/")
    return inside if inside.is_relative_to(container.base) else container.checkpoints


def failure_text(container: Container) -> str:
    """What the training wrote about its failure."""
    try:
        return (container.output / "failure").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def prepare(container: Container, job: SimulatedTrainingJob, storage: Storage) -> None:
    """Make the directory anew, as on a new machine, and download what the job reads.

    Raises CannotPrepare.
    """
    shutil.rmtree(container.base, ignore_errors=True)
    container.make()
    container.write_config(config_files(job))
    for channel in job.request.get("InputDataConfig") or ():
        _download_channel(container, channel, storage)
    _unpack_sources(container, job, storage)
    kept = checkpoints(container, job.request)
    kept.mkdir(parents=True, exist_ok=True)
    if job.checkpointed:
        storage.download(_checkpoint_uri(job), kept)


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
    directory = container.channel(name)
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
    try:
        unpack(found[0][1], container.code)
    except Unpackable as error:
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
        "AWS_REGION": job.region,
        "AWS_DEFAULT_REGION": job.region,
        **aws,
        "TRAINING_JOB_ARN": job.arn,
        "SM_CURRENT_INSTANCE_TYPE": str(resources.get("InstanceType") or ""),
        **variables(
            container,
            job.name,
            {name: decoded(value) for name, value in values.items()},
            {name: plain_text(value) for name, value in values.items()},
            user_arguments(values),
            channels,
            checkpoints=checkpoints(container, job.request),
        ),
        **(job.request.get("Environment") or {}),
        **command.environment,
    }


def save_checkpoints(container: Container, job: SimulatedTrainingJob, storage: Storage) -> None:
    """Checkpoints outlive the machine if the request says where. Raises MissingBucket."""
    if job.checkpointed:
        storage.upload(checkpoints(container, job.request), _checkpoint_uri(job))


def save_output_data(container: Container, job: SimulatedTrainingJob, storage: Storage) -> None:
    """What the training left in ``output/data``, if anything. Raises MissingBucket."""
    files = dict(files_in(container.output / "data"))
    if files:
        storage.put(output_uri(job.request, job.name, "output.tar.gz"), tar_gz(files))


def _checkpoint_uri(job: SimulatedTrainingJob) -> str:
    return str(job.request["CheckpointConfig"]["S3Uri"]).rstrip("/") + "/"
