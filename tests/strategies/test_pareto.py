"""Proposals for several objectives: the contract, the weights, the mixture, and that the front is found."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amt_flows.ledger.history import Proposal, TrialRow, TrialState
from amt_flows.space.space import Configuration, Continuous, Space
from amt_flows.strategies import Strategy
from amt_flows.strategies.bayesian import Bayesian
from amt_flows.strategies.choose import strategy_of
from amt_flows.strategies.front import front
from amt_flows.strategies.pareto import Pareto, mixed, weights_of
from amt_flows.strategies.random import Random
from amt_flows.testing.strategy_conformance import StrategyConformance
from two_metrics import OTHER, trading

FLAT = Space((Continuous("x", 0.0, 1.0), Continuous("y", 0.0, 1.0), Continuous("z", 0.0, 1.0)))


@dataclass(frozen=True)
class Against:
    """Two objectives where the conformance suite tells one: the second is the first one's opposite."""

    ignores_results: ClassVar[bool] = False

    def propose(
        self, space: Space, history: Sequence[TrialRow], *, number: int, seed: int
    ) -> Proposal | None:
        rows = [row if row.loss is None else replace(row, other_losses=(-row.loss,)) for row in history]
        return Pareto(Bayesian(), 2).propose(space, rows, number=number, seed=seed)


class TestOneObjective(StrategyConformance):
    def make_strategy(self) -> Strategy:
        return Pareto(Bayesian(), 1)


class TestTwoObjectives(StrategyConformance):
    def make_strategy(self) -> Strategy:
        return Against()


# -- weights --------------------------------------------------------------------------------------

few = st.integers(1, 4)
numbers = st.integers(0, 10_000)


@given(few, numbers, numbers)
def test_weights_are_shares(objectives: int, number: int, seed: int) -> None:
    weights = weights_of(objectives, number=number, seed=seed)
    assert weights.shape == (objectives,)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)
    assert (weights == weights_of(objectives, number=number, seed=seed)).all()


@given(numbers, numbers, st.sampled_from([1, 2]))
def test_any_sixteen_successive_weights_reach_everywhere(start: int, seed: int, step: int) -> None:
    """Also every second one, as a strategy that takes turns between two views sees them."""
    firsts = sorted(weights_of(2, number=start + step * k, seed=seed)[0] for k in range(16))
    assert max(np.diff([0.0, *firsts, 1.0])) < 0.2


@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_no_objective_is_favoured(objectives: int) -> None:
    drawn = np.array([weights_of(objectives, number=k, seed=3) for k in range(500)])
    assert drawn.mean(axis=0) == pytest.approx(1 / objectives, abs=0.02)


# -- the mixture ----------------------------------------------------------------------------------


def rows_of(losses: Sequence[tuple[float, float]]) -> list[TrialRow]:
    return [
        TrialRow(k, {"x": k / 100}, TrialState.COMPLETED, a, other_losses=(b,))
        for k, (a, b) in enumerate(losses)
    ]


def mixture(losses: Sequence[tuple[float, float]], first: float = 0.5) -> list[float]:
    mixed_rows = mixed(rows_of(losses), np.array([first, 1 - first]))
    return [row.loss for row in mixed_rows if row.loss is not None]


whole = st.integers(-50, 50).map(float)
points = st.lists(st.tuples(whole, whole), min_size=1, max_size=12)
enough = settings(max_examples=30)


@enough
@given(points, st.floats(0.01, 0.99))
def test_who_beats_another_in_all_objectives_has_the_better_mixture(
    losses: list[tuple[float, float]], first: float
) -> None:
    told = mixture(losses, first)
    for one, its in zip(losses, told, strict=True):
        for other, theirs in zip(losses, told, strict=True):
            if one[0] < other[0] and one[1] < other[1]:
                assert its < theirs


@enough
@given(points, st.sampled_from([1, 2, 64, 1024]), whole)
def test_units_make_no_difference(losses: list[tuple[float, float]], unit: int, zero: float) -> None:
    assert mixture([(a, unit * b + zero) for a, b in losses]) == pytest.approx(mixture(losses))


def test_every_point_of_a_concave_front_is_the_best_for_some_weights() -> None:
    """Of a weighted sum, only the two ends would be."""
    arc = [(math.sin(angle), math.cos(angle)) for angle in np.linspace(0.3, math.pi / 2 - 0.3, 9)]
    best = {int(np.argmin(mixture(arc, first))) for first in np.linspace(0.01, 0.99, 99)}
    assert best == set(range(9))


