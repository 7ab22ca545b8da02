"""The median rule, against the words of AMT's guide."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.events import Judged, Outcome
from amt_flows.ledger.ledger import Ledger
from amt_flows.rules.early_stopping import MedianRule, early_stopping_rule
from amt_flows.spec import ComparedJobs
from worlds import ended_job, opened, running_job, spec

BARE = MedianRule(min_jobs=1, grace_epochs=0)
curves = st.lists(st.floats(-100, 100), min_size=1, max_size=8)


def guide_says_stop(own: list[float], others: list[list[float]], epoch: int, maximize: bool) -> bool:
    """The guide's three bullets, as plainly as they can be written."""
    averages = [statistics.fmean(o[:epoch]) for o in others if len(o) >= epoch]
    if not averages:
        return False
    median = statistics.median(averages)
    return own[epoch - 1] < median if maximize else own[epoch - 1] > median


@given(curves, st.lists(curves, max_size=7), st.booleans())
def test_the_bare_rule_is_the_guides_rule(
    own: list[float], others: list[list[float]], maximize: bool
) -> None:
    kind = "Maximize" if maximize else "Minimize"
    ledger = opened(spec(objective={"metric_name": "accuracy", "type": kind}))
    for trial, curve in enumerate(others, start=1):
        ended_job(ledger, trial, curve)
    name = running_job(ledger, 50, own)
    judgements = BARE.judge(ledger)
    assert {j.job for j in judgements} == {name}
    for judgement in judgements:
        close = judgement.median is not None and math.isclose(
            judgement.value, judgement.median, rel_tol=1e-9, abs_tol=1e-9
        )
        assert close or judgement.stop == guide_says_stop(own, others, judgement.epoch, maximize)
        assert judgement.value == own[judgement.epoch - 1]
        assert judgement.compared == sum(len(o) >= judgement.epoch for o in others)
    assert [j.epoch for j in judgements] == list(range(1, len(judgements) + 1))
    assert len(judgements) == len(own) or judgements[-1].stop


@given(curves, st.lists(curves, min_size=1, max_size=7))
def test_an_epoch_is_judged_once(own: list[float], others: list[list[float]]) -> None:
    ledger = opened()
    for trial, curve in enumerate(others, start=1):
        ended_job(ledger, trial, curve)
    running_job(ledger, 50, own)
    first = BARE.judge(ledger)
    ledger.apply(Judged(60.0, first))
    again = BARE.judge(ledger)
    assert {j.epoch for j in again}.isdisjoint({j.epoch for j in first})


def five_completed() -> Ledger:
    ledger = opened()
    for trial in range(1, 6):
        ended_job(ledger, trial, [trial / 10] * 8)  # running averages 0.1 ... 0.5, median 0.3
    return ledger


def test_the_running_average_is_compared_not_the_value_at_the_epoch() -> None:
    ledger = opened()
    ended_job(ledger, 1, [0.0, 1.0])  # at epoch 2: value 1.0, running average 0.5
    running_job(ledger, 2, [0.0, 0.6])
    *_, last = BARE.judge(ledger)
    assert (last.epoch, last.median, last.stop) == (2, 0.5, False)


def test_equal_to_the_median_is_not_worse() -> None:
    ledger = five_completed()
    running_job(ledger, 9, [0.3])
    (judgement,) = BARE.judge(ledger)
    assert judgement.median == pytest.approx(0.3)
    assert not judgement.stop


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_worse_than_every_number(value: float) -> None:
    ledger = five_completed()
    running_job(ledger, 9, [value])
    (judgement,) = BARE.judge(ledger)
    assert judgement.stop


def test_a_nan_in_an_earlier_job_makes_its_average_the_worst_not_the_median_nan() -> None:
    ledger = opened()
    for trial, value in enumerate([math.nan, 0.4, 0.6], start=1):
        ended_job(ledger, trial, [value])
    running_job(ledger, 9, [0.39])
    (judgement,) = BARE.judge(ledger)
    assert judgement.median == 0.4
    assert judgement.stop


def test_too_few_jobs_to_compare_with_is_said_and_stops_nothing() -> None:
    ledger = opened()
    for trial in range(1, 5):
        ended_job(ledger, trial, [0.9])
    running_job(ledger, 9, [0.0])
    (judgement,) = MedianRule(min_jobs=5, grace_epochs=0).judge(ledger)
    assert (judgement.stop, judgement.median, judgement.compared) == (False, None, 4)
    assert "4 of 5" in judgement.why


