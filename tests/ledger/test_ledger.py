from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.events import (
    Ended,
    Event,
    Judged,
    Judgement,
    Launched,
    Outcome,
    Proposed,
)
from amt_flows.ledger.history import TrialState
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import KEPT_JUDGEMENTS, Curve, TrainingJob
from job_facts import FACTS, NAMES, TIMES
from worlds import ended_job, opened, running_job, spec


def job_events() -> st.SearchStrategy[list[Event]]:
    """Plausible and implausible facts about three jobs."""
    judgement = st.builds(
        lambda name, epoch: Judgement(name, epoch, 0.5, 0.6, 5, False, ""), NAMES, st.integers(1, 6)
    )
    judged: st.SearchStrategy[Event] = st.builds(Judged, TIMES, st.lists(judgement, max_size=2).map(tuple))
    return st.lists(FACTS | judged, max_size=25)


def state_of(ledger: Ledger) -> str:
    jobs = [
        (j.name, j.outcome, j.stop_asked_at, j.judged, repr(j.final_value), repr(list(j.curve)))
        for j in ledger.jobs.values()
    ]
    return repr((jobs, [j.name for j in ledger.ended], ledger.status, sorted(ledger.trials)))


@given(job_events())
def test_every_fact_may_be_told_twice(events: list[Event]) -> None:
    once, twice = opened(), opened()
    for ledger in (once, twice):
        for trial in (1, 2, 3):
            ledger.apply(Proposed(0.0, trial, {"learning_rate": 0.1}, "test", ""))
    for event in events:
        once.apply(event)
        twice.apply(event)
        twice.apply(event)
    assert state_of(once) == state_of(twice)


@given(job_events())
def test_what_has_ended_stays_as_it_ended(events: list[Event]) -> None:
    ledger = opened()
    name = ended_job(ledger, 1, [0.1, 0.7])
    for event in events:
        ledger.apply(event)
    job = ledger.jobs[name]
    assert (job.outcome, job.final_value, list(job.curve)) == (Outcome.COMPLETED, 0.7, [(1, 0.1), (2, 0.7)])
    assert ledger.ended.count(job) == 1


@given(st.lists(st.tuples(st.integers(1, 30), st.floats(-1e6, 1e6)), min_size=1))
def test_a_curve_keeps_first_values_in_order_of_epochs(points: list[tuple[int, float]]) -> None:
    curve = Curve()
    expected: dict[int, float] = {}
    for epoch, value in points:
        assert curve.add(epoch, value) == (epoch not in expected)
        expected.setdefault(epoch, value)
        # Asking in between must not freeze an average that a late epoch changes.
        curve.running_average(epoch)
    assert list(curve) == sorted(expected.items())
    for epoch in range(1, 31):
        upto = [v for e, v in sorted(expected.items()) if e <= epoch]
        average = curve.running_average(epoch)
        assert math.isnan(average) if not upto else math.isclose(average, sum(upto) / len(upto), abs_tol=1e-6)


def test_a_running_average_is_not_finite_once_a_value_is_not() -> None:
    curve = Curve()
    for epoch, value in ((1, 1.0), (2, math.nan), (3, 1.0)):
        curve.add(epoch, value)
    assert curve.running_average(1) == 1.0
    assert math.isnan(curve.running_average(3))


@pytest.mark.parametrize(("kind", "best"), [("Maximize", 0.9), ("Minimize", 0.1)])
def test_the_best_is_by_the_objectives_direction_among_completed_jobs(kind: str, best: float) -> None:
    ledger = opened(spec(objective={"metric_name": "accuracy", "type": kind}))
    for trial, value in enumerate([0.5, 0.9, 0.1, math.nan], start=1):
        ended_job(ledger, trial, [value])
    ended_job(ledger, 5, [2.0 if kind == "Maximize" else -2.0], Outcome.STOPPED_EARLY)
    assert ledger.best is not None
    assert ledger.best.final_value == best


def test_stopped_jobs_may_be_the_best_when_asked_for() -> None:
    ledger = opened(spec(best_eligible="completed_and_stopped"))
    ended_job(ledger, 1, [0.5])
    timed_out = ended_job(ledger, 2, [0.9], Outcome.TIMED_OUT)
    assert ledger.best is not None
    assert ledger.best.name == timed_out


@pytest.mark.parametrize(
    ("outcome", "values", "state"),
    [
        (Outcome.COMPLETED, [0.5], TrialState.COMPLETED),
        (Outcome.COMPLETED, [math.nan], TrialState.FAILED),
        (Outcome.NO_METRIC, [], TrialState.FAILED),
        (Outcome.FAILED, [0.5], TrialState.FAILED),
        (Outcome.STOPPED_EARLY, [0.5], TrialState.STOPPED),
        (Outcome.TIMED_OUT, [0.5], TrialState.STOPPED),
        (Outcome.STOPPED, [], TrialState.FAILED),
        (Outcome.LOST, [0.5], TrialState.PENDING),
        (Outcome.INFRASTRUCTURE, [], TrialState.PENDING),
    ],
)
def test_what_a_strategy_sees_of_each_outcome(
    outcome: Outcome, values: list[float], state: TrialState
) -> None:
    ledger = opened()
    ended_job(ledger, 1, values, outcome)
    (row,) = ledger.history()
    assert row.state is state
    usable = state in (TrialState.COMPLETED, TrialState.STOPPED)
    assert row.loss == (-0.5 if usable else None), "losses are negated when maximising"


def test_a_lost_job_is_tried_again_under_a_new_attempt_until_its_attempts_are_used_up() -> None:
    ledger = opened(spec(training_job={"command": ["train"], "max_retry_attempts": 1}))
    ended_job(ledger, 1, [], Outcome.LOST)
    ((trial, attempt),) = ledger.to_launch()
    assert (trial.number, attempt) == (1, 2)
    ledger.apply(Launched(9.0, "demo-001-00000000-r2", 1, 2))
    assert ledger.to_launch() == []
    ledger.apply(Ended(9.5, "demo-001-00000000-r2", Outcome.LOST, None, 9.5, {}, None, None, None))
    assert ledger.to_launch() == []
    (row,) = ledger.history()
    assert row.state is TrialState.FAILED


def test_time_never_runs_backwards() -> None:
    ledger = opened()
    running_job(ledger, 1, at=50.0)
    running_job(ledger, 2, at=10.0)
    assert ledger.last_at == 50.0


def test_a_job_keeps_its_first_judgements_and_the_one_that_stopped_it() -> None:
    job = TrainingJob("demo-001", 1, 1, 0.0)
    told = [Judgement(job.name, epoch, 0.5, 0.6, 5, epoch == 20, "") for epoch in range(1, 21)]
    for judgement in told:
        job.take_judgement(judgement)
    assert job.judgements == [*told[:KEPT_JUDGEMENTS], told[-1]]
    assert job.verdict == told[-1]
    assert (job.judged, job.judged_epoch) == (20, 20)
