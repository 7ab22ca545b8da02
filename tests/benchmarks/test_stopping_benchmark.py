"""The benchmark of stopping measures the real rules: what it counts is what they decided."""

from __future__ import annotations

import importlib
import math
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from amt_flows.events import Outcome

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    return importlib.import_module("benchmarks.stopping")


def flat(loss: float) -> tuple[list[float], list[float]]:
    return [loss] * 10, [1.0] * 10


def test_without_a_rule_every_epoch_is_paid_for_and_workers_run_side_by_side(stopping: ModuleType) -> None:
    run, clock = stopping.finished(stopping.over([flat(0.5)] * 4, {}), 2, 4)
    assert (run.cost, clock, run.best) == (40.0, 20.0, 0.5)


def test_jobs_that_the_rule_stops_cost_only_the_epochs_they_ran(stopping: ModuleType) -> None:
    curves = [flat(loss) for loss in (0.1, 0.2, 0.9, 0.05)]
    run, _ = stopping.finished(stopping.over(curves, {"type": "Auto"}), 1, 4)
    outcomes = [job.outcome for job in run.ledger.ended]
    assert outcomes == [Outcome.COMPLETED, Outcome.STOPPED_EARLY, Outcome.STOPPED_EARLY, Outcome.COMPLETED]
    # Stopped at their second epoch: one epoch shows no trend.
    assert run.cost == 24.0
    assert run.best == 0.05


def test_jobs_that_end_themselves_are_compared_by_their_best_rounds(stopping: ModuleType) -> None:
    boosting = importlib.import_module("benchmarks.boosting")
    # The last is far behind for as long as any other runs, and the best: the bare rule spoils it.
    slow = [1.0 - 0.01 * k for k in range(90)]
    curves = [[*[loss] * 9, loss] for loss in (0.5, 0.6, 0.55)] + [[*slow, min(slow)]]
    measured = boosting.judged(curves, 1)
    saved, regret = measured["bare document rule"]
    assert saved > 0.5
    assert regret == pytest.approx((0.5 - 0.11) / (0.525 - 0.11))
    assert measured["`Auto`, `grace_epochs = 100`"] == (0.0, 0.0)
    row = boosting.table({"bare": {"one": [(0.5, 0.0), (0.3, 0.2)]}}).splitlines()[-1]
    assert row == "| all 2 tunings | 40.0% / 50.0% / 0.100 |"


@pytest.fixture
def recorded(stopping: ModuleType) -> ModuleType:
    return importlib.import_module("benchmarks.convergence")


def test_convergence_is_measured_on_the_order_of_completion(recorded: ModuleType) -> None:
    losses = [0.5, *[0.6] * 59, 0.25, *[0.6] * 39]
    trace = recorded.trace_of("task", losses, {"best": 0.0, "median": 1.0})
    saved, given_up = trace.end(recorded.OURS.holds)
    assert saved == pytest.approx(0.5)
    assert given_up == pytest.approx(0.25)
    assert trace.end(lambda at: at.finished >= 61) == (pytest.approx(0.39), 0.0)


def test_failed_jobs_of_a_trace_are_failed_jobs(recorded: ModuleType) -> None:
    trace = recorded.trace_of("task", [0.5, math.nan, 0.4], {"best": 0.0, "median": 1.0})
    assert [at.finished for at in trace.at] == [1, 1, 2]
    assert trace.given_up == pytest.approx([0.1, 0.1, 0.0])


def test_every_task_counts_alike_and_differences_are_paired(recorded: ModuleType) -> None:
    early, late = (np.array([[0.5, 0.2]]), np.array([[0.1, 0.0]]))
    by_task = {"one": np.repeat(early, 9, axis=0), "other": late}
    assert recorded.mean(by_task) == pytest.approx([0.3, 0.1])
    assert recorded.interval(recorded.difference(by_task, by_task), 1) == (0.0, 0.0)
    low, high = recorded.interval({"one": np.array([[0.0, 0.0], [0.0, 1.0]])}, 1)
    assert (low, high) == (0.0, 1.0)


def test_a_task_left_out_does_not_choose_its_own_numbers(recorded: ModuleType) -> None:
    """One task never improves; on the other, only numbers that wait for 70 jobs see its one improvement."""
    losses = {"flat": [0.9] * 200, "late": [0.9] * 60 + [0.1] * 140}
    ref = {"best": 0.0, "median": 1.0}
    found = recorded.left_out([recorded.trace_of(task, losses[task], ref) for task in losses])
    # Chosen on the late one; on the flat one all are as good, and the first of them are the hastiest.
    assert found["flat"][0] == pytest.approx([0.65, 0.0])
    assert found["late"][0] == pytest.approx([0.895, 0.8])
