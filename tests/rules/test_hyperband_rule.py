"""Hyperband's rule: who goes on from a rung, and what a job that used its whole resource counts as."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.backends.simulated import Script
from amt_flows.events import Judged, Observed, Outcome, event_from_json, event_to_json
from amt_flows.ledger.ledger import Ledger
from amt_flows.results.result import result_of
from amt_flows.rules.early_stopping import early_stopping_rule
from amt_flows.rules.hyperband import HyperbandRule
from amt_flows.show.report import report_markdown
from amt_flows.spec import TuningSpec
from amt_flows.strategies.brackets import bracket_of, rungs, rungs_of, shares
from worlds import ended_job, opened, run, running_job, spec

RULE = HyperbandRule(1, 9)
FIRST = [trial for trial in range(1, 200) if bracket_of(trial, 3) == 0]
LAST = [trial for trial in range(1, 200) if bracket_of(trial, 3) == 2]


def hyperband(jobs: int = 30, most: int = 9) -> TuningSpec:
    return spec(
        strategy="Hyperband",
        hyperband={"min_resource": 1, "max_resource": most},
        limits={"max_parallel_training_jobs": 3, "max_number_of_training_jobs": jobs},
    )


@pytest.mark.parametrize(
    ("least", "most", "expected"),
    [(1, 9, (1, 3)), (1, 10, (1, 3, 9)), (2, 50, (2, 6, 18)), (5, 5, ()), (1, 1, ())],
)
def test_rungs_are_powers_of_three_below_the_full_resource(
    least: int, most: int, expected: tuple[int, ...]
) -> None:
    assert rungs(least, most) == expected


@given(st.integers(1, 6), st.integers(1, 10**6))
def test_brackets_come_in_about_their_shares_in_every_stretch_of_trials(brackets: int, start: int) -> None:
    counted = Counter(bracket_of(trial, brackets) for trial in range(start, start + 300))
    for bracket, share in enumerate(shares(brackets)):
        assert abs(counted[bracket] - 300 * share) <= 4


def test_each_bracket_skips_one_more_rung_from_below() -> None:
    every = rungs(1, 27)
    seen = dict(rungs_of(trial, every) for trial in range(1, 300))
    assert seen == {0: (1, 3, 9), 1: (3, 9), 2: (9,), 3: ()}


def at_first_rung(values: list[float]) -> Ledger:
    ledger = opened(hyperband())
    for trial, value in zip(FIRST, values, strict=False):
        ended_job(ledger, trial, [value], Outcome.STOPPED_EARLY)
    return ledger


@pytest.mark.parametrize(
    ("value", "rank", "goes_on"), [(0.95, 1, True), (0.85, 2, True), (0.75, 3, False), (math.nan, 6, False)]
)
def test_a_job_goes_on_from_a_rung_if_it_is_in_the_top_third_of_its_bracket(
    value: float, rank: int, goes_on: bool
) -> None:
    ledger = at_first_rung([0.9, 0.8, 0.7, 0.6, 0.5])
    ended_job(ledger, LAST[0], [0.99])  # of another bracket
    name = running_job(ledger, FIRST[5], [value])
    (judgement,) = RULE.judge(ledger)
    assert (judgement.job, judgement.stop, judgement.compared) == (name, not goes_on, 5)
    assert judgement.numbers == {"bracket": 0, "rung": 1, "rank": rank, "of": 6, "keep": 2}
    assert f"at rung 1 of bracket 0 is number {rank} of 6 there" in judgement.why


def test_the_first_job_at_a_rung_goes_on_and_so_do_equals() -> None:
    ledger = opened(hyperband())
    running_job(ledger, FIRST[0], [0.1])
    running_job(ledger, FIRST[1], [0.1])
    assert [judgement.stop for judgement in RULE.judge(ledger)] == [False, False]


def test_a_job_is_judged_at_its_rungs_only_and_once_at_each() -> None:
    ledger = opened(hyperband())
    running_job(ledger, FIRST[0], [0.1] * 8)
    judgements = RULE.judge(ledger)
    assert [judgement.epoch for judgement in judgements] == [1, 3]
    ledger.apply(Judged(60.0, judgements))
    assert RULE.judge(ledger) == ()
    running_job(ledger, LAST[0], [0.1] * 8)
    assert RULE.judge(ledger) == ()


def test_a_script_that_skips_epochs_is_judged_at_its_next_one() -> None:
    ledger = opened(hyperband(most=27))
    name = running_job(ledger, next(t for t in range(1, 99) if bracket_of(t, 4) == 0))
    ledger.apply(Observed(50.0, {name: ((2, 0.1), (10, 0.2))}))
    judged = [(j.epoch, j.numbers["rung"]) for j in HyperbandRule(1, 27).judge(ledger)]
    assert judged == [(2, 1), (10, 9)]


def test_a_job_that_used_its_whole_resource_is_ended() -> None:
    ledger = opened(hyperband())
    running_job(ledger, LAST[0], [0.1] * 12)
    (judgement,) = RULE.judge(ledger)
    assert (judgement.epoch, judgement.stop) == (9, True)
    assert "whole resource of 9 epochs" in judgement.why


def endless(hyperparameters: Mapping[str, str]) -> Script:
    quality = 1.0 - abs(float(hyperparameters["learning_rate"]) - 0.1)
    return Script([quality * (1 - 0.5**epoch) for epoch in range(1, 41)])


def exact(hyperparameters: Mapping[str, str]) -> Script:
    quality = 1.0 - abs(float(hyperparameters["learning_rate"]) - 0.1)
    return Script([quality * (1 - 0.5**epoch) for epoch in range(1, 10)])


@pytest.mark.parametrize("train", [endless, exact])
def test_a_whole_tuning_ends_with_a_best_job_that_used_its_resource(train: object) -> None:
    ledger, _ = run(hyperband(jobs=30), train)  # type: ignore[arg-type]
    outcomes = Counter(job.outcome for job in ledger.jobs.values())
    assert set(outcomes) == {Outcome.COMPLETED, Outcome.STOPPED_EARLY}
    assert outcomes[Outcome.STOPPED_EARLY] >= 10
    best = ledger.best
    assert best is not None
    assert best.curve.last_epoch >= 9
    for job in ledger.jobs.values():
        assert (job.outcome is Outcome.COMPLETED) == (job.curve.last_epoch >= 9)
    stopped = [job for job in ledger.jobs.values() if job.outcome is Outcome.STOPPED_EARLY]
    assert {job.curve.last_epoch for job in stopped} <= {1, 2, 3, 4}


def test_the_numbers_of_a_judgement_survive_the_journal_and_older_journals_have_none() -> None:
    ledger = at_first_rung([0.9])
    running_job(ledger, FIRST[1], [0.7])
    judged = Judged(9.0, RULE.judge(ledger))
    written = json.loads(json.dumps(event_to_json(judged)))
    assert event_from_json(written) == judged
    assert judged.judgements[0].numbers["rank"] == 2
    *row, _ = written.pop("rows")[0]
    names = ("job", "epoch", "value", "median", "compared", "stop", "why")
    older = event_from_json({**written, "v": 1, "judgements": [dict(zip(names, row, strict=True))]})
    assert isinstance(older, Judged)
    assert older.judgements[0].numbers == {}


def test_the_report_says_where_stopped_jobs_stood() -> None:
    ledger, _ = run(hyperband(jobs=12), exact)
    text = report_markdown(ledger, result_of(ledger, "memory"))
    stopped = next(job for job in ledger.jobs.values() if job.outcome is Outcome.STOPPED_EARLY)
    assert stopped.verdict is not None
    numbers = stopped.verdict.numbers
    assert f"{numbers['rank']:g} of {numbers['of']:g}" in text
    assert "median" not in text.partition("## Early stopping")[2].partition("##")[0]


def test_the_spec_asks_for_the_rule() -> None:
    assert early_stopping_rule(hyperband()) == RULE
