"""The best on the edge of a range is told, with a range to try that values of its kind can have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.backends.simulated import Script
from amt_flows.results import result_of
from amt_flows.results.edges import Edge, edges
from amt_flows.show.facts import facts
from amt_flows.show.notebook_result import result_html
from amt_flows.show.report import report_markdown
from amt_flows.spec import TuningSpec
from worlds import run, spec

JOBS = 5


def found(kind: str, value: float, **ranges: Any) -> tuple[Edge, ...]:
    """Of a tuning job whose best training job has this value."""
    asked = spec(
        **{"continuous": [], kind: [{"name": "x", **ranges}], "limits": {"max_number_of_training_jobs": JOBS}}
    )
    first = asked.model_copy(update={"first_configurations": ({"x": str(value)},)})
    ledger, _ = run(
        TuningSpec(**first.model_dump(exclude_defaults=True)), lambda given: _best_at(value, given)
    )
    return edges(result_of(ledger, "memory:"))


def _best_at(value: float, given: Mapping[str, str]) -> Script:
    return Script([1.0 if float(given["x"]) == value else 0.0])


CASES: list[tuple[str, dict[str, Any], float, str]] = [
    (
        "continuous",
        {"min_value": 0, "max_value": 2, "scaling_type": "Linear"},
        2,
        "upper edge of its range (0 to 2); try 1 to 3",
    ),
    (
        "continuous",
        {"min_value": 1e-4, "max_value": 1},
        1,
        "upper edge of its range (0.0001 to 1); try 0.01 to 100",
    ),
    (
        "continuous",
        {"min_value": 1e-4, "max_value": 1},
        1e-4,
        "lower edge of its range (0.0001 to 1); try 1e-06 to 0.01",
    ),
    (
        "continuous",
        {"min_value": 0, "max_value": 0.99, "scaling_type": "ReverseLogarithmic"},
        0.99,
        "upper edge of its range (0 to 0.99); try 0.9 to 0.999",
    ),
    ("continuous", {"min_value": -1, "max_value": 1}, -1, "lower edge of its range (-1 to 1); try -2 to 0"),
    ("integer", {"min_value": 1, "max_value": 8}, 8, "upper edge of its range (1 to 8); try 5 to 12"),
    ("integer", {"min_value": 3, "max_value": 12}, 3, "lower edge of its range (3 to 12); try 1 to 7"),
    (
        "integer",
        {"min_value": 8, "max_value": 32, "step": 8},
        32,
        "upper edge of its range (8 to 32); try 24 to 40",
    ),
]


@pytest.mark.parametrize(("kind", "ranges", "value", "words"), CASES)
def test_the_best_on_an_edge_is_told_with_the_range_to_try(
    kind: str, ranges: dict[str, Any], value: float, words: str
) -> None:
    (edge,) = found(kind, value, **ranges)
    assert str(edge) == f"x {value:g} is on the {words}"


NOTHING_BEYOND: list[tuple[str, dict[str, Any], float]] = [
    ("continuous", {"min_value": 0, "max_value": 1}, 0),
    ("continuous", {"min_value": 0, "max_value": 1}, 0.5),
    ("continuous", {"min_value": 0, "max_value": 0.99, "scaling_type": "ReverseLogarithmic"}, 0),
    ("integer", {"min_value": 1, "max_value": 8}, 1),
    ("integer", {"min_value": 0, "max_value": 8}, 0),
    ("integer", {"min_value": 1, "max_value": 8}, 7),
    ("integer", {"min_value": 1, "max_value": 3}, 3),
]


@pytest.mark.parametrize(("kind", "ranges", "value"), NOTHING_BEYOND)
def test_where_nothing_lies_beyond_nothing_is_told(kind: str, ranges: dict[str, Any], value: float) -> None:
    assert found(kind, value, **ranges) == ()


@given(
    ends=st.tuples(st.floats(1e-6, 0.9), st.floats(1e-6, 0.9)).filter(lambda ends: ends[1] > 1.01 * ends[0]),
    scaling=st.sampled_from(["Linear", "Logarithmic", "ReverseLogarithmic"]),
    side=st.sampled_from([0, 1]),
)
def test_the_range_to_try_is_one_that_a_spec_may_have(
    ends: tuple[float, float], scaling: str, side: int
) -> None:
    low, high = ends
    for edge in found("continuous", ends[side], min_value=low, max_value=high, scaling_type=scaling):
        again = {"name": "x", "min_value": edge.try_low, "max_value": edge.try_high, "scaling_type": scaling}
        spec(continuous=[again])
        assert edge.try_low < ends[side] < edge.try_high, "the edge is inside of it"


def test_it_is_told_wherever_a_result_is_summed_up() -> None:
    asked = spec(integer=[{"name": "depth", "min_value": 1, "max_value": 8}])
    ledger, _ = run(asked, lambda given: Script([float(given["depth"])]))
    result = result_of(ledger, "memory:")
    (edge,) = [one for one in edges(result) if one.name == "depth"]
    assert str(edge) in dict(facts(result)).values()
    assert str(edge).replace("_", "\\_") in report_markdown(ledger, result)
    assert str(edge) in result_html(result)


@pytest.mark.parametrize("value", [0.0, -1.0, 2.0])
def test_a_value_that_was_never_proposed_is_on_no_edge(value: float) -> None:
    ledger, _ = run(spec())
    assert ledger.best is not None
    changed = replace(ledger.trials[ledger.best.trial], configuration={"learning_rate": value})
    ledger.trials[ledger.best.trial] = changed
    assert edges(result_of(ledger, "memory:")) == ()