def stopped_at(ledger: Ledger, rule: MedianRule) -> dict[str, int]:
    return {judgement.job: judgement.epoch for judgement in rule.judge(ledger) if judgement.stop}


def test_one_job_will_do_while_all_run_equally_long_two_are_wanted_once_they_do_not() -> None:
    ledger = opened()
    ended_job(ledger, 1, [0.9] * 10)
    dead = running_job(ledger, 2, [0.1] * 4)
    assert stopped_at(ledger, MedianRule()) == {dead: 2}
    assert stopped_at(ledger, MedianRule(min_jobs=2)) == {}
    # Another one is still running after the epoch at which the first has completed.
    running_job(ledger, 3, [0.95] * 11)
    assert stopped_at(ledger, MedianRule()) == {}
    assert "1 of 2 jobs" in MedianRule().judge(ledger)[0].why
    assert stopped_at(ledger, MedianRule(min_jobs=1)) == {dead: 2}
    ended_job(ledger, 4, [0.9] * 12)
    assert stopped_at(ledger, MedianRule()) == {dead: 2}


def test_completed_jobs_of_different_lengths_are_two_at_least() -> None:
    ledger = opened()
    ended_job(ledger, 1, [0.9] * 4)
    ended_job(ledger, 2, [0.9] * 10)
    late = running_job(ledger, 3, [0.1] * 6)
    # Up to the fourth epoch there are two to compare with, beyond it one.
    judged = MedianRule().judge(ledger)
    assert [(j.epoch, j.compared, j.stop) for j in judged] == [(1, 2, False), (2, 2, True)]
    ledger.apply(Judged(60.0, (judged[-1]._replace(epoch=4, stop=False),)))
    judged = MedianRule().judge(ledger)
    assert [(j.job, j.epoch, j.compared, j.stop) for j in judged] == [
        (late, 5, 1, False),
        (late, 6, 1, False),
    ]


@pytest.mark.parametrize(
    ("lengths", "reach"),
    [
        ([20], 0.1 + 0.5 * 0.02 * (40 - 5)),  # one completed job: others may go on for twice as long
        ([20, 20], 0.1 + 0.5 * 0.02 * (20 - 5)),  # a second one, equally long: so may all be
        ([20, 20, 12], 0.1 + 0.5 * 0.02 * (20 - 5)),  # a limit, which one didn't need
    ],
)
def test_how_far_a_job_may_go_is_known_once_two_have_gone_as_far(lengths: list[int], reach: float) -> None:
    ledger = opened()
    for trial, length in enumerate(lengths, start=1):
        ended_job(ledger, trial, [0.9] * length)
    running_job(ledger, 9, [0.02, 0.04, 0.06, 0.08, 0.1])
    rule = MedianRule(min_jobs=1, grace_epochs=5)
    assert rule.judge(ledger)[-1].numbers["reach"] == pytest.approx(reach)


@pytest.mark.parametrize(
    ("behind", "reach"),
    [
        (2, 0.1 + 0.5 * 0.02 * (40 - 5)),  # 2.5 times as slow: between 2.5 times 20 and 2.5 times 12
        (1, 0.1 + 0.5 * 0.02 * (80 - 5)),  # 5 times
        (0, None),  # who knows how often
    ],
)
def test_where_lengths_differ_a_job_may_run_as_much_longer_as_it_is_slower(
    behind: int, reach: float | None
) -> None:
    ledger = opened()
    for trial, length in enumerate((20, 12), start=1):
        ended_job(ledger, trial, [0.05] * behind + [0.9] * (length - behind))
    slow = running_job(ledger, 8, [0.02, 0.04, 0.06, 0.08, 0.1])
    flat = running_job(ledger, 9, [0.1] * 5)
    last = {j.job: j for j in MedianRule(min_jobs=1, grace_epochs=5, spare_hopeful=True).judge(ledger)}
    if reach is None:
        assert not last[slow].stop
        assert last[slow].why.endswith("but it is too early to say what it may reach")
    else:
        assert last[slow].numbers["reach"] == pytest.approx(reach)
        assert last[slow].stop
    assert last[flat].stop, "time alone is no hope"


def test_a_length_that_two_share_is_no_limit_once_a_job_runs_on() -> None:
    reaches = []
    for third in (20, 21):
        ledger = opened()
        for trial, length in enumerate((20, 20, 12), start=1):
            ended_job(ledger, trial, [0.05] + [0.9] * (length - 1))
        running_job(ledger, 8, [0.9] * third)
        name = running_job(ledger, 9, [0.02, 0.04, 0.06, 0.08, 0.1])
        judged = MedianRule(grace_epochs=5, min_jobs=1).judge(ledger)
        reaches += [j.numbers["reach"] for j in judged if j.job == name and j.numbers]
    assert reaches == [pytest.approx(0.1 + 0.01 * 15), pytest.approx(0.1 + 0.01 * (5 * 20 - 5))]


