"""What parents know, as rows that a strategy may see and as the best training job of all."""

from __future__ import annotations

import pytest

from amt_flows.events import Inherited, InheritedJob, Outcome
from amt_flows.ledger.history import TrialState
from amt_flows.ledger.inherited import best_inherited, inherited_rows
from worlds import ended_job, opened, spec


def job(value: float, outcome: Outcome = Outcome.COMPLETED, name: str = "old-001") -> InheritedJob:
    return InheritedJob(name, {"learning_rate": 0.1}, value, outcome, started_at=10.0, ended_at=25.0)


def parent(*jobs: InheritedJob, name: str = "old", identical: bool = True) -> Inherited:
    return Inherited(0.0, name, "amt-flows", identical, jobs)


def test_rows_come_before_our_own_with_numbers_up_to_zero_and_our_sign() -> None:
    ledger = opened(spec())
    ended_job(ledger, 1, [0.5])
    ledger.apply(parent(job(0.7), job(0.6)))
    ledger.apply(parent(job(0.8), name="other", identical=False))
    rows = ledger.history()
    assert [row.number for row in rows] == [-2, -1, 0, 1]
    assert [row.loss for row in rows] == [-0.7, -0.6, -0.8, -0.5]
    assert [(row.parent, row.identical) for row in rows] == [
        ("old", True),
        ("old", True),
        ("other", False),
        ("", True),
    ]
    assert all(row.state is TrialState.COMPLETED for row in rows)
    assert rows[0].seconds == 15.0
    assert ledger.next_trial == 2


def test_a_parent_is_inherited_once_however_often_it_is_told() -> None:
    ledger = opened()
    for _ in range(2):
        ledger.apply(parent(job(0.7)))
    assert len(ledger.history()) == 1


def test_a_job_cut_short_lies_between_the_median_and_the_worst_of_its_parent() -> None:
    cut = Outcome.STOPPED_EARLY
    jobs = [job(0.9), job(0.5), job(0.1), job(0.99, cut), job(0.3, cut), job(0.01, cut)]
    rows = inherited_rows([parent(*jobs)], lambda value: -value)
    assert [row.loss for row in rows[3:]] == [-0.5, -0.3, -0.1]


def test_jobs_cut_short_alone_are_taken_as_they_stand() -> None:
    (row,) = inherited_rows([parent(job(0.4, Outcome.TIMED_OUT))], lambda value: value)
    assert row.loss == 0.4


def test_the_best_inherited_job_is_one_that_completed_with_our_data() -> None:
    inherited = [
        parent(job(0.9, Outcome.STOPPED_EARLY, "cut"), job(0.7, name="best"), job(0.7, name="later")),
        parent(job(0.99), name="other", identical=False),
    ]
    found = best_inherited(inherited, lambda value: -value)
    assert found is not None
    assert (found[0].parent, found[1].job) == ("old", "best")
    assert best_inherited([inherited[1]], lambda value: -value) is None


def test_what_is_inherited_is_neither_launched_nor_counted() -> None:
    ledger = opened(spec())
    ledger.apply(parent(job(0.99)))
    assert ledger.best is None
    assert not ledger.jobs
    assert not ledger.to_launch()
    assert ledger.next_trial == 1
    assert ledger.history()[0].loss == pytest.approx(-0.99)
