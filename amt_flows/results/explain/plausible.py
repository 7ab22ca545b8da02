"""Functions drawn from a Gaussian process that has seen the results: what the objective may look like.

What is computed of each of them (a share of variance, the place of its best) has as many values as there are
functions, and their spread is how little the results say about it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve

from amt_flows.space.space import NOWHERE
from amt_flows.strategies.gaussian_process import (
    MEAN_VARIANCE,
    Array,
    Posterior,
    matern,
    scaled_distances,
)

FUNCTIONS = 64
FEATURES = 512

# The Matérn-5/2 correlation is the mean of cosines whose frequencies have Student's t with this many degrees
# of freedom.
DEGREES = 5


@dataclass(frozen=True, eq=False)
class PlausibleFunctions:
    """``s`` functions over the cube of ``d`` parameters, given ``n`` results, as sums of ``f`` cosines and a
    correction for each result.

    ``slopes`` has shape ``(d, f)``, with zeros for categories, which have a row for each choice in ``steps``
    instead, and one more for not being used (parameter -> ``(choices + 1, f)``). ``phases`` is ``(f,)``,
    ``amplitudes`` ``(f, s)``, ``levels`` ``(s,)``, ``corrections`` ``(n, s)``.
    """

    posterior: Posterior
    slopes: Array
    steps: dict[int, Array]
    phases: Array
    amplitudes: Array
    levels: Array
    corrections: Array

    def __call__(self, places: Array) -> Array:
        """Their values at places (``(m, d)`` -> ``(m, s)``)."""
        settings = self.posterior.hyperparameters
        distance = scaled_distances(
            places,
            self.posterior.points,
            categorical=self.posterior.categorical,
            length_scales=settings.length_scales,
        )
        cross = settings.signal * matern(distance) + MEAN_VARIANCE
        return self._before(places) + cross @ self.corrections

    def _before(self, places: Array) -> Array:
        """Their values as drawn, before they are bent to the results."""
        angles = places @ self.slopes + self.phases
        for parameter, rows in self.steps.items():
            angles += rows[_choice(places[:, parameter], len(rows) - 1)]
        return np.asarray(np.cos(angles) @ self.amplitudes + self.levels)


def _choice(column: Array, amount: int) -> npt.NDArray[np.int64]:
    """Which of ``amount`` choices each place is, ``amount`` where it is none of theirs: the parameter isn't
    used there, and the process holds that to be another category."""
    choices = (column * amount).astype(int)
    elsewhere = (column == NOWHERE) & (choices + 0.5 != column * amount)
    return np.where(elsewhere, amount, choices)


def plausible_functions(posterior: Posterior, targets: Array, choices: tuple[int, ...]) -> PlausibleFunctions:
    """Functions drawn from ``posterior``, which has seen ``targets`` and has nothing pending. ``choices``
    says how many each parameter has, 0 for numbers. The same in, the same out.

    A function is drawn from the prior by random features, then corrected by what the process makes of its
    error at the results (Wilson et al. 2020, "Efficiently Sampling Functions from Gaussian Process
    Posteriors"): drawing at thousands of places together costs no more than predicting there.
    """
    rng = np.random.default_rng(0)
    settings = posterior.hyperparameters
    # Student's t: normal frequencies that share a random scale.
    scale = np.sqrt(DEGREES / rng.chisquare(DEGREES, FEATURES))
    slopes = np.zeros((len(choices), FEATURES))
    steps: dict[int, Array] = {}
    for parameter, (amount, length) in enumerate(zip(choices, settings.length_scales, strict=True)):
        if amount:
            # One axis for each choice; two of them lie as far apart as the process holds categories to lie.
            steps[parameter] = rng.standard_normal((amount + 1, FEATURES)) * scale / (length * math.sqrt(2.0))
        else:
            slopes[parameter] = rng.standard_normal(FEATURES) * scale / length
    drawn = PlausibleFunctions(
        posterior,
        slopes,
        steps,
        phases=rng.uniform(0.0, 2.0 * math.pi, FEATURES),
        amplitudes=rng.standard_normal((FEATURES, FUNCTIONS)) * math.sqrt(2.0 * settings.signal / FEATURES),
        levels=rng.standard_normal(FUNCTIONS) * math.sqrt(MEAN_VARIANCE),
        corrections=np.zeros((len(targets), FUNCTIONS)),
    )
    noise = rng.standard_normal((len(targets), FUNCTIONS)) * math.sqrt(settings.noise)
    errors = targets[:, None] - drawn._before(posterior.points) - noise
    np.copyto(drawn.corrections, cho_solve((posterior.factor, True), errors))
    return drawn
