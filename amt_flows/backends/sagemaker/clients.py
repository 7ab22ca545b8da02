"""The boto3 clients, made when they are first needed."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

from amt_flows.errors import BackendError

MAX_ATTEMPTS: Final = 10
"""SageMaker throttles Create, Describe, Stop and Search alike, and at a few calls a second: botocore's
adaptive mode slows the client down to what is let through."""

PARTITION_DOMAINS: Final = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


class Clients:
    """Clients of one session, region and endpoint. Importing this file needs no boto3; using it does.

    ``config`` is a botocore ``Config`` that takes the place of ours.
    """

    def __init__(self, session: Any, region: str | None, endpoint_url: str | None, config: Any) -> None:
        self._session = session
        self._region = region
        self._endpoint_url = endpoint_url
        self._config = config

    @cached_property
    def session(self) -> Any:
        """Raises BackendError without boto3."""
        if self._session is not None:
            return self._session
        try:
            import boto3.session
        except ModuleNotFoundError as error:
            raise BackendError(
                "The SageMaker backend needs boto3, which is not installed.",
                remedy="pip install 'amt-flows[sagemaker]'",
            ) from error
        return boto3.session.Session()

    @property
    def region(self) -> str | None:
        return self._region or self.session.region_name

    def _client(self, service: str) -> Any:
        from botocore.config import Config

        config = self._config or Config(
            retries={"mode": "adaptive", "total_max_attempts": MAX_ATTEMPTS},
            user_agent_extra="amt-flows",
        )
        return self.session.client(
            service, region_name=self.region, endpoint_url=self._endpoint_url, config=config
        )

    @cached_property
    def sagemaker(self) -> Any:
        return self._client("sagemaker")

    @cached_property
    def logs(self) -> Any:
        return self._client("logs")

    @cached_property
    def cloudwatch(self) -> Any:
        return self._client("cloudwatch")

    def log_uri(self, group: str, job: str) -> str:
        """The page of AWS's console with a job's log streams: what a person who follows a link wants. The
        console writes the path of a group with its percent signs encoded as ``$25``."""
        region = self.region
        domain = PARTITION_DOMAINS.get(self._partition, PARTITION_DOMAINS["aws"])
        path = group.replace("/", "$252F")
        return (
            f"https://{region}.{domain}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/"
            f"{path}$3FlogStreamNameFilter$3D{job}$252F"
        )

    @cached_property
    def _partition(self) -> str:
        try:
            return str(self.session.get_partition_for_region(self.region))
        except Exception:
            return "aws"  # a link to a log is not worth an error
