"""What is proposed before any strategy chooses: given configurations in order, then the best of similar
parents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from amt_flows.ledger.history import TrialRow, TrialState
from amt_flows.space.space import Categorical, Configuration, Continuous, Space
from amt_flows.spec import TuningSpec
from amt_flows.tuning.warm_start.opening import APART, opening_proposal, transferred
from worlds import spec

SQUARE = Space((Continuous("x", 0.0, 1.0), Continuous("y", 0.0, 1.0)))


def inherited(
    losses: Sequence[float], name: str = "old", identical: bool = False, seed: int = 0
) -> list[TrialRow]:
    rng = np.random.default_rng(seed)
    places = rng.random((len(losses), 2))
    return [
        TrialRow(
            k - len(losses) + 1, at(*place), TrialState.COMPLETED, loss, parent=name, identical=identical
        )
        for k, (place, loss) in enumerate(zip(places, losses, strict=True))
    ]


def at(x: float, y: float) -> Configuration:
    return {"x": float(x), "y": float(y)}


def square(**changes: Any) -> TuningSpec:
    ranges = [{"name": name, "min_value": 0.0, "max_value": 1.0} for name in ("x", "y")]
    return spec(**{"continuous": ranges, **changes})


def proposed(asked: TuningSpec, history: Sequence[TrialRow]) -> list[tuple[str, Configuration]]:
    """All opening proposals, each followed by its result."""
    rows, found = list(history), []
    while (proposal := opening_proposal(asked, asked.space(), rows)) is not None:
        found.append((proposal.source, proposal.configuration))
        rows.append(TrialRow(len(found), proposal.configuration, TrialState.PENDING))
    return found


def test_given_configurations_come_first_in_their_order_and_once() -> None:
    given = [at(0.5, 0.5), at(0.1, 0.9), at(0.2, 0.2)]
    asked = square(first_configurations=given)
    assert proposed(asked, []) == [("given", one) for one in given]
    ran = [TrialRow(1, at(0.1, 0.9), TrialState.FAILED)]
    assert [one for _, one in proposed(asked, ran)] == [given[0], given[2]]


def test_what_an_identical_parent_tried_is_not_tried_again_and_a_similar_ones_is() -> None:
    asked = square(first_configurations=[at(0.5, 0.5)])
    row = TrialRow(0, at(0.5, 0.5), TrialState.COMPLETED, 1.0, parent="old", identical=True)
    assert proposed(asked, [row]) == []
    other = TrialRow(0, at(0.5, 0.5), TrialState.COMPLETED, 1.0, parent="old", identical=False)
    assert proposed(asked, [other]) == [("given", at(0.5, 0.5))]


def test_the_best_of_a_similar_parent_follow() -> None:
    rows = inherited([5.0, 1.0, 4.0, 2.0, 3.0, 6.0, 7.0, 8.0])
    found = proposed(square(), rows)
    assert found == [("warm start", rows[k].configuration) for k in (1, 3, 4)]
    proposal = opening_proposal(square(), SQUARE, rows)
    assert proposal is not None
    assert proposal.reason == "number 1 of old"


def test_parents_take_turns_and_each_has_one() -> None:
    rows = [row for k in range(5) for row in inherited([1.0, 2.0, 3.0, 4.0], f"old-{k}", seed=k)]
    assert [row.parent for row, _ in transferred(SQUARE, rows)] == [f"old-{k}" for k in range(5)]
    assert [rank for _, rank in transferred(SQUARE, rows)] == [1] * 5


def test_close_ones_and_the_worse_half_are_passed_over() -> None:
    close = [at(0.5, 0.5), at(0.5 + APART / 2, 0.5), at(0.9, 0.5), at(0.1, 0.1)]
    rows = [
        TrialRow(k - 3, configuration, TrialState.COMPLETED, float(k), parent="old", identical=False)
        for k, configuration in enumerate(close)
    ]
    assert [row.configuration for row, _ in transferred(SQUARE, rows)] == [close[0]]
    assert [row.configuration for row, _ in transferred(SQUARE, [*rows, *inherited([9.0] * 4)])] == [
        close[0],
        close[2],
        close[3],
    ]


def test_two_categories_are_apart_however_close_they_are_listed() -> None:
    names = tuple(f"c{k}" for k in range(20))
    space = Space((Categorical("c", names),))
    rows = [
        TrialRow(k - 9, {"c": names[k]}, TrialState.COMPLETED, float(k), parent="old", identical=False)
        for k in range(10)
    ]
    assert [row.configuration["c"] for row, _ in transferred(space, rows)] == ["c0", "c1", "c2"]


@pytest.mark.parametrize("outside", [{"x": 2.0, "y": 0.5}, {"x": 0.5}])
def test_what_lies_outside_the_space_is_passed_over(outside: Configuration) -> None:
    rows = [TrialRow(0, outside, TrialState.COMPLETED, -9.0, parent="old", identical=False)]
    assert transferred(SQUARE, rows) == []
