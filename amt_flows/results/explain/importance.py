"""Which hyperparameters mattered: shares of the objective's variance over the space (functional ANOVA).

The idea is that of Hutter, Hoos and Leyton-Brown 2014, "An Efficient Approach for Assessing Hyperparameter
Importance"; the model is the optimiser's Gaussian process in place of a forest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from amt_flows.ledger.ledger import Ledger
from amt_flows.results.explain.plausible import PlausibleFunctions
from amt_flows.results.explain.surface import allowed, spread_over_allowed, surface_of
from amt_flows.space.space import Space
from amt_flows.strategies.gaussian_process import Array
from amt_flows.strategies.one_thread import one_thread

# Each parameter costs as many predictions. The error of an estimate is about 0.01.
SAMPLE = 768


@dataclass(frozen=True)
class Importance:
    """Shares of the variance of the objective over the whole space, 0 to 1.

    ``alone``: what this hyperparameter explains by itself (its first-order Sobol index). ``total``: what is
    not explained without it, interactions included. The totals of all may sum to more than 1: an interaction
    counts for each that takes part. ``alone_sd`` and ``total_sd`` are standard deviations over the functions
    that the results leave plausible. ``used`` is the share of the space in which it is used, less than 1 for
    a conditional one: elsewhere it explains nothing, and its shares count that.
    """

    name: str
    alone: float
    alone_sd: float
    total: float
    total_sd: float
    used: float = 1.0

    @property
    def interactions(self) -> float:
        return self.total - self.alone


def importance(ledger: Ledger) -> tuple[Importance, ...]:
    """The importance of each hyperparameter, the largest total first. Raises NothingToExplain.

    Configurations that meet the constraints count alike all over the ranges, in their own scaling: where
    training was tried most often plays no part. Of a hyperparameter that constraints bind so closely to
    others that it can't be changed by itself the shares are about 0.

    Estimated by Saltelli et al. 2010, "Variance based sensitivity analysis of model output" (``alone``) and
    Jansen 1999, "Analysis of variance designs for model output" (``total``), for each of many functions that
    the results leave plausible, as in Le Gratiet, Cannamela and Iooss 2014, "A Bayesian Approach for Global
    Sensitivity Analysis of (Multifidelity) Computer Codes".
    """
    surface = surface_of(ledger)
    alone, total, used = _indices(surface.space, surface.functions)
    found = [
        Importance(
            name=name,
            alone=(share := min(max(float(alone[j].mean()), 0.0), 1.0)),
            alone_sd=float(alone[j].std(ddof=1)),
            # Less than the share alone only by the error of the estimates.
            total=min(max(float(total[j].mean()), share), 1.0),
            total_sd=float(total[j].std(ddof=1)),
            used=float(used[j]),
        )
        for j, name in enumerate(surface.space.names)
    ]
    return tuple(sorted(found, key=lambda one: -one.total))


def _share_used(space: Space, places: Array) -> Array:
    """The share of ``places`` at which each parameter is used (shape ``(d,)``)."""
    if not space.conditions:
        return np.ones(space.dimension)
    configurations = [space.decode(place) for place in places]
    used = np.array([[name in one for name in space.names] for one in configurations])
    return np.asarray(used.mean(axis=0))


# A report shows the same shares as a picture and as a table.
@lru_cache(maxsize=2)
def _indices(space: Space, functions: PlausibleFunctions) -> tuple[Array, Array, Array]:
    """First-order and total indices, each of shape ``(d, s)`` for ``s`` functions, and the share of the space
    where each parameter is used (``(d,)``), from two samples of the space. Changes that would break a
    constraint are left out."""
    d = space.dimension
    one, other = spread_over_allowed(space, 2 * d, SAMPLE)
    with one_thread():
        of_one, of_other = (_outcomes(space, functions, sample) for sample in (one, other))
        everything = np.concatenate([of_one, of_other])
        level, variance = everything.mean(axis=0), everything.var(axis=0)
        # Of a space of one configuration nothing varies.
        variance = np.where(variance > 0.0, variance, np.inf)
        alone, total = np.zeros((d, len(level))), np.zeros((d, len(level)))
        for j in range(d):
            mixed = one.copy()
            mixed[:, j] = other[:, j]
            kept = allowed(space, mixed)
            if kept.any():
                change = _outcomes(space, functions, mixed[kept]) - of_one[kept]
                alone[j] = ((of_other[kept] - level) * change).mean(axis=0) / variance
                total[j] = 0.5 * (change**2).mean(axis=0) / variance
    return alone, total, _share_used(space, one)


def _outcomes(space: Space, functions: PlausibleFunctions, places: Array) -> Array:
    # A hyperparameter that isn't used at a place makes no difference there.
    return functions(space.settled(places))
