"""Every strategy keeps the contract."""

from __future__ import annotations

from amt_flows.strategies import Strategy
from amt_flows.strategies.bayesian import Bayesian
from amt_flows.strategies.grid import Grid
from amt_flows.strategies.quasirandom import QuasiRandom
from amt_flows.strategies.random import Random
from amt_flows.testing.strategy_conformance import StrategyConformance


class TestRandom(StrategyConformance):
    def make_strategy(self) -> Strategy:
        return Random()


class TestQuasiRandom(StrategyConformance):
    def make_strategy(self) -> Strategy:
        return QuasiRandom()


class TestGrid(StrategyConformance):
    finite_only = True
    seeded = False

    def make_strategy(self) -> Strategy:
        return Grid()


class TestBayesian(StrategyConformance):
    def make_strategy(self) -> Strategy:
        return Bayesian()