@pytest.mark.parametrize("other", [None, math.nan, math.inf])
def test_a_job_that_lacks_a_metric_counts_as_failed(other: float | None) -> None:
    good = rows_of([(1.0, 2.0), (2.0, 1.0)])
    lacking = replace(good[0], number=2, other_losses=(other,), curve=((1, 1.0),))
    running = TrialRow(3, {"x": 0.5}, TrialState.PENDING)
    *kept, failed, still = mixed([*good, lacking, running], np.array([0.5, 0.5]))
    assert [row.state for row in kept] == [TrialState.COMPLETED] * 2
    assert (failed.state, failed.loss, failed.curve) == (TrialState.FAILED, None, ())
    assert still is running


def test_what_the_largest_floats_come_to_is_finite() -> None:
    most = 1.7e308
    assert all(map(math.isfinite, mixture([(most, -most), (-most, most), (0.0, 0.0), (1e-300, -1e-300)])))
    assert mixture([(most, most), (most, most)]) == [0.0, 0.0]


# -- what comes of it -----------------------------------------------------------------------------

Both = Callable[[Configuration], tuple[float, float]]


def convex(configuration: Configuration) -> tuple[float, float]:
    """The front: 1 = sqrt(first) + second, where the others are 0."""
    x, y, z = (float(value) for value in configuration.values())
    g = 1 + 4 * (y + z)
    return x, g * (1 - math.sqrt(x / g))


def concave(configuration: Configuration) -> tuple[float, float]:
    x, y, z = (float(value) for value in configuration.values())
    g = 1 + 4 * (y + z)
    return x, g * (1 - (x / g) ** 2)


def tried(strategy: Strategy, of: Both, seed: int, jobs: int = 24) -> list[tuple[float, float]]:
    history: list[TrialRow] = []
    for number in range(jobs):
        proposal = strategy.propose(FLAT, history, number=number, seed=seed)
        assert proposal is not None
        first, second = of(proposal.configuration)
        row = TrialRow(number, proposal.configuration, TrialState.COMPLETED, first, other_losses=(second,))
        history.append(row)
    return [(row.loss or 0.0, *row.other_losses) for row in history]  # type: ignore[misc]


def area(losses: Sequence[tuple[float, float]]) -> float:
    """What the front has better than (1.1, 1.1)."""
    whole_area, height = 0.0, 1.1
    for a, b in sorted(losses[i] for i in front(losses)):
        if a < 1.1 and b < height:
            whole_area += (1.1 - a) * (height - b)
            height = b
    return whole_area


@pytest.mark.parametrize("of", [convex, concave], ids=["convex", "concave"])
def test_the_front_is_found_where_one_objective_and_chance_miss_it(of: Both) -> None:
    both = area(tried(Pareto(Bayesian(), 2), of, 1))
    assert both > area(tried(Random(), of, 1)) + 0.1
    assert both > area(tried(Bayesian(), of, 1)) + 0.1


def test_a_reason_says_how_the_objectives_were_weighed() -> None:
    proposal = Pareto(Bayesian(), 3).propose(FLAT, [], number=4, seed=1)
    assert proposal is not None
    shares = weights_of(3, number=4, seed=1)
    told = " : ".join(f"{share:.2f}" for share in shares)
    assert proposal.reason.startswith(f"objectives weighed {told}; ")
    assert proposal.source.startswith("bayesian/")


# -- chosen ---------------------------------------------------------------------------------------


def test_a_spec_with_further_objectives_asks_for_it() -> None:
    assert strategy_of(trading()) == Pareto(Bayesian(shares_design=False), 2)
    assert strategy_of(trading(other_objectives=[])) == Bayesian()
    three = trading(other_objectives=[OTHER, {"metric_name": "latency"}, {"metric_name": "energy"}])
    assert strategy_of(three) == Pareto(Bayesian(shares_design=False), 4)


def test_cheap_jobs_can_be_preferred_beside_it() -> None:
    limits = {"max_number_of_training_jobs": 5, "prefer_cheap": True}
    assert strategy_of(trading(limits=limits)) == Pareto(Bayesian(prefer_cheap=True, shares_design=False), 2)


@pytest.mark.parametrize("name", ["Random", "QuasiRandom"])
def test_one_that_ignores_results_is_left_as_it_is(name: str) -> None:
    assert strategy_of(trading(strategy=name)) == strategy_of(trading(strategy=name, other_objectives=[]))
