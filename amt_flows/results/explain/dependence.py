"""How the objective depends on one hyperparameter, all others averaged out (partial dependence), and where
its best values lie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from amt_flows.errors import AmtFlowsError
from amt_flows.ledger.ledger import Ledger
from amt_flows.names import nearest
from amt_flows.results.explain.plausible import PlausibleFunctions
from amt_flows.results.explain.spread import spread_out
from amt_flows.results.explain.surface import (
    NothingToExplain,
    Surface,
    allowed,
    on_values,
    surface_of,
)
from amt_flows.space.space import Categorical, Parameter, Space, Value
from amt_flows.strategies.gaussian_process import Array
from amt_flows.strategies.one_thread import one_thread

POINTS = 21
BACKGROUND = 64
# Where there are constraints, a part of them is left for each value.
BACKGROUND_CONSTRAINED = 128

# As good as the best value: worse by less than this share of the standard deviation of the results.
AS_GOOD = 0.1
# A value is ruled out when it is as good as the best one in less than this share of the plausible functions.
RULED_OUT = 0.1


@dataclass(frozen=True)
class DependencePoint:
    """``mean`` and ``sd`` are of the objective averaged over the other hyperparameters, in its own unit; the
    ``sd`` is how uncertain that average is, not how much the objective varies."""

    value: Value
    mean: float
    sd: float


@dataclass(frozen=True)
class BestRegion:
    """Where the best values of a hyperparameter may lie, as far as the results can tell: from ``low`` to
    ``high``, or among ``choices``, the likeliest first, or in their order if they have one (empty for a
    number; ``low`` and ``high`` are then the first and last of them in the spec's order).

    As wide as the range where the hyperparameter doesn't matter, or too little is known.
    """

    name: str
    low: Value
    high: Value
    choices: tuple[str, ...] = ()


def dependence(ledger: Ledger, name: str) -> tuple[DependencePoint, ...]:
    """Points over the range of hyperparameter ``name``, in its order: all its values, or 21 in even steps of
    its scaling. Raises NothingToExplain; AmtFlowsError for a name that is not tuned.

    Of a hyperparameter that is used only with some values of others, over the configurations that have it;
    and everywhere over those that meet the constraints: a value that none of them has gets no point.

    After Friedman 2001, "Greedy Function Approximation: A Gradient Boosting Machine", with the others spread
    evenly over their ranges rather than where training was tried: the main effect of the functional ANOVA.
    """
    surface = surface_of(ledger)
    values, curves = _curves(surface.space, surface.functions, _position(surface, name))
    objective = surface.centre + surface.unit * curves
    means, sds = objective.mean(axis=1), objective.std(axis=1, ddof=1)
    return tuple(
        DependencePoint(value, float(mean), float(sd))
        for value, mean, sd in zip(values, means, sds, strict=True)
    )


def best_region(ledger: Ledger, name: str) -> BestRegion:
    """Where the best values of hyperparameter ``name`` lie, all others averaged out. Raises as
    :func:`dependence` does."""
    surface = surface_of(ledger)
    position = _position(surface, name)
    values, curves = _curves(surface.space, surface.functions, position)
    likely = (curves <= curves.min(axis=0) + AS_GOOD).mean(axis=1)
    left = np.flatnonzero(likely >= min(RULED_OUT, float(likely.max())))
    choices: tuple[str, ...] = ()
    parameter = surface.space.parameters[position]
    if isinstance(parameter, Categorical):
        order = left if parameter.ordered else sorted(left, key=lambda i: -float(likely[i]))
        choices = tuple(str(values[int(i)]) for i in order)
    return BestRegion(name, values[int(left[0])], values[int(left[-1])], choices)


def _position(surface: Surface, name: str) -> int:
    names = surface.space.names
    if name not in names:
        meant = nearest(name, names)
        raise AmtFlowsError(
            f"No hyperparameter {name!r} is tuned.",
            remedy=f"did you mean {meant!r}?" if meant else f"it is one of {', '.join(names)}",
        )
    return names.index(name)


# Its best region is found on the very curves that are drawn.
@lru_cache(maxsize=64)
def _curves(space: Space, functions: PlausibleFunctions, position: int) -> tuple[tuple[Value, ...], Array]:
    """Values of the parameter, and a curve over them for each plausible function (shape ``(values, s)``)."""
    parameter = space.parameters[position]
    amount = BACKGROUND_CONSTRAINED if space.constraints else BACKGROUND
    background = _where_used(space, position, spread_out(space.dimension, amount))
    values: list[Value] = []
    curves: list[Array] = []
    for value in _values(parameter):
        places = background.copy()
        places[:, position] = parameter.encode(value)
        places = space.settled(places[allowed(space, places)])
        if len(places):
            values.append(value)
            with one_thread():
                curves.append(functions(places).mean(axis=0))
    if not values:
        raise NothingToExplain(
            f"The constraints are met by too few configurations to show what {parameter.name} does.",
            remedy="narrow the ranges to where the constraints hold",
        )
    return tuple(values), np.stack(curves)


def _where_used(space: Space, position: int, spread: Array) -> Array:
    """Places spread over the configurations that have the parameter: what it depends on, and what that
    depends on, has one of the values with which it is used, each as often."""
    places = on_values(space, spread)
    condition = space.condition_of(space.names[position])
    while condition is not None:
        j = space.names.index(condition.on)
        wanted = np.array([space.parameters[j].encode(value) for value in condition.values])
        places[:, j] = wanted[(spread[:, j] * len(wanted)).astype(int)]
        condition = space.condition_of(condition.on)
    return places


def _values(parameter: Parameter) -> tuple[Value, ...]:
    if isinstance(parameter, Categorical) or (parameter.size is not None and parameter.size <= POINTS):
        return tuple(parameter.values())
    values = (parameter.decode(float(u)) for u in np.linspace(0.0, 1.0, POINTS))
    return tuple(dict.fromkeys(values))
