"""The logarithm of expected improvement, without the underflow that makes it flat far from the optimum.

Source: Ament et al. 2023, "Unexpected Improvements to Expected Improvement for Bayesian Optimization".
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import erfcx, log_ndtr, logsumexp, ndtr

from amt_flows.strategies.gaussian_process import Array, Posterior

LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
SQRT_HALF_PI = math.sqrt(math.pi / 2)

# Below this the difference of two nearly equal numbers in the middle form has lost more digits than
# the asymptotic series has terms missing; both are right to about 1e-12 here.
FAR = -100.0


def log_h(z: npt.ArrayLike) -> Array:
    """log(φ(z) + z Φ(z)), elementwise: the logarithm of expected improvement in standard deviations.

    Three forms: as it stands above -1; through the scaled complementary error function below; its
    asymptotic series where even that cancels.
    """
    z = np.asarray(z, dtype=np.float64)
    near, middle, far = np.maximum(z, -1.0), np.clip(z, FAR, -1.0), np.minimum(z, FAR)
    direct = np.log(np.exp(-0.5 * near**2 - LOG_SQRT_2PI) + near * ndtr(near))
    scaled = np.log1p(SQRT_HALF_PI * middle * erfcx(-middle / math.sqrt(2)))
    inverse = far**-2.0
    series = np.log(inverse) + np.log1p(inverse * (-3.0 + inverse * (15.0 - 105.0 * inverse)))
    tail = -0.5 * z**2 - LOG_SQRT_2PI + np.where(z < FAR, series, scaled)
    return np.asarray(np.where(z > -1.0, direct, tail))


def log_expected_improvement(posterior: Posterior, places: Array) -> Array:
    """At each place (shape ``(m, d)`` → ``(m,)``), averaged over the posterior's stories.

    Improvement is the amount by which the function falls below the story's incumbent.
    """
    means, sds = posterior.predict(places)
    each = log_h((posterior.incumbents - means) / sds[:, None])
    stories = len(posterior.incumbents)
    return np.asarray(logsumexp(each, axis=1) + np.log(sds) - math.log(stories))


def with_gradient(posterior: Posterior, place: Array) -> tuple[float, Array]:
    """The same at one place (shape ``(d,)``), with its gradient (``(d,)``)."""
    means, sd, means_gradient, sd_gradient = posterior.predict_with_gradient(place)
    z = (posterior.incumbents - means) / sd
    each = log_h(z)
    total = float(logsumexp(each))
    shares = np.exp(each - total)
    # d log h / dz = Φ / h: both may underflow, their logarithms don't.
    slopes = shares * np.exp(log_ndtr(z) - each)
    gradient = -(slopes @ means_gradient) / sd + (1.0 - slopes @ z) * sd_gradient / sd
    return total + math.log(sd) - math.log(len(each)), gradient
