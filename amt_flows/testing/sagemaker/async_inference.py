"""InvokeEndpointAsync: an answer that is left in S3.

By https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointAsync.html and
https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-check-predictions.html: the caller is told at
once where the answer will be, ``ID.out``, and where a failure will be, ``ID-error.out``. What refusals and a
failure's object say is assumed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from amt_flows.testing.sagemaker.artifacts import MissingBucket, Storage, join_uri
from amt_flows.testing.sagemaker.inference import Inference, Invocation
from amt_flows.testing.sagemaker.refusals import Refusal

LONGEST_SECONDS: Final = 900.0
"""So long may a model take where the request says nothing, says the reference."""


@dataclass(frozen=True)
class AsyncInvocation:
    """A request, as its headers and its body have it."""

    body: bytes
    content_type: str = ""
    accept: str = ""
    location: str = ""
    """Where the input is in S3; empty where it is the body."""
    inference_id: str = ""
    extension: str = ""
    """Of the output's path, below that of the configuration."""
    filename: str = ""
    seconds: float = LONGEST_SECONDS


@dataclass(frozen=True)
class Promised:
    """What the caller is told at once."""

    inference_id: str
    output: str
    failure: str


def promised(endpoint: str, configuration: Mapping[str, Any], asked: AsyncInvocation) -> Promised:
    """Where the answer to a request will be. Raises Refusal."""
    output = (configuration.get("AsyncInferenceConfig") or {}).get("OutputConfig")
    if output is None:
        raise Refusal(
            "ValidationError",
            f"Endpoint {endpoint} has no AsyncInferenceConfig: InvokeEndpointAsync is not supported for it.",
        )
    if bool(asked.location) == bool(asked.body):
        raise Refusal("ValidationError", "One of InputLocation and Body is needed, and not both.")
    folder = str(output.get("S3OutputPath") or "")
    if not folder:
        # The reference doesn't say which bucket it is then.
        raise Refusal(
            "ValidationError",
            "The simulated AWS: an AsyncInferenceConfig without S3OutputPath is not simulated.",
        )
    made = str(uuid.uuid4())
    name = asked.filename or f"{made}.out"
    failures = str(output.get("S3FailurePath") or folder)
    return Promised(
        asked.inference_id or made,
        _below(folder, asked.extension, name),
        _below(failures, asked.extension, f"{made}-error.out"),
    )


def _below(folder: str, *parts: str) -> str:
    return f"s3://{join_uri(folder.removeprefix('s3://'), *parts)}"


def keep_promise(
    promise: Promised, asked: AsyncInvocation, storage: Storage, answer: Callable[[Invocation], Inference]
) -> None:
    """Put the answer of a model where it was promised, or why there is none."""
    try:
        body = _input(asked, storage)
        found = answer(Invocation(body, asked.content_type, asked.accept))
        _put(storage, promise.output, found.body)
    except Refusal as error:
        _put(storage, promise.failure, error.message.encode())


def _input(asked: AsyncInvocation, storage: Storage) -> bytes:
    if not asked.location:
        return asked.body
    found = [data for path, data in storage.under(asked.location) if asked.location.endswith(path)]
    if not found:
        raise Refusal("ModelError", f"There is no input at {asked.location}.")
    return found[0]


def _put(storage: Storage, uri: str, data: bytes) -> None:
    try:
        storage.put(uri, data)
    except MissingBucket as missing:
        raise Refusal("ModelError", f"The bucket {missing} of the output does not exist.") from None
