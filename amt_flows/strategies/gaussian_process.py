"""A Gaussian process over the unit cube: Matérn-5/2 kernel, hyperparameters at their posterior mode.

Shapes: ``n`` rows, ``d`` parameters, ``m`` places to predict at. Targets have no unit: they are expected
to be about centred, with a spread of about one (see ``evidence.py``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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
# repeatable), but with a wide prior: with a narrow one, noisy losses are taken for a wild function.
LENGTH_SCALE_PRIOR = (math.log(0.5), 1.0)
SIGNAL_PRIOR = (0.0, 0.7)
NOISE_PRIOR = (math.log(1e-3), 2.5)

LOG_LENGTH_SCALE_BOUNDS = (math.log(0.02), math.log(50.0))
LOG_SIGNAL_BOUNDS = (math.log(0.05), math.log(20.0))
LOG_NOISE_BOUNDS = (math.log(1e-6), math.log(1.0))

# Added to the diagonal, in units of the signal, until the covariance can be factorised.
JITTERS = (0.0, 1e-8, 1e-6, 1e-4)

FIT_STEPS = 40

# A step of the fit that gains less than this share of the density's logarithm is the last: what comes after
# changes no prediction that could be told from noise.
LEAST_GAIN = 1e-5

# The hyperparameters are found from at most this many rows: they are few, and each step costs a
# factorisation. Predictions use all rows.
FIT_ROWS = 128
DRAFT_ROWS = 64


class NotPositiveDefinite(ArithmeticError):
    """The covariance can't be factorised, even with the largest jitter."""


@dataclass(frozen=True)
class Hyperparameters:
    """``length_scales`` has shape ``(d,)`` in units of the cube's edge; the others are variances."""

    length_scales: Array
    signal: float
    noise: float


def scaled_distances(a: Array, b: Array, *, categorical: Mask, length_scales: Array) -> Array:
    """Shape ``(len(a), len(b))``: distances in length scales."""
    total = np.zeros((len(a), len(b)))
    # One parameter at a time: all at once would need d times the memory, and more time for it.
    for j, scale in enumerate(length_scales):
        if categorical[j]:
            total += (a[:, j, None] != b[None, :, j]) / scale**2
        else:
            total += ((a[:, j, None] - b[None, :, j]) / scale) ** 2
    return np.asarray(np.sqrt(total))


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
        attempt = covariance + jitter * unit * np.eye(len(covariance)) if jitter else covariance
        factor, failed = lapack.dpotrf(attempt, lower=1, clean=1)
        if failed == 0 and np.isfinite(factor).all():
            return np.asarray(factor)
    raise NotPositiveDefinite(f"a covariance of {len(covariance)} rows can't be factorised")


def _length_scale_prior(dimension: int) -> tuple[float, float]:
    mean, sd = LENGTH_SCALE_PRIOR
    return mean + 0.5 * math.log(dimension), sd


@dataclass(frozen=True)
class _Pairs:
    """Each two of ``n`` rows once: ``first > second`` are their numbers (shape ``(m,)``), ``squared`` their
    squared differences by parameter (``(d, m)``), 0 or 1 for categories. All that is symmetric is reckoned
    over these.

    The latter is the squared distance of one-hot codes, halved, so that a change of category counts as much
    as a step across the whole range of a number.
    """

    n: int
    first: npt.NDArray[np.intp]
    second: npt.NDArray[np.intp]
    squared: Array

    @classmethod
    def of(cls, points: Array, categorical: Mask) -> _Pairs:
        first, second = np.tril_indices(len(points), -1)
        squared = (points[first] - points[second]).T ** 2
        squared[categorical] = squared[categorical] > 0
        return cls(len(points), first, second, np.ascontiguousarray(squared))


