"""The Bayesian strategy keeps the contract also where its model is at work as early as it can be."""

from __future__ import annotations

from amt_flows.strategies import Strategy
from amt_flows.strategies.bayesian import Bayesian
from amt_flows.testing.strategy_conformance import StrategyConformance


class TestBayesianFromTheFirstResult(StrategyConformance):
    def make_strategy(self) -> Strategy:
        return Bayesian(initial=1)
