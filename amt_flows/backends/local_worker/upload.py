"""A training job's model to S3, from the machine that trained it: as ``model.tar.gz``, where and as SageMaker
has it. The worker is of the standard library alone and uploads nothing itself: it starts this file, with the
environment of its training, as a program that may import boto3.

``python3 upload.py JOBDIR s3://bucket/prefix`` prints one line of JSON: ``{"artifact": URI}``, or
``{"problem": SENTENCE}`` when the model stays where it is.
"""

# No pathlib in what the worker loads: its import would cost every training job milliseconds.
# ruff: noqa: PTH100, PTH118, PTH208

from __future__ import annotations

import json
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_SECONDS = 3600.0
LOOK_SECONDS = 0.1
LONGEST_PROBLEM = 500


def has_model(directory: str) -> bool:
    try:
        return bool(os.listdir(os.path.join(directory, "model")))
    except OSError:
        return False


def uploaded(
    directory: str, output_path: str, environment: dict[bytes, bytes], gives_up: Callable[[], str]
) -> dict[str, str]:
    """What the program says. ``gives_up`` is asked again and again whether to wait no longer: a few words of
    why, or nothing."""
    import subprocess
    import tempfile

    program = [sys.executable or "python3", os.path.abspath(__file__), directory, output_path]
    give_up_at = time.monotonic() + LONGEST_SECONDS
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                program,
                env=environment,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            return {"problem": f"what uploads it can't be started: {error.strerror}"}
        while process.poll() is None:
            why = gives_up() or ("it took longer than an hour" if time.monotonic() >= give_up_at else "")
            if why:
                process.kill()
                process.wait()
                return {"problem": why}
            time.sleep(LOOK_SECONDS)
        output.seek(0)
        said = output.read().decode("utf-8", "replace").strip()
    try:
        answer = json.loads(said.rpartition("\n")[2])
        return {name: str(text) for name, text in answer.items()}
    except (ValueError, AttributeError):
        return {"problem": f"what uploads it ended with {process.returncode}: {said[-LONGEST_PROBLEM:]}"}


def main(directory: str, output_path: str) -> int:
    bucket, _, prefix = output_path[len("s3://") :].partition("/")
    # Its directory is called after the job, in small letters; its request has the name as it is.
    with open(os.path.join(directory, "request.json"), encoding="utf-8") as file:  # noqa: PTH123
        name = json.load(file)["name"]
    key = "/".join(part for part in (prefix.strip("/"), name, "output", "model.tar.gz") if part)
    try:
        _put(os.path.join(directory, "model"), directory, bucket, key)
    except ModuleNotFoundError as error:
        said = f"{error.name} is not installed for {sys.executable}; install boto3 on the machines that train"
        print(json.dumps({"problem": said}))
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        print(json.dumps({"problem": said[:LONGEST_PROBLEM]}))
    else:
        print(json.dumps({"artifact": f"s3://{bucket}/{key}"}))
    return 0


def _put(model: str, beside: str, bucket: str, key: str) -> None:
    """Archive the model into a file that has no name, and upload that. Raises whatever boto3 does."""
    import tarfile
    import tempfile

    import boto3
    from botocore.config import Config

    with tempfile.TemporaryFile(dir=beside) as archive:
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            for entry in sorted(os.listdir(model)):
                tar.add(os.path.join(model, entry), arcname=entry)
        archive.seek(0)
        patient = Config(retries={"mode": "standard", "total_max_attempts": 8})
        boto3.client("s3", config=patient).upload_fileobj(archive, bucket, key)


if __name__ == "__main__":
    # Its neighbours have names that others' modules have, too.
    del sys.path[0]
    sys.exit(main(*sys.argv[1:]))
