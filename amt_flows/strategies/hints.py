"""Results of parents whose losses can't be compared with ours (transfer learning): hints for the model.

Their losses say nothing here, but their order often does. A parent's results get targets from their ranks
within that parent, and stand among our own like any others, with three guards against a parent that
misleads:

- *Agreement.* Of every two of our own results, the parent said beforehand which is better, by its results
  closest to either. Its share of hints is what it was right more often than by chance; a few pairs in its
  favour are taken for granted, since somebody chose it.
- *Fading.* The more results of our own, the fewer hints.
- *Modesty.* No hint promises more than our own best, so that an improvement is always one on ours.

The targets are those of ``evidence.py``, whose robust scale makes ranks of different tasks comparable (the
idea of Salinas et al. 2020, "A Quantile-based Approach for Hyperparameter Transfer Learning").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from amt_flows.ledger.history import TrialRow
from amt_flows.space.space import Space, configuration_key
from amt_flows.strategies.evidence import Evidence, has_loss, targets_of
from amt_flows.strategies.gaussian_process import Array

# How many hints there are at most, and how many fewer for each result of our own.
MOST_HINTS = 40
FADING = 2
# How many of a parent's results say together what it would have thought of a configuration.
NEIGHBOURS = 5
# So many pairs in its favour a parent is given beforehand.
TRUST = 6


def with_hints(evidence: Evidence, space: Space, history: Sequence[TrialRow]) -> Evidence:
    """``evidence`` of our own results, and the hints of the parents in ``history`` beside it."""
    given = hints(space, history)
    if not given:
        return evidence
    return replace(
        evidence,
        points=np.concatenate([evidence.points, *(points for points, _ in given)]),
        targets=np.concatenate(
            [evidence.targets, *(np.maximum(targets, evidence.targets.min()) for _, targets in given)]
        ),
    )


def hints(space: Space, history: Sequence[TrialRow]) -> list[tuple[Array, Array]]:
    """Points (shape ``(n, d)``) and targets (``(n,)``) of the hints that each parent in ``history`` gives: of
    one that has misled, none."""
    parents: dict[str, list[TrialRow]] = {}
    for row in history:
        if row.is_hint and has_loss(row) and space.contains(row.configuration):
            parents.setdefault(row.parent, []).append(row)
    if not parents:
        return []
    own = [row for row in history if not row.is_hint and has_loss(row) and space.contains(row.configuration)]
    most = max(0, MOST_HINTS - FADING * len(own))
    places, losses = _places(space, own), np.array([row.loss for row in own], dtype=np.float64)
    given = []
    for rows in parents.values() if most else ():
        theirs = _places(space, rows)
        ranked, _ = targets_of(np.array([row.loss for row in rows], dtype=np.float64))
        share = agreement(expected(space, (theirs, ranked), places), losses)
        kept = _spread(ranked, round(share * most / len(parents)))
        if kept:
            given.append((theirs[kept], ranked[kept]))
    return given


def tried_again(space: Space, history: Sequence[TrialRow]) -> int:
    """How many of our own results are of a configuration that a parent had."""
    theirs = {configuration_key(row.configuration) for row in history if row.is_hint}
    return sum(
        has_loss(row) and configuration_key(row.configuration) in theirs
        for row in history
        if not row.is_hint and space.contains(row.configuration)
    )


def agreement(expected: Array, losses: Array) -> float:
    """How much better than chance what was ``expected`` ranks ``losses`` (shape ``(n,)`` each): 0 for
    chance and worse, 1 for every pair right."""
    i, j = np.triu_indices(len(losses), 1)
    signs = np.sign(expected[i] - expected[j]) * np.sign(losses[i] - losses[j])
    right, told = int((signs > 0).sum()), int((signs != 0).sum())
    return max(0.0, 2 * (right + TRUST) / (told + TRUST) - 1)


def expected(space: Space, parent: tuple[Array, Array], places: Array) -> Array:
    """What a parent's results (points ``(m, d)``, targets ``(m,)``) say of ``places`` (``(n, d)`` →
    ``(n,)``): the mean of the nearest ones, weighed by their closeness."""
    points, targets = parent
    gaps = np.abs(places[:, None, :] - points[None, :, :])
    gaps[..., space.unordered] = gaps[..., space.unordered] > 0
    distances = np.sqrt((gaps**2).sum(axis=-1))
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :NEIGHBOURS]
    # One at the very place weighs a thousand times more than one at distance 1, and not infinitely more.
    weights = 1.0 / (np.take_along_axis(distances, nearest, axis=1) + 1e-3)
    return np.asarray((weights * targets[nearest]).sum(axis=1) / weights.sum(axis=1))


def _spread(targets: Array, count: int) -> list[int]:
    """``count`` of them at most, evenly over their order: the good, the middling and the bad."""
    order = np.argsort(targets, kind="stable")
    if count == 0:
        return []
    places = np.linspace(0, len(order) - 1, min(count, len(order))).astype(int)
    return [int(k) for k in order[places]]


def _places(space: Space, rows: Sequence[TrialRow]) -> Array:
    return np.array([space.encode(row.configuration) for row in rows]).reshape(-1, space.dimension)
