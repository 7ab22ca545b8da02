"""Hyperband's proposals keep every strategy's contract, at random and by the model."""

from __future__ import annotations

from amt_flows.space.space import Continuous, Space
from amt_flows.strategies import Strategy
from amt_flows.strategies.brackets import rungs, rungs_of
from amt_flows.strategies.choose import strategy_of
from amt_flows.strategies.hyperband import Hyperband, ModelHyperband
from amt_flows.strategies.random import Random
from amt_flows.testing.strategy_conformance import StrategyConformance
from worlds import spec

SPACE = Space((Continuous("x", 0.0, 1.0),))


class TestHyperband(StrategyConformance):
    def make_strategy(self) -> Strategy:
        return Hyperband(1, 27)


class TestModelHyperband(StrategyConformance):
    def make_strategy(self) -> Strategy:
        return ModelHyperband(1, 27)


def test_a_proposal_is_random_and_says_its_bracket() -> None:
    for number in range(1, 30):
        proposal = Hyperband(2, 50).propose(SPACE, [], number=number, seed=3)
        plain = Random().propose(SPACE, [], number=number, seed=3)
        assert proposal is not None
        assert plain is not None
        bracket, own = rungs_of(number, rungs(2, 50))
        assert proposal.configuration == plain.configuration
        assert proposal.source == f"hyperband/{bracket}/random"
        assert proposal.reason.endswith(
            f"bracket {bracket}: "
            + (f"compared at epochs {', '.join(map(str, own))}" if own else "compared with none")
        )


def test_the_spec_chooses_who_proposes() -> None:
    asked = {"strategy": "Hyperband", "hyperband": {"min_resource": 2, "max_resource": 9}}
    assert strategy_of(spec(**asked)) == Hyperband(2, 9)
    asked["hyperband"] = {"max_resource": 9, "proposals": "model"}
    assert strategy_of(spec(**asked)) == ModelHyperband(1, 9)
    assert strategy_of(spec()) == Random()
