"""boto3's calls of SageMaker and CloudWatch Logs as plain calls of the simulated service: without HTTP, and
without writing and parsing what is sent, which is nearly all that they cost.

What is called, counted, refused and answered is the same; ``sagemaker_calls.py --through-http`` shows it.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any, Final
from unittest import mock

from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto.core import DEFAULT_ACCOUNT_ID
from moto.logs.models import logs_backends

from amt_flows.testing.sagemaker import SimulatedSageMaker
from amt_flows.testing.sagemaker.calls import Call
from amt_flows.testing.sagemaker.refusals import Refusal

STREAMS_A_PAGE: Final = 50
EVENTS_A_PAGE: Final = 10_000


@contextmanager
def direct_calls(world: SimulatedSageMaker, region: str) -> Iterator[None]:
    """Meanwhile clients of boto3 call this world so. Raises NotImplementedError for other services."""
    logs = _Logs(region)

    def call(client: Any, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        service = str(client.meta.service_model.service_name)
        sent = {name: _sent(value) for name, value in params.items()}
        try:
            world.admit(service, operation, sent)
            if service == "logs":
                return logs.answer(operation, sent)
            answer = world.answer(Call(operation, DEFAULT_ACCOUNT_ID, region, sent))
        except Refusal as refusal:
            raise _error(operation, refusal.code, refusal.message, refusal.status) from None
        if answer is None:
            raise NotImplementedError(f"{service}:{operation}")
        return {name: _received(value) for name, value in answer.items()}

    with mock.patch.object(BaseClient, "_make_api_call", call):
        yield


def _error(operation: str, code: str, message: str, status: int) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, operation)


def _sent(value: Any) -> Any:
    return value.timestamp() if isinstance(value, datetime) else value


def _received(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=timezone.utc)
    if isinstance(value, Mapping):
        return {name: _received(one) for name, one in value.items()}
    return [_received(one) for one in value] if isinstance(value, list) else value


class _Logs:
    """CloudWatch Logs of moto's, with the names of its streams in order."""

    def __init__(self, region: str) -> None:
        self._backend = logs_backends[DEFAULT_ACCOUNT_ID][region]
        self._names: list[str] = []

    def answer(self, operation: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        group = self._backend.groups.get(asked["logGroupName"])
        if group is None:
            raise _error(
                operation, "ResourceNotFoundException", "The specified log group does not exist.", 400
            )
        if operation == "DescribeLogStreams":
            if len(self._names) != len(group.streams):
                self._names = sorted(group.streams)
            first = bisect.bisect_left(self._names, asked["logStreamNamePrefix"])
            names = self._names[first : first + STREAMS_A_PAGE]
            found = [name for name in names if name.startswith(asked["logStreamNamePrefix"])]
            assert len(found) < STREAMS_A_PAGE, "a training job has few streams"
            return {"logStreams": [group.streams[name].to_describe_dict() for name in found]}
        if operation != "GetLogEvents":
            raise NotImplementedError(f"logs:{operation}")
        events, back, forward = group.streams[asked["logStreamName"]].get_log_events(
            None,
            None,
            asked.get("limit", EVENTS_A_PAGE),
            asked.get("nextToken"),
            asked["startFromHead"],
        )
        return {"events": events, "nextBackwardToken": back, "nextForwardToken": forward}
