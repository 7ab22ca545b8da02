"""What a stopped job would have ended with is read off the curves of completed ones."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.ledger.history import Curve, TrialRow, TrialState
from amt_flows.strategies.cut_short import LEAST_ALIKE, expected_finals, standing
from amt_flows.strategies.evidence import honest_losses

FINITE = st.floats(-1.7e308, 1.7e308)


def curve(values: Sequence[float]) -> Curve:
    return tuple(enumerate(values, start=1))


def completed(number: int, values: Sequence[float]) -> TrialRow:
    return TrialRow(number, {"x": float(number)}, TrialState.COMPLETED, values[-1], curve(values))


def stopped(values: Sequence[float]) -> TrialRow:
    return TrialRow(99, {"x": 99.0}, TrialState.STOPPED, values[-1], curve(values))


# Ten jobs that keep their order: the k-th stands at k + 5 after two epochs and ends at k after four.
ORDERLY = [completed(k, [k + 6.0, k + 5.0, k + 1.0, float(k)]) for k in range(10)]


@pytest.mark.parametrize("stood_at", [6.0, 8.0, 12.0])
def test_where_early_values_tell_the_end_a_stopped_job_ends_like_its_like(stood_at: float) -> None:
    (expected,) = expected_finals([stopped([9.0, stood_at])], ORDERLY)
    assert expected == pytest.approx(stood_at - 5.0, abs=1.0)


def test_a_value_is_compared_at_its_own_epoch() -> None:
    """8 is poor after three epochs, where the others stand between 1 and 10, and middling after two."""
    early, late = expected_finals([stopped([9.0, 8.0]), stopped([9.0, 8.0, 8.0])], ORDERLY)
    assert late - early == pytest.approx(4.0, abs=1.0)


def test_where_early_values_tell_nothing_the_estimate_is_in_the_middle() -> None:
    rng = np.random.default_rng(0)
    unrelated = [completed(k, [float(rng.random()), float(rng.random())]) for k in range(200)]
    best, worst = expected_finals([stopped([0.0]), stopped([1.0])], unrelated)
    assert 0.25 < best < 0.75
    assert 0.25 < worst < 0.75


def test_a_freak_value_is_held_within_what_others_ended_with() -> None:
    low, high = expected_finals([stopped([9.0, -1e300]), stopped([9.0, 1e300])], ORDERLY)
    assert (low, high) == (1.0, 8.0)


@pytest.mark.parametrize(
    ("row", "others"),
    [
        (stopped([9.0, 8.0]), ORDERLY[: LEAST_ALIKE - 1]),
        (stopped([9.0] * 5), ORDERLY),
        (TrialRow(99, {"x": 99.0}, TrialState.STOPPED, 8.0), ORDERLY),
        (stopped([9.0, math.nan]), ORDERLY),
        (stopped([9.0, 8.0]), [TrialRow(k, {"x": 0.0}, TrialState.COMPLETED, 1.0) for k in range(9)]),
    ],
    ids=["too few", "none reached that epoch", "no curve", "stood at NaN", "others have no curve"],
)
def test_with_nothing_to_compare_there_is_no_estimate(row: TrialRow, others: list[TrialRow]) -> None:
    assert np.isnan(expected_finals([row], others)).all()


def test_a_completed_job_that_was_at_nan_at_that_epoch_is_no_like() -> None:
    lost = [completed(20 + k, [9.0, math.nan, 1.0, -100.0]) for k in range(5)]
    row = stopped([9.0, 8.0])
    np.testing.assert_array_equal(expected_finals([row], lost + ORDERLY), expected_finals([row], ORDERLY))


@given(st.lists(st.lists(FINITE, min_size=1, max_size=6), min_size=4, max_size=15), st.data())
def test_the_estimate_lies_among_the_finals_and_never_below_the_best(
    curves: list[list[float]], data: st.DataObject
) -> None:
    rows = [completed(k, values) for k, values in enumerate(curves)]
    cut = stopped(data.draw(st.lists(FINITE, min_size=1, max_size=6)))
    losses = honest_losses([*rows, cut])
    finals = [row.loss for row in rows]
    assert min(f for f in finals if f is not None) <= losses[-1] <= max(f for f in finals if f is not None)
    assert losses[:-1].tolist() == finals


@pytest.mark.parametrize(
    ("epoch", "value"), [(1, math.nan), (2, 5.0), (3, 5.0), (4, 7.0), (6, 6.0), (7, math.nan)]
)
def test_where_a_curve_stands(epoch: int, value: float) -> None:
    found = standing(((2, 5.0), (4, 7.0), (6, 6.0)), epoch)
    assert found == value or (math.isnan(found) and math.isnan(value))


def test_a_thousand_long_curves_take_little_time() -> None:
    rng = np.random.default_rng(0)
    long = [completed(k, rng.random(300).tolist()) for k in range(500)]
    cut = [stopped(rng.random(1 + k % 299).tolist()) for k in range(500)]
    started = time.process_time()
    assert np.isfinite(expected_finals(cut, long)).all()
    assert time.process_time() - started < 2
