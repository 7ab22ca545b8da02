"""Hints of parents with other data: their order counts as far as it agrees with our own results, and
fades."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.ledger.history import TrialRow, TrialState
from amt_flows.space.space import Categorical, Continuous, Space
from amt_flows.strategies.bayesian import Bayesian
from amt_flows.strategies.evidence import gather
from amt_flows.strategies.gaussian_process import Array
from amt_flows.strategies.hints import (
    FADING,
    MOST_HINTS,
    TRUST,
    agreement,
    expected,
    with_hints,
)

SQUARE = Space((Continuous("x", 0.0, 1.0), Continuous("y", 0.0, 1.0)))
Task = Callable[[float, float], float]


def bowl(x: float, y: float) -> float:
    return (x - 0.3) ** 2 + (y - 0.7) ** 2


def steeper(x: float, y: float) -> float:
    return 1000 * bowl(x, y) * math.sqrt(bowl(x, y)) - 7


def upside_down(x: float, y: float) -> float:
    return -bowl(x, y)


def rows(task: Task, count: int, *, parent: str = "", seed: int = 0) -> list[TrialRow]:
    places = np.random.default_rng(seed).random((count, 2))
    first = 1 - count if parent else 1
    return [
        TrialRow(
            first + k,
            {"x": float(x), "y": float(y)},
            TrialState.COMPLETED,
            task(float(x), float(y)),
            parent=parent,
            identical=parent == "",
        )
        for k, (x, y) in enumerate(places)
    ]


def hints_beside(own: Sequence[TrialRow], parents: Sequence[TrialRow]) -> tuple[Array, Array]:
    evidence = gather(SQUARE, own)
    hinted = with_hints(evidence, SQUARE, [*parents, *own])
    count = len(evidence.points)
    np.testing.assert_array_equal(hinted.points[:count], evidence.points)
    np.testing.assert_array_equal(hinted.targets[:count], evidence.targets)
    assert hinted.unit == evidence.unit
    return hinted.points[count:], hinted.targets[count:]


def test_a_parent_that_agrees_hints_in_any_unit_and_its_best_is_no_better_than_ours() -> None:
    own, parents = rows(bowl, 5), rows(steeper, 30, parent="old", seed=1)
    points, targets = hints_beside(own, parents)
    assert 20 <= len(points) <= 30
    assert targets.min() >= gather(SQUARE, own).targets.min()
    losses = [steeper(*place) for place in points]
    assert np.corrcoef(losses, targets)[0, 1] > 0.5


def test_a_parent_that_says_the_opposite_is_not_heard() -> None:
    points, _ = hints_beside(rows(bowl, 6), rows(upside_down, 30, parent="old", seed=1))
    assert len(points) == 0


def test_one_that_misleads_takes_nothing_from_one_that_agrees() -> None:
    own = rows(bowl, 6)
    parents = rows(upside_down, 30, parent="bad", seed=1) + rows(bowl, 30, parent="good", seed=2)
    points, _ = hints_beside(own, parents)
    good = {tuple(SQUARE.encode(row.configuration)) for row in parents if row.parent == "good"}
    assert len(points) > 5
    assert {tuple(point) for point in points} <= good


@pytest.mark.parametrize(("told", "source"), [(bowl, "bayesian/gp"), (upside_down, "bayesian/initial")])
def test_where_the_best_of_parents_misled_a_design_follows(told: Task, source: str) -> None:
    parents = rows(told, 30, parent="old", seed=1)
    best = sorted(parents, key=lambda row: row.loss or 0.0)[:5]
    own = [
        TrialRow(number, row.configuration, TrialState.COMPLETED, bowl(*SQUARE.encode(row.configuration)))
        for number, row in enumerate(best, start=1)
    ]
    proposal = Bayesian().propose(SQUARE, [*parents, *own], number=6, seed=0)
    assert proposal is not None
    assert proposal.source == source


def test_hints_fade_with_every_result_of_our_own() -> None:
    parents = rows(bowl, 60, parent="old", seed=1)
    counts = [len(hints_beside(rows(bowl, own), parents)[0]) for own in (3, 10, 15, MOST_HINTS // FADING)]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 0
    assert counts[0] > 20


def test_without_parents_the_evidence_is_what_it_was() -> None:
    own = rows(bowl, 5)
    evidence = gather(SQUARE, own)
    assert with_hints(evidence, SQUARE, own) is evidence


def test_hints_alone_are_no_evidence() -> None:
    with pytest.raises(ValueError, match="no row ended with a loss"):
        gather(SQUARE, rows(bowl, 5, parent="old"))


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=20))
def test_agreement_is_between_none_and_full(losses: list[int]) -> None:
    values = np.array(losses, dtype=float)
    assert agreement(values, values) == 1.0
    pairs = sum(a != b for k, a in enumerate(losses) for b in losses[k + 1 :])
    assert agreement(-values, values) == pytest.approx(max(0.0, 2 * TRUST / (pairs + TRUST) - 1))


def test_what_a_parent_says_of_its_own_places_is_what_it_found_there() -> None:
    space = Space((Continuous("x", 0.0, 1.0), Categorical("c", ("a", "b", "c"))))
    points = np.array([space.encode({"x": x, "c": c}) for x in (0.1, 0.9) for c in "abc"])
    targets = np.arange(6.0)
    np.testing.assert_allclose(expected(space, (points, targets), points), targets, atol=0.02)


def test_the_model_starts_with_the_parents_hints_and_finds_the_bowl() -> None:
    parents = rows(steeper, 30, parent="old", seed=1)
    history = [*parents, *rows(bowl, 3)]
    proposal = Bayesian().propose(SQUARE, history, number=4, seed=0)
    assert proposal is not None
    assert proposal.source.startswith("bayesian/gp")
    place = SQUARE.encode(proposal.configuration)
    assert np.abs(place - [0.3, 0.7]).max() < 0.3


def test_configurations_that_a_similar_parent_tried_are_free() -> None:
    space = Space((Categorical("c", ("a", "b")),))
    parents = [
        TrialRow(0, {"c": "a"}, TrialState.COMPLETED, 1.0, parent="old", identical=False),
        TrialRow(-1, {"c": "b"}, TrialState.COMPLETED, 0.0, parent="old", identical=False),
    ]
    assert Bayesian().propose(space, parents, number=1, seed=0) is not None
    as_ours = [TrialRow(row.number, row.configuration, row.state, row.loss, parent="old") for row in parents]
    assert Bayesian().propose(space, as_ours, number=1, seed=0) is None
