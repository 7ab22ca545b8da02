"""The space of configurations: what decoding, encoding and listing promise, for any space."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from amt_flows.space.parameters import AUTO_LOG_RATIO
from amt_flows.space.space import (
    Categorical,
    Continuous,
    Integer,
    Parameter,
    Scaling,
    Space,
    as_text,
    configuration_key,
    hyperparameter_texts,
    resolve_scaling,
)

UNIT = st.floats(0.0, 1.0)
MAGNITUDES = st.floats(1e-12, 1e12)


@st.composite
def continuous(draw: st.DrawFn) -> Continuous:
    scaling = draw(st.sampled_from([Scaling.LINEAR, Scaling.LOGARITHMIC, Scaling.REVERSE_LOGARITHMIC]))
    if scaling is Scaling.LINEAR:
        low = draw(st.one_of(MAGNITUDES, MAGNITUDES.map(lambda x: -x), st.just(0.0)))
        high = low + draw(MAGNITUDES)
    elif scaling is Scaling.LOGARITHMIC:
        low = draw(MAGNITUDES)
        high = low * draw(st.floats(1.001, 1e6))
    else:
        low = draw(st.floats(0.0, 0.99))
        high = 1.0 - (1.0 - low) * draw(st.floats(1e-6, 0.999))
    assume(high - low > 1e-9 * max(abs(low), abs(high)))
    steps = draw(st.one_of(st.none(), st.floats(0.3, 1000.0)))
    return Continuous("x", low, high, scaling, None if steps is None else (high - low) / steps)


@st.composite
def integers(draw: st.DrawFn) -> Integer:
    scaling = draw(st.sampled_from([Scaling.LINEAR, Scaling.LOGARITHMIC]))
    low = draw(st.integers(1 if scaling is Scaling.LOGARITHMIC else -(10**9), 10**9))
    return Integer("n", low, low + draw(st.integers(0, 10**9)), scaling, draw(st.integers(1, 1000)))


categoricals = st.lists(st.text(max_size=5), min_size=1, max_size=30, unique=True).map(
    lambda choices: Categorical("c", tuple(choices))
)
parameters: st.SearchStrategy[Parameter] = st.one_of(continuous(), integers(), categoricals)


@st.composite
def small_parameters(draw: st.DrawFn, name: str) -> Parameter:
    size = draw(st.integers(1, 5))
    kind = draw(st.sampled_from(["continuous", "integer", "categorical"]))
    if kind == "continuous":
        return Continuous(name, -0.3, -0.3 + 0.1 * (size - 1), step=0.1)
    if kind == "integer":
        step = draw(st.integers(1, 3))
        return Integer(name, 2, 2 + (size - 1) * step, step=step)
    return Categorical(name, tuple("abcde"[:size]))


small_spaces = st.integers(1, 4).flatmap(
    lambda d: st.tuples(*(small_parameters(f"p{i}") for i in range(d))).map(Space)
)


@given(parameters, UNIT)
@example(Continuous("x", 0.12345678911, 1.0, step=0.1), 0.0)
@example(Continuous("x", 1e12, 1e12 + 5, step=1.0), 0.5)
@example(Continuous("x", 0, 1), 0.0)
@example(Continuous("x", -1.0, 1.0, step=0.1), 0.5)
def test_a_decoded_value_belongs_to_the_parameter_and_has_its_type(parameter: Parameter, u: float) -> None:
    value = parameter.decode(u)
    assert parameter.contains(value)
    assert type(value) is {Continuous: float, Integer: int, Categorical: str}[type(parameter)]


@given(parameters, st.floats(-1e3, 1e3))
def test_places_beyond_the_ends_decode_to_the_ends(parameter: Parameter, u: float) -> None:
    assert parameter.decode(u) == parameter.decode(min(max(u, 0.0), 1.0))


@given(parameters, UNIT)
def test_a_value_is_a_fixed_point_of_encoding_and_decoding(parameter: Parameter, u: float) -> None:
    value = parameter.decode(u)
    place = parameter.encode(value)
    assert 0.0 <= place <= 1.0
    assert parameter.decode(place) == value


@given(st.one_of(continuous(), integers()), UNIT, UNIT)
def test_decoding_keeps_the_order(parameter: Continuous | Integer, u: float, v: float) -> None:
    assert parameter.decode(min(u, v)) <= parameter.decode(max(u, v))


@given(integers(), st.integers(0, 10**9))
def test_every_whole_number_of_a_range_can_be_reached(parameter: Integer, k: int) -> None:
    value = parameter.value_at(k % parameter.size)
    assert parameter.contains(value)
    assert parameter.decode(parameter.encode(value)) == value


@given(st.integers(-5, 5), st.integers(2, 12), st.integers(1, 3))
def test_whole_numbers_are_equally_likely_on_a_linear_scale(low: int, size: int, step: int) -> None:
    parameter = Integer("n", low, low + (size - 1) * step, step=step)
    middles = (np.arange(size * 100) + 0.5) / (size * 100)
    counts = np.bincount([(parameter.decode(u) - low) // step for u in middles], minlength=size)
    assert counts.max() - counts.min() <= 1


def test_the_middle_of_a_logarithmic_range_is_its_geometric_mean() -> None:
    assert Continuous("x", 1e-4, 1.0, Scaling.LOGARITHMIC).decode(0.5) == pytest.approx(1e-2)
    assert Integer("n", 1, 10_000, Scaling.LOGARITHMIC).decode(0.5) == pytest.approx(math.sqrt(5000), abs=1)


def test_a_reverse_logarithmic_range_is_logarithmic_in_the_distance_to_one() -> None:
    assert Continuous("x", 0.9, 0.9999, Scaling.REVERSE_LOGARITHMIC).decode(2 / 3) == pytest.approx(0.999)


@given(parameters)
def test_a_size_is_the_number_of_distinct_values(parameter: Parameter) -> None:
    size = parameter.size
    if size is None:
        assert isinstance(parameter, Continuous)
        with pytest.raises(ValueError, match="step"):
            parameter.values()
        return
    assume(size <= 2000)
    values = list(parameter.values())
    assert len(values) == len(set(values)) == size
    assert values == [parameter.value_at(k) for k in range(size)]
    assert all(parameter.contains(value) for value in values)


@pytest.mark.parametrize(
    ("low", "high", "step", "expected"),
    [
        (-0.3, 0.3, 0.1, (-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3)),
        (0.0, 1.0, 0.4, (0.0, 0.4, 0.8)),
        (1e12, 1e12 + 2, 1.0, (1e12, 1e12 + 1, 1e12 + 2)),
        (3e-300, 5e-300, 1e-300, (3e-300, 4e-300, 5e-300)),
    ],
)
def test_steps_are_the_numbers_a_person_would_write(
    low: float, high: float, step: float, expected: tuple[float, ...]
) -> None:
    values = Continuous("x", low, high, step=step).values()
    assert values == expected
    assert "-0.0" not in {repr(value) for value in values}


def test_a_value_between_two_steps_is_not_contained() -> None:
    assert not Continuous("x", 0.0, 1.0, step=0.1).contains(0.15)
    assert not Continuous("x", 1e12, 1e12 + 5, step=1.0).contains(1e12 + 0.5)
    assert not Integer("n", 0, 10, step=5).contains(7)


@pytest.mark.parametrize("value", ["1", math.nan, math.inf, -0.1, 1.1])
def test_a_continuous_range_refuses_what_is_no_number_in_it(value: str | float) -> None:
    assert not Continuous("x", 0.0, 1.0).contains(value)


def test_a_narrow_range_has_many_values() -> None:
    parameter = Continuous("x", 1.0, 1.0 + 1e-11)
    assert len({parameter.decode(k / 100) for k in range(101)}) == 101


@given(st.lists(parameters, min_size=1, max_size=6), st.data())
def test_a_space_decodes_and_encodes_each_parameter_by_itself(
    kinds: list[Parameter], data: st.DataObject
) -> None:
    named = [_renamed(parameter, f"p{i}") for i, parameter in enumerate(kinds)]
    space = Space(tuple(named))
    point = data.draw(st.lists(UNIT, min_size=len(named), max_size=len(named)))
    configuration = space.decode(point)
    assert tuple(configuration) == space.names
    assert space.contains(configuration)
    assert space.decode(space.encode(configuration)) == configuration
    assert not space.contains({**configuration, "another": 1})
    del configuration["p0"]
    assert not space.contains(configuration)


def _renamed(parameter: Parameter, name: str) -> Parameter:
    return type(parameter)(**{**vars(parameter), "name": name})


@given(small_spaces)
def test_a_grid_has_every_configuration_once_and_at_its_index(space: Space) -> None:
    grid = list(space.grid())
    assert len({configuration_key(c) for c in grid}) == len(grid) == space.size
    assert grid == [space.grid_at(index) for index in range(len(grid))]
    assert all(space.contains(c) for c in grid)


def test_the_last_parameter_of_a_grid_turns_fastest() -> None:
    space = Space((Integer("a", 1, 2), Categorical("b", ("x", "y"))))
    assert [tuple(c.values()) for c in space.grid()] == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]


def test_a_place_deep_in_a_large_grid_is_found_without_walking() -> None:
    space = Space((Integer("a", 0, 10**9 - 1), Continuous("b", 0.0, 1.0, step=1e-9)))
    assert space.size == 10**9 * (10**9 + 1)
    assert space.grid_at(space.size - 1) == {"a": 10**9 - 1, "b": 1.0}


def test_a_space_with_a_continuum_has_no_size_and_no_grid() -> None:
    space = Space((Integer("a", 1, 2), Continuous("b", 0.0, 1.0)))
    assert space.size is None
    with pytest.raises(ValueError, match="step"):
        space.grid_at(0)


@given(st.floats(1e-9, 1e9), st.floats(1.0, 1e9), st.booleans())
def test_auto_is_logarithmic_exactly_from_two_orders_of_magnitude(
    low: float, ratio: float, real: bool
) -> None:
    high = low * ratio
    assume(not 0.5 <= low < high < 1)
    expected = Scaling.LOGARITHMIC if high / low >= AUTO_LOG_RATIO else Scaling.LINEAR
    assert resolve_scaling(Scaling.AUTO, low, high, continuous=real) is expected


@pytest.mark.parametrize(
    ("low", "high", "continuous", "expected"),
    [
        (0.9, 0.9999, True, Scaling.REVERSE_LOGARITHMIC),
        (0.9, 0.99, True, Scaling.LINEAR),
        (0.4, 0.9999, True, Scaling.LINEAR),
        (0.9, 1.0, True, Scaling.LINEAR),
        (0.0, 1000.0, True, Scaling.LINEAR),
        (-10.0, 1000.0, True, Scaling.LINEAR),
        (1, 1000, False, Scaling.LOGARITHMIC),
        (16, 512, False, Scaling.LINEAR),
    ],
)
def test_auto_by_example(low: float, high: float, continuous: bool, expected: Scaling) -> None:
    assert resolve_scaling(Scaling.AUTO, low, high, continuous=continuous) is expected


@given(st.sampled_from([s for s in Scaling if s is not Scaling.AUTO]))
def test_a_scaling_that_is_given_is_kept(scaling: Scaling) -> None:
    assert resolve_scaling(scaling, 0.9, 0.9999, continuous=True) is scaling


def test_a_key_ignores_the_order_of_names_and_tells_types_apart() -> None:
    assert configuration_key({"a": 1, "b": "x"}) == configuration_key({"b": "x", "a": 1})
    assert len({configuration_key({"a": value}) for value in (1, 1.0, "1")}) == 3


def test_hyperparameters_are_passed_as_text() -> None:
    assert hyperparameter_texts({"a": 1, "b": 0.1, "c": "x"}) == {"a": "1", "b": "0.1", "c": "x"}
    assert as_text(True) == "true"
