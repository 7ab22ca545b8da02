"""Where moto's other services are less like AWS than the simulated SageMaker needs: S3's names of buckets,
CloudWatch's pages, and a question to IAM."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.responses import IamResponse
from moto.logs.models import LogStream
from moto.logs.responses import LogsResponse
from moto.s3.exceptions import InvalidBucketName
from moto.s3.models import S3Backend

from amt_flows.testing.sagemaker.bucket_names import is_bucket_name
from amt_flows.testing.sagemaker.log_pages import cut, empty_first
from amt_flows.testing.sagemaker.policy_simulation import simulated

Method = Callable[..., Any]


def patches(empty_pages: Callable[[], int]) -> Iterator[tuple[Any, str, Method]]:
    """Classes of moto's, the names of their methods, and what is to be there. ``empty_pages``: how many
    GetLogEvents answers before one that has events."""
    yield S3Backend, "create_bucket", _create_bucket(S3Backend.create_bucket)
    yield LogStream, "get_log_events", _get_log_events(LogStream.get_log_events, empty_pages)
    yield LogsResponse, "filter_log_events", _filter_log_events(LogsResponse.filter_log_events)
    yield IamResponse, "simulate_principal_policy", _simulate_policy


def _create_bucket(original: Method) -> Method:
    def create_bucket(self: Any, bucket_name: str, *args: Any, **kwargs: Any) -> Any:
        if not is_bucket_name(bucket_name):
            raise InvalidBucketName()
        return original(self, bucket_name, *args, **kwargs)

    return create_bucket


def _get_log_events(original: Method, empty_pages: Callable[[], int]) -> Method:
    def get_log_events(
        self: Any, start_time: Any, end_time: Any, limit: Any, next_token: Any, start_from_head: Any
    ) -> Any:
        page = original(self, start_time, end_time, limit, next_token, start_from_head)
        from_the_end = str(next_token).startswith("b") if next_token else not start_from_head
        page = cut(page, from_the_end=from_the_end)
        return page if from_the_end else empty_first(next_token, page, empty_pages())

    return get_log_events


def _filter_log_events(original: Method) -> Method:
    """Moto would show the events of all streams to whoever asks for those with a prefix."""

    def filter_log_events(self: Any) -> Any:
        prefix = self._get_param("logStreamNamePrefix")
        group = self.logs_backend.groups.get(self._get_param("logGroupName"))
        if not prefix or group is None:
            return original(self)
        names = [name for name in group.streams if name.startswith(prefix)]
        asked = ("startTime", "endTime", "limit", "nextToken", "filterPattern")
        if not names:
            return json.dumps({"events": [], "searchedLogStreams": []})
        events, token, searched = self.logs_backend.filter_log_events(
            self._get_param("logGroupName"), names, *(self._get_param(one) for one in asked), True
        )
        return json.dumps({"events": events, "nextToken": token, "searchedLogStreams": searched})

    return filter_log_events


def _simulate_policy(self: Any) -> Any:
    return ActionResult(
        simulated(
            str(self.current_account),
            str(self.region),
            str(self._get_param("PolicySourceArn")),
            self._get_param("ActionNames") or [],
            self._get_param("ResourceArns") or [],
        )
    )
