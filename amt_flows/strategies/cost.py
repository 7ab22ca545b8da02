"""How long a job of a configuration should take, learnt from those that have ended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amt_flows.ledger.history import TrialRow, TrialState
from amt_flows.space.space import Space
from amt_flows.strategies.gaussian_process import Array, Mask

# Fewer jobs than this, beside two for each hyperparameter, say nothing that could be checked.
LEAST_JOBS = 6

# Of the spread of the logarithms, how much must be told of jobs that were left out; else all cost the same.
LEAST_SKILL = 0.2

# Durations that differ by less than this (standard deviation of their logarithms) are as good as equal.
EVEN = 0.05

RIDGE = 0.3


@dataclass(frozen=True)
class CostModel:
    """Log seconds as a quadratic in each hyperparameter alone, fitted by ridge regression.

    Durations multiply (twice the epochs, twice the time) and rise or fall evenly with nearly every
    hyperparameter that matters to them, which is why so little is enough.
    """

    unordered: Mask
    levels: tuple[tuple[float, ...], ...]
    weights: Array
    mean: float
    skill: float
    """The share of the variance that is told of jobs that the model hasn't seen (leave-one-out)."""

    def seconds(self, places: Array) -> Array:
        """Expected at places of the cube (shape ``(m, d)`` → ``(m,)``)."""
        told = _features(places, self.unordered, self.levels) @ self.weights + self.mean
        return np.asarray(np.exp(np.clip(told, -50, 50)))


def cost_model(space: Space, history: Sequence[TrialRow]) -> CostModel | None:
    """Of the completed jobs of our own; None when they are too few, or when their durations can't be told
    from their configurations. Jobs that were cut short say little of how long they would have taken."""
    rows = [
        row
        for row in history
        if row.state is TrialState.COMPLETED
        and row.parent == ""
        and row.seconds is not None
        and 0 < row.seconds < math.inf
        and space.contains(row.configuration)
    ]
    if len(rows) < max(LEAST_JOBS, 2 * space.dimension):
        return None
    places = np.array([space.encode(row.configuration) for row in rows])
    logs = np.log([float(row.seconds or 1.0) for row in rows])
    mean, variance = float(logs.mean()), float(logs.var())
    levels = tuple(
        tuple(sorted(set(places[:, j]))) if space.unordered[j] else () for j in range(space.dimension)
    )
    features = _features(places, space.unordered, levels)
    # Every weight is shrunk towards "makes no difference".
    inverse = np.linalg.inv(features.T @ features + RIDGE * np.eye(features.shape[1]))
    weights = inverse @ features.T @ (logs - mean)
    leverage = np.einsum("ij,jk,ik->i", features, inverse, features)
    left_out = (logs - mean - features @ weights) / (1 - np.minimum(leverage, 0.99))
    skill = 1 - float((left_out**2).mean()) / max(variance, EVEN**2)
    if variance < EVEN**2 or skill < LEAST_SKILL:
        return None
    return CostModel(space.unordered, levels, weights, mean, skill)


def _features(places: Array, unordered: Mask, levels: Sequence[Sequence[float]]) -> Array:
    """Shape ``(m, f)``: each coordinate, centred, and its square; of one without an order, one for each of
    its values that was seen."""
    columns: list[Array] = []
    for j in range(places.shape[1]):
        if unordered[j]:
            columns += [(places[:, j] == level).astype(np.float64) for level in levels[j]]
        else:
            centred = places[:, j] - 0.5
            columns += [2 * centred, 4 * centred**2 - 1 / 3]
    return np.column_stack(columns)
