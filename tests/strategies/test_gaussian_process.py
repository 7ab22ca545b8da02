"""The model: its gradients are those of its values, and its predictions those of a Gaussian process."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal

from amt_flows.strategies import gaussian_process as gp
from amt_flows.strategies.gaussian_process import (
    Array,
    Hyperparameters,
    Mask,
    NotPositiveDefinite,
    Posterior,
    condition,
    fit,
)

CATEGORICAL: Mask = np.array([False, False, True])
SETTINGS = Hyperparameters(np.array([0.4, 1.5, 0.8]), signal=1.3, noise=1e-4)


def rows(n: int, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    points = rng.random((n, 3))
    points[:, 2] = (rng.integers(3, size=n) + 0.5) / 3
    targets = np.sin(6 * points[:, 0]) + points[:, 1] + (points[:, 2] > 0.5)
    return points, targets


def posterior(n: int = 20, pending: int = 0, settings: Hyperparameters = SETTINGS) -> Posterior:
    points, targets = rows(n)
    ahead = rows(pending, seed=9)[0]
    return condition(points, targets, ahead, categorical=CATEGORICAL, hyperparameters=settings)


def covariance(a: Array, b: Array) -> Array:
    """By the textbook, one pair at a time."""
    out = np.empty((len(a), len(b)))
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            gap = np.where(CATEGORICAL, x != y, x - y) / SETTINGS.length_scales
            r = math.sqrt(5 * float(gap @ gap))
            out[i, j] = SETTINGS.signal * (1 + r + r * r / 3) * math.exp(-r) + gp.MEAN_VARIANCE
    return out


def test_predictions_are_those_of_the_conditional_normal_distribution() -> None:
    points, targets = rows(20)
    places = rows(7, seed=3)[0]
    noisy = covariance(points, points) + SETTINGS.noise * np.eye(20)
    gain = covariance(places, points) @ np.linalg.inv(noisy)
    means, sds = posterior().predict(places)
    np.testing.assert_allclose(means, gain @ targets, atol=1e-8)
    expected = covariance(places, places) - gain @ covariance(points, places)
    np.testing.assert_allclose(sds**2, np.diag(expected), atol=1e-8)


def test_the_fitted_density_is_the_normal_density_times_the_priors() -> None:
    points, targets = rows(12)
    pairs = gp._Pairs.of(points, CATEGORICAL)
    means, sds = gp._priors(3)

    def density(settings: Hyperparameters) -> float:
        theta = np.log([*settings.length_scales, settings.signal, settings.noise])
        value, _ = gp._negative_log_posterior(theta, pairs, targets)
        return value - 0.5 * float((((theta - means) / sds) ** 2).sum())

    noisy = covariance(points, points) + SETTINGS.noise * np.eye(12)
    expected = -multivariate_normal(np.zeros(12), noisy).logpdf(targets) - 6 * math.log(2 * math.pi)
    assert density(SETTINGS) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_gradient_of_the_fit(seed: int) -> None:
    points, targets = rows(15, seed)
    pairs = gp._Pairs.of(points, CATEGORICAL)
    theta = np.random.default_rng(seed).normal([-0.7, 0.5, 0.0, 0.0, -5.0], 0.5)
    error = check_grad(
        lambda t: gp._negative_log_posterior(t, pairs, targets)[0],
        lambda t: gp._negative_log_posterior(t, pairs, targets)[1],
        theta,
    )
    assert error < 1e-4


@pytest.mark.parametrize("seed", range(5))
def test_the_gradient_of_a_prediction(seed: int) -> None:
    process = posterior(pending=3)
    place = rows(1, seed=seed + 20)[0][0]
    mean, sd, mean_gradient, sd_gradient = process.predict_with_gradient(place)
    means, sds = process.predict(place[None, :])
    assert mean == pytest.approx(float(means[0]), abs=1e-9)
    assert sd == pytest.approx(float(sds[0]), abs=1e-9)
    for j in (0, 1):
        step = 1e-6 * np.eye(3)[j]
        up, down = process.predict((place + step)[None, :]), process.predict((place - step)[None, :])
        assert mean_gradient[j] == pytest.approx((up[0][0] - down[0][0]) / 2e-6, abs=1e-5)
        assert sd_gradient[j] == pytest.approx((up[1][0] - down[1][0]) / 2e-6, abs=1e-4)
    assert mean_gradient[2] == sd_gradient[2] == 0.0


def test_a_pending_place_takes_away_uncertainty_and_leaves_the_mean() -> None:
    places = rows(50, seed=4)[0]
    without, with_pending = posterior(), posterior(pending=4)
    np.testing.assert_allclose(with_pending.predict(places)[0], without.predict(places)[0], atol=1e-7)
    assert (with_pending.predict(places)[1] <= without.predict(places)[1] + 1e-9).all()
    ahead = rows(4, seed=9)[0]
    assert (with_pending.predict(ahead)[1] <= 1.001 * math.sqrt(SETTINGS.noise)).all()
    assert (without.predict(ahead)[1] > 3 * math.sqrt(SETTINGS.noise)).all()


def test_the_incumbent_is_the_least_target_known_or_expected() -> None:
    points, targets = rows(20)
    least = points[np.argmin(targets)]
    better = np.array([[*least[:2], 0.5 / 3]])
    process = condition(points, targets, better, categorical=CATEGORICAL, hyperparameters=SETTINGS)
    expected = float(process.predict(better)[0][0])
    assert process.incumbent == pytest.approx(min(float(targets.min()), expected), abs=1e-6)
    assert posterior().incumbent == targets.min()


def test_the_fit_tells_parameters_that_matter_from_those_that_do_not() -> None:
    rng = np.random.default_rng(2)
    points = rng.random((60, 3))
    targets = np.sin(7 * points[:, 1])
    scales = fit(points, targets, np.zeros(3, dtype=bool)).length_scales
    assert scales[1] < 0.3 * min(scales[0], scales[2])


@pytest.mark.parametrize("noise", [0.01, 0.3])
def test_the_fit_finds_the_noise(noise: float) -> None:
    rng = np.random.default_rng(5)
    points = rng.random((100, 2))
    targets = 2 * points[:, 0] - 1 + noise * rng.standard_normal(100)
    found = math.sqrt(fit(points, targets, np.zeros(2, dtype=bool)).noise)
    assert noise / 2 < found < noise * 2


def test_a_noisy_trend_is_rarely_taken_for_a_wild_function() -> None:
    """Both explain the rows, and the density has a mode at each: one start alone is wrong half the time."""
    noisy = 0
    for seed in range(30, 50):
        rng = np.random.default_rng(seed)
        points = rng.random((40, 3))
        targets = 2 * (points[:, 0] - 0.5) + 0.8 * rng.standard_normal(40)
        noisy += 0.4 < math.sqrt(fit(points, targets, np.zeros(3, dtype=bool)).noise) < 1.2
    assert noisy >= 16


def test_many_rows_are_fitted_from_a_part_of_them() -> None:
    points, targets = rows(1000)
    assert np.isfinite(fit(points, targets, CATEGORICAL).length_scales).all()


def test_rows_at_the_same_place_need_some_jitter_at_most() -> None:
    points, targets = np.repeat(rows(3)[0], 10, axis=0), np.repeat(rows(3)[1], 10)
    silent = Hyperparameters(SETTINGS.length_scales, SETTINGS.signal, noise=0.0)
    process = condition(points, targets, points[:0], categorical=CATEGORICAL, hyperparameters=silent)
    np.testing.assert_allclose(process.predict(points)[0], targets, atol=1e-2)


def test_what_cannot_be_factorised_is_an_error_of_its_own() -> None:
    for hopeless in (np.full((3, 3), np.nan), -np.eye(3)):
        with pytest.raises(NotPositiveDefinite, match="3 rows"):
            gp.cholesky(hopeless, 1.0)
