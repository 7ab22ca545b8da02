"""Where a curve goes on after a restart, by what its lines call their epochs."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from amt_flows.metrics.epochs import epochs_before
from amt_flows.metrics.search import epoch_told


@given(
    length=st.integers(1, 30),
    first=st.integers(0, 3),
    step=st.integers(1, 10),
    checkpoint=st.integers(0, 30),
)
def test_a_script_goes_on_after_its_checkpoint_however_it_counts(
    length: int, first: int, step: int, checkpoint: int
) -> None:
    assume(length > 1 or step == 1)  # of one value nobody knows the step
    done = min(checkpoint, length)
    called = {epoch: first + step * (epoch - 1) for epoch in range(1, length + 1)}
    assert epochs_before(called, first + step * done) == done


@given(st.dictionaries(st.integers(1, 20), st.integers(0, 20)), st.integers(0, 40))
def test_nothing_is_ever_taken_for_more_than_twice_what_was_trained(
    called: dict[int, int], told: int
) -> None:
    assert 0 <= epochs_before(called, told) <= max(called, default=0) + len(called)


@pytest.mark.parametrize(
    ("called", "told", "expected"),
    [
        ({1: 1, 2: 2, 3: 3}, 1, 0),  # it begins anew
        ({1: 1, 2: 2, 3: 3}, 6, 5),  # the lines of two epochs were never flushed
        ({1: 1, 2: 2, 3: 3}, 1000, 3),  # that is no epoch
        ({1: 0, 2: 0, 3: 1, 4: 1}, 1, 2),  # several values an epoch
        ({1: 9, 2: 4, 3: 7}, 5, 0),  # nor is a number that goes up and down
        ({}, 7, 0),
    ],
)
def test_where_the_count_is_odd(called: dict[int, int], told: int, expected: int) -> None:
    assert epochs_before(called, told) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("amt-report epoch=8; loss=0.5;", 8),
        ("Epoch 3/10 - loss: 0.5", 3),
        ("[epoch: 12] loss 0.5", 12),
        ("epoch [4][100/200] loss 0.5", 4),
        ("after 30 epochs: loss=0.5", None),
        ("loss=0.5", None),
    ],
)
def test_what_a_line_calls_its_epoch(line: str, expected: int | None) -> None:
    assert epoch_told(line) == expected
