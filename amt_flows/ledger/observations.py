"""What a controller has seen of live training jobs: from a backend's reports to what the ledger lacks."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from amt_flows.events import Observed, Points
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.ledger.unread import EACH_COUNTS, unread_in_words
from amt_flows.ports import JobReport, MetricPoint, Unread


class Observations:
    """The last value of each metric of the live jobs, with its epoch. Kept in memory: the backend tells it
    again to the next controller."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._metrics: dict[str, dict[str, tuple[int, float]]] = {}
        self._unread: dict[str, dict[str, Unread]] = {}
        self._objective: dict[str, list[float]] = {}
        self._warned: set[str] = set()
        self._went_on: dict[str, int] = {}
        self._told: dict[str, tuple[int, ...]] = {}
        self._fresh: dict[str, dict[int, int]] = {}

    def take(self, report: JobReport) -> Points:
        """Note a report's values; those of the objective that the ledger doesn't have, by the trial's epochs:
        an attempt that goes on from a checkpoint goes on with those of the attempts before."""
        job = self._ledger.jobs[report.name]
        objective = self._ledger.algorithm_of(job).metric_name
        metrics = self._metrics.setdefault(report.name, {})
        fresh: list[tuple[int, float]] = []
        told: list[int] = []
        for point in report.points:
            last_epoch, _ = metrics.get(point.metric, (0, 0.0))
            if point.epoch >= last_epoch:
                metrics[point.metric] = (point.epoch, point.value)
            if point.metric == objective:
                epoch = point.epoch + self._epochs_before(job, point)
                if job.curve.value(epoch) is None:
                    fresh.append((epoch, point.value))
                    told.append(point.epoch if point.told is None else point.told)
        self._fresh[report.name] = dict(zip((epoch for epoch, _ in fresh), told, strict=True))
        if told != [epoch for epoch, _ in fresh]:
            self._told[report.name] = tuple(told)
        for one in report.unread:
            self._unread.setdefault(report.name, {}).setdefault(one.metric, one)
        seen = self._objective.setdefault(report.name, [])
        seen += [value for _, value in fresh[: max(0, _ENOUGH - len(seen))]]
        return tuple(fresh)

    def _epochs_before(self, job: TrainingJob, point: MetricPoint) -> int:
        if job.name not in self._went_on:
            called = point.epoch if point.told is None else point.told
            self._went_on[job.name] = (
                self._ledger.goes_on_after(job, called, self._fresh) if job.attempt > 1 else 0
            )
        return self._went_on[job.name]

    def event(self, now: float, points: Mapping[str, Points]) -> Observed:
        """What was taken of these jobs, for the record."""
        unknown = [name for name in points if not self._ledger.jobs[name].went_on_after]
        went_on = {name: self._went_on[name] for name in unknown if self._went_on[name]}
        told = {name: self._told.pop(name) for name in points if name in self._told}
        return Observed(now, points, went_on, told)

    def warnings(self, name: str) -> list[str]:
        """What is odd about a training job's values, each kind once in a tuning job."""
        odd = {one.metric: unread_in_words(one) for one in self._unread.get(name, {}).values()}
        times = repeated(self._objective.get(name, ()))
        if times:
            metric = self._ledger.algorithm_of(self._ledger.jobs[name]).metric_name
            odd.setdefault(
                metric,
                f"every value of {metric} comes {times} times in a row, and {EACH_COUNTS}",
            )
        fresh = [words for metric, words in odd.items() if metric not in self._warned]
        self._warned.update(odd)
        return fresh

    def unread(self, name: str) -> tuple[Unread, ...]:
        """What was found in a training job's output and is no value."""
        return tuple(self._unread.get(name, {}).values())

    def last_values(self, name: str) -> dict[str, float]:
        """Of a training job, by the metrics' names."""
        return {metric: value for metric, (_, value) in self._metrics.get(name, {}).items()}

    def forget(self, name: str) -> None:
        """Its end is recorded."""
        self._metrics.pop(name, None)
        self._unread.pop(name, None)
        self._objective.pop(name, None)
        self._went_on.pop(name, None)
        self._told.pop(name, None)
        self._fresh.pop(name, None)


_ENOUGH = 64
_GROUPS = 3


def repeated(values: Sequence[float]) -> int:
    """How many times each value comes in a row, if that is the same, and more than one, for all of the first
    few; else 0. So do the values that several processes of one training job print."""
    runs = [len(list(same)) for _, same in itertools.groupby(values)][:-1]
    return runs[0] if len(runs) >= _GROUPS and runs[0] > 1 and len(set(runs)) == 1 else 0
