"""A Gaussian process over the unit cube: Matérn-5/2 kernel, hyperparameters at their posterior mode.

Shapes: ``n`` rows, ``d`` parameters, ``m`` places to predict at. Targets have no unit: they are expected
to be about centred, with a spread of about one (see ``targets.py``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack, solve_triangular
from scipy.optimize import minimize

Array: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]

SQRT5 = math.sqrt(5.0)

# The unknown mean of the targets has a normal prior of this variance. It is integrated out, which
# amounts to adding its variance to every entry of the covariance.
MEAN_VARIANCE = 1.0

# Log-normal priors, as (mean, standard deviation) of the logarithm. Length scales grow with the
# square root of the dimension, since distances do: Hvarfner et al. 2024, "Vanilla Bayesian
# Optimization Performs Great in High Dimensions". Noise is expected to be small (training is nearly
# repeatable) but may grow when the data ask for it.
LENGTH_SCALE_PRIOR = (math.log(0.5), 1.0)
SIGNAL_PRIOR = (0.0, 0.7)
NOISE_PRIOR = (math.log(1e-3), 1.5)

LOG_LENGTH_SCALE_BOUNDS = (math.log(0.02), math.log(50.0))
LOG_SIGNAL_BOUNDS = (math.log(0.05), math.log(20.0))
LOG_NOISE_BOUNDS = (math.log(1e-6), math.log(1.0))

# Added to the diagonal, in units of the signal, until the covariance can be factorised.
JITTERS = (0.0, 1e-8, 1e-6, 1e-4)

FIT_STEPS = 40


class NotPositiveDefinite(ArithmeticError):
    """The covariance can't be factorised, even with the largest jitter."""


@dataclass(frozen=True)
class Hyperparameters:
    """``length_scales`` has shape ``(d,)`` in units of the cube's edge; the others are variances."""

    length_scales: Array
    signal: float
    noise: float


def squared_differences(a: Array, b: Array, categorical: Mask) -> Array:
    """Per parameter, shape ``(d, len(a), len(b))``: squared distance, or 0/1 for categories.

    The latter is the squared distance of one-hot codes, halved, so that a change of category counts
    as much as a step across the whole range of a number.
    """
    difference = a.T[:, :, None] - b.T[:, None, :]
    squared = difference * difference
    squared[categorical] = squared[categorical] > 0
    return squared


def scaled_distances(squared: Array, length_scales: Array) -> Array:
    d = len(length_scales)
    weighted = (length_scales**-2.0) @ squared.reshape(d, -1)
    return np.asarray(np.sqrt(weighted).reshape(squared.shape[1:]))


def matern(distance: Array) -> Array:
    """The Matérn-5/2 correlation."""
    t = SQRT5 * distance
    return np.asarray((1.0 + t + t * t / 3.0) * np.exp(-t))


def matern_slope(distance: Array) -> Array:
    """Minus twice the derivative of :func:`matern` by the squared distance: finite at 0, unlike its slope."""
    t = SQRT5 * distance
    return np.asarray((5.0 / 3.0) * (1.0 + t) * np.exp(-t))


def cholesky(covariance: Array, unit: float) -> Array:
    """The lower factor, with as little jitter (in ``unit``) as works. Raises NotPositiveDefinite."""
    for jitter in JITTERS:
        attempt = covariance + jitter * unit * np.eye(len(covariance))
        factor, failed = lapack.dpotrf(attempt, lower=1, clean=1)
        if failed == 0 and np.isfinite(factor).all():
            return np.asarray(factor)
    raise NotPositiveDefinite(f"a covariance of {len(covariance)} rows can't be factorised")


def _length_scale_prior(dimension: int) -> tuple[float, float]:
    mean, sd = LENGTH_SCALE_PRIOR
    return mean + 0.5 * math.log(dimension), sd


