"""What a controller has seen of live training jobs: from a backend's reports to what the ledger lacks."""

from __future__ import annotations

from amt_flows.events import Points
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import JobReport


class Observations:
    """The last value of each metric of the live jobs, with its epoch. Kept in memory: the backend tells it
    again to the next controller."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._metrics: dict[str, dict[str, tuple[int, float]]] = {}

    def take(self, report: JobReport) -> Points:
        """Note a report's values; those of the objective that the ledger doesn't have."""
        job = self._ledger.jobs[report.name]
        objective = self._ledger.algorithm_of(job).metric_name
        metrics = self._metrics.setdefault(report.name, {})
        fresh: list[tuple[int, float]] = []
        for point in report.points:
            last_epoch, _ = metrics.get(point.metric, (0, 0.0))
            if point.epoch >= last_epoch:
                metrics[point.metric] = (point.epoch, point.value)
            if point.metric == objective and job.curve.value(point.epoch) is None:
                fresh.append((point.epoch, point.value))
        return tuple(fresh)

    def last_values(self, name: str) -> dict[str, float]:
        """Of a training job, by the metrics' names."""
        return {metric: value for metric, (_, value) in self._metrics.get(name, {}).items()}

    def forget(self, name: str) -> None:
        """Its end is recorded."""
        self._metrics.pop(name, None)
