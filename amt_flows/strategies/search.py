"""Where in a mixed space the expected improvement is highest.

A space small enough to list is listed. In a larger one the best of many random places start a climb
that takes turns: along the gradient in the parameters that are (nearly) continuous, then by
single changes of one parameter in the others. Every place that is compared in the end is one that a
configuration maps to, so what was chosen is what is tried.
"""

from __future__ import annotations

from collections.abc import Set

import numpy as np
from scipy.optimize import minimize

from amt_flows.space.space import NOWHERE, Categorical, Parameter, Space, Value, configuration_key
from amt_flows.strategies.expected_improvement import log_expected_improvement, with_gradient
from amt_flows.strategies.gaussian_process import Array, Mask
from amt_flows.strategies.predictions import Predictions

# A space of up to this many configurations is listed.
LISTED = 1_500

# How many random places are looked at: over the whole cube, and close to the best rows.
BROAD = 512
NEAR = 256
NEAR_ROWS = 5

# Climbs from the best of either kind, and the turns of each; in the first of them along the gradient too.
STARTS = 2
TURNS = 4
GRADIENT_TURNS = 2
GRADIENT_STEPS = 25
LEAST_GAIN = 1e-5
"""As a share: a step that gains less is the last."""

# From this many values on, a number is climbed like a continuum and then rounded.
MANY_VALUES = 16
MAX_MOVES = 256

# How often places that meet all constraints are drawn for, twice as many at a time as are wanted.
MOST_ROUNDS = 10

# With more values than this, where a climb starts from needs no rounding.
FINE_VALUES = 100


def best_unused(
    model: Predictions, space: Space, used: Set[str], rng: np.random.Generator
) -> tuple[dict[str, Value], float] | None:
    """A configuration whose key is not in ``used``, and its log expected improvement.

    None when every place that was compared is taken; a space that isn't listed may still have others.
    """
    return best_of(model, space, used, places_worth_comparing(model, space, used, rng))


def places_worth_comparing(
    model: Predictions, space: Space, used: Set[str], rng: np.random.Generator
) -> Array:
    """Those that the search found (shape ``(m, d)``): all that are free of a space that is listed."""
    if space.size is not None and space.size <= LISTED:
        free = [c for c in space.grid() if configuration_key(c) not in used]
        return np.array([space.encode(c) for c in free]).reshape(-1, space.dimension)
    return _places_found(model, space, rng)


def climbed(model: Predictions, space: Space, places: Array, rng: np.random.Generator) -> Array:
    """``places`` (shape ``(m, d)``, at least one), and those that a climb from the best of them finds."""
    if space.size is not None and space.size <= LISTED:
        return places
    top = places[int(np.argmax(log_expected_improvement(model, places)))]
    return snap(space, np.concatenate([places, _climb(model, space, top, rng)]))


def best_of(
    model: Predictions, space: Space, used: Set[str], places: Array
) -> tuple[dict[str, Value], float] | None:
    """As :func:`best_unused`, of these places (shape ``(m, d)``)."""
    if len(places) == 0:
        return None
    values = log_expected_improvement(model, places)
    for i in np.argsort(-values, kind="stable"):
        configuration = space.decode(places[i])
        if configuration_key(configuration) not in used and space.allows(configuration):
            return configuration, float(values[i])
    return None


def _places_found(model: Predictions, space: Space, rng: np.random.Generator) -> Array:
    broad = snap(space, _all_over(space, rng), finest=FINE_VALUES)
    near = allowed(space, snap(space, _around(model, space, rng), finest=FINE_VALUES))
    found = []
    for places in (broad, near):
        if len(places) == 0:
            continue
        values = log_expected_improvement(model, places)
        best = places[np.argsort(-values, kind="stable")]
        found.append(best[: 4 * STARTS])
        found.extend(_climb(model, space, start, rng) for start in best[:STARTS])
    if not found:
        return np.empty((0, space.dimension))
    return snap(space, np.concatenate(found))


def _all_over(space: Space, rng: np.random.Generator) -> Array:
    """Places over the whole cube that meet all constraints, if that many can be found."""
    if not space.constraints:
        return rng.random((BROAD, space.dimension))
    places = np.empty((0, space.dimension))
    for _ in range(MOST_ROUNDS):
        more = allowed(space, rng.random((2 * BROAD, space.dimension)))
        places = np.concatenate([places, more])[:BROAD]
        if len(places) == BROAD:
            break
    return places


def allowed(space: Space, places: Array) -> Array:
    """Those of ``places`` (shape ``(m, d)``) whose configurations meet all constraints."""
    if not space.constraints:
        return places
    return places[[space.allows(space.decode(place)) for place in places]]