def test_of_more_than_a_hundred_completed_jobs_the_last_hundred_set_the_pace() -> None:
    """Of these, half took as long as the running job to come this far, up to a half or a third of its way: so
    the median lies between the two halves, and would not with one job more or less."""
    ledger = opened()
    for trial in range(1, 231):
        behind = 1 if trial <= 130 else 2 + trial % 2
        ended_job(ledger, trial, [0.0] * behind + [0.9] * (30 - behind))
    running_job(ledger, 998, [0.9] * 31)  # one that runs on: jobs differ in length
    name = running_job(ledger, 999, [0.1, 0.2, 0.3, 0.4])
    judged = MedianRule(min_jobs=1, grace_epochs=4, spare_hopeful=True).judge(ledger)
    (reach,) = [j.numbers["reach"] for j in judged if j.job == name and j.numbers]
    ends = 30 * 4 / 2, 30 * 4 / 3
    assert reach == pytest.approx(0.4 + 0.5 * 0.1 * (sum(ends) / 2 - 4))


def test_grace_is_a_tenth_of_the_median_length_of_completed_jobs() -> None:
    ledger = opened()
    for trial in range(1, 6):
        ended_job(ledger, trial, [0.5] * 30)
    running_job(ledger, 9, [0.0, 0.0, 0.0])
    first, second, third = MedianRule().judge(ledger)
    assert not first.stop
    assert "grace lasts until epoch 3" in second.why
    assert third.stop


def test_a_job_is_spared_while_its_own_trend_may_take_it_to_the_best() -> None:
    ledger = opened()
    for trial in range(1, 4):
        ended_job(ledger, trial, [0.5] * 20)  # nothing is gained by anyone after the first epoch
    rising = [
        0.0,
        0.0,
        0.08,
        0.16,
    ]  # 0.08 an epoch for sixteen more: 0.64 if the rate falls evenly to nothing
    slower = [0.0, 0.0, 0.02, 0.04]
    names = [running_job(ledger, 8, rising), running_job(ledger, 9, slower)]
    last = {j.job: j for j in MedianRule(grace_epochs=4).judge(ledger)}
    spared, stopped = last[names[0]], last[names[1]]
    assert not spared.stop
    assert spared.numbers == {"reach": pytest.approx(0.8), "best": 0.5}
    assert "may still reach 0.8; the best is 0.5" in spared.why
    assert stopped.stop
    assert stopped.numbers == {"reach": pytest.approx(0.2), "best": 0.5}
    assert "worse than 0.5, the median of 3 running averages; it may reach 0.2 at most" in stopped.why


@pytest.mark.parametrize(("gain", "spared"), [(0.05, False), (0.35, True)])
def test_a_job_is_spared_while_it_may_gain_what_a_completed_one_gained(gain: float, spared: bool) -> None:
    ledger = opened()
    ended_job(ledger, 1, [0.6] * 20)
    ended_job(ledger, 2, [0.2] * 10 + [0.2 + gain] * 10)
    # Flat, at 0.2 with 0.4 to go to the best; the largest of two gains, and one and a half of it more,
    # since it hasn't begun to learn.
    name = running_job(ledger, 9, [0.2] * 5)
    judgements = MedianRule(grace_epochs=0).judge(ledger)
    last = judgements[-1]
    assert (last.job, last.stop) == (name, not spared)
    assert last.numbers["reach"] == pytest.approx(0.2 + 2.5 * gain)


@pytest.mark.parametrize(
    ("gained", "epochs", "short_by"),
    [(0.0, 9, 3), (0.019, 9, 3), (0.021, 9, 1), (0.021, 4, 1), (0.021, 3, 3)],
)
def test_a_job_that_has_not_begun_to_learn_may_gain_more_than_one_that_has(
    gained: float, epochs: int, short_by: int
) -> None:
    """The completed jobs have 20 epochs, and gained 0.2 in all at the median; the most that one gained from
    where the other job stands is 0.3."""
    ledger = opened()
    for trial, whole in enumerate((0.1, 0.2, 0.4), start=1):
        ended_job(ledger, trial, [0.5] + [0.5 + whole / 4] * 10 + [0.5 + whole] * 9)
    running_job(ledger, 9, [0.0, *[gained] * (epochs - 1)])
    last = MedianRule(grace_epochs=epochs).judge(ledger)[-1]
    assert last.numbers["reach"] == pytest.approx(gained + 0.3 * (1 + short_by / 3))


