"""Curves from CloudWatch metrics, for those who may not read the logs.

CloudWatch keeps an average of all values within a minute, so that what comes out is no epoch's value:
several short epochs become one point (https://docs.aws.amazon.com/sagemaker/latest/dg/training-metrics.html).
It is used when it is asked for, never silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final

from amt_flows.backends.sagemaker.clients import Clients
from amt_flows.backends.sagemaker.service import Service

NAMESPACE: Final = "/aws/sagemaker/TrainingJobs"
PERIOD: Final = 60
"""Seconds. CloudWatch offers shorter ones for a few hours only."""
MOST_QUERIES: Final = 500


@dataclass
class Averages:
    """What was read of one job: per metric the time of the last minute that was taken."""

    job: str
    since: float
    taken: dict[str, float] = field(default_factory=dict)


def read_averages(
    service: Service,
    clients: Clients,
    wanted: Sequence[tuple[Averages, str]],
    *,
    now: float,
    final: bool = False,
) -> list[tuple[Averages, str, float]]:
    """The new minutes of these jobs' metrics in order of time; the minute that is not over only if ``final``.

    Times are seconds since the epoch. At most 500 series are asked for in one call.
    """
    found: list[tuple[Averages, str, float]] = []
    for start in range(0, len(wanted), MOST_QUERIES):
        batch = wanted[start : start + MOST_QUERIES]
        for averages, metric, at, value in _batch(service, clients, batch, now):
            over = final or at + PERIOD <= now
            if over and at > averages.taken.get(metric, float("-inf")):
                averages.taken[metric] = at
                found.append((averages, metric, value))
    return found


def _batch(
    service: Service, clients: Clients, batch: Sequence[tuple[Averages, str]], now: float
) -> list[tuple[Averages, str, float, float]]:
    oldest = min(averages.taken.get(metric, averages.since) for averages, metric in batch)
    asked: dict[str, Any] = {
        "MetricDataQueries": [
            _query(f"m{i}", averages.job, metric) for i, (averages, metric) in enumerate(batch)
        ],
        "StartTime": _time(oldest - PERIOD),
        "EndTime": _time(now + PERIOD),
        "ScanBy": "TimestampAscending",
    }
    call = clients.cloudwatch.get_metric_data
    found: list[tuple[Averages, str, float, float]] = []
    while True:
        page = service.attempt("reading metrics", call, asked)
        for result in page.get("MetricDataResults", ()):
            averages, metric = batch[int(str(result["Id"])[1:])]
            for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                found.append((averages, metric, at.timestamp(), float(value)))
        if not page.get("NextToken"):
            return sorted(found, key=lambda one: one[2])
        asked = {**asked, "NextToken": page["NextToken"]}


def _query(query_id: str, job: str, metric: str) -> dict[str, Any]:
    return {
        "Id": query_id,
        "MetricStat": {
            "Metric": {
                "Namespace": NAMESPACE,
                "MetricName": metric,
                "Dimensions": [{"Name": "TrainingJobName", "Value": job}],
            },
            "Period": PERIOD,
            "Stat": "Average",
        },
    }


def _time(seconds: float) -> datetime:
    minute = seconds - seconds % PERIOD
    return datetime.fromtimestamp(minute, tz=timezone.utc)
