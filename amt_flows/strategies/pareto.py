"""Several objectives at once: each proposal weighs them anew, so that together they trace the front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from amt_flows.ledger.history import Proposal, TrialRow, TrialState
from amt_flows.space.space import Space
from amt_flows.strategies import Strategy
from amt_flows.strategies.evidence import has_loss
from amt_flows.strategies.front import front
from amt_flows.strategies.gaussian_process import Array

# Of the weighted sum beside the largest weighted loss: of equals in one objective, the one that is better in
# the others should win.
AUGMENTATION = 0.05

# What is further from the best than so many times the front extends is merely bad: no mixture of such losses
# may come to more than the largest float.
FARTHEST = 1e6

# Beside the seed, which keys the strategy's own generator together with the number.
WEIGHTS = 7


@dataclass(frozen=True)
class Pareto:
    """Asks ``of``, a strategy for one objective, as if a mixture of all ``objectives`` were the objective.

    The mixture is the augmented weighted Chebyshev norm with other weights for each proposal: every point of
    the front is the best for some weights, also where the front is not convex, but for those that give up
    much of one objective for next to nothing in another. Source: Knowles 2006,
    "ParEGO: A Hybrid Algorithm with On-Line Landscape Approximation for Expensive Multiobjective Optimization
    Problems". Jobs that lack one of the metrics count as failed.
    """

    ignores_results: ClassVar[bool] = False

    of: Strategy
    objectives: int = 2

    def propose(
        self, space: Space, history: Sequence[TrialRow], *, number: int, seed: int
    ) -> Proposal | None:
        weights = weights_of(self.objectives, number=number, seed=seed)
        proposal = self.of.propose(space, mixed(history, weights), number=number, seed=seed)
        if proposal is None:
            return None
        shares = " : ".join(f"{weight:.2f}" for weight in weights)
        return replace(proposal, reason=f"objectives weighed {shares}; {proposal.reason}")


def weights_of(objectives: int, *, number: int, seed: int) -> Array:
    """Weights that sum to 1 (shape ``(objectives,)``), spread evenly over all there are by the numbers of
    any few successive proposals: jobs that run at the same time look for different parts of the front."""
    dimension = objectives - 1
    # A sequence of low discrepancy from the roots of x^(d+1) = x + 1, the golden ratio first (Roberts 2018,
    # "The Unreasonable Effectiveness of Quasirandom Sequences"). Every second one of it is one, too, and so
    # it goes with strategies that take turns.
    root = 2.0
    for _ in range(60):
        root = (1 + root) ** (1 / (dimension + 1))
    steps = root ** -np.arange(1, dimension + 1)
    start = np.random.default_rng([seed, WEIGHTS]).random(dimension)
    cuts = np.sort((start + number * steps) % 1.0)
    return np.diff(cuts, prepend=0.0, append=1.0)


def mixed(history: Sequence[TrialRow], weights: Array) -> list[TrialRow]:
    """``history`` with one loss for each row (``weights``: shape ``(k,)``, summing to 1)."""
    whole = [row for row in history if has_loss(row) and has_others(row, len(weights) - 1)]
    losses = np.array([(row.loss, *row.other_losses) for row in whole], dtype=np.float64)
    weighted = weights * scaled(losses.reshape(-1, len(weights)))
    mixture = weighted.max(axis=1) + AUGMENTATION * weighted.sum(axis=1)
    by_row = {id(row): float(loss) for row, loss in zip(whole, mixture, strict=True)}
    return [_with(row, by_row.get(id(row))) for row in history]


def has_others(row: TrialRow, count: int) -> bool:
    """Whether all further losses of a row can be learnt from."""
    return len(row.other_losses) == count and all(
        loss is not None and math.isfinite(loss) for loss in row.other_losses
    )


def scaled(losses: Array) -> Array:
    """Each column (shape ``(n, k)``) measured from its best, in units of how far the front extends in it. So
    the objectives' own units don't matter, nor does how bad those are that are beaten.

    Where all of the front has the best value, the median stands for its end, or else the worst.
    """
    if not len(losses):
        return losses
    # A quarter of each: two losses may lie further apart than the largest float.
    quarters = losses / 4
    best, end = quarters.min(axis=0), quarters[front(losses)].max(axis=0)
    for instead in (np.median(quarters, axis=0), quarters.max(axis=0)):
        end = np.where(end > best, end, instead)
    with np.errstate(over="ignore"):
        units: Array = np.minimum((quarters - best) / np.where(end > best, end - best, 1.0), FARTHEST)
    return units


def _with(row: TrialRow, loss: float | None) -> TrialRow:
    if row.state is TrialState.PENDING:
        return row
    state = TrialState.FAILED if loss is None else row.state
    # A curve is one of the first objective alone.
    return replace(row, state=state, loss=loss, curve=(), other_losses=())
