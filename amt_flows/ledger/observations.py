"""What a controller has seen of a live training job: from a backend's reports to what the ledger lacks."""

from __future__ import annotations

from dataclasses import dataclass, field

from amt_flows.events import Points
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.ports import JobReport


@dataclass
class Seen:
    """The last value of each metric of a live job, with its epoch. Kept in memory: the backend tells it again
    to the next controller."""

    metrics: dict[str, tuple[int, float]] = field(default_factory=dict)

    def take(self, report: JobReport, job: TrainingJob, objective: str) -> Points:
        """Note a report's values; those of the objective that the ledger doesn't have."""
        fresh: list[tuple[int, float]] = []
        for point in report.points:
            last_epoch, _ = self.metrics.get(point.metric, (0, 0.0))
            if point.epoch >= last_epoch:
                self.metrics[point.metric] = (point.epoch, point.value)
            if point.metric == objective and job.curve.value(point.epoch) is None:
                fresh.append((point.epoch, point.value))
        return tuple(fresh)

    @property
    def last_values(self) -> dict[str, float]:
        """By the metrics' names."""
        return {name: value for name, (_, value) in self.metrics.items()}
