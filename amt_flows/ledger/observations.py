"""What a controller has seen of live training jobs: from a backend's reports to what the ledger lacks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from amt_flows.events import Points
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.unread import EACH_COUNTS, unread_in_words
from amt_flows.ports import JobReport, Unread


class Observations:
    """The last value of each metric of the live jobs, with its epoch. Kept in memory: the backend tells it
    again to the next controller."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._metrics: dict[str, dict[str, tuple[int, float]]] = {}
        self._unread: dict[str, dict[str, Unread]] = {}
        self._objective: dict[str, list[float]] = {}
        self._warned: set[str] = set()

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
        for one in report.unread:
            self._unread.setdefault(report.name, {}).setdefault(one.metric, one)
        seen = self._objective.setdefault(report.name, [])
        seen += [value for _, value in fresh[: max(0, _ENOUGH - len(seen))]]
        return tuple(fresh)

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


_ENOUGH = 64
_GROUPS = 3


def repeated(values: Sequence[float]) -> int:
    """How many times each value comes in a row, if that is the same, and more than one, for all of the first
    few; else 0. So do the values that several processes of one training job print."""
    runs = [len(list(same)) for _, same in itertools.groupby(values)][:-1]
    return runs[0] if len(runs) >= _GROUPS and runs[0] > 1 and len(set(runs)) == 1 else 0
