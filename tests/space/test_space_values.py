"""Values as others write them become values of ours: one and the same for equal ones, refused when they
can't."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.space.space import Categorical, Continuous, Integer, Parameter, Scaling, Value, as_text
from amt_flows.space.values import configuration_from, same_value, value_from

RATE = Continuous("rate", 0.0001, 1.0, Scaling.LOGARITHMIC)
STEPPED = Continuous("share", 0.0, 1.0, step=0.1)
LAYERS = Integer("layers", 1, 8)
BATCH = Categorical("batch", ("8", "16"))
FLAG = Categorical("flag", ("True", "False"))
OPTIMIZER = Categorical("optimizer", ("adam", "sgd"))


@pytest.mark.parametrize(
    ("parameter", "given_value", "expected"),
    [
        (RATE, "0.01", 0.01),
        (RATE, "1e-3", 0.001),
        (RATE, 1, 1.0),
        (RATE, -0.0, 0.0),
        (RATE, '"0.5"', 0.5),
        (STEPPED, 0.1 + 0.2, 0.3),
        (STEPPED, "0.25", 0.25),
        (LAYERS, "3", 3),
        (LAYERS, 3.0, 3),
        (LAYERS, "3.0", 3),
        (LAYERS, 99, 99),
        (LAYERS, 2**53 + 1, 2**53 + 1),
        (LAYERS, str(2**53 + 1), 2**53 + 1),
        (LAYERS, np.int64(2**53 + 1), 2**53 + 1),
        (BATCH, 8, "8"),
        (BATCH, 8.0, "8"),
        (BATCH, "16.0", "16"),
        (BATCH, 32, "32"),
        (FLAG, True, "True"),
        (FLAG, "false", "False"),
        (OPTIMIZER, '"adam"', "adam"),
        (OPTIMIZER, "rmsprop", "rmsprop"),
    ],
)
def test_a_value_comes_out_in_the_type_of_its_parameter(
    parameter: Parameter, given_value: object, expected: Value
) -> None:
    value = value_from(parameter, given_value)
    assert value == expected
    assert type(value) is type(expected)
    assert str(value) == str(expected)


@pytest.mark.parametrize(
    ("parameter", "given_value", "words"),
    [
        (RATE, "fast", "must be a number"),
        (RATE, "nan", "must be a number"),
        (RATE, True, "must be a number"),
        (RATE, None, "must be a number"),
        (RATE, 10**400, "must be a number"),
        (LAYERS, "2.5", "must be a whole number"),
        (LAYERS, "inf", "must be a number"),
    ],
)
def test_a_value_of_another_type_is_refused_with_what_it_must_be(
    parameter: Parameter, given_value: object, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        value_from(parameter, given_value)


@given(st.sampled_from([RATE, STEPPED, LAYERS, BATCH, FLAG, OPTIMIZER]), st.floats(0, 1))
def test_what_a_space_proposes_survives_being_written_and_read(parameter: Parameter, u: float) -> None:
    value = parameter.decode(u)
    assert value_from(parameter, as_text(value)) == value
    assert value_from(parameter, value) == value


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10", 10.0, True),
        ("1e-3", "0.001", True),
        ('"adam"', "adam", True),
        ("adam", "adam", True),
        ("adam", "sgd", False),
        (2**53 + 1, str(2**53), False),
        (True, "true", True),
    ],
)
def test_values_are_the_same_as_numbers_or_as_texts(one: object, other: object, same: bool) -> None:
    assert same_value(one, other) is same


def test_a_configuration_lacks_nothing() -> None:
    from amt_flows.space.space import Space

    space = Space((RATE, LAYERS))
    assert configuration_from(space, {"layers": "2", "rate": "0.1", "more": 1}) == {"rate": 0.1, "layers": 2}
    with pytest.raises(KeyError, match="layers"):
        configuration_from(space, {"rate": "0.1"})
