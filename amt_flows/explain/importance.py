"""Which hyperparameters mattered: shares of the objective's variance over the space (functional ANOVA).

The idea is that of Hutter, Hoos and Leyton-Brown 2014, "An Efficient Approach for Assessing Hyperparameter
Importance"; the model is the optimiser's Gaussian process in place of a forest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amt_flows.explain.surface import Surface, on_values, spread_out, surface_of
from amt_flows.ledger import Ledger
from amt_flows.strategies.gaussian_process import Array
from amt_flows.strategies.one_thread import one_thread

# Each parameter costs as many predictions. The error of an estimate is about 0.01.
SAMPLE = 512


@dataclass(frozen=True)
class Importance:
    """Shares of the variance of the objective over the whole space, 0 to 1.

    ``alone``: what this hyperparameter explains by itself (its first-order Sobol index). ``total``: what is
    not explained without it, interactions included. The totals of all may sum to more than 1: an interaction
    counts for each that takes part. ``alone_sd`` and ``total_sd`` are standard deviations over the functions
    that the results leave plausible.
    """

    name: str
    alone: float
    alone_sd: float
    total: float
    total_sd: float

    @property
    def interactions(self) -> float:
        return self.total - self.alone


def importance(ledger: Ledger) -> tuple[Importance, ...]:
    """The importance of each hyperparameter, the largest total first. Raises NothingToExplain.

    Configurations count alike all over the ranges, in their own scaling: where training was tried most often
    plays no part. Estimated by Saltelli et al. 2010, "Variance based sensitivity analysis of model output"
    (``alone``) and Jansen 1999, "Analysis of variance designs for model output" (``total``), for each of many
    functions that the results leave plausible, as in Le Gratiet, Cannamela and Iooss 2014, "A Bayesian
    Approach for Global Sensitivity Analysis of (Multifidelity) Computer Codes".
    """
    surface = surface_of(ledger)
    with one_thread():
        alone, total = _indices(surface)
    found = [
        Importance(
            name=name,
            alone=(share := min(max(float(alone[j].mean()), 0.0), 1.0)),
            alone_sd=float(alone[j].std(ddof=1)),
            # Less than the share alone only by the error of the estimates.
            total=min(max(float(total[j].mean()), share), 1.0),
            total_sd=float(total[j].std(ddof=1)),
        )
        for j, name in enumerate(surface.space.names)
    ]
    return tuple(sorted(found, key=lambda one: -one.total))


def _indices(surface: Surface) -> tuple[Array, Array]:
    """First-order and total indices, each of shape ``(d, s)`` for ``s`` functions."""
    space, d = surface.space, surface.space.dimension
    both = spread_out(2 * d, SAMPLE)
    one, other = both[:, :d], both[:, d:]
    for sample in (one, other):
        for j, parameter in enumerate(space.parameters):
            sample[:, j] = on_values(parameter, sample[:, j])
    of_one, of_other = surface.functions(one), surface.functions(other)
    everything = np.concatenate([of_one, of_other])
    level, variance = everything.mean(axis=0), everything.var(axis=0)
    # Of a space of one configuration nothing varies.
    variance = np.where(variance > 0.0, variance, np.inf)
    alone, total = np.empty((d, len(level))), np.empty((d, len(level)))
    for j in range(d):
        mixed = one.copy()
        mixed[:, j] = other[:, j]
        change = surface.functions(mixed) - of_one
        alone[j] = ((of_other - level) * change).mean(axis=0) / variance
        total[j] = 0.5 * (change**2).mean(axis=0) / variance
    return alone, total
