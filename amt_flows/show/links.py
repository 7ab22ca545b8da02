"""Where a click on a training job's log or model leads.

A training job's record has addresses as its backend tells them: a ``file:`` URI on one's own machine; on
SageMaker the page of AWS's console with the log, and the ``s3:`` URI of the model, which no browser opens.
"""

from __future__ import annotations

import re
from typing import Final, Protocol
from urllib.parse import quote

_CONSOLE: Final = re.compile(
    r"https://(?P<region>[a-z0-9-]+)\.(?P<domain>console\.(?:aws\.amazon\.com|amazonaws\.cn|amazonaws-us-gov\.com))/"
)
"""AWS's console has a host for each region, and a domain for each partition:
https://docs.aws.amazon.com/general/latest/gr/mgmt-console.html"""
_LOCAL: Final = "file:///"
_MAY_BE_OPENED: Final = ("https://", "http://", _LOCAL)
"""An address comes from a backend or a record that anybody may have written; ``javascript:`` is one too."""
_OF_ADDRESSES: Final = "!#$%&'*+,-./:=?@_~"
"""What stands in an address as it is. The rest, which would end a link in HTML or markdown (or turn a part of
it into a character there, as a semicolon does), is quoted."""


class Addressed(Protocol):
    """A training job, or the record of one."""

    @property
    def artifact(self) -> str | None: ...

    @property
    def log(self) -> str | None: ...


def log_link(job: Addressed) -> str | None:
    """An address that opens the log of a training job; None when there is none."""
    return _opened(job.log)


def model_link(job: Addressed) -> str | None:
    """An address that opens the model of a training job: for one in S3 the page of the console, of the same
    partition and region as the page with its log. None when there is none, or nothing can open it."""
    if job.artifact is not None and job.artifact.startswith("s3://"):
        return _in_the_console(job.artifact, job.log)
    return _opened(job.artifact)


def is_local(link: str) -> bool:
    """Whether it leads to a file of this machine, which a browser opens from a page of this machine only: no
    page of a server may link to one."""
    return link.startswith(_LOCAL)


def _opened(address: str | None) -> str | None:
    if address is None or not address.startswith(_MAY_BE_OPENED):
        return None
    return quote(address, safe=_OF_ADDRESSES)


def _in_the_console(uri: str, log: str | None) -> str | None:
    console = _CONSOLE.match(log or "")
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if console is None or not bucket:
        return None
    region, kind = console["region"], "object" if key and not key.endswith("/") else "buckets"
    return (
        f"https://{region}.{console['domain']}/s3/{kind}/{quote(bucket, safe='')}"
        f"?region={region}&prefix={quote(key, safe='/')}"
    )
