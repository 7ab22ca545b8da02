"""What the next job would show, where the process speaks of the smooth function beneath."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from amt_flows.strategies.gaussian_process import Array, Mask, Posterior, scaled_distances

# What the process can't see of the function's structure is about this fine, in length scales.
FINE = 0.1


@dataclass(frozen=True)
class Outcomes:
    """``posterior`` with its noise: the distribution of the next result, to be asked like the process itself.

    A tuning job is judged by the best result that a job showed, its luck included, and luck is not only
    chance: what the process calls noise is also all structure that is finer than it can see. Of the smooth
    function no improvement is expected around a lucky best, so a search for one leaves for places that are
    merely unknown. Of results it is: the next lucky one is likeliest where the function is good.

    The noise fades close to any place that was tried or is being tried, where luck would be the same again.
    Without that, all workers would be sent to the same place.
    """

    posterior: Posterior

    @property
    def points(self) -> Array:
        return self.posterior.points

    @property
    def categorical(self) -> Mask:
        return self.posterior.categorical

    @property
    def incumbent(self) -> float:
        return self.posterior.incumbent

    def predict(self, places: Array) -> tuple[Array, Array]:
        """Means and standard deviations of results at places (``(m, d)`` → ``(m,)`` each)."""
        settings = self.posterior.hyperparameters
        means, sds = self.posterior.predict(places)
        distance = scaled_distances(
            places, self.points, categorical=self.categorical, length_scales=settings.length_scales
        )
        fresh = -np.expm1(-((distance.min(axis=1) / FINE) ** 2))
        return means, np.sqrt(sds**2 + settings.noise * fresh)

    def predict_with_gradient(self, place: Array) -> tuple[float, float, Array, Array]:
        """At one place (shape ``(d,)``): mean, standard deviation, and their gradients (``(d,)`` each)."""
        settings = self.posterior.hyperparameters
        mean, sd, mean_gradient, sd_gradient = self.posterior.predict_with_gradient(place)
        offset = (place - self.points) / (FINE * settings.length_scales)
        squared = np.where(self.categorical, (offset != 0) / (FINE * settings.length_scales) ** 2, offset**2)
        total = squared.sum(axis=1)
        nearest = int(np.argmin(total))
        stale = math.exp(-float(total[nearest]))
        noise = settings.noise * (1.0 - stale)
        slope = np.where(self.categorical, 0.0, offset[nearest] / (FINE * settings.length_scales))
        noise_gradient = 2.0 * settings.noise * stale * slope
        outcome_sd = math.sqrt(sd**2 + noise)
        return mean, outcome_sd, mean_gradient, (sd * sd_gradient + 0.5 * noise_gradient) / outcome_sd
