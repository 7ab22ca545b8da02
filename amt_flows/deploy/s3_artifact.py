"""A model that is in S3, on this machine for a moment."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from amt_flows.backends.sagemaker.errors import call_error, diagnose
from amt_flows.deploy.local_artifact import address, refused
from amt_flows.errors import BackendError


@contextmanager
def download(artifact: str, beside: Path, client: Any = None) -> Iterator[Path]:
    """The archive, or the directory that an uncompressed model's address (it ends with ``/``) names; gone
    with the ``with`` block. It is kept in ``beside`` meanwhile. Raises BackendError, DeployRejected."""
    parts = address(artifact)
    bucket, key = parts.netloc, parts.path.lstrip("/")
    place = beside / "download"
    try:
        client = client or _client()
        if key.endswith("/"):
            place.mkdir()
            _objects(client, bucket, key, place)
        else:
            client.download_file(bucket, key, str(place))
        yield place
    except OSError:
        raise
    except Exception as error:
        raise call_error(f"downloading {artifact}", diagnose(error)) from error
    finally:
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)


def _client() -> Any:
    try:
        import boto3
    except ModuleNotFoundError as error:
        raise BackendError(
            "A model in S3 needs boto3, which is not installed.", remedy="pip install 'amt-flows[sagemaker]'"
        ) from error
    return boto3.client("s3")


def _objects(client: Any, bucket: str, prefix: str, place: Path) -> None:
    root = place.resolve()
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", ()):
            relative = item["Key"][len(prefix) :]
            path = place / relative
            if not relative or relative.endswith("/"):
                continue
            if not path.resolve().is_relative_to(root):
                raise refused(item["Key"], "is the key of an object that leads out of the model")
            path.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(bucket, item["Key"], str(path))
