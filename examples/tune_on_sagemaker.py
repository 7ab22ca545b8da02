"""Tune the digits' network with training jobs on SageMaker, or on a simulated one.

    python examples/tune_on_sagemaker.py --simulator
    python examples/tune_on_sagemaker.py --role arn:aws:iam::<account>:role/<role> --bucket <bucket>

Uploads the data and the code, runs ``digits_on_sagemaker.toml`` with its records in the bucket, and prints
the result. With ``--simulator`` nothing leaves this machine and nothing costs: an AWS is simulated in which
the very same requests start the training script as processes. Needs ``amt-flows[sagemaker,examples]``, and
``amt-flows[simulator]`` for the simulator.
"""

from __future__ import annotations

import argparse
import io
import os
import secrets
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
from digits_network import prepare_channel
from rich.console import Console

import amt_flows.reporting
from amt_flows import AmtFlowsError, SageMakerBackend, TuningResult, TuningSpec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent
SPEC = HERE / "digits_on_sagemaker.toml"
FOLDER = "digits"
PLAY_ROLE = "arn:aws:iam::123456789012:role/simulated"
PLAY_BUCKET = "simulated"
REGION = "us-east-1"


def upload(bucket: str) -> None:
    """The training data, and the script with the one module it needs, as script mode wants them."""
    s3 = boto3.client("s3")
    with TemporaryDirectory() as directory:
        for file in prepare_channel(Path(directory)).iterdir():
            s3.upload_file(str(file), bucket, f"{FOLDER}/data/{file.name}")
    s3.put_object(Bucket=bucket, Key=f"{FOLDER}/code/sourcedir.tar.gz", Body=_archive())


def _archive() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for file in (HERE / "digits_network.py", Path(amt_flows.reporting.__file__)):
            archive.add(file, arcname=file.name)
    return packed.getvalue()


def spec_for(name: str, *, role: str, bucket: str, image: str | None, jobs: int, parallel: int) -> TuningSpec:
    """The example's spec with the caller's role and places in it."""
    text = SPEC.read_text(encoding="utf-8").replace("s3://my-bucket/", f"s3://{bucket}/")
    data: dict[str, Any] = {**tomllib.loads(text), "name": name}
    data["limits"] |= {"max_number_of_training_jobs": jobs, "max_parallel_training_jobs": parallel}
    request = data["training_job"]["sagemaker"]
    request["RoleArn"] = role
    if image:
        request["AlgorithmSpecification"]["TrainingImage"] = image
    return TuningSpec.parse(data)


@contextmanager
def simulated_aws() -> Iterator[None]:
    """An AWS of one's own for boto3, here and in the training jobs. It ends with this process."""
    from amt_flows.testing import SimulatedSageMaker

    os.environ.update(
        AWS_DEFAULT_REGION=REGION,
        # Two processes at once on small machines: a matrix library with a thread per core slows both.
        OMP_NUM_THREADS="1",
        OPENBLAS_NUM_THREADS="1",
    )
    with SimulatedSageMaker(commands={}) as world, world.serve():
        os.environ.update(world.environment)
        boto3.client("s3").create_bucket(Bucket=PLAY_BUCKET)
        yield


def run(arguments: argparse.Namespace) -> TuningResult:
    upload(arguments.bucket)
    name = arguments.name or f"digits-{secrets.token_hex(3)}"
    spec = spec_for(
        name,
        role=arguments.role,
        bucket=arguments.bucket,
        image=arguments.image,
        jobs=arguments.jobs,
        parallel=arguments.parallel,
    )
    home = f"s3://{arguments.bucket}/{FOLDER}/tunings"
    # Simulated jobs take seconds.
    backend = SageMakerBackend(poll_seconds=0.3 if arguments.simulator else 20)
    return amt_flows.tune(spec, backend, journal=amt_flows.open_journal(name, home), progress=True)


def main() -> None:
    arguments = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 170)
    try:
        if arguments.simulator:
            with simulated_aws():
                result = run(arguments)
        else:
            result = run(arguments)
    except AmtFlowsError as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        raise SystemExit(error.exit_code) from None
    home = result.journal.rpartition("/tunings/")[0] + "/tunings"
    console.print(amt_flows.terminal_summary(result, limit=8, home=home))
    if arguments.simulator:
        console.print("The simulated AWS is gone with this process, and with it the models and the record.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Tune a small neural network on SageMaker, or on a simulated one.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--simulator", action="store_true", help="simulate AWS on this machine")
    add("--role", help="ARN of the role that training jobs assume")
    add("--bucket", help="bucket for data, code, models and records; it must exist")
    add("--image", help="training image, instead of scikit-learn's of us-east-1")
    add("--name", help="the tuning job's, to go on with it")
    add("--jobs", type=int, default=12, help="training jobs at most")
    add("--parallel", type=int, default=2, help="training jobs at once")
    arguments = parser.parse_args()
    if arguments.simulator:
        arguments.role, arguments.bucket = arguments.role or PLAY_ROLE, arguments.bucket or PLAY_BUCKET
    elif not (arguments.role and arguments.bucket):
        parser.error("give --role and --bucket, or --simulator")
    return arguments


if __name__ == "__main__":
    main()
