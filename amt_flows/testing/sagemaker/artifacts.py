"""The simulated S3 as the service itself uses it: input data, checkpoints and models.

Written to moto's backend directly, for the same reason as :mod:`.publishing`.
"""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from moto.s3.models import s3_backends
from moto.utilities.utils import get_partition

from amt_flows.testing.sagemaker.bucket_names import is_bucket_name


class MissingBucket(Exception):
    """There is no such bucket."""


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of ``s3://bucket/key``."""
    parts = urlsplit(uri)
    return parts.netloc, parts.path.lstrip("/")


def join_uri(*parts: str) -> str:
    return "/".join(part.strip("/") for part in parts if part.strip("/"))


class Storage:
    """S3 of one account and region."""

    def __init__(self, account: str, region: str, *, create_buckets: bool) -> None:
        self._backend: Any = s3_backends[account][get_partition(region)]
        self._region = region
        self._create = create_buckets

    def put(self, uri: str, data: bytes) -> None:
        """Write an object. Raises MissingBucket."""
        bucket, key = split_uri(uri)
        if bucket not in self._backend.buckets:
            if not self._create or not is_bucket_name(bucket):
                raise MissingBucket(bucket)
            self._backend.create_bucket(bucket, self._region)
        self._backend.put_object(bucket, key, data, disable_notification=True)

    def under(self, uri: str) -> list[tuple[str, bytes]]:
        """The objects whose keys begin with that of ``uri``, each with its path below it."""
        bucket, prefix = split_uri(uri)
        if bucket not in self._backend.buckets:
            return []
        found = []
        for key, item in sorted(self._objects(bucket)):
            if key.startswith(prefix) and not key.endswith("/"):
                # The prefix may end within a name: `s3://b/train` holds train.csv, too.
                folder = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
                relative = key[len(folder) :] if key.startswith(folder) else key[prefix.rfind("/") + 1 :]
                found.append((relative, bytes(item.value)))
        return found

    def _objects(self, bucket: str) -> list[tuple[str, Any]]:
        # Other threads put objects meanwhile, and moto has no lock around them.
        while True:
            try:
                return list(self._backend.buckets[bucket].keys.items())
            except RuntimeError:
                continue

    def download(self, uri: str, directory: Path) -> int:
        """Copy the objects below ``uri`` to a directory. Returns how many there were."""
        found = self.under(uri)
        for relative, data in found:
            path = directory / relative
            if not path.resolve().is_relative_to(directory.resolve()):
                continue  # a key like `../x` stays where it is
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return len(found)

    def upload(self, directory: Path, uri: str) -> None:
        """Copy the files of a directory to below ``uri``. Raises MissingBucket."""
        for relative, data in files_in(directory):
            self.put(join_uri(uri, relative), data)


def files_in(directory: Path) -> Iterator[tuple[str, bytes]]:
    """(path below it, content) of the files in a directory. What outlived the training may still be renaming
    and removing some; those are left out."""
    for path in sorted(Path(place, name) for place, _, names in os.walk(directory) for name in names):
        try:
            content = path.read_bytes() if path.is_file() else None
        except FileNotFoundError:
            continue
        if content is not None:
            yield path.relative_to(directory).as_posix(), content


def tar_gz(files: Mapping[str, bytes]) -> bytes:
    """An archive of some files, the same for the same files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), compresslevel=1, mtime=0)


def output_uri(request: Mapping[str, Any], job: str, name: str) -> str:
    """Where a file of a job's output goes."""
    return join_uri(str(request["OutputDataConfig"]["S3OutputPath"]), job, "output", name)


def model_uri(request: Mapping[str, Any], job: str) -> str:
    """Where a job's model goes: an archive, or the place that its files are below."""
    if request["OutputDataConfig"].get("CompressionType") == "NONE":
        return output_uri(request, job, "model") + "/"
    return output_uri(request, job, "model.tar.gz")


def save_model(storage: Storage, uri: str, files: Mapping[str, bytes]) -> None:
    """Upload a model to its place. Raises MissingBucket."""
    if not uri.endswith("/"):
        storage.put(uri, tar_gz(files))
        return
    for name, data in files.items():
        storage.put(uri + name, data)
