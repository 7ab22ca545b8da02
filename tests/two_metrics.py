"""A world in which every training job tells two metrics that can't both be good."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.ports import JobReport, MetricPoint
from amt_flows.spec import TuningSpec
from worlds import spec

OTHER: dict[str, Any] = {"metric_name": "size", "type": "Minimize"}


def trading(**changes: Any) -> TuningSpec:
    """Maximise ``accuracy`` and keep ``size`` small, over ``width`` and a ``waste`` that only harms."""
    values: dict[str, Any] = {
        "continuous": [
            {"name": "width", "min_value": 0.0, "max_value": 1.0},
            {"name": "waste", "min_value": 0.0, "max_value": 1.0},
        ],
        "strategy": "Bayesian",
        "other_objectives": [OTHER],
        "limits": {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 14},
        **changes,
    }
    return spec(**values)


def accuracy(given: Mapping[str, str]) -> float:
    return math.sqrt(float(given["width"])) - 0.3 * float(given["waste"])


def size(given: Mapping[str, str]) -> float:
    return 10 * float(given["width"]) + 5 * float(given["waste"])


class TwoMetrics(SimulatedBackend):
    """Each epoch of a job also has a value of ``size``, ten times as large at first."""

    def __init__(self, clock: VirtualClock | None = None, told: str = "size") -> None:
        super().__init__(clock or VirtualClock(), lambda given: Script([accuracy(given)] * 2))
        self.told = told

    def view(self) -> TwoMetrics:
        """The same world as a new controller meets it."""
        other = TwoMetrics(self.clock, self.told)
        other.jobs, other.launches = self.jobs, self.launches
        return other

    def _report(self, name: str) -> JobReport:
        report = super()._report(name)
        given = self.jobs[name.lower()].request.hyperparameters
        sizes = {1: 10 * size(given), 2: size(given)}
        points = [MetricPoint(self.told, point.epoch, sizes[point.epoch]) for point in report.points]
        return replace(report, points=(*report.points, *points))
