"""What conditions and constraints can't be put together with: large grids, ranges to be chosen, AMT."""

from __future__ import annotations

from typing import Any

import pytest

from amt_flows.amt.request import amt_request
from amt_flows.errors import SpecError
from amt_flows.spec import TuningSpec
from amt_flows.spec.amt_request import to_amt_request
from amt_flows.tuning.autotune import chosen
from backends.sagemaker_world import spec as sagemaker_spec
from conditional import CONDITIONAL, CONSTRAINTS, RANGES
from spec.samples import good, problems_of

SIDES = [{"name": "a", "min_value": 1, "max_value": 200}, {"name": "b", "min_value": 1, "max_value": 200}]


def grid(most: int) -> dict[str, Any]:
    sides = [{**side, "max_value": most} for side in SIDES]
    ranges = {"continuous": [], "integer": sides, "categorical": [], "constraints": ["a < b"]}
    return {**good(), **ranges, "strategy": "Grid", "limits": {}}


def test_a_grid_is_listed_to_find_what_meets_its_constraints() -> None:
    assert TuningSpec.parse(grid(100)).space().size == 4950


def test_one_that_is_too_large_for_that_is_refused() -> None:
    (problem,) = problems_of(grid(200)).values()
    assert problem.field == "constraints"
    assert "40,000 configurations" in problem.message
    assert "20,000" in problem.message
    assert "larger step" in problem.message


def hinted(**changes: Any) -> dict[str, Any]:
    return {**good(), "auto_parameters": [{"name": "depth", "value_hint": 4}], **changes}


def test_a_constraint_may_speak_of_a_range_that_is_chosen() -> None:
    spec = chosen(TuningSpec.parse(hinted(constraints=["depth * layers <= 12"]))).spec
    assert "depth" in spec.space().names
    assert spec.space().allows({"depth": 4, "layers": 3})
    assert not spec.space().allows({"depth": 4, "layers": 4})


def test_it_is_looked_at_once_the_range_is_chosen() -> None:
    with pytest.raises(SpecError, match="too few to search among"):
        chosen(TuningSpec.parse(hinted(constraints=["depth > 1000"])))


def test_nothing_can_depend_on_a_range_that_is_chosen() -> None:
    one = {"name": "lr", "min_value": 0.1, "max_value": 0.9, "only_when": {"name": "depth", "values": ["4"]}}
    (problem,) = problems_of(hinted(continuous=[one])).values()
    assert problem.field == "continuous[0].only_when.name"
    assert "chosen for you" in problem.message


def test_amt_is_not_asked_for_what_it_would_break() -> None:
    """Each condition once, and the way out; an order is a hint, and only left out."""
    with pytest.raises(SpecError) as caught:
        amt_request(sagemaker_spec(**RANGES, constraints=CONSTRAINTS))
    problems = {problem.field: problem.message for problem in caught.value.problems}
    assert len(problems) == len(CONDITIONAL) + 1
    assert all("--backend sagemaker" in message for message in problems.values())
    assert "constraints" in problems
    assert sum(field.endswith(".only_when.name") for field in problems) == len(CONDITIONAL)


def test_amt_gets_ordered_values_without_their_order() -> None:
    sizes = {"name": "size", "values": ["small", "medium"], "ordered": True}
    spec = sagemaker_spec(categorical=[sizes])
    ranges = amt_request(spec)["HyperParameterTuningJobConfig"]["ParameterRanges"]
    assert ranges["CategoricalParameterRanges"] == [{"Name": "size", "Values": ["small", "medium"]}]
    with pytest.raises(SpecError, match="ordered"):
        to_amt_request(spec)
