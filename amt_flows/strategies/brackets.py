"""Hyperband's arithmetic: rungs, brackets, and the bracket that a trial belongs to.

Sources: Li et al. 2018, "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization"; Li et al.
2020, "A System for Massively Parallel Hyperparameter Tuning" (ASHA).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

ETA = 3
"""One in so many jobs goes on from a rung, and gets so many times the resource."""

# The fractional part of its multiples fills the interval from 0 to 1 more evenly than any other's.
GOLDEN = (math.sqrt(5) - 1) / 2


def rungs(min_resource: int, max_resource: int) -> tuple[int, ...]:
    """The epochs at which jobs are compared: ``min_resource * ETA**k`` below ``max_resource``, ascending."""
    found = []
    resource = min_resource
    while resource < max_resource:
        found.append(resource)
        resource *= ETA
    return tuple(found)


def shares(brackets: int) -> tuple[float, ...]:
    """The share of trials of each bracket, the one with most rungs first.

    As in Hyperband every bracket gets about the same training time: with k rungs still to pass a job uses
    about (k + 1) / ETA**k of the full resource.
    """
    weights = [ETA**k / (k + 1) for k in reversed(range(brackets))]
    return tuple(weight / sum(weights) for weight in weights)


def bracket_of(trial: int, brackets: int) -> int:
    """The bracket of a trial by its number alone: 0 is compared at every rung, each further one at one rung
    fewer from below, the last at none. In every stretch of numbers brackets come in about their shares."""
    place = (trial * GOLDEN) % 1.0
    bound = 0.0
    for bracket, share in enumerate(shares(brackets)):
        bound += share
        if place < bound:
            return bracket
    return brackets - 1


def rungs_of(trial: int, all_rungs: Sequence[int]) -> tuple[int, tuple[int, ...]]:
    """A trial's bracket and the rungs at which it is compared."""
    bracket = bracket_of(trial, len(all_rungs) + 1)
    return bracket, tuple(all_rungs[bracket:])
