"""From a spec, or the name of a strategy, to the strategy."""

from __future__ import annotations

from amt_flows.spec import Hyperband, HyperbandProposals, StrategyType, TuningSpec
from amt_flows.strategies import Strategy

STRATEGY_NAMES = ("Bayesian", "Random", "Grid", "QuasiRandom")
"""Those that need no settings; Hyperband needs its resources."""


def strategy_of(spec: TuningSpec) -> Strategy:
    """The strategy that a spec asks for, with the settings it gives."""
    strategy = _for_one_objective(spec)
    if not spec.other_objectives or strategy.ignores_results:
        return strategy
    from amt_flows.strategies.pareto import Pareto

    return Pareto(strategy, 1 + len(spec.other_objectives))


def _for_one_objective(spec: TuningSpec) -> Strategy:
    if spec.hyperband is not None:
        return _hyperband(spec.hyperband, prefer_cheap=spec.limits.prefer_cheap)
    if spec.strategy is StrategyType.BAYESIAN or spec.limits.prefer_cheap:
        from amt_flows.strategies.bayesian import Bayesian

        # To share the design pays with one objective; with several it was no better after 20 jobs, or 50.
        return Bayesian(prefer_cheap=spec.limits.prefer_cheap, shares_design=not spec.other_objectives)
    return strategy_for(spec.strategy.value)


def strategy_for(name: str) -> Strategy:
    """The strategy of that name (AMT's names, and ``QuasiRandom``), with its default settings.

    Raises ValueError for any other name. Modules are loaded here, not above: scipy takes a
    noticeable part of a second, and a grid needs none of it.
    """
    if name == "Bayesian":
        from amt_flows.strategies.bayesian import Bayesian

        return Bayesian()
    if name == "Random":
        from amt_flows.strategies.random import Random

        return Random()
    if name == "Grid":
        from amt_flows.strategies.grid import Grid

        return Grid()
    if name == "QuasiRandom":
        from amt_flows.strategies.quasirandom import QuasiRandom

        return QuasiRandom()
    raise ValueError(f"no strategy {name!r}: one of {', '.join(STRATEGY_NAMES)}")


def _hyperband(asked: Hyperband, *, prefer_cheap: bool) -> Strategy:
    from amt_flows.strategies import hyperband

    if asked.proposals is HyperbandProposals.MODEL:
        return hyperband.ModelHyperband(asked.min_resource, asked.max_resource, prefer_cheap)
    return hyperband.Hyperband(asked.min_resource, asked.max_resource)
