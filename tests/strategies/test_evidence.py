"""What the model is told: robust to outliers, fair to failures, honest about stopped jobs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.ledger.history import TrialRow, TrialState
from amt_flows.space.space import Continuous, Space
from amt_flows.strategies.evidence import (
    FAILED_AT_LEAST,
    MAX_PENDING,
    MAX_ROWS,
    gather,
    honest_losses,
    select,
    targets_of,
)

LINE = Space((Continuous("x", 0.0, 1e6),))
LOSSES = st.lists(st.floats(-1e308, 1e308), min_size=1, max_size=60)


def row(number: int, state: TrialState, loss: float | None = None) -> TrialRow:
    return TrialRow(number, {"x": float(number)}, state, loss)


def completed(losses: Sequence[float]) -> list[TrialRow]:
    return [row(k, TrialState.COMPLETED, loss) for k, loss in enumerate(losses)]


@given(LOSSES)
def test_targets_are_finite_moderate_and_in_the_order_of_the_losses(losses: list[float]) -> None:
    targets, unit = targets_of(np.array(losses))
    assert np.isfinite(targets).all()
    assert np.abs(targets).max() < 8.0
    assert unit >= 0.0
    order = np.argsort(losses, kind="stable")
    assert (np.diff(targets[order]) >= -1e-12).all()
    ascending = np.array(losses)[order]
    equal = ascending[1:] == ascending[:-1]
    assert (np.diff(targets[order])[equal] == 0).all()


@given(
    st.lists(st.integers(-1000, 1000), min_size=2, max_size=40), st.sampled_from([1e-250, 1e-3, 7.0, 1e250])
)
def test_targets_do_not_depend_on_the_unit_of_the_loss(losses: list[int], factor: float) -> None:
    plain, unit = targets_of(np.array(losses, dtype=float))
    scaled, scaled_unit = targets_of(np.array(losses) * factor)
    np.testing.assert_allclose(scaled, plain, atol=1e-9)
    assert scaled_unit == pytest.approx(unit * factor, rel=1e-9)


def test_below_the_median_targets_are_linear_in_the_loss() -> None:
    losses = np.array([1.0, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    targets, unit = targets_of(losses)
    np.testing.assert_allclose(np.diff(targets[:5]) * unit, np.diff(losses[:5]), atol=1e-12)


def test_how_badly_a_bad_run_diverged_makes_no_difference() -> None:
    for scale in (1.0, 1e-200):
        mild, _ = targets_of(np.array([1.0, 2.0, 3.0, 4.0, 5.0]) * scale)
        wild, _ = targets_of(np.array([1.0 * scale, 2.0 * scale, 3.0 * scale, 4.0 * scale, 1e308]))
        np.testing.assert_allclose(mild, wild, atol=1e-9)


def test_one_freakishly_good_run_does_not_flatten_the_others() -> None:
    losses = np.array([-1e9, *np.linspace(0.0, 1.0, 20)])
    targets, _ = targets_of(losses)
    assert targets[0] == targets.min()
    assert targets[10] - targets[1] > 1.0


@pytest.mark.parametrize("loss", [0.0, 0.5, -1e300, 1e-300])
def test_equal_losses_are_nothing_to_learn_from(loss: float) -> None:
    targets, unit = targets_of(np.full(7, loss))
    assert (targets == 0.0).all()
    assert unit == 0.0


def test_more_ties_than_not_at_the_median() -> None:
    targets, unit = targets_of(np.array([0.2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.9]))
    assert targets[0] < -1.0
    assert (targets[1:6] == 0.0).all()
    assert targets[6] > 1.0
    assert unit > 0.0


@pytest.mark.parametrize(("stood_at", "held_for"), [(0.0, 2.0), (2.5, 2.5), (99.0, 3.0)])
def test_a_stopped_job_is_held_between_the_median_and_the_worst(stood_at: float, held_for: float) -> None:
    rows = [*completed([1.0, 2.0, 3.0]), row(3, TrialState.STOPPED, stood_at)]
    assert honest_losses(rows).tolist() == [1.0, 2.0, 3.0, held_for]


def test_with_nothing_completed_a_stopped_job_is_taken_as_it_stood() -> None:
    rows = [row(k, TrialState.STOPPED, loss) for k, loss in enumerate([3.0, 1.0])]
    assert honest_losses(rows).tolist() == [3.0, 1.0]
    assert int(np.argmin(gather(LINE, rows).targets)) == 1


def test_a_stopped_job_never_becomes_the_one_to_beat() -> None:
    rows = [*completed([1.0, 2.0, 3.0]), row(3, TrialState.STOPPED, -5.0)]
    evidence = gather(LINE, rows)
    assert int(np.argmin(evidence.targets)) == 0


def test_a_failed_job_is_as_bad_as_the_worst_and_changes_no_other_target() -> None:
    rows = completed([float(k) for k in range(10)])
    without = gather(LINE, rows)
    failures = [row(10 + k, TrialState.FAILED) for k in range(30)]
    evidence = gather(LINE, rows + failures)
    np.testing.assert_array_equal(evidence.targets[:10], without.targets)
    assert (evidence.targets[10:] == without.targets.max()).all()


def test_a_failed_job_is_bad_even_when_all_others_are_alike() -> None:
    evidence = gather(LINE, [*completed([0.5] * 4), row(4, TrialState.FAILED)])
    assert evidence.targets.tolist() == [0.0] * 4 + [FAILED_AT_LEAST]


def test_pending_rows_are_places_without_a_target() -> None:
    evidence = gather(LINE, [*completed([1.0, 2.0]), row(2, TrialState.PENDING)])
    assert evidence.points.shape == (2, 1)
    assert evidence.pending.shape == (1, 1)
    assert gather(LINE, completed([1.0])).pending.shape == (0, 1)


def test_rows_from_outside_the_space_are_left_out() -> None:
    stray = TrialRow(2, {"x": -1.0}, TrialState.COMPLETED, -100.0)
    evidence = gather(LINE, [*completed([1.0, 2.0]), stray])
    assert len(evidence.points) == 2


def test_a_history_without_any_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="loss"):
        gather(LINE, [row(0, TrialState.FAILED), row(1, TrialState.PENDING)])


def test_the_model_never_sees_more_rows_than_it_can_afford() -> None:
    history = completed([abs(k - 100.0) for k in range(1000)])
    history += [row(1000 + k, TrialState.PENDING) for k in range(300)]
    evidence = gather(LINE, history)
    assert len(evidence.points) == len(evidence.targets) == MAX_ROWS
    assert len(evidence.pending) == MAX_PENDING
    places = set(evidence.points[:, 0].tolist())
    assert LINE.encode({"x": 100.0})[0] in places
    assert LINE.encode({"x": 999.0})[0] in places
    assert LINE.encode({"x": 500.0})[0] not in places


def test_of_too_many_rows_the_best_half_and_the_latest_are_kept() -> None:
    targets = np.array([0.0, 9.0, 8.0, 1.0, 7.0, 6.0])
    assert select(targets, np.arange(6), limit=4) == [0, 3, 4, 5]
    assert select(targets, np.arange(6), limit=6) == [0, 1, 2, 3, 4, 5]
