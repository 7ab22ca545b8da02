"""On which scale the model sees a number whose scaling was left at Auto: on another one than the rule's, once
the results say so.

The rule (:func:`amt_flows.space.parameters.resolve_scaling`) knows only the range. What it can't know is
where the objective changes: a learning rate from 0.003 to 0.1 is searched linearly, though it may matter as
much between 0.003 and 0.01 as in all the rest. So each such number is tried on its other scales, and the one
is taken under which the process explains the results best. That is input warping (Snoek et al. 2014, "Input
Warping for Bayesian Optimization of Non-Stationary Functions"), with no other warps than AMT's scaling types.

Only the model and the search on it see the scale. The initial design, the grid and the ledger keep that of
the rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from amt_flows.ledger.history import TrialRow
from amt_flows.space.parameters import Categorical, Continuous, Integer, Parameter, Scaling
from amt_flows.space.space import Space
from amt_flows.strategies.evidence import ended, gather_relevant, has_loss
from amt_flows.strategies.gaussian_process import NotPositiveDefinite, log_evidence

# Decided anew at these counts of results, each about half more than the one before, and kept between them,
# so that the scale doesn't flicker. More results than the last cost more time, and say little more.
COUNTS = (12, 18, 27, 40, 60)

# Another scale must explain the results better by a factor of e to this.
MARGIN = 2.0

# In a range that spans less than this, all scales look much the same.
LEAST_RATIO = 4.0

# Results beyond this target are as bad as each other. Targets of the worse half are spread like a normal
# sample's (``evidence.py``): their tail is no property of the objective, but a scale could fit it.
WORST = 0.5


def rescaled(space: Space, history: Sequence[TrialRow]) -> Space:
    """``space`` on the scales on which the results so far are explained best: the same configurations, in
    other places. ``space`` itself where nothing is left to decide, or to tell it from."""
    return rescaled_by(space, ended(space, history))


def rescaled_by(space: Space, results: Sequence[TrialRow]) -> Space:
    """:func:`rescaled`, by results that are known to lie in ``space``."""
    if not any(other_scalings(parameter) for parameter in space.parameters):
        return space
    count = max((count for count in COUNTS if count <= len(results)), default=0)
    judged = results[:count]
    if not any(has_loss(row) for row in judged):
        return space
    evidence = gather_relevant(space, judged)
    targets = np.minimum(evidence.targets, WORST)
    return _decided(space, evidence.points.tobytes(), targets.tobytes())


def changed(space: Space, seen: Space) -> dict[str, Scaling]:
    """The names of the numbers that ``seen`` has on another scale than ``space``, with that scale."""
    return {
        after.name: after.scaling
        for before, after in zip(space.parameters, seen.parameters, strict=True)
        if not isinstance(before, Categorical)
        and not isinstance(after, Categorical)
        and before.scaling is not after.scaling
    }


def other_scalings(parameter: Parameter) -> tuple[Scaling, ...]:
    """The scales beside its own that a number left at Auto may be seen on, given its range.

    None for one that the rule has on a logarithmic scale already: a linear one would leave its lower decades
    next to no room, and what is lost by a logarithmic scale where a linear one were right is little.
    """
    if isinstance(parameter, Categorical) or not parameter.auto or parameter.scaling is not Scaling.LINEAR:
        return ()
    low, high = parameter.low, parameter.high
    possible = []
    if low > 0 and high / low >= LEAST_RATIO:
        possible.append(Scaling.LOGARITHMIC)
    if isinstance(parameter, Continuous) and 0.5 <= low < high < 1 and (1 - low) / (1 - high) >= LEAST_RATIO:
        possible.append(Scaling.REVERSE_LOGARITHMIC)
    return tuple(possible)


# Kept, since all proposals between two counts decide the same.
@lru_cache(maxsize=16)
def _decided(space: Space, points_seen: bytes, targets_seen: bytes) -> Space:
    targets = np.frombuffer(targets_seen)
    points = np.frombuffer(points_seen).reshape(len(targets), space.dimension)

    try:
        value, settings = log_evidence(points, targets, space.unordered)
    except NotPositiveDefinite:
        return space

    def explained(seen: Space) -> float:
        moved = np.array([seen.encode(space.decode(point)) for point in points])
        try:
            return log_evidence(moved, targets, space.unordered, like=settings)[0]
        except NotPositiveDefinite:
            return -math.inf

    values = {
        (j, scaling): explained(_with(space, j, scaling))
        for j, parameter in enumerate(space.parameters)
        for scaling in other_scalings(parameter)
    }
    best, to_beat = space, value + MARGIN
    # The clearest first. Each of the others has to earn its place beside those.
    for one in sorted(values, key=lambda one: -values[one]):
        if values[one] <= value + MARGIN:
            break
        candidate = _with(best, *one)
        explains = values[one] if best is space else explained(candidate)
        if explains > to_beat:
            best, to_beat = candidate, explains + MARGIN
    return best


def _with(space: Space, j: int, scaling: Scaling) -> Space:
    parameters = list(space.parameters)
    parameter = parameters[j]
    assert isinstance(parameter, (Continuous, Integer))
    parameters[j] = replace(parameter, scaling=scaling)
    return replace(space, parameters=tuple(parameters))