def snap(space: Space, places: Array, finest: int | None = None) -> Array:
    """The places (shape ``(m, d)``) that the configurations at ``places`` map to.

    A continuum keeps its coordinate: the last digit that its values drop changes no prediction. So does
    a parameter of more than ``finest`` values, if that is given, unless others depend on it.
    """
    snapped: Array = places.copy()
    for j, parameter in enumerate(space.parameters):
        size = parameter.size
        is_fine = finest is not None and size is not None and size > finest
        if size is not None and (not is_fine or parameter.name in space.deciding):
            snapped[:, j] = [parameter.encode(parameter.decode(float(u))) for u in places[:, j]]
    return space.settled(snapped)


def _around(model: Predictions, space: Space, rng: np.random.Generator) -> Array:
    """Places that differ from one of the best rows in some parameters, by steps of all sizes."""
    d = space.dimension
    means, _ = model.predict(model.points)
    best = model.points[np.argsort(means, kind="stable")[:NEAR_ROWS]]
    origin = best[rng.integers(len(best), size=NEAR)]
    step = 10 ** rng.uniform(-2.3, -0.5, size=(NEAR, 1))
    moved = np.clip(origin + step * rng.standard_normal((NEAR, d)), 0.0, 1.0)
    moved = np.where(model.categorical, rng.random((NEAR, d)), moved)
    if space.conditions:
        # Where the best row lacks a hyperparameter, its coordinate is one that nobody chose.
        moved = np.where(origin == NOWHERE, rng.random((NEAR, d)), moved)
    # Each place changes a random set of parameters, of random size from one to all.
    size = rng.integers(1, d + 1, size=(NEAR, 1))
    changed = rng.random((NEAR, d)).argsort(axis=1).argsort(axis=1) < size
    return np.asarray(np.where(changed, moved, origin))


def _climb(model: Predictions, space: Space, start: Array, rng: np.random.Generator) -> Array:
    """The places that a climb from ``start`` ends at and passes (shape ``(k, d)``), ``start`` excluded."""
    smooth = np.array([_is_smooth(p) for p in space.parameters])
    passed, place = [], start
    for turn in range(TURNS):
        free = smooth & ~space.unused_at(place) & (turn < GRADIENT_TURNS)
        top = allowed(space, snap(space, _along_gradient(model, place, free)[None, :]))
        origin = top[0] if len(top) else place
        moves = allowed(space, space.settled(_moves(space, origin, rng)))
        around = np.concatenate([place[None, :], top, moves])
        values = log_expected_improvement(model, around)
        passed.append(around[np.argsort(-values, kind="stable")[:3]])
        best = passed[-1][0]
        if any((best == end).all() for end in (place, *top)):
            break  # no single change is better than where the gradient led
        place = best
    return np.concatenate(passed)


def _along_gradient(model: Predictions, start: Array, smooth: Mask) -> Array:
    free = np.flatnonzero(smooth)
    if len(free) == 0:
        return start

    def downhill(coordinates: Array) -> tuple[float, Array]:
        place = start.copy()
        place[free] = coordinates
        value, gradient = with_gradient(model, place)
        return -value, -gradient[free]

    found = minimize(
        downhill,
        start[free],
        jac=True,
        bounds=[(0.0, 1.0)] * len(free),
        method="L-BFGS-B",
        options={"maxiter": GRADIENT_STEPS, "ftol": LEAST_GAIN},
    )
    top: Array = start.copy()
    top[free] = np.clip(found.x, 0.0, 1.0)
    return top


def _is_smooth(parameter: Parameter) -> bool:
    if isinstance(parameter, Categorical):
        return False
    return parameter.size is None or parameter.size > MANY_VALUES


def _moves(space: Space, place: Array, rng: np.random.Generator) -> Array:
    """Places one change away from ``place`` (shape ``(k, d)``): any other category or any other of a few
    values, or the next value up and down among many. A random choice of them if there are very many."""
    moved = []
    for j, parameter in enumerate(space.parameters):
        for u in _other_coordinates(parameter, float(place[j])):
            other = place.copy()
            other[j] = u
            moved.append(other)
    moves: Array = np.array(moved).reshape(-1, len(place))
    chosen: Array = moves[np.sort(rng.permutation(len(moves))[:MAX_MOVES])]
    return chosen


def _other_coordinates(parameter: Parameter, u: float) -> list[float]:
    size = parameter.size
    if size is None:
        return []
    if isinstance(parameter, Categorical) or size <= MANY_VALUES:
        values: list[Value] = [parameter.value_at(k) for k in range(size)]
    else:
        step = parameter.step or 0
        value = parameter.decode(u)
        values = [v for v in (value - step, value + step) if parameter.low <= v <= parameter.high]
    return [parameter.encode(v) for v in values if v != parameter.decode(u)]
