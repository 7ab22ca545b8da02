"""Preferring cheap jobs: what is learnt of durations, and what difference it makes to a proposal."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amt_flows.errors import SpecError
from amt_flows.ledger.history import TrialRow, TrialState
from amt_flows.space.space import Categorical, Configuration, Continuous, Integer, Scaling, Space
from amt_flows.spec import TuningSpec
from amt_flows.strategies import Strategy
from amt_flows.strategies.bayesian import Bayesian
from amt_flows.strategies.choose import strategy_of
from amt_flows.strategies.cost import cost_model
from amt_flows.testing.strategy_conformance import StrategyConformance

SPACE = Space(
    (
        Continuous("rate", 1e-4, 1.0, Scaling.LOGARITHMIC),
        Integer("epochs", 1, 100),
        Categorical("kind", ("tree", "net")),
    )
)
Duration = Callable[[Configuration], float]


def by_epochs(configuration: Configuration) -> float:
    slower = 5.0 if configuration["kind"] == "net" else 1.0
    return float(3.0 * slower * float(configuration["epochs"]) ** 0.8)


def loss(configuration: Configuration) -> float:
    """Of the learning rate alone: how long a job trains makes no difference."""
    return (math.log10(float(configuration["rate"])) + 2.0) ** 2


def history(count: int, duration: Duration, space: Space = SPACE) -> list[TrialRow]:
    rng = np.random.default_rng(count)
    configurations = [space.decode(rng.random(space.dimension)) for _ in range(count)]
    return [
        TrialRow(k, c, TrialState.COMPLETED, loss(c), seconds=duration(c))
        for k, c in enumerate(configurations)
    ]


class TestBayesianThatPrefersCheapJobs(StrategyConformance):
    def make_strategy(self) -> Strategy:
        return Bayesian(prefer_cheap=True)


def test_durations_are_told_of_configurations_that_were_not_tried() -> None:
    model = cost_model(SPACE, history(30, by_epochs))
    assert model is not None
    assert model.skill > 0.8
    rng = np.random.default_rng(1)
    new = [SPACE.decode(rng.random(3)) for _ in range(200)]
    told = np.log(model.seconds(np.array([SPACE.encode(c) for c in new])))
    true = np.log([by_epochs(c) for c in new])
    assert np.corrcoef(told, true)[0, 1] > 0.9
    assert abs(np.mean(told - true)) < 0.3


@pytest.mark.parametrize("rows", [0, 3, 5])
def test_a_few_jobs_say_nothing(rows: int) -> None:
    assert cost_model(SPACE, history(rows, by_epochs)) is None


def test_durations_by_chance_say_nothing() -> None:
    rng = np.random.default_rng(0)
    seconds = iter(rng.lognormal(3, 1, size=60))
    assert cost_model(SPACE, history(60, lambda _: float(next(seconds)))) is None


def test_equal_durations_say_nothing() -> None:
    assert cost_model(SPACE, history(30, lambda _: 7.0)) is None


def test_only_completed_jobs_of_our_own_with_a_duration_are_learnt_from() -> None:
    rows = history(30, by_epochs)
    others = [
        replace(row, state=state, parent=parent, seconds=seconds)
        for row, (state, parent, seconds) in zip(
            history(36, lambda _: 1e6),
            [
                (TrialState.STOPPED, "", 1e6),
                (TrialState.FAILED, "", 1e6),
                (TrialState.PENDING, "", 1e6),
                (TrialState.COMPLETED, "parent", 1e6),
                (TrialState.COMPLETED, "", None),
                (TrialState.COMPLETED, "", 0.0),
            ]
            * 6,
            strict=True,
        )
    ]
    alone, among = cost_model(SPACE, rows), cost_model(SPACE, [*others, *rows])
    assert alone is not None
    assert among is not None
    assert (alone.weights == among.weights).all()


def test_of_equally_promising_jobs_the_cheaper_are_proposed() -> None:
    """Where durations have nothing to do with the loss, all that they cost can be saved."""
    mean = {}
    for prefer_cheap in (False, True):
        rows = history(20, by_epochs)
        for _ in range(12):
            number = len(rows)
            proposal = Bayesian(prefer_cheap=prefer_cheap).propose(SPACE, rows, number=number, seed=3)
            assert proposal is not None
            c = proposal.configuration
            rows.append(TrialRow(number, c, TrialState.COMPLETED, loss(c), seconds=by_epochs(c)))
        assert min(row.loss or 0.0 for row in rows[20:]) < 0.01
        mean[prefer_cheap] = np.mean([row.seconds or 0.0 for row in rows[20:]])
    assert mean[True] < 0.4 * mean[False]


@given(st.integers(8, 30), st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_without_durations_it_makes_no_difference(count: int, seed: int) -> None:
    rows = [replace(row, seconds=None) for row in history(count, by_epochs)]
    for number in (count, count + 1):
        plain = Bayesian().propose(SPACE, rows, number=number, seed=seed)
        assert Bayesian(prefer_cheap=True).propose(SPACE, rows, number=number, seed=seed) == plain


def test_the_reason_says_what_is_saved() -> None:
    proposal = Bayesian(prefer_cheap=True).propose(SPACE, history(20, by_epochs), number=20, seed=0)
    assert proposal is not None
    said = r"; should take [\d.]+ (s|min), the most promising one [\d.]+ (s|min|h)$"
    assert re.search(said, proposal.reason)


def spec(**changed: object) -> TuningSpec:
    return TuningSpec.parse(
        {
            "name": "cheap",
            "objective": {"metric_name": "loss", "type": "Minimize"},
            "continuous": [{"name": "rate", "min_value": 0.001, "max_value": 1}],
            "limits": {"max_number_of_training_jobs": 9, "prefer_cheap": True},
            "training_job": {"command": "train"},
            **changed,
        }
    )


def test_the_spec_asks_for_it() -> None:
    assert strategy_of(spec()) == Bayesian(prefer_cheap=True)
    hyperband = {"max_resource": 9, "proposals": "model"}
    strategy = strategy_of(spec(strategy="Hyperband", hyperband=hyperband))
    assert getattr(strategy, "prefer_cheap", None) is True


@pytest.mark.parametrize("strategy", ["Random", "QuasiRandom"])
def test_a_strategy_without_a_model_refuses_it(strategy: str) -> None:
    with pytest.raises(SpecError, match=r"limits\.prefer_cheap: .* doesn't know what is promising"):
        spec(strategy=strategy)
