"""Where the expected improvement is highest for the time that it should take."""

from __future__ import annotations

from collections.abc import Set

import numpy as np

from amt_flows.space.space import Space, Value, configuration_key
from amt_flows.strategies.cost import CostModel
from amt_flows.strategies.expected_improvement import log_expected_improvement
from amt_flows.strategies.gaussian_process import Array
from amt_flows.strategies.predictions import Predictions
from amt_flows.strategies.search import allowed, snap

# What half the time is worth: this power of 2 in expected improvement.
WEIGHT = 0.5

# How many places around the most promising one, and how many anywhere, are looked at.
AROUND = 384
ANYWHERE = 384


def cheapest(
    model: Predictions,
    space: Space,
    used: Set[str],
    best: tuple[dict[str, Value], float],
    *,
    costs: CostModel,
    rng: np.random.Generator,
) -> tuple[dict[str, Value], float]:
    """The configuration with the highest expected improvement for its expected time, with its log expected
    improvement; ``best``, the most promising one, if none is better. None takes longer than ``best``.

    The idea is that of Snoek et al. 2012, "Practical Bayesian Optimization of Machine Learning Algorithms"
    (expected improvement per second), with time to a smaller power, since that one never leaves what is
    cheap.
    """
    configuration, _ = best
    place = space.encode(configuration)
    places = np.concatenate([place[None, :], _candidates(space, place, rng)])
    values = log_expected_improvement(model, places)
    seconds = costs.seconds(places)
    worth = values - WEIGHT * np.log(seconds)
    for i in np.argsort(-worth, kind="stable"):
        if worth[i] <= worth[0]:
            break
        cheaper = space.decode(places[i])
        if seconds[i] < seconds[0] and configuration_key(cheaper) not in used:
            return cheaper, float(values[i])
    return best


def _candidates(space: Space, place: Array, rng: np.random.Generator) -> Array:
    d = space.dimension
    step = 10 ** rng.uniform(-2.0, -0.3, size=(AROUND, 1))
    moved = np.clip(place + step * rng.standard_normal((AROUND, d)), 0.0, 1.0)
    moved = np.where(space.unordered | space.unused_at(place), rng.random((AROUND, d)), moved)
    changed = rng.random((AROUND, d)) < rng.random((AROUND, 1))
    around = np.where(changed, moved, place)
    return allowed(space, snap(space, np.concatenate([around, rng.random((ANYWHERE, d))])))
