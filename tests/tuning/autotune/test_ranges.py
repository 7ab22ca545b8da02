"""Ranges chosen from a name and a hint: the documented ones, always around the hint, or refused."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from amt_flows.space.values import value_from
from amt_flows.spec import CategoricalRange, ContinuousRange, IntegerRange, TuningSpec
from amt_flows.tuning.autotune.known import USUAL, usual
from amt_flows.tuning.autotune.ranges import range_for

LOG, LINEAR, REVERSE = "Logarithmic", "Linear", "ReverseLogarithmic"

# name, hint, low, high, scaling
CHOSEN: list[tuple[str, str, float, float, str]] = [
    ("learning_rate", "0.01", 0.0001, 0.1, LOG),
    ("learning_rate", "1", 0.01, 1.0, LOG),
    ("eta", "0.3", 0.003, 1.0, LOG),
    ("headLearningRate", "3e-5", 3e-7, 3e-4, LOG),
    ("momentum", "0.9", 0.0, 0.99, REVERSE),
    ("beta_2", "0.999", 0.99, 0.9999, REVERSE),
    ("lr_decay", "0.95", 0.5, 0.995, REVERSE),
    ("weight_decay", "0.0001", 1e-7, 0.01, LOG),
    ("weight-decay", "0", 1e-6, 0.1, LOG),
    ("alpha", "0", 1e-4, 10.0, LOG),
    ("reg_lambda", "1", 0.001, 1000.0, LOG),
    ("C", "1.0", 0.001, 1000.0, LOG),
    ("dropout", "0.1", 0.0, 0.55, LINEAR),
    ("encoder_dropout_2", "0.5", 0.0, 0.75, LINEAR),
    ("subsample", "1.0", 0.5, 1.0, LINEAR),
    ("colsample_bytree", "0.6", 0.3, 1.0, LINEAR),
    ("l1_ratio", "0.15", 0.0, 1.0, LINEAR),
    ("unheard_of", "0.5", 0.125, 0.875, LINEAR),
    ("unheard_of", "1.0", 0.25, 1.0, LINEAR),
    ("unheard_of", "2.5", 0.25, 25.0, LOG),
    ("unheard_of", "0.001", 1e-5, 0.1, LOG),
    ("unheard_of", "0.04", 0.0004, 1.0, LOG),
    ("unheard_of", "0.0", 0.0, 1.0, LINEAR),
    ("unheard_of", "-2.0", -8.0, -0.5, LINEAR),
]
WHOLE: list[tuple[str, str, int, int, str]] = [
    ("batch_size", "32", 8, 128, LOG),
    ("mini_batch_size", "32.0", 8, 128, LOG),
    ("hidden_units_1", "100", 25, 400, LOG),
    ("num_leaves", "31", 7, 124, LOG),
    ("num_layers", "2", 1, 4, LINEAR),
    ("max_depth", "6", 3, 12, LINEAR),
    ("layers", "1", 1, 3, LINEAR),
    ("n_estimators", "100", 25, 400, LOG),
    ("epochs", "20", 5, 40, LOG),
    ("min_child_weight", "1", 1, 10, LOG),
    ("k", "5", 1, 20, LOG),
    ("unheard_of", "10", 2, 40, LOG),
    ("unheard_of", "1", 1, 4, LINEAR),
    ("unheard_of", "0", 0, 4, LINEAR),
    ("unheard_of", "-8", -32, -2, LINEAR),
]


@pytest.mark.parametrize(("name", "hint", "low", "high", "scaling"), CHOSEN)
def test_a_real_hint_gives_the_documented_range(
    name: str, hint: str, low: float, high: float, scaling: str
) -> None:
    one, _ = range_for(name, hint)
    assert isinstance(one, ContinuousRange)
    assert (one.min_value, one.max_value) == pytest.approx((low, high))
    assert one.scaling_type.value == scaling
    assert one.name == name


@pytest.mark.parametrize(("name", "hint", "low", "high", "scaling"), WHOLE)
def test_a_whole_hint_gives_the_documented_range(
    name: str, hint: str, low: int, high: int, scaling: str
) -> None:
    one, _ = range_for(name, hint)
    assert isinstance(one, IntegerRange)
    assert (one.min_value, one.max_value, one.scaling_type.value) == (low, high, scaling)


@pytest.mark.parametrize(
    ("hint", "values"),
    [
        ("true", ("true", "false")),
        ("False", ("True", "False")),
        ("TRUE", ("TRUE", "FALSE")),
        ('"true"', ("true", "false")),
    ],
)
def test_a_truth_value_gives_both_in_its_own_spelling(hint: str, values: tuple[str, str]) -> None:
    one, _ = range_for("shuffle", hint)
    assert isinstance(one, CategoricalRange)
    assert one.values == values


@pytest.mark.parametrize(
    ("name", "hint", "words"),
    [
        ("optimizer", "adam", "list the values in `categorical`"),
        ("unheard_of", "nan", "is no number"),
        ("unheard_of", "1e300", "give a range"),
        ("unheard_of", "1e-300", "give a range"),
        ("learning_rate", "0", "must be greater than 0, as a learning rate"),
        ("learning_rate", "3", "at most 1"),
        ("momentum", "1", "less than 1, as a momentum"),
        ("dropout", "25", "within 0 to 0.9"),
        ("batch_size", "0.5", "a whole number of at least 1"),
        ("max_depth", "-1", "a whole number of at least 1"),
        ("subsample", "50", "at most 1"),
    ],
)
def test_a_hint_that_makes_no_range_is_refused_with_what_to_give(name: str, hint: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        range_for(name, hint)


NAMES = st.sampled_from([name for one in USUAL for name in (*one.names, *one.exact)]) | st.text(
    string.ascii_letters + "_-0123456789", min_size=1, max_size=20
)
HINTS = st.one_of(
    st.integers(-(10**13), 10**13).map(str),
    st.floats().map(str),
    st.floats(0, 1).map(str),
    st.floats(-10, 10).map(str),
    st.sampled_from(["true", "FALSE"]),
    st.text(min_size=1, max_size=5),
)


@given(NAMES, HINTS)
@example("weight_decay", "135001")
def test_a_chosen_range_is_a_valid_one_around_its_hint_and_always_the_same(name: str, hint: str) -> None:
    try:
        one, why = range_for(name, hint)
    except ValueError:
        return
    kind = {ContinuousRange: "continuous", IntegerRange: "integer", CategoricalRange: "categorical"}[
        type(one)
    ]
    spec = TuningSpec(
        objective={"metric_name": "x"},
        limits={"max_number_of_training_jobs": 1},
        **{kind: [one.model_dump()]},
    )
    (parameter,) = spec.space().parameters
    zero_on_a_log_scale = one.scaling_type.value == LOG if not isinstance(one, CategoricalRange) else False
    if not (zero_on_a_log_scale and float(hint) == 0):
        assert parameter.contains(value_from(parameter, hint)), (one, hint)
    assert range_for(name, hint) == (one, why)


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("batch_normalization", None),
        ("k_means_init", None),
        ("embedding_dropout", "a share that is dropped"),
        ("learning_rate_decay", "a momentum or decay rate"),
        ("min_samples_leaf", "a least size of a leaf"),
        ("lambda", "a regularisation"),
        ("max_units", "a width"),
    ],
)
def test_the_longest_known_name_decides(name: str, meaning: str | None) -> None:
    found = usual(name)
    assert (found.meaning if found else None) == meaning


def test_no_name_has_two_meanings() -> None:
    names = [name for one in USUAL for name in (*one.names, *one.exact)]
    assert len(names) == len(set(names))


def test_every_meaning_has_a_range_for_some_hint() -> None:
    hints: list[Any] = ["0.5", "8"]
    for one in USUAL:
        found = []
        for hint in hints:
            try:
                found.append(range_for(one.names[0], hint)[1])
            except ValueError:
                continue
        assert f"as {one.meaning}" in found
