"""What the ledger keeps instead of counting it anew is what counting anew gives, after every event."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from amt_flows.events import Event, Opened, Outcome, Proposed
from amt_flows.ledger.history import first_free, used_keys
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import RETRYABLE, TrainingJob
from amt_flows.rules import tallies
from amt_flows.rules.budget import committed_cost
from amt_flows.rules.convergence import clocks, improves, jobs_not_improving
from amt_flows.spec import TuningSpec
from job_facts import FACTS, TRIALS
from worlds import spec

PRICED = {"command": ["train"], "price_per_hour": 36.0, "max_runtime_seconds": 50, "max_retry_attempts": 2}


def is_retried(ledger: Ledger, job: TrainingJob, attempts: int) -> bool:
    limit = ledger.algorithm_of(job).spec.training_job.max_retry_attempts
    return job.outcome in RETRYABLE and attempts <= limit


def waiting(ledger: Ledger) -> set[tuple[int, int]]:
    found = set()
    for number in ledger.trials:
        attempts = ledger.attempts(number)
        if not attempts or is_retried(ledger, attempts[-1], len(attempts)):
            found.add((number, len(attempts) + 1))
    return found


def streak(ledger: Ledger, least: float) -> int:
    best, count = math.inf, 0
    for job in ledger.ended:
        if not job.has_usable_value or job.final_value is None:
            continue
        loss = ledger.loss(job.final_value)
        if ledger.eligible(job) and improves(loss, best, least):
            best, count = loss, 0
        else:
            count += 1
    return count if math.isfinite(best) else 0


def losses(ledger: Ledger, job: TrainingJob) -> int:
    """How many attempts of its trial were lost until then."""
    return sum(one.outcome in RETRYABLE for one in ledger.attempts(job.trial) if one.attempt <= job.attempt)


def agrees(ledger: Ledger) -> None:
    """Every tally with its slow definition."""
    ended = ledger.ended
    completed = [job for job in ended if job.outcome is Outcome.COMPLETED]
    assert ledger.live == [job for job in ledger.jobs.values() if job.live]
    assert {(trial.number, attempt) for trial, attempt in ledger.to_launch()} == waiting(ledger)
    assert ledger.next_trial == max(ledger.trials, default=0) + 1
    eligible = [job for job in ended if ledger.eligible(job)]
    best = min(eligible, key=ledger.order, default=None)
    assert ledger.best is best
    for least in (0.0, 0.01):
        assert jobs_not_improving(ledger, least) == streak(ledger, least)
    assert clocks(ledger).finished == sum(job.has_usable_value for job in ended)
    retries = ledger.spec.training_job.max_retry_attempts
    retried = [job for job in ended if job.outcome in RETRYABLE and losses(ledger, job) <= retries]
    failed = [job for job in ended if job.failed and job not in retried]
    assert ledger.over_ended(tallies.Failed()) == (len(failed), failed[-1] if failed else None)
    assert ledger.over_ended(tallies.Completed()) == completed
    assert ledger.over_ended(tallies.Lengths()) == sorted(job.curve.last_epoch for job in completed)
    assert ledger.over_ended(tallies.Longest()) == max((job.curve.last_epoch for job in ended), default=0)
    curves = [[ledger.loss(value) for _, value in job.curve] for job in completed]
    whole = [curve[0] - min(curve) for curve in curves if curve]
    assert ledger.over_ended(tallies.WholeGains()) == sorted(gain for gain in whole if math.isfinite(gain))
    for epoch in (1, 2, 4):
        reached = [job for job in completed if job.curve.last_epoch >= epoch]
        gains = [
            ledger.loss(then) - ledger.loss(job.final_value)
            for job in reached
            if (then := job.curve.value_until(epoch)) is not None and job.final_value is not None
        ]
        gains = [gain for gain in gains if math.isfinite(gain)]
        assert ledger.over_ended(tallies.LargestGain(epoch)) == (max(gains, default=-math.inf), len(gains))
    assert math.isclose(
        committed_cost(ledger), sum(committed_by(ledger, job) for job in ledger.jobs.values()), abs_tol=1e-9
    )
    for algorithm in (None, *ledger.algorithms):
        rows = ledger.history(algorithm)
        trials = [ledger.trials[number] for number in sorted(ledger.trials)]
        numbers = [one.number for one in trials if algorithm in (None, ledger.algorithm(one))]
        assert [row.number for row in rows] == numbers
        for row in rows:
            attempts = ledger.attempts(row.number)
            assert row == ledger.row_of(ledger.trials[row.number], attempts[-1] if attempts else None)
        space = (algorithm or ledger.algorithms[0]).space
        assert used_keys(space, rows) == used_keys(space, list(rows))


def committed_by(ledger: Ledger, job: TrainingJob) -> float:
    """By 36 an hour and a limit of 50 s, with the grace of a stop."""
    worst = (50 + ledger.spec.training_job.stop_grace_seconds) * 0.01
    if job.live:
        return worst
    if job.outcome is Outcome.LOST and job.started_at is None and job.ended_at is not None:
        return min(worst, 0.01 * max(0.0, job.ended_at - job.launched_at))
    return 0.01 * job.training_seconds(ledger.last_at)


def several() -> TuningSpec:
    other = {
        "definition_name": "second",
        "objective": {"metric_name": "accuracy"},
        "continuous": [{"name": "learning_rate", "min_value": 0.0001, "max_value": 1.0}],
        "training_job": PRICED,
    }
    return spec(definition_name="first", other_definitions=[other], training_job=PRICED)


PROPOSED = st.builds(
    Proposed,
    st.floats(0, 100),
    TRIALS,
    st.fixed_dictionaries({"learning_rate": st.sampled_from([0.1, 0.2, 5.0])}),
    st.just("test"),
    st.just(""),
    st.sampled_from(["", "first", "second"]),
)


@given(
    facts=st.lists(st.one_of(FACTS, PROPOSED), max_size=40),
    asked=st.sampled_from([spec(training_job=PRICED), several()]),
)
def test_every_tally_is_what_counting_anew_gives(facts: list[Event], asked: TuningSpec) -> None:
    ledger = Ledger()
    ledger.apply(Opened(0.0, "demo", asked.fingerprint(), asked.to_json(), "test"))
    for fact in facts:
        ledger.apply(fact)
        agrees(ledger)
    for algorithm in ledger.algorithms:
        agrees(ledger.of_one_algorithm(algorithm))


@given(st.lists(st.integers(0, 11), max_size=14))
def test_the_first_free_place_of_a_grid_is_found_from_where_the_last_one_was(places: list[int]) -> None:
    layers = {"name": "layers", "min_value": 1, "max_value": 12}
    limits = {"max_parallel_training_jobs": 2}
    asked = spec(strategy="Grid", continuous=[], integer=[layers], limits=limits)
    ledger = Ledger()
    ledger.apply(Opened(0.0, "demo", asked.fingerprint(), asked.to_json(), "test"))
    space = ledger.algorithms[0].space
    for number, place in enumerate(places, start=1):
        ledger.apply(Proposed(1.0, number, space.grid_at(place), "test", ""))
        rows = ledger.history(ledger.algorithms[0])
        free = next((i for i in range(12) if i not in places[:number]), 12)
        assert first_free(space, rows) == first_free(space, list(rows)) == free


@given(
    st.lists(st.floats(-5, 5), max_size=9),
    st.lists(st.floats(-5, 5), max_size=4),
)
def test_the_middle_of_two_lists_is_that_of_both(long: list[float], short: list[float]) -> None:
    both = sorted([*long, *short])
    if both:
        found = tallies.middle([(value, 0.0) for value in sorted(long)], [(value, 0.0) for value in short])
        assert [value for value, _ in found] == both[(len(both) - 1) // 2 : len(both) // 2 + 1]