def test_one_bad_epoch_does_not_condemn_a_job_that_was_nearly_the_best() -> None:
    ledger = opened()
    for trial in range(1, 4):
        ended_job(ledger, trial, [0.5] * 20)
    running_job(ledger, 9, [0.499, 0.5, 0.5, 0.5, 0.1])
    *_, last = MedianRule(grace_epochs=5).judge(ledger)
    assert last.median == 0.5
    assert not last.stop


def test_without_a_completed_job_to_beat_nothing_is_stopped_but_by_the_bare_rule() -> None:
    ledger = opened()
    for trial in range(1, 4):
        ended_job(ledger, trial, [0.9, 0.9], Outcome.STOPPED_EARLY)
    running_job(ledger, 9, [0.0, 0.0])
    policy = MedianRule(ComparedJobs.ENDED, 2, grace_epochs=1)
    assert not any(judgement.stop for judgement in policy.judge(ledger))
    assert MedianRule(ComparedJobs.ENDED, 1, grace_epochs=0).judge(ledger)[-1].stop


@pytest.mark.parametrize("kind", ["Maximize", "Minimize"])
@given(data=st.data())
def test_what_auto_stops_the_bare_rule_stops_too(kind: str, data: st.DataObject) -> None:
    """The guards only ever spare: the guide's condition is necessary for a stop."""
    ledger = opened(spec(objective={"metric_name": "accuracy", "type": kind}))
    for trial, curve in enumerate(data.draw(st.lists(curves, max_size=6)), start=1):
        ended_job(ledger, trial, curve)
    running_job(ledger, 50, data.draw(curves))
    bare = {
        (j.job, j.epoch): j for j in MedianRule(spare_hopeful=False, min_jobs=1, grace_epochs=0).judge(ledger)
    }
    auto = [judgement for judgement in MedianRule().judge(ledger) if judgement.stop]
    for judgement in auto:
        earlier = [j for (job, epoch), j in bare.items() if job == judgement.job and epoch <= judgement.epoch]
        assert any(j.stop for j in earlier)


def test_beyond_the_median_a_job_that_cannot_reach_the_best_is_stopped_in_the_second_half_only() -> None:
    ledger = opened()
    for trial, final in enumerate([0.2, 0.3, 0.4, 0.9], start=1):
        ended_job(ledger, trial, [final] * 20)
    running_job(ledger, 9, [0.5] * 15)  # better than the median, 0.35; far from the best, 0.9
    assert not any(judgement.stop for judgement in MedianRule().judge(ledger))
    judgements = MedianRule(beyond_median=True).judge(ledger)
    assert [j.epoch for j in judgements if j.stop] == [10]
    assert "not worse than 0.35" in judgements[-1].why
    assert "but it may reach 0.5 at most; the best is 0.9" in judgements[-1].why


@pytest.mark.parametrize(
    ("settings", "spares"),
    [
        ({}, True),
        ({"min_jobs": 1, "grace_epochs": 0}, False),
        ({"min_jobs": 1}, True),
        ({"grace_epochs": 0}, True),
        ({"min_jobs": 1, "grace_epochs": 0, "spare_hopeful": True}, True),
        ({"spare_hopeful": False}, False),
    ],
)
def test_the_policy_of_a_spec_becomes_the_rule(settings: dict[str, Any], spares: bool) -> None:
    rule = early_stopping_rule(spec(early_stopping={"type": "Auto", **settings}))
    assert isinstance(rule, MedianRule)
    assert rule.spares == spares
    assert rule.min_jobs == settings.get("min_jobs")


@pytest.mark.parametrize(
    ("compare_with", "compared"),
    [(ComparedJobs.COMPLETED, 1), (ComparedJobs.ENDED, 2), (ComparedJobs.ALL, 3)],
)
def test_whose_curves_are_compared_with(compare_with: ComparedJobs, compared: int) -> None:
    ledger = opened()
    ended_job(ledger, 1, [0.5])
    ended_job(ledger, 2, [0.5], Outcome.STOPPED_EARLY)
    other = running_job(ledger, 3, [0.5])
    mine = running_job(ledger, 4, [0.5])
    judgements = {j.job: j for j in MedianRule(compare_with, 1, 0).judge(ledger)}
    assert judgements[mine].compared == compared
    assert judgements[other].compared == compared
