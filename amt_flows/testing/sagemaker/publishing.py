"""Writing to moto's CloudWatch Logs and CloudWatch, past its HTTP front.

Threads of running jobs write here, too, and a boto3 client in them would go through whatever the test has
patched. The world's lock is held by every caller.
"""

from __future__ import annotations

from collections.abc import Sequence

from moto.cloudwatch.models import cloudwatch_backends
from moto.logs.models import logs_backends

from amt_flows.testing.sagemaker.clocks import naive

GROUP = "/aws/sagemaker/TrainingJobs"
ENDPOINTS = "/aws/sagemaker/Endpoints/"
NAMESPACE = "/aws/sagemaker/TrainingJobs"
LONGEST_EVENT = 256 * 1024 - 26
"""In bytes; 26 more count for each event."""


def events_of(text: str) -> list[str]:
    """A line in pieces that are no longer than an event may be; cut wherever that is, but in no character."""
    data, pieces = text.encode("utf-8", "replace"), []
    while len(data) > LONGEST_EVENT:
        cut = LONGEST_EVENT
        while data[cut] & 0xC0 == 0x80:
            cut -= 1
        pieces.append(data[:cut].decode())
        data = data[cut:]
    return [*pieces, data.decode()]


def open_stream(account: str, region: str, stream: str, at: float, group: str = GROUP) -> None:
    """Make a log stream, and its group if it is the first there: all training jobs share one."""
    backend = logs_backends[account][region]
    if group not in backend.groups:
        backend.create_log_group(group, {})
        backend.groups[group].creation_time = naive(at)
    streams = backend.groups[group].streams
    if stream not in streams:
        backend.groups[group].create_log_stream(stream)
        streams[stream].creation_time = naive(at)


def put_lines(
    account: str,
    region: str,
    stream: str,
    lines: Sequence[tuple[float, str]],
    shown_at: float,
    group: str = GROUP,
) -> None:
    """Append lines with their times; ``shown_at`` is when the service took them in."""
    # The backend's own put_log_events refuses events that are old, which those of a virtual clock may be.
    found = logs_backends[account][region].groups[group].streams[stream]
    before = len(found.events)
    found.put_log_events([{"timestamp": round(at * 1000), "message": text} for at, text in lines])
    found.last_ingestion_time = naive(shown_at)
    for event in found.events[before:]:
        event.ingestion_time = round(shown_at * 1000)


def put_metric(account: str, region: str, job: str, metric: str, value: float, at: float) -> None:
    """Add a finite value of a training job's metric; CloudWatch keeps whole seconds."""
    cloudwatch_backends[account][region].put_metric_data(
        NAMESPACE,
        [
            {
                "MetricName": metric,
                "Dimensions": [{"Name": "TrainingJobName", "Value": job}],
                "Timestamp": naive(float(int(at))),
                "Value": value,
                "Unit": "None",
            }
        ],
    )
