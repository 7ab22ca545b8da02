"""What a training job printed last, for a person."""

from __future__ import annotations

from typing import Any

from amt_flows.backends.sagemaker.clients import Clients
from amt_flows.backends.sagemaker.logs import GROUP, LogsDenied, LogSource
from amt_flows.backends.sagemaker.service import PassingTrouble, Service
from amt_flows.errors import BackendError

MOST_LINES = 10_000
"""That GetLogEvents gives at once."""


def tail(job: str, lines: int, *, region: str | None = None, session: Any = None) -> str | None:
    """The last lines of the newest log stream of a training job; None before it has printed any. Raises
    BackendError."""
    clients = Clients(session, region, None, None)
    source = LogSource(clients, Service(clients))
    try:
        streams = source.streams(job)
        return source.last_lines(streams[-1], min(lines, MOST_LINES)) if streams else None
    except LogsDenied:
        raise BackendError(
            f"The log of {job} can't be read.",
            because="the credentials lack logs:DescribeLogStreams or logs:GetLogEvents",
            remedy=f"allow both on the log group {GROUP}",
        ) from None
    except PassingTrouble as trouble:
        raise trouble.error from trouble