def _negative_log_posterior(theta: Array, squared: Array, targets: Array) -> tuple[float, Array]:
    """Up to a constant, with its gradient by ``theta`` = logarithms of (length scales, signal, noise)."""
    d, n = len(theta) - 2, len(targets)
    scales, signal, noise = np.exp(theta[:d]), math.exp(theta[d]), math.exp(theta[d + 1])
    distance = scaled_distances(squared, scales)
    correlation = signal * matern(distance)
    covariance = correlation + MEAN_VARIANCE
    covariance[np.diag_indices(n)] += noise
    factor = cholesky(covariance, signal)
    inverse, _ = lapack.dpotri(factor, lower=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    weights = inverse @ targets
    value = 0.5 * float(targets @ weights) + float(np.log(np.diag(factor)).sum())

    sensitivity = inverse - np.outer(weights, weights)
    gradient = np.empty_like(theta)
    slopes = (sensitivity * (signal * matern_slope(distance))).reshape(-1)
    gradient[:d] = 0.5 * (squared.reshape(d, -1) @ slopes) / scales**2
    gradient[d] = 0.5 * float((sensitivity * correlation).sum())
    gradient[d + 1] = 0.5 * noise * float(np.trace(sensitivity))

    means, sds = _priors(d)
    offset = (theta - means) / sds
    return value + 0.5 * float(offset @ offset), gradient + offset / sds


def _priors(dimension: int) -> tuple[Array, Array]:
    rows = [_length_scale_prior(dimension)] * dimension + [SIGNAL_PRIOR, NOISE_PRIOR]
    table = np.array(rows)
    return table[:, 0], table[:, 1]


def fit(points: Array, targets: Array, categorical: Mask) -> Hyperparameters:
    """The hyperparameters of highest posterior density found from a few starts.

    ``points`` has shape ``(n, d)``, ``targets`` ``(n,)``, ``categorical`` ``(d,)``. Raises
    NotPositiveDefinite if no start gives a covariance that can be factorised.
    """
    d = points.shape[1]
    squared = squared_differences(points, points, categorical)
    means, _ = _priors(d)
    bounds = [LOG_LENGTH_SCALE_BOUNDS] * d + [LOG_SIGNAL_BOUNDS, LOG_NOISE_BOUNDS]
    # The second start explains the data by noise and broad trends: the other usual mode.
    broad = means + np.array([math.log(3.0)] * d + [0.0, math.log(30.0)])
    best: tuple[float, Array] | None = None
    for start in (means, broad):
        try:
            found = minimize(
                _negative_log_posterior,
                start,
                args=(squared, targets),
                jac=True,
                bounds=bounds,
                method="L-BFGS-B",
                options={"maxiter": FIT_STEPS},
            )
        except NotPositiveDefinite:
            continue
        if np.isfinite(found.fun) and (best is None or found.fun < best[0]):
            best = float(found.fun), np.asarray(found.x)
    if best is None:
        raise NotPositiveDefinite("no start of the fit gives a covariance that can be factorised")
    theta = np.exp(best[1])
    return Hyperparameters(theta[:d], float(theta[d]), float(theta[d + 1]))


@dataclass(frozen=True)
class Posterior:
    """The process given rows, and ``s`` equally likely stories of how the pending ones will end.

    ``points`` has the ``n`` rows and then the pending ones, ``weights`` has one column per story, and
    ``incumbents`` (shape ``(s,)``) is the least target in each.
    """

    points: Array
    categorical: Mask
    hyperparameters: Hyperparameters
    factor: Array
    weights: Array
    incumbents: Array

    def predict(self, places: Array) -> tuple[Array, Array]:
        """Means (shape ``(m, s)``) and standard deviations (``(m,)``) of the noise-free function."""
        cross = self._cross(self._distances(places))
        explained = solve_triangular(self.factor, cross.T, lower=True, check_finite=False)
        variance = self._prior_variance - np.einsum("ij,ij->j", explained, explained)
        return cross @ self.weights, np.sqrt(np.maximum(variance, self._least_variance))

    def predict_with_gradient(self, place: Array) -> tuple[Array, float, Array, Array]:
        """At one place (shape ``(d,)``): means ``(s,)``, standard deviation, their gradients ``(s, d)``
        and ``(d,)``. Gradients by a category are 0."""
        distance = self._distances(place[None, :])
        cross = self._cross(distance)[0]
        signal, scales = self.hyperparameters.signal, self.hyperparameters.length_scales
        slope = -signal * matern_slope(distance)[0]
        direction = (place[None, :] - self.points) / scales**2
        direction[:, self.categorical] = 0.0
        cross_gradient = slope[:, None] * direction
        solved, _ = lapack.dpotrs(self.factor, cross, lower=1)
        sd = math.sqrt(max(self._prior_variance - float(cross @ solved), self._least_variance))
        return (
            cross @ self.weights,
            sd,
            self.weights.T @ cross_gradient,
            -(solved @ cross_gradient) / sd,
        )

    @property
    def _prior_variance(self) -> float:
        return self.hyperparameters.signal + MEAN_VARIANCE

    @property
    def _least_variance(self) -> float:
        return 1e-10 * self.hyperparameters.signal

    def _distances(self, places: Array) -> Array:
        return scaled_distances(
            squared_differences(places, self.points, self.categorical), self.hyperparameters.length_scales
        )

    def _cross(self, distance: Array) -> Array:
        return self.hyperparameters.signal * matern(distance) + MEAN_VARIANCE


def condition(
    points: Array,
    targets: Array,
    pending: Array,
    *,
    categorical: Mask,
    hyperparameters: Hyperparameters,
    deviates: Array,
) -> Posterior:
    """The process given ``targets`` (shape ``(n,)``) at ``points`` and stories for ``pending`` (``(p, d)``).

    ``deviates`` (shape ``(p, s)``) are standard normal: each column is one joint draw of what the
    pending rows will show, given everything known (Snoek et al. 2012, section 3.2); a column of
    zeros is the posterior mean ("kriging believer"). Raises NotPositiveDefinite.
    """
    everywhere = np.concatenate([points, pending])
    squared = squared_differences(everywhere, everywhere, categorical)
    covariance = hyperparameters.signal * matern(scaled_distances(squared, hyperparameters.length_scales))
    covariance += MEAN_VARIANCE
    covariance[np.diag_indices(len(covariance))] += hyperparameters.noise
    factor = cholesky(covariance, hyperparameters.signal)

    # With the factor L split into known rows and pending ones, a joint draw of all targets is L z, where
    # z is L⁻¹ of the known targets, then independent deviates. So one factorisation serves all.
    n, stories = len(points), deviates.shape[1]
    known = solve_triangular(factor[:n, :n], targets, lower=True, check_finite=False)
    z = np.concatenate([np.repeat(known[:, None], stories, axis=1), deviates])
    weights = solve_triangular(factor, z, lower=True, trans=1, check_finite=False)
    drawn = factor[n:] @ z
    incumbents = np.minimum(targets.min(), drawn.min(axis=0, initial=np.inf))
    return Posterior(everywhere, categorical, hyperparameters, factor, weights, incumbents)
