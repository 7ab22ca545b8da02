"""Hyperband's proposals: what to try, chosen at random or by the model of the Bayesian strategy. Which jobs
go on is decided by :mod:`amt_flows.rules.hyperband`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from amt_flows.ledger.history import Proposal, TrialRow
from amt_flows.space.space import Space
from amt_flows.strategies.brackets import rungs, rungs_of
from amt_flows.strategies.random import Random


@dataclass(frozen=True)
class Hyperband:
    """AMT's ``Hyperband``: configurations at random, each in the bracket that its number gives it.

    ``min_resource`` and ``max_resource`` are epochs. Source: Li et al. 2018, "Hyperband".
    """

    ignores_results: ClassVar[bool] = True

    min_resource: int = 1
    max_resource: int = 81

    def propose(
        self, space: Space, history: Sequence[TrialRow], *, number: int, seed: int
    ) -> Proposal | None:
        proposal = Random().propose(space, history, number=number, seed=seed)
        return _placed(proposal, number, rungs(self.min_resource, self.max_resource))


@dataclass(frozen=True)
class ModelHyperband:
    """Hyperband with proposals of the Bayesian strategy, whose model is told of stopped jobs too.

    The idea is that of Falkner et al. 2018, "BOHB: Robust and Efficient Hyperparameter Optimization at
    Scale", whose model is another one.
    """

    ignores_results: ClassVar[bool] = False

    min_resource: int = 1
    max_resource: int = 81
    prefer_cheap: bool = False

    def propose(
        self, space: Space, history: Sequence[TrialRow], *, number: int, seed: int
    ) -> Proposal | None:
        # Loaded here: scipy takes a noticeable part of a second, and random proposals need none of it.
        from amt_flows.strategies.bayesian import Bayesian

        model = Bayesian(prefer_cheap=self.prefer_cheap, shares_design=False)
        proposal = model.propose(space, history, number=number, seed=seed)
        return _placed(proposal, number, rungs(self.min_resource, self.max_resource))


def _placed(proposal: Proposal | None, number: int, every: Sequence[int]) -> Proposal | None:
    if proposal is None:
        return None
    bracket, own = rungs_of(number, every)
    where = f"compared at epochs {', '.join(map(str, own))}" if own else "compared with none"
    return replace(
        proposal,
        source=f"hyperband/{bracket}/{proposal.source}",
        reason=f"{proposal.reason}; bracket {bracket}: {where}",
    )
