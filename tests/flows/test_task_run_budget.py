"""How many stages become task runs, whatever happens."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from amt_flows.backends.simulated import VirtualClock
from amt_flows.flows.tuning.budget import TaskRunBudget, most_stages
from amt_flows.flows.tuning.run_tuning import name_for_run
from amt_flows.flows.tuning.stages import spans


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans(), st.integers(0, 1)), max_size=300))
def test_never_more_than_five_a_job_nor_two_a_second_beyond_the_burst(
    stages: list[tuple[float, bool, int]],
) -> None:
    clock, jobs = VirtualClock(0.0), 0
    budget = TaskRunBudget(clock=clock.now)
    for pause, decides, launched in stages:
        clock.advance(pause)
        jobs += launched
        budget.admit(jobs, decides=decides)
        assert budget.started <= 5 * max(jobs, 1)
        assert budget.started <= 20 + 2 * clock.now() + 1e-6
    assert budget.started + budget.inline == len(stages)


def test_stages_that_decided_nothing_never_take_the_place_of_those_that_did() -> None:
    clock = VirtualClock(0.0)
    budget = TaskRunBudget(clock=clock.now)
    for jobs in range(1, 101):
        for _ in range(10):
            budget.admit(jobs, decides=False)
        before = budget.started
        for _ in range(4):
            budget.admit(jobs, decides=True)
        assert budget.started == before + 4
        clock.advance(2.5)
    assert budget.started == 500


def test_of_very_many_jobs_ever_fewer_stages_are_shown_and_always_that_which_ends_it() -> None:
    clock = VirtualClock(0.0)
    budget = TaskRunBudget(clock=clock.now)
    for jobs in range(1, 10_001):
        clock.advance(5)
        for _ in range(3):
            budget.admit(jobs, decides=True)
    assert budget.started == most_stages(10_000) < 600
    assert not budget.admit(10_000, decides=True)
    assert budget.admit(10_000, decides=True, ends=True)


def test_spans_are_short() -> None:
    assert spans([7]) == "007"
    assert spans([1, 2, 3, 7, 9, 10]) == "001..003,007,009..010"
    assert spans([]) == ""


def test_a_name_from_a_flow_run_is_valid_and_ends_like_its_id() -> None:
    run = UUID("0198a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
    assert name_for_run("tune", run) == "tune-0c1d2e3f4a5b"
    assert name_for_run("Nightly retraining of everything", run) == "Nightly-retraining-0c1d2e3f4a5b"
    assert name_for_run("調整", run) == "0c1d2e3f4a5b"
