"""The SDK's parameter ranges become the three lists of a spec."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows import TuningSpec
from amt_flows.errors import SpecError
from amt_flows.sagemaker_sdk import ranges_from
from amt_flows.space.space import Scaling
from sagemaker_sdk.stand_ins import (
    CategoricalParameter,
    ContinuousParameter,
    IntegerParameter,
    ParameterString,
)

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SCALINGS = st.sampled_from(["Auto", "Linear", "Logarithmic"])


def test_a_spec_is_made_of_them() -> None:
    spec = TuningSpec(
        objective={"metric_name": "accuracy"},
        limits={"max_number_of_training_jobs": 4},
        **ranges_from(
            {
                "optimizer": CategoricalParameter(["sgd", 3, True]),
                "rate": ContinuousParameter(0.001, 1, "Logarithmic"),
                "layers": IntegerParameter(1, 8),
                "momentum": ContinuousParameter(0.5, 0.99),
            }
        ),
    )
    assert [one.name for one in spec.continuous] == ["rate", "momentum"]
    assert (spec.continuous[0].min_value, spec.continuous[0].max_value) == (0.001, 1.0)
    assert spec.continuous[0].scaling_type is Scaling.LOGARITHMIC
    assert (spec.integer[0].name, spec.integer[0].min_value, spec.integer[0].max_value) == ("layers", 1, 8)
    assert spec.categorical[0].values == ("sgd", "3", "True")


@given(low=NUMBERS, high=NUMBERS, scaling=SCALINGS)
def test_a_continuous_range_keeps_its_ends_to_the_last_digit(low: float, high: float, scaling: str) -> None:
    [one] = ranges_from({"x": ContinuousParameter(low, high, scaling)})["continuous"]
    assert (one.min_value, one.max_value, one.scaling_type.value) == (low, high, scaling)


@given(low=st.integers(-(10**12), 10**12), high=st.integers(-(10**12), 10**12), scaling=SCALINGS)
def test_an_integer_range_keeps_its_ends(low: int, high: int, scaling: str) -> None:
    [one] = ranges_from({"n": IntegerParameter(low, high, scaling)})["integer"]
    assert (one.min_value, one.max_value, one.scaling_type.value) == (low, high, scaling)


@given(values=st.lists(st.text(), min_size=1, max_size=30, unique=True))
def test_a_categorical_range_keeps_its_values_in_order(values: list[str]) -> None:
    [one] = ranges_from({"c": CategoricalParameter(values)})["categorical"]
    assert list(one.values) == values


def test_a_subclass_of_a_range_is_one_and_none_is_no_range() -> None:
    class Learning(ContinuousParameter):
        pass

    ranges = ranges_from({"rate": Learning(0.1, 1.0), "unused": None})
    assert [one.name for one in ranges["continuous"]] == ["rate"]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (3, "is not a range of the SageMaker SDK"),
        ((0.1, 1.0), "is not a range of the SageMaker SDK"),
        (ContinuousParameter, "is not a range of the SageMaker SDK"),
        (ContinuousParameter(0.1, ParameterString("high")), "is known only when the pipeline runs"),
    ],
)
def test_what_is_no_range_is_refused_by_its_name(one: Any, words: str) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        ranges_from({"fine": IntegerParameter(1, 3), "rate": one})
    [problem] = caught.value.problems
    assert problem.field.startswith("hyperparameter_ranges.rate")


@pytest.mark.parametrize(
    ("one", "field"),
    [
        (IntegerParameter("few", 3), "integer[0].min_value"),
        (ContinuousParameter(0.1, float("nan")), "continuous[0].max_value"),
        (IntegerParameter(1, 3, "Cubic"), "integer[0].scaling_type"),
        (CategoricalParameter([]), "categorical[0].values"),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_the_specs_names(one: Any, field: str) -> None:
    with pytest.raises(SpecError) as caught:
        ranges_from({"x": one})
    assert [problem.field for problem in caught.value.problems] == [field]


def test_names_and_ranges_come_as_a_mapping() -> None:
    not_a_mapping: Any = [IntegerParameter(1, 3)]
    with pytest.raises(SpecError, match="must map names to ranges"):
        ranges_from(not_a_mapping)
    not_a_name: Any = {3: IntegerParameter(1, 3)}
    with pytest.raises(SpecError, match="name must be a string"):
        ranges_from(not_a_name)
