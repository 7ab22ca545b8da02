"""The distribution of the next result: the process with its noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from amt_flows.space.space import Categorical, Continuous, Space
from amt_flows.strategies.expected_improvement import log_expected_improvement
from amt_flows.strategies.gaussian_process import Hyperparameters, Posterior, condition
from amt_flows.strategies.outcomes import Outcomes
from amt_flows.strategies.search import best_unused

SPACE = Space((Continuous("x", 0.0, 1.0), Categorical("c", ("a", "b"))))
CATEGORICAL = np.array([False, True])


def posterior(noise: float, targets: list[float]) -> Posterior:
    x = np.linspace(0.05, 0.6, len(targets))
    points = np.stack([x, np.full(len(x), 0.25)], axis=1)
    settings = Hyperparameters(np.array([0.3, 1.0]), signal=1.0, noise=noise)
    return condition(points, np.array(targets), points[:0], categorical=CATEGORICAL, hyperparameters=settings)


WAVE = [math.cos(9 * x) for x in np.linspace(0.05, 0.6, 12)]


def test_means_are_those_of_the_process_and_noise_is_added_away_from_what_was_tried() -> None:
    process = posterior(0.04, WAVE)
    far = np.stack([np.linspace(0.7, 1.0, 9), np.full(9, 0.75)], axis=1)
    for places, added in ((far, 0.04), (process.points, 0.0)):
        means, sds = process.predict(places)
        ours_means, ours_sds = Outcomes(process).predict(places)
        np.testing.assert_array_equal(ours_means, means)
        np.testing.assert_allclose(ours_sds**2, sds**2 + added, rtol=1e-6)


@pytest.mark.parametrize("x", [0.06, 0.11, 0.33, 0.61, 0.9])
def test_gradients_are_those_of_the_predictions(x: float) -> None:
    outcomes = Outcomes(posterior(0.04, WAVE))
    mean, sd, mean_gradient, sd_gradient = outcomes.predict_with_gradient(np.array([x, 0.25]))
    means, sds = outcomes.predict(np.array([[x, 0.25]]))
    assert mean == pytest.approx(float(means[0]))
    assert sd == pytest.approx(float(sds[0]))
    at = np.array([x])
    by_x = [
        approx_fprime(at, lambda t, i=i: outcomes.predict(np.array([[t[0], 0.25]]))[i][0]) for i in (0, 1)
    ]
    assert mean_gradient[0] == pytest.approx(float(by_x[0][0]), abs=1e-4)
    assert sd_gradient[0] == pytest.approx(float(by_x[1][0]), abs=1e-4)


def test_without_noise_they_are_the_process() -> None:
    process = posterior(1e-14, WAVE)
    places = np.random.default_rng(1).random((200, 2))
    ours = log_expected_improvement(Outcomes(process), places)
    np.testing.assert_allclose(ours, log_expected_improvement(process, places), rtol=1e-6)


def test_a_lucky_best_sends_the_process_away_and_results_stay_where_the_function_is_good() -> None:
    """The bottom of a valley is well known, and one lucky result lies far below it: the process looks
    elsewhere for a better function, results are looked for where the function is good."""
    valley = [12 * (x - 0.3) ** 2 for x in np.linspace(0.05, 0.6, 12)]
    valley[5] -= 0.5
    process = posterior(0.3, valley)
    values = []
    for model in (process, Outcomes(process)):
        found = best_unused(model, SPACE, frozenset(), np.random.default_rng(0))
        assert found is not None
        values.append(process.predict(SPACE.encode(found[0])[None, :])[0][0])
    assert values[1] < values[0] - 0.3
