"""Which algorithm gets the next trial: whatever the results, by rules that can be said in a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.ledger.history import TrialRow, TrialState
from amt_flows.strategies.allocation import FIRST_TRIALS, SHARE, next_algorithm

LOSSES = st.one_of(
    st.none(),
    st.floats(-1e6, 1e6),
    st.sampled_from([0.0, -0.0, 1e300, -1e300, 5e-324]),
)


def row(loss: float | None, *, pending: bool = False) -> TrialRow:
    state = TrialState.COMPLETED if loss is not None else TrialState.FAILED
    return TrialRow(1, {}, TrialState.PENDING if pending else state, loss)


def rows(*losses: float | None) -> list[TrialRow]:
    return [row(loss) for loss in losses]


HISTORIES = st.lists(st.lists(LOSSES.map(row), max_size=12), min_size=1, max_size=5)


@given(HISTORIES, st.data())
def test_an_algorithm_that_may_be_chosen_is_chosen_and_always_the_same(
    histories: list[list[TrialRow]], data: st.DataObject
) -> None:
    places = range(len(histories))
    passed_over = data.draw(st.sets(st.sampled_from(places)))
    turn = next_algorithm(histories, passed_over=passed_over)
    assert turn == next_algorithm(histories, passed_over=set(passed_over))
    if passed_over == set(places):
        assert turn is None
    else:
        assert turn is not None
        assert turn.index in set(places) - passed_over


@given(HISTORIES)
def test_each_has_its_first_trials_before_any_has_more(histories: list[list[TrialRow]]) -> None:
    turn = next_algorithm(histories)
    assert turn is not None
    counts = [len(each) for each in histories]
    if min(counts) < FIRST_TRIALS and len(histories) > 1:
        assert turn.index == counts.index(min(counts))


@given(HISTORIES)
def test_where_results_do_not_matter_they_take_turns(histories: list[list[TrialRow]]) -> None:
    turn = next_algorithm(histories, takes_turns=True)
    counts = [len(each) for each in histories]
    assert turn is not None
    assert turn.index == counts.index(min(counts))


@given(HISTORIES, st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_neither_the_unit_nor_the_origin_of_the_objective_matters(
    histories: list[list[TrialRow]], unit: float, origin: float
) -> None:
    """Up to rounding, which may decide between two that are all but equal: whole losses have none."""
    whole = [[row(None if one.loss is None else round(one.loss) % 64) for one in each] for each in histories]
    unit, origin = 2.0 ** round(math.log2(unit)), float(round(origin))
    other = [[row(None if o.loss is None else o.loss * unit + origin * unit) for o in each] for each in whole]
    one, two = next_algorithm(whole), next_algorithm(other)
    assert one is not None
    assert two is not None
    assert one.index == two.index


def chosen(
    histories: Sequence[list[TrialRow]], trials: int, pays: Sequence[Sequence[float | None]]
) -> list[int]:
    """Whose turn it was in so many trials more; algorithm i gets ``pays[i]``, its last loss over and over."""
    turns = []
    for _ in range(trials):
        turn = next_algorithm(histories)
        assert turn is not None
        losses = pays[turn.index]
        histories[turn.index].append(row(losses[min(len(histories[turn.index]), len(losses) - 1)]))
        turns.append(turn.index)
    return turns


def test_the_one_with_the_best_results_gets_most_trials() -> None:
    turns = chosen([[], [], []], 40, [[3.0, 2.0, 2.5], [1.0, 0.5, 0.6], [5.0, 6.0, 7.0]])
    assert turns[:9] == [0, 1, 2] * 3
    assert turns.count(1) > 22


@given(st.lists(st.lists(st.floats(0, 9), min_size=1, max_size=30), min_size=2, max_size=5))
def test_whatever_they_pay_each_keeps_half_of_an_equal_share(pays: list[list[float]]) -> None:
    histories: list[list[TrialRow]] = [[] for _ in pays]
    for trials in range(1, 41):
        chosen(histories, 1, pays)
        assert all(len(each) >= math.floor(SHARE * trials / len(pays)) for each in histories)


def test_one_that_gets_better_late_is_followed() -> None:
    """Of two that are about as good, the second improves once it has had ten trials."""
    turns = chosen([[], []], 60, [[1.0, 1.2], [1.1] * 10 + [0.2]])
    assert turns[-12:].count(1) >= 9


def test_one_that_only_fails_gets_little_more_than_its_first_trials() -> None:
    turns = chosen([[], []], 50, [[None], [1.0, 0.9, 0.8]])
    assert turns.count(0) <= FIRST_TRIALS + 2


def test_running_trials_count_so_that_workers_spread() -> None:
    histories = [rows(1.0, 1.1, 1.2), rows(1.0, 1.1, 1.2)]
    taken = []
    for _ in range(4):
        turn = next_algorithm(histories)
        assert turn is not None
        taken.append(turn.index)
        histories[turn.index].append(row(None, pending=True))
    assert sorted(taken) == [0, 0, 1, 1]


def test_one_diverged_job_bends_nothing() -> None:
    without = [rows(1.0, 1.1, 1.2, 1.3), rows(2.0, 2.1, 2.2, 2.3)]
    with_it = [rows(1.0, 1.1, 1.2, 1.3), rows(2.0, 2.1, 2.2, 1e300)]
    assert next_algorithm(without) == next_algorithm(with_it)


@pytest.mark.parametrize("losses", [[None, None, None], [1.0, 1.0, 1.0]])
def test_equals_take_turns(losses: list[float | None]) -> None:
    assert chosen([[], []], 8, [losses, losses]) == [0, 1] * 4


def test_the_reason_is_told() -> None:
    turn = next_algorithm([rows(1.0, 1.1, 1.2), rows(3.0, 3.1, 3.2)])
    assert turn is not None
    assert (
        turn.why == "its best is 1.00 of the way from the median to the best of all, +0.09 for 3 of 6 trials"
    )
