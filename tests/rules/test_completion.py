"""The completion criteria, each alone, at its boundary."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amt_flows.events import Ended, Outcome
from amt_flows.ledger.training_job import STOPPED
from amt_flows.rules.budget import committed_cost, launches_allowed
from amt_flows.rules.completion import (
    MaxCost,
    MaxFailures,
    MaxRuntime,
    MaxTrainingJobs,
    MaxTrainingJobsNotImproving,
    TargetValue,
    nothing_left,
    nothing_usable,
    reasons_to_complete,
)
from amt_flows.rules.convergence import Convergence, clocks, jobs_not_improving
from worlds import ended_job, opened, running_job, spec

outcomes = st.sampled_from(Outcome)


def test_failed_and_stopped_jobs_count_towards_the_number_of_jobs() -> None:
    ledger = opened()
    ended_job(ledger, 1, [0.5])
    ended_job(ledger, 2, [], Outcome.FAILED)
    ended_job(ledger, 3, [0.1], Outcome.STOPPED_EARLY)
    assert MaxTrainingJobs(4).met(ledger, 9.0) is None
    reason = MaxTrainingJobs(3).met(ledger, 9.0)
    assert reason is not None
    assert reason.numbers == {"launched": 3, "limit": 3}


def test_one_training_job_is_told_in_the_singular() -> None:
    ledger = opened()
    ended_job(ledger, 1, [], Outcome.FAILED)
    unusable = nothing_usable(ledger)
    told = [
        MaxTrainingJobs(1).met(ledger, 9.0),
        MaxFailures(1, unless_success=True).met(ledger, 9.0),
        unusable,
    ]
    assert [reason.message.split(";")[0] for reason in told if reason is not None] == [
        "1 training job was launched, the maximum asked for",
        "1 training job failed and none succeeded",
        "its only training job can't be used",
    ]
    assert nothing_left(1) == "its only configuration was tried"


def test_the_last_jobs_may_end_before_the_number_of_jobs_completes_the_tuning_job() -> None:
    ledger = opened()
    ended_job(ledger, 1, [0.5])
    running_job(ledger, 2)
    assert MaxTrainingJobs(2).met(ledger, 9.0) is None


@pytest.mark.parametrize(("elapsed", "met"), [(59.9, False), (60.0, True), (60.1, True)])
def test_the_run_time_limit_is_reached_at_its_value(elapsed: float, met: bool) -> None:
    assert (MaxRuntime(60).met(opened(), elapsed) is not None) == met


@pytest.mark.parametrize(
    ("kind", "value", "met"),
    [
        ("Maximize", 0.9, True),
        ("Maximize", 0.91, True),
        ("Maximize", 0.89, False),
        ("Minimize", 0.9, True),
        ("Minimize", 0.89, True),
        ("Minimize", 0.91, False),
        ("Maximize", math.inf, False),
        ("Minimize", -math.inf, False),
        ("Minimize", math.nan, False),
    ],
)
def test_the_target_is_reached_at_or_beyond_its_value(kind: str, value: float, met: bool) -> None:
    ledger = opened(spec(objective={"metric_name": "accuracy", "type": kind}))
    ended_job(ledger, 1, [value])
    assert (TargetValue(0.9).met(ledger, 9.0) is not None) == met


def test_an_epoch_reaches_the_target_only_when_asked_to() -> None:
    ledger = opened()
    running_job(ledger, 1, [0.95, 0.2])
    assert TargetValue(0.9).met(ledger, 9.0) is None
    assert TargetValue(0.9, on_epochs=True).met(ledger, 9.0) is not None


def test_a_failed_job_does_not_reach_the_target() -> None:
    ledger = opened()
    ended_job(ledger, 1, [0.95], Outcome.FAILED)
    assert TargetValue(0.9).met(ledger, 9.0) is None


def test_the_guides_example_of_not_improving() -> None:
    """Best 90 %, limit 10: ten jobs that fail to return an accuracy *higher than* 90 %."""
    ledger = opened()
    ended_job(ledger, 1, [0.9])
    rule = MaxTrainingJobsNotImproving(10)
    for trial in range(2, 11):
        ended_job(ledger, trial, [0.9])
    assert rule.met(ledger, 99.0) is None
    ended_job(ledger, 11, [0.9])
    assert rule.met(ledger, 99.0) is not None


def test_an_improvement_starts_the_count_again_and_failures_do_not_count() -> None:
    ledger = opened()
    ended_job(ledger, 1, [0.5])
    ended_job(ledger, 2, [0.4])
    ended_job(ledger, 3, [], Outcome.FAILED)
    ended_job(ledger, 4, [math.nan])
    assert jobs_not_improving(ledger) == 1
    ended_job(ledger, 5, [0.500001])
    assert jobs_not_improving(ledger) == 0
    ended_job(ledger, 6, [0.1], Outcome.STOPPED_EARLY)
    assert jobs_not_improving(ledger) == 1


def test_a_relative_improvement_can_be_asked_for() -> None:
    ledger = opened()
    ended_job(ledger, 1, [0.5])
    ended_job(ledger, 2, [0.504])
    assert jobs_not_improving(ledger, 0.01) == 1
    ended_job(ledger, 3, [0.506])
    assert jobs_not_improving(ledger, 0.01) == 0


@given(st.lists(st.tuples(st.floats(0, 1), outcomes), max_size=30))
def test_not_improving_counts_what_a_plain_loop_counts(jobs: list[tuple[float, Outcome]]) -> None:
    ledger = opened()
    counted = (Outcome.COMPLETED, Outcome.TIMED_OUT, *STOPPED)
    best, since = None, 0
    for trial, (value, outcome) in enumerate(jobs, start=1):
        ended_job(ledger, trial, [value], outcome)
        if outcome not in counted:
            continue
        if outcome is Outcome.COMPLETED and (best is None or value > best):
            best, since = value, 0
        else:
            since += 1
    assert jobs_not_improving(ledger) == (since if best is not None else 0)


def converged_after(losses: Sequence[float], kind: str = "Minimize") -> int | None:
    """How many jobs had ended when convergence was first met."""
    ledger = opened(spec(objective={"metric_name": "accuracy", "type": kind}))
    for trial, loss in enumerate(losses, start=1):
        ended_job(ledger, trial, [loss] if kind == "Minimize" else [-loss])
        if Convergence().met(ledger, 99.0) is not None:
            return trial
    return None


def test_convergence_needs_fifty_jobs_a_window_without_a_significant_improvement_and_a_quiet_one() -> None:
    assert converged_after([0.9] * 60) == 50
    assert converged_after([0.9] * 29 + [0.5] + [0.9] * 50) == 70  # forty after a significant improvement
    assert (
        converged_after([0.9] * 39 + [0.895] + [0.9] * 40) == 65
    )  # 0.6 %: not significant, but an improvement


def test_convergence_says_what_it_saw() -> None:
    ledger = opened()
    ended_job(ledger, 1, [0.9])
    for trial in range(2, 50):
        ended_job(ledger, trial, [0.905 if trial == 30 else 0.8])
    ended_job(ledger, 50, [], Outcome.FAILED)
    for trial in range(51, 56):
        assert Convergence().met(ledger, 99.0) is None
        ended_job(ledger, trial, [0.8])
    reason = Convergence().met(ledger, 99.0)
    # Trials 31 to 55 but the failed one are 24; the next is the 25th.
    assert reason is None
    ended_job(ledger, 56, [0.8])
    reason = Convergence().met(ledger, 99.0)
    assert reason is not None
    assert reason.message == (
        "the last 54 of 55 training jobs did not improve the best by more than 1%, and the last 25 not at all"
    )
    assert reason.numbers == {
        "count": 54,
        "window": 40,
        "unimproved": 25,
        "quiet": 25,
        "finished": 55,
        "least": 50,
    }


def test_small_improvements_that_add_up_to_a_significant_one_are_no_convergence() -> None:
    # 0.04 % each, 2.4 % in a window of sixty; every one of them starts the quiet clock again anyway.
    assert converged_after([0.5 - trial * 2e-4 for trial in range(60)] + [0.6] * 24) is None
    # One in a row of twenty-four: never quiet for twenty-five.
    slowly = [0.5 - 1e-5 * (trial // 24) for trial in range(120)]
    assert converged_after(slowly) is None


def test_jobs_without_a_value_neither_count_nor_improve() -> None:
    ledger = opened()
    for trial in range(1, 50):
        ended_job(ledger, trial, [0.9])
    for trial in range(50, 90):
        ended_job(ledger, trial, [math.nan] if trial % 2 else [], Outcome.FAILED)
        assert Convergence().met(ledger, 99.0) is None
    ended_job(ledger, 90, [0.2], Outcome.STOPPED_EARLY)
    reason = Convergence().met(ledger, 99.0)
    assert reason is not None
    assert reason.numbers["finished"] == 50


def test_while_no_job_may_be_the_best_nothing_has_converged() -> None:
    ledger = opened()
    for trial in range(1, 80):
        ended_job(ledger, trial, [0.9], Outcome.STOPPED_EARLY)
    assert Convergence().met(ledger, 99.0) is None


# Of few distinct values, so that improvements are rare and ties are many.
series = st.lists(st.sampled_from([0.1, 0.4999, 0.5, 0.6, 0.9]), min_size=45, max_size=90)


@settings(max_examples=15)
@given(series, st.sampled_from([2.0**-9, 1.0, 2.0**9]))
def test_convergence_is_the_same_in_either_direction_and_any_unit(losses: list[float], unit: float) -> None:
    expected = converged_after(losses)
    assert converged_after([unit * loss for loss in losses]) == expected
    assert converged_after(losses, "Maximize") == expected
    assert converged_after([-unit * (1 - loss) for loss in losses], "Maximize") == converged_after(
        [-unit * (1 - loss) for loss in losses]
    )


@given(st.lists(st.sampled_from([0.1, 0.4999, 0.5, 0.502, 0.6]), max_size=25))
def test_the_quiet_clock_never_runs_ahead_of_the_significant_one(losses: list[float]) -> None:
    ledger = opened(spec(objective={"metric_name": "accuracy", "type": "Minimize"}))
    for trial, loss in enumerate(losses, start=1):
        ended_job(ledger, trial, [loss])
        at = clocks(ledger)
        assert at.since_any <= at.since_significant < at.finished == trial


def test_convergence_does_not_depend_on_the_clock_or_on_what_still_runs() -> None:
    ledger = opened()
    for trial in range(1, 72):
        ended_job(ledger, trial, [0.9])
    reason = Convergence().met(ledger, 99.0)
    assert reason is not None
    running_job(ledger, 90, [0.99, 0.999])
    assert Convergence().met(ledger, 1e9) == reason


def test_failures_fail_a_tuning_job_only_while_nothing_succeeded() -> None:
    rule, total = MaxFailures(2, unless_success=True), MaxFailures(2, unless_success=False)
    ledger = opened()
    ended_job(ledger, 1, [], Outcome.FAILED)
    assert rule.met(ledger, 9.0) is None
    ended_job(ledger, 2, [], Outcome.NO_METRIC)
    assert rule.met(ledger, 9.0) is not None
    ended_job(ledger, 3, [0.5])
    assert rule.met(ledger, 9.0) is None
    assert total.met(ledger, 9.0) is not None


def test_a_lost_job_that_is_tried_again_is_no_failure_yet() -> None:
    rules = [MaxFailures(2, unless_success=only) for only in (True, False)]
    ledger = opened(spec(training_job={"command": ["train"], "max_retry_attempts": 1}))
    for trial in (1, 2, 3):
        ended_job(ledger, trial, [], Outcome.LOST)
    assert [rule.met(ledger, 9.0) for rule in rules] == [None, None], "a machine died with three of them"
    for trial in (1, 2):
        ended_job(ledger, trial, [], Outcome.LOST, attempt=2)
    assert all(rule.met(ledger, 9.0) for rule in rules)


def test_jobs_that_we_stopped_are_not_failures() -> None:
    ledger = opened()
    ended_job(ledger, 1, [], Outcome.STOPPED)
    ended_job(ledger, 2, [], Outcome.STOPPED_EARLY)
    assert MaxFailures(1, unless_success=True).met(ledger, 9.0) is None


PRICED = {"command": ["train"], "price_per_hour": 3600.0, "max_runtime_seconds": 10, "stop_grace_seconds": 0}


@given(
    st.floats(5, 200),
    st.lists(st.floats(0, 10), max_size=12),
    st.integers(0, 4),
)
def test_what_is_committed_and_what_is_allowed_never_pass_the_cost(
    limit: float, ended_seconds: list[float], running: int
) -> None:
    ledger = opened(spec(limits={"max_parallel_training_jobs": 9, "max_cost": limit}, training_job=PRICED))
    for trial, seconds in enumerate(ended_seconds, start=1):
        if launches_allowed(ledger):
            ended_job(ledger, trial, [0.5], seconds=seconds)
    for trial in range(100, 100 + running):
        if launches_allowed(ledger):
            running_job(ledger, trial)
    more = launches_allowed(ledger)
    assert committed_cost(ledger) + more * 10 <= limit + 1e-6
    assert committed_cost(ledger) + (more + 1) * 10 > limit - 1e-6 or more == 9 - len(ledger.live)


def test_a_lost_job_whose_start_is_unknown_is_charged_for_what_it_may_have_run() -> None:
    ledger = opened(spec(limits={"max_parallel_training_jobs": 2, "max_cost": 15}, training_job=PRICED))
    for trial, (seconds, charge) in enumerate([(4.0, 4.0), (500.0, 10.0)], start=1):
        name, before = running_job(ledger, trial), committed_cost(ledger) - 10
        at = trial + seconds
        ledger.apply(Ended(at, name, Outcome.LOST, None, at, {}, None, None, None))
        assert committed_cost(ledger) - before == pytest.approx(charge)


def test_cost_completes_once_nothing_runs_and_no_worst_case_fits() -> None:
    ledger = opened(spec(limits={"max_parallel_training_jobs": 2, "max_cost": 15}, training_job=PRICED))
    running_job(ledger, 1)
    assert launches_allowed(ledger) == 0
    assert MaxCost(15).met(ledger, 9.0) is None
    ledger = opened(spec(limits={"max_parallel_training_jobs": 2, "max_cost": 15}, training_job=PRICED))
    ended_job(ledger, 1, [0.5], seconds=6)
    assert MaxCost(15).met(ledger, 9.0) is not None


def test_all_criteria_that_hold_are_named_in_the_order_of_precedence() -> None:
    ledger = opened(
        spec(
            limits={"max_number_of_training_jobs": 4, "max_runtime_seconds": 5},
            completion={
                "target_objective_metric_value": 0.4,
                "max_number_of_training_jobs_not_improving": 3,
            },
        )
    )
    for trial in range(1, 5):
        ended_job(ledger, trial, [0.5])
    assert [r.rule for r in reasons_to_complete(ledger, 60.0)] == [
        "MaxNumberOfTrainingJobs",
        "MaxNumberOfTrainingJobsNotImproving",
        "MaxRuntimeInSeconds",
        "TargetObjectiveMetricValue",
    ]
