"""Log expected improvement against other ways to compute it, far into the tail."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import log_ndtr
from scipy.stats import norm

from amt_flows.strategies.expected_improvement import (
    FAR,
    log_expected_improvement,
    log_h,
    with_gradient,
)
from amt_flows.strategies.gaussian_process import Hyperparameters, Posterior, condition


def log_h_by_integration(z: float) -> float:
    """h is the integral of Φ from -∞ to z. Measured in Φ(z), nothing in it underflows."""
    scale = 1.0 / max(1.0, abs(z))
    integral, _ = quad(
        lambda t: scale * math.exp(log_ndtr(z - t * scale) - log_ndtr(z)), 0, np.inf, epsabs=0, epsrel=1e-11
    )
    return float(log_ndtr(z)) + math.log(integral)


@pytest.mark.parametrize(
    "z", [5.0, 1.0, 0.0, -0.5, -0.999, -1.001, -2.0, -5.0, -20.0, -37.0, -99.0, -101.0, -1e3]
)
def test_log_h_is_right_in_all_its_forms(z: float) -> None:
    assert float(log_h(z)) == pytest.approx(log_h_by_integration(z), rel=1e-8, abs=1e-8)


def test_log_h_is_the_plain_formula_where_that_works() -> None:
    z = np.linspace(-5.0, 8.0, 200)
    np.testing.assert_allclose(np.exp(log_h(z)), norm.pdf(z) + z * norm.cdf(z), rtol=1e-8)


@pytest.mark.parametrize("border", [-1.0, FAR])
def test_log_h_has_no_step_where_its_forms_meet(border: float) -> None:
    below, above = log_h(np.nextafter(border, [-np.inf, np.inf]))
    assert below == pytest.approx(above, rel=1e-13)


@given(st.floats(-1e300, 1e8), st.floats(-1e300, 1e8))
def test_log_h_grows_and_is_finite_everywhere(a: float, b: float) -> None:
    low, high = log_h(np.array([min(a, b), max(a, b)]))
    assert np.isfinite([low, high]).all()
    assert low <= high + 1e-9 * abs(high)


def posterior(noise: float = 1e-4) -> Posterior:
    rng = np.random.default_rng(1)
    points = rng.random((15, 3))
    points[:, 2] = (rng.integers(2, size=15) + 0.5) / 2
    settings = Hyperparameters(np.array([0.3, 0.6, 1.0]), signal=1.0, noise=noise)
    categorical = np.array([False, False, True])
    targets = np.cos(5 * points[:, 0]) + points[:, 1]
    return condition(points, targets, points[:0], categorical=categorical, hyperparameters=settings)


def test_expected_improvement_is_the_mean_of_improvements() -> None:
    process = posterior()
    place = np.array([[0.55, 0.1, 0.25]])
    mean, sd = process.predict(place)
    drawn = mean + sd * np.random.default_rng(0).standard_normal(400_000)
    expected = np.maximum(process.incumbent - drawn, 0.0).mean()
    assert math.exp(float(log_expected_improvement(process, place)[0])) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("seed", range(6))
def test_the_gradient_is_that_of_the_value(seed: int) -> None:
    process = posterior()
    place = np.random.default_rng(seed).random(3)
    place[2] = 0.25
    value, gradient = with_gradient(process, place)
    assert value == pytest.approx(float(log_expected_improvement(process, place[None, :])[0]), abs=1e-8)
    for j in (0, 1):
        step = 1e-6 * np.eye(3)[j]
        up, down = log_expected_improvement(process, np.array([place + step, place - step]))
        assert gradient[j] == pytest.approx((up - down) / 2e-6, rel=1e-4, abs=1e-4)
    assert gradient[2] == 0.0


def test_a_place_without_hope_still_has_a_slope() -> None:
    """Plain expected improvement is 0 there, and flat."""
    process = posterior(noise=1e-9)
    worst = process.points[np.argmax(process.predict(process.points)[0])]
    value, gradient = with_gradient(process, worst + np.array([1e-3, 1e-3, 0.0]))
    assert value < math.log(np.finfo(float).tiny)
    assert np.abs(gradient[:2]).max() > 1.0
