"""What a hyperparameter may be, and that it arrives as it was given."""

from __future__ import annotations

import argparse
import json
import math
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.backends.local.request import user_arguments
from amt_flows.errors import SpecError
from amt_flows.space.space import as_text
from amt_flows.spec import TuningSpec
from amt_flows.spec.spaces import values_of

CHOICES = ["1", 2, True, "false", 0.5, [64, 32], "", " ", "null", "None", "0x10", "007", "1e-5", "'q'", "[1]"]


def spec(**changes: Any) -> TuningSpec:
    data: dict[str, Any] = {
        "objective": {"metric_name": "acc"},
        "categorical": [{"name": "c", "values": CHOICES}],
        "static_hyperparameters": {"s": "true", "n": 10**18, "x": 1e-20},
        "limits": {"max_number_of_training_jobs": 3},
        "training_job": {"function": "shop:train"},
    }
    return TuningSpec.parse({**data, **changes})


def test_a_choice_is_again_what_was_given_after_any_way_through_json() -> None:
    choices = [None if choice == "null" else choice for choice in CHOICES]
    asked = spec(categorical=[{"name": "c", "values": choices}])
    for one in (
        asked,
        TuningSpec.parse(json.loads(json.dumps(asked.to_json()))),
        pickle.loads(pickle.dumps(asked)),
    ):
        space = one.space()
        got = [values_of(one, {"c": choice})["c"] for choice in space.parameters[0].values()]
        assert [(type(value), value) for value in got] == [(type(value), value) for value in choices]
        assert values_of(one, {}) == {"s": "true", "n": 10**18, "x": 1e-20}


def test_for_a_command_a_number_and_its_text_are_the_same_spec() -> None:
    command = {"training_job": {"command": ["python", "train.py"]}}
    numbers = spec(**command, categorical=[{"name": "c", "values": [1, 2.5, True, [1, 2]]}])
    texts = spec(**command, categorical=[{"name": "c", "values": ["1", "2.5", "true", "[1, 2]"]}])
    assert numbers.fingerprint() == texts.fingerprint()
    assert numbers == texts


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        (
            {"categorical": [{"name": "c", "values": ["a", {}]}]},
            "categorical[0].values[1]",
            "hyperparameters of their own",
        ),
        ({"categorical": [{"name": "c", "values": [1, "1"]}]}, "categorical[0].values[1]", "twice"),
        (
            {"training_job": {"command": ["x"]}, "categorical": [{"name": "c", "values": [None]}]},
            "categorical[0].values[0]",
            "null",
        ),
        ({"training_job": {"command": ["x"], "flags": ["c"]}}, "training_job.flags[0]", "other values"),
        ({"training_job": {"command": ["x"], "flags": ["S"]}}, "training_job.flags[0]", "write `s`"),
        ({"training_job": {"command": ["x"], "flags": ["s/a/b"]}}, "training_job.flags[0]", "amp/no-amp"),
    ],
)
def test_what_can_not_be_carried_is_refused(changes: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec(**changes)
    (problem,) = caught.value.problems
    assert problem.field == field
    assert said in problem.message


FLAGGED = {"amp": "true", "fast": "false", "deep": "False", "lr": "0.5"}


def test_flags_are_there_or_not() -> None:
    assert user_arguments(FLAGGED, ("amp", "fast", "deep/shallow")) == ["--amp", "--shallow", "--lr", "0.5"]
    assert user_arguments(FLAGGED)[:4] == ["--amp", "true", "--fast", "false"]


@given(value=st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_a_number_has_a_text_that_argparse_and_json_read_back(value: float) -> None:
    text = as_text(value)
    assert json.loads(text) == value
    assert math.copysign(1, json.loads(text)) == math.copysign(1, value)
    if value < 0:
        assert "e" not in text


@pytest.mark.parametrize(
    "value", [1e-20, -1e-20, 1e300, -1e300, 10**18, -(10**18), 0.1 + 0.2, -0.0, "", " ", "1", "null"]
)
def test_every_magnitude_goes_through_argparse(value: Any) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--x", type=type(value))
    got = parser.parse_args(user_arguments({"x": as_text(value)})).x
    assert repr(got) == repr(value)
