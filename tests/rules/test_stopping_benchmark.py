"""The benchmark of stopping measures the real rules: what it counts is what they decided."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

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
    run, clock = stopping.finished(stopping._over([flat(0.5)] * 4, {}), 2, 4)
    assert (run.cost, clock, run.best) == (40.0, 20.0, 0.5)


def test_jobs_that_the_rule_stops_cost_only_the_epochs_they_ran(stopping: ModuleType) -> None:
    curves = [flat(loss) for loss in (0.1, 0.2, 0.9, 0.05)]
    run, _ = stopping.finished(stopping._over(curves, {"type": "Auto"}), 1, 4)
    outcomes = [job.outcome for job in run.ledger.ended]
    assert outcomes == [Outcome.COMPLETED, Outcome.COMPLETED, Outcome.STOPPED_EARLY, Outcome.COMPLETED]
    # Stopped at its second epoch: one epoch shows no trend.
    assert run.cost == 32.0
    assert run.best == 0.05


def test_convergence_is_measured_on_the_order_of_completion(stopping: ModuleType) -> None:
    trace = {"loss": [0.5, *[0.6] * 79, 0.25, *[0.6] * 19]}
    saved, given_up = stopping._stopped(trace, stopping.Convergence(), {"best": 0.0, "median": 1.0})
    assert saved == pytest.approx(0.49)
    assert given_up == pytest.approx(0.25)
