"""Schedules on engines of others: nothing is lost, doubled or orphaned, and who takes a job that trains to be
lost is found out."""

from __future__ import annotations

from collections import Counter

import pytest

from amt_flows.backends.local import state
from amt_flows.testing.chaos.engines import run_engine_schedule
from amt_flows.testing.chaos.faults import Fault


def test_no_schedule_on_an_engine_breaks_a_promise() -> None:
    faults: Counter[str] = Counter()
    for seed in range(12):
        told = run_engine_schedule(seed)
        assert not told.violations, f"python -m amt_flows.testing.chaos --only engines --seed {seed}"
        faults += told.faults
    assert run_engine_schedule(11) == told
    of_engines = (Fault.SERVER_AWAY, Fault.WORKER_KILLED, Fault.FORGOTTEN, Fault.ANSWER_LOST, Fault.KILLED)
    assert {fault.value for fault in of_engines} <= set(faults)


def test_who_counts_a_job_as_lost_while_it_trains_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "LEASE_MARGIN_SECONDS", -29.0)
    broken = (violation.promise for seed in range(20) for violation in run_engine_schedule(seed).violations)
    assert next(broken, None) in ("doubled", "lost", "orphaned")
