"""A spec with conditions, constraints and ordered values, and trainings that hold it to them; and any space
with conditions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from amt_flows.backends.simulated import Script
from amt_flows.space.space import Categorical, Condition, Continuous, Integer, Parameter, Space
from amt_flows.spec import TuningSpec
from worlds import spec


def when(name: str, *values: object) -> dict[str, Any]:
    return {"name": name, "values": list(values)}


# "gamma" depends on a hyperparameter that depends on another; "tree-depth" is no name in an expression.
RANGES: dict[str, Any] = {
    "continuous": [
        {"name": "C", "min_value": 0.01, "max_value": 100.0, "only_when": when("model", "svc")},
        {"name": "gamma", "min_value": 1e-5, "max_value": 1.0, "only_when": when("kernel", "rbf", "poly")},
        {"name": "learning_rate", "min_value": 1e-4, "max_value": 0.1, "only_when": when("layers", 1, 2)},
    ],
    "integer": [
        {"name": "trees", "min_value": 10, "max_value": 200, "only_when": when("model", "forest")},
        {"name": "tree-depth", "min_value": 2, "max_value": 16, "only_when": when("model", "forest")},
        {"name": "layers", "min_value": 0, "max_value": 2, "only_when": when("model", "mlp")},
    ],
    "categorical": [
        {"name": "model", "values": ["svc", "forest", "mlp"]},
        {"name": "kernel", "values": ["rbf", "linear", "poly"], "only_when": when("model", "svc")},
        {"name": "size", "values": ["small", "medium", "large"], "ordered": True},
    ],
}
CONSTRAINTS = ["trees * `tree-depth` <= 1200", "size != 'large' or model != 'forest'"]
CONDITIONAL = ["C", "gamma", "learning_rate", "trees", "tree-depth", "layers", "kernel"]
NAMES = [*CONDITIONAL[:6], "model", "kernel", "size"]


def models(**changes: Any) -> TuningSpec:
    return spec(**{**RANGES, "constraints": CONSTRAINTS, **changes})


def used(given: Mapping[str, object]) -> set[str]:
    """The names that a configuration has, worked out by hand."""
    names = {"model", "size"}
    if given["model"] == "svc":
        names |= {"C", "kernel"} | ({"gamma"} if given["kernel"] != "linear" else set())
    elif given["model"] == "forest":
        names |= {"trees", "tree-depth"}
    else:
        names |= {"layers"} | ({"learning_rate"} if float(str(given["layers"])) else set())
    return names


def meets(given: Mapping[str, Any]) -> bool:
    """The constraints, by hand."""
    if given["model"] != "forest":
        return True
    return int(given["trees"]) * int(given["tree-depth"]) <= 1200 and given["size"] != "large"


def train(given: Mapping[str, str]) -> Script:
    """What a script does that refuses options which its model doesn't have."""
    assert given.keys() == used(given), f"not what this model takes: {sorted(given)}"
    assert meets(given), f"breaks a constraint: {given}"
    quality = {"svc": 0.8, "forest": 0.75, "mlp": 0.7}[given["model"]]
    quality += {"small": 0.0, "medium": 0.03, "large": 0.05}[given["size"]]
    if given["model"] == "svc":
        quality -= 0.03 * abs(math.log10(float(given["C"])))
    return Script([quality * (1 - 0.5**epoch) for epoch in range(1, 5)])


_LETTERS = "abcdef"


@st.composite
def forests(draw: st.DrawFn, *, finite: bool = True) -> Space:
    """A space of up to six parameters, most of which depend on another one."""
    parameters: list[Parameter] = []
    conditions: list[Condition] = []
    for name in _LETTERS[: draw(st.integers(1, len(_LETTERS)))]:
        deciding = [one for one in parameters if not isinstance(one, Continuous)]
        depends = draw(st.booleans())
        if deciding and depends:
            on = draw(st.sampled_from(deciding))
            values = draw(st.lists(st.sampled_from(list(on.values())), min_size=1, unique=True))
            conditions.append(Condition(name, on.name, tuple(values)))
        parameters.append(draw(_parameters(name, finite)))
    return Space(tuple(draw(st.permutations(parameters))), tuple(conditions))


def _parameters(name: str, finite: bool) -> st.SearchStrategy[Parameter]:
    few = st.integers(1, 3)
    kinds: list[st.SearchStrategy[Parameter]] = [
        few.map(lambda k: Categorical(name, tuple("xyz"[:k]))),
        few.map(lambda k: Integer(name, 1, k)),
        st.just(Continuous(name, 0.0, 1.0, step=0.5)),
    ]
    return st.one_of(kinds if finite else [*kinds, st.just(Continuous(name, -1.0, 1.0))])