def _negative_log_posterior(theta: Array, pairs: _Pairs, targets: Array) -> tuple[float, Array]:
    """Up to a constant, with its gradient by ``theta`` = logarithms of (length scales, signal, noise)."""
    d, n = len(theta) - 2, pairs.n
    scales, signal, noise = np.exp(theta[:d]), math.exp(theta[d]), math.exp(theta[d + 1])
    t = SQRT5 * np.sqrt((scales**-2.0) @ pairs.squared)
    decay = signal * np.exp(-t)
    correlation = (1.0 + t + t * t / 3.0) * decay
    covariance = np.empty((n, n), order="F")
    covariance[pairs.first, pairs.second] = correlation + MEAN_VARIANCE
    covariance[pairs.second, pairs.first] = 0.0
    covariance[np.diag_indices(n)] = signal + MEAN_VARIANCE + noise
    factor = cholesky(covariance, signal)
    weights, _ = lapack.dpotrs(factor, targets, lower=1)
    inverse, _ = lapack.dpotri(factor, lower=1)
    diagonal = np.diag(factor)
    value = 0.5 * float(targets @ weights) + float(np.log(diagonal).sum())

    sensitivity = inverse[pairs.first, pairs.second] - weights[pairs.first] * weights[pairs.second]
    of_each = np.diag(inverse) - weights**2
    gradient = np.empty_like(theta)
    # Matérn's slope: see matern_slope.
    gradient[:d] = (pairs.squared @ (sensitivity * ((5.0 / 3.0) * (1.0 + t) * decay))) / scales**2
    gradient[d] = float(sensitivity @ correlation) + 0.5 * signal * float(of_each.sum())
    gradient[d + 1] = 0.5 * noise * float(of_each.sum())

    means, sds = _priors(d)
    offset = (theta - means) / sds
    return value + 0.5 * float(offset @ offset), gradient + offset / sds


def _priors(dimension: int) -> tuple[Array, Array]:
    rows = [_length_scale_prior(dimension)] * dimension + [SIGNAL_PRIOR, NOISE_PRIOR]
    table = np.array(rows)
    return table[:, 0], table[:, 1]


def fit(points: Array, targets: Array, categorical: Mask) -> Hyperparameters:
    """The hyperparameters of highest posterior density found from two starts.

    ``points`` has shape ``(n, d)``, ``targets`` ``(n,)``, ``categorical`` ``(d,)``. Raises
    NotPositiveDefinite if no start gives a covariance that can be factorised.
    """
    _, mode = _mode(points, targets, categorical)
    return _hyperparameters(mode)


def log_evidence(
    points: Array, targets: Array, categorical: Mask, *, like: Hyperparameters | None = None
) -> tuple[float, Hyperparameters]:
    """The logarithm of the density of ``targets`` and of the hyperparameters of :func:`fit`, up to a constant
    that is the same for as many rows and parameters; and those hyperparameters. Looked for near those of
    ``like``, if given, which takes a fraction of the time. Arguments and errors are those of :func:`fit`."""
    start = None if like is None else np.log([*like.length_scales, like.signal, like.noise])
    value, mode = _mode(points, targets, categorical, start=start)
    return -value, _hyperparameters(mode)


def _hyperparameters(mode: Array) -> Hyperparameters:
    theta = np.exp(mode)
    return Hyperparameters(theta[:-2], float(theta[-2]), float(theta[-1]))


def _mode(
    points: Array, targets: Array, categorical: Mask, *, start: Array | None = None
) -> tuple[float, Array]:
    """The least negative log posterior found, and the logarithms of the hyperparameters there. From two
    starts, unless one is given."""
    if start is not None:
        return _least([start], *_evenly(points, targets, FIT_ROWS), categorical)
    d = points.shape[1]
    means, _ = _priors(d)
    # The second start explains the data by noise and broad trends: the other usual mode.
    starts = [means, means + np.array([math.log(3.0)] * d + [0.0, math.log(30.0)])]
    if len(points) > DRAFT_ROWS:
        # Which mode it is, and about where, a part of the rows tells in a fraction of the time.
        starts = [_least(starts, *_evenly(points, targets, DRAFT_ROWS), categorical)[1]]
    return _least(starts, *_evenly(points, targets, FIT_ROWS), categorical)


def _evenly(points: Array, targets: Array, most: int) -> tuple[Array, Array]:
    """At most so many rows, spread evenly over the targets, so that good, middling and bad regions are all
    represented."""
    if len(points) <= most:
        return points, targets
    spread = np.linspace(0, len(points) - 1, most).astype(int)
    rows = np.argsort(targets, kind="stable")[spread]
    return points[rows], targets[rows]


