"""The logarithm of expected improvement, without the underflow that makes it flat far from the optimum.

Source: Ament et al. 2023, "Unexpected Improvements to Expected Improvement for Bayesian Optimization".
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import erfcx, log_ndtr, ndtr

from amt_flows.strategies.gaussian_process import Array
from amt_flows.strategies.predictions import Predictions

LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
SQRT_HALF_PI = math.sqrt(math.pi / 2)

# Below this the middle form subtracts two nearly equal numbers, and the series needs few terms: at
# the border both are right to about 1e-11.
FAR = -100.0

# The square of anything lower has no place in a float.
LOWEST = -1e150


def log_h(z: npt.ArrayLike) -> Array:
    """log(φ(z) + z Φ(z)), elementwise: the logarithm of expected improvement in standard deviations.

    Three forms: as it stands above -1; through the scaled complementary error function below; its
    asymptotic series where even that cancels.
    """
    z = np.maximum(np.asarray(z, dtype=np.float64), LOWEST)
    near, middle, far = np.maximum(z, -1.0), np.clip(z, FAR, -1.0), np.minimum(z, FAR)
    direct = np.log(np.exp(-0.5 * near**2 - LOG_SQRT_2PI) + near * ndtr(near))
    scaled = np.log1p(SQRT_HALF_PI * middle * erfcx(-middle / math.sqrt(2)))
    inverse = far**-2.0
    series = -2.0 * np.log(-far) + np.log1p(inverse * (-3.0 + inverse * (15.0 - 105.0 * inverse)))
    tail = -0.5 * z**2 - LOG_SQRT_2PI + np.where(z < FAR, series, scaled)
    return np.asarray(np.where(z > -1.0, direct, tail))


def log_expected_improvement(model: Predictions, places: Array) -> Array:
    """At each place (shape ``(m, d)`` → ``(m,)``), improvement being how far the target is below the
    incumbent."""
    means, sds = model.predict(places)
    return np.asarray(log_h((model.incumbent - means) / sds) + np.log(sds))


def with_gradient(model: Predictions, place: Array) -> tuple[float, Array]:
    """The same at one place (shape ``(d,)``), with its gradient (``(d,)``)."""
    mean, sd, mean_gradient, sd_gradient = model.predict_with_gradient(place)
    z = (model.incumbent - mean) / sd
    value = float(log_h(z))
    # The derivative of log h is Φ / h. Both may underflow where their logarithms don't.
    slope = math.exp(float(log_ndtr(z)) - value)
    gradient = (-slope * mean_gradient + (1.0 - slope * z) * sd_gradient) / sd
    return value + math.log(sd), gradient
