"""What is particular to random, grid and quasi-random search, and how each is found by its name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import kstest, qmc

from amt_flows.ledger.history import TrialRow, TrialState
from amt_flows.space.space import Categorical, Continuous, Integer, Scaling, Space
from amt_flows.strategies import Strategy
from amt_flows.strategies.bayesian import Bayesian
from amt_flows.strategies.choose import STRATEGY_NAMES, strategy_for
from amt_flows.strategies.grid import Grid
from amt_flows.strategies.quasirandom import QuasiRandom
from amt_flows.strategies.random import Random

SQUARE = Space((Continuous("x", 0.0, 1.0), Continuous("y", 0.0, 1.0)))


def ended(space: Space, strategy: Strategy, trials: int, seed: int = 0) -> list[TrialRow]:
    history: list[TrialRow] = []
    for number in range(trials):
        proposal = strategy.propose(space, history, number=number, seed=seed)
        assert proposal is not None
        history.append(TrialRow(number, proposal.configuration, TrialState.COMPLETED, 0.0))
    return history


def places(space: Space, history: Sequence[TrialRow]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array([space.encode(row.configuration) for row in history])


def test_random_draws_are_uniform_on_the_scale_of_each_parameter() -> None:
    space = Space((Continuous("x", 1e-6, 1.0, Scaling.LOGARITHMIC), Continuous("y", -3.0, 4.0)))
    drawn = places(space, ended(space, Random(), 300))
    for column in drawn.T:
        assert kstest(column, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.2


def test_quasi_random_points_leave_smaller_holes_than_random_ones() -> None:
    holes = {
        strategy: np.mean(
            [qmc.discrepancy(places(SQUARE, ended(SQUARE, strategy, 32, seed))) for seed in range(5)]
        )
        for strategy in (QuasiRandom(), Random())
    }
    assert holes[QuasiRandom()] < 0.5 * holes[Random()]


def test_a_quasi_random_point_depends_on_its_number_and_not_on_the_trials_before() -> None:
    whole = ended(SQUARE, QuasiRandom(), 8)
    alone = QuasiRandom().propose(SQUARE, [], number=7, seed=0)
    assert alone is not None
    assert alone.configuration == whole[7].configuration


def test_a_quasi_random_trial_whose_point_is_taken_leaves_the_points_of_the_others_alone() -> None:
    whole = ended(SQUARE, QuasiRandom(), 8)
    taken = [TrialRow(0, whole[1].configuration, TrialState.FAILED)]
    jumped = QuasiRandom().propose(SQUARE, taken, number=1, seed=0)
    assert jumped is not None
    assert jumped.configuration not in [row.configuration for row in whole]


def test_a_grid_is_tried_in_order_and_holes_are_filled_first() -> None:
    space = Space((Integer("a", 1, 2), Categorical("b", ("x", "y"))))
    history = ended(space, Grid(), 4)
    assert [tuple(row.configuration.values()) for row in history] == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]
    hole = Grid().propose(space, [history[0], history[3]], number=9, seed=0)
    assert hole is not None
    assert hole.configuration == history[1].configuration
    assert hole.reason == "3 of 4"


def test_a_grid_over_a_continuum_is_refused() -> None:
    with pytest.raises(ValueError, match="step"):
        Grid().propose(SQUARE, [], number=0, seed=0)


@pytest.mark.parametrize(
    ("name", "strategy"),
    [("Bayesian", Bayesian()), ("Random", Random()), ("Grid", Grid()), ("QuasiRandom", QuasiRandom())],
)
def test_a_strategy_is_found_by_its_name(name: str, strategy: Strategy) -> None:
    assert name in STRATEGY_NAMES
    assert strategy_for(name) == strategy


def test_every_name_leads_to_a_strategy_and_no_other_does() -> None:
    assert len({type(strategy_for(name)) for name in STRATEGY_NAMES}) == len(STRATEGY_NAMES) == 4
    with pytest.raises(ValueError, match=r"bayesian.*one of Bayesian, Random"):
        strategy_for("bayesian")