def _least(starts: Sequence[Array], points: Array, targets: Array, categorical: Mask) -> tuple[float, Array]:
    """The least negative log posterior of these rows found from any start, and where. Raises
    NotPositiveDefinite."""
    pairs = _Pairs.of(points, categorical)
    scales = [LOG_LENGTH_SCALE_BOUNDS] * points.shape[1]
    best: tuple[float, Array] | None = None
    for start in starts:
        try:
            found = minimize(
                _negative_log_posterior,
                start,
                args=(pairs, targets),
                jac=True,
                bounds=[*scales, LOG_SIGNAL_BOUNDS, LOG_NOISE_BOUNDS],
                method="L-BFGS-B",
                options={"maxiter": FIT_STEPS, "ftol": LEAST_GAIN},
            )
        except NotPositiveDefinite:
            continue
        if np.isfinite(found.fun) and (best is None or found.fun < best[0]):
            best = float(found.fun), np.asarray(found.x)
    if best is None:
        raise NotPositiveDefinite("no start of the fit gives a covariance that can be factorised")
    return best


@dataclass(frozen=True)
class Posterior:
    """The process given the rows, as if each pending one had already shown what the process expects of it.

    That leaves the mean as it is and takes away the uncertainty around pending places (the "kriging
    believer" of Ginsbourger et al. 2010). ``incumbent`` is the least target, expected ones included.
    """

    points: Array
    categorical: Mask
    hyperparameters: Hyperparameters
    factor: Array
    weights: Array
    incumbent: float

    def predict(self, places: Array) -> tuple[Array, Array]:
        """Means and standard deviations of the noise-free function at places (``(m, d)`` → ``(m,)`` each)."""
        distance = scaled_distances(
            places,
            self.points,
            categorical=self.categorical,
            length_scales=self.hyperparameters.length_scales,
        )
        cross = self._covariance(distance)
        explained = solve_triangular(self.factor, cross.T, lower=True, check_finite=False)
        variance = self._prior_variance - np.einsum("ij,ij->j", explained, explained)
        return cross @ self.weights, np.sqrt(np.maximum(variance, self._least_variance))

    def predict_with_gradient(self, place: Array) -> tuple[float, float, Array, Array]:
        """At one place (shape ``(d,)``): mean, standard deviation, and their gradients (``(d,)`` each).

        Gradients by a category are 0.
        """
        signal, scales = self.hyperparameters.signal, self.hyperparameters.length_scales
        offset = (place[None, :] - self.points) / scales
        squared = np.where(self.categorical, (offset != 0) / scales**2, offset**2)
        distance = np.sqrt(squared.sum(axis=1))
        cross = self._covariance(distance)
        direction = np.where(self.categorical, 0.0, offset / scales)
        cross_gradient = (-signal * matern_slope(distance))[:, None] * direction
        solved, _ = lapack.dpotrs(self.factor, cross, lower=1)
        variance = self._prior_variance - float(cross @ solved)
        sd = math.sqrt(max(variance, self._least_variance))
        return (
            float(cross @ self.weights),
            sd,
            np.asarray(self.weights @ cross_gradient),
            np.asarray(-(solved @ cross_gradient) / sd),
        )

    @property
    def _prior_variance(self) -> float:
        return self.hyperparameters.signal + MEAN_VARIANCE

    @property
    def _least_variance(self) -> float:
        # The subtraction can't tell anything smaller from 0.
        return 1e-10 * self._prior_variance

    def _covariance(self, distance: Array) -> Array:
        return self.hyperparameters.signal * matern(distance) + MEAN_VARIANCE


def condition(
    points: Array, targets: Array, pending: Array, *, categorical: Mask, hyperparameters: Hyperparameters
) -> Posterior:
    """The process given ``targets`` (shape ``(n,)``) at ``points`` (``(n, d)``).

    ``pending`` (``(p, d)``, perhaps no rows) are places whose target is still to come.
    Raises NotPositiveDefinite.
    """
    everywhere = np.concatenate([points, pending])
    distance = scaled_distances(
        everywhere, everywhere, categorical=categorical, length_scales=hyperparameters.length_scales
    )
    covariance = hyperparameters.signal * matern(distance) + MEAN_VARIANCE
    covariance[np.diag_indices(len(covariance))] += hyperparameters.noise
    factor = cholesky(covariance, hyperparameters.signal)

    # With the factor L split into known and pending rows, L z are all targets when z is L⁻¹ of the known
    # ones and then zeros, for what the pending ones are expected to show. One factorisation serves both.
    n = len(points)
    z = np.zeros(len(everywhere))
    z[:n] = solve_triangular(factor[:n, :n], targets, lower=True, check_finite=False)
    weights = solve_triangular(factor, z, lower=True, trans=1, check_finite=False)
    expected = factor[n:] @ z
    incumbent = float(min(targets.min(), expected.min(initial=np.inf)))
    return Posterior(everywhere, categorical, hyperparameters, factor, weights, incumbent)
