"""Whatever is written into a spec or a body, the answer is a spec or a SpecError, and quickly."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.errors import SpecError
from amt_flows.spec import TuningSpec
from amt_flows.spec.advice import warnings
from amt_flows.spec.amt_request import to_amt_request
from amt_flows.spec.sagemaker_rules import sagemaker_problems
from core import examples
from spec.bodies import BODIES
from spec.samples import SAGEMAKER, good, several

SAMPLES: dict[str, dict[str, Any]] = {
    **{name: make() for name, make in BODIES.items()},
    "own": {**good(), "training_job": {"sagemaker": SAGEMAKER, "inputs": {"a": "b"}}},
    "several": several(),
    "warm": {
        **good(),
        "first_configurations": [{"lr": 0.01, "layers": 3, "optimizer": "adam"}],
        "warm_start": {"type": "TransferLearning", "parents": ["old-jobs", "old.csv"]},
        "training_job": {"sagemaker": SAGEMAKER},
    },
}
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["Hyperband", "Grid", "Auto", "Enabled", "1", "nan", "a.b", "[0]", "Type"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
NAMES = st.text(max_size=5) | st.sampled_from(
    ["max_jobs", "max.jobs", "n_trials", "direction", "MaxRuntimeInSeconds", "RoleArn", "nam", "a.b[0]"]
)


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a nested value."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield node, key
        yield from places(node[key])


@pytest.mark.parametrize("name", SAMPLES)
@examples(40)
@given(data=st.data())
def test_junk_anywhere_is_a_spec_error_or_a_spec(name: str, data: st.DataObject) -> None:
    sample = copy.deepcopy(SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(list(places(sample))))
        how = data.draw(st.sampled_from(["replace", "remove", "rename"]))
        if how == "replace":
            container[key] = data.draw(JUNK)
        elif how == "remove":
            del container[key]
        elif isinstance(container, dict):
            container[data.draw(NAMES)] = container.pop(key)
        if not sample:
            break
    try:
        spec = TuningSpec.parse(sample)
    except SpecError:
        return
    warnings(spec)
    if not sagemaker_problems(spec) and spec.name:
        to_amt_request(spec, drop_unsupported=True)
