"""Configurations to try first: each complete, within the ranges and tried once, or refused with what to
write."""

from __future__ import annotations

from typing import Any

import pytest

from amt_flows.errors import SpecError
from amt_flows.spec import TuningSpec
from amt_flows.spec.amt_request import to_amt_request
from amt_flows.spec.dotted import MISSING
from spec.samples import SAGEMAKER, changed, good, problems_of, several

FIRST = {"lr": 0.01, "layers": 3, "optimizer": "adam"}


def test_numbers_and_texts_are_the_same_configuration() -> None:
    typed = TuningSpec(**changed(good(), {"first_configurations": [FIRST]}))
    texts = TuningSpec(
        **changed(good(), {"first_configurations": [{"lr": "0.01", "layers": "3", "optimizer": "adam"}]})
    )
    assert typed == texts
    assert typed.fingerprint() == texts.fingerprint()
    assert TuningSpec.parse(typed.to_json()) == typed
    assert typed.fingerprint() != TuningSpec(**good()).fingerprint()


BAD: list[tuple[Any, str, str]] = [
    ([{"lr": 0.01, "layers": 3}], "first_configurations[0].optimizer", "no value here"),
    ([{**FIRST, "Layers": 2}], "first_configurations[0].Layers", "`layers`"),
    ([{**FIRST, "epochs": 2}], "first_configurations[0].epochs", "not a tuned hyperparameter"),
    ([{**FIRST, "lr": 1.0}], "first_configurations[0].lr", "1e-05 to 0.1"),
    ([{**FIRST, "lr": "fast"}], "first_configurations[0].lr", "must be a number"),
    ([{**FIRST, "layers": 2.5}], "first_configurations[0].layers", "whole number"),
    ([{**FIRST, "layers": 9}], "first_configurations[0].layers", "1 to 8"),
    ([{**FIRST, "optimizer": "Adam"}], "first_configurations[0].optimizer", "`adam`"),
    ([FIRST, {**FIRST, "lr": "1e-2"}], "first_configurations[1]", "first_configurations[0] again"),
    ([{**FIRST, "layers": k} for k in range(1, 4)], "first_configurations", "raise it"),
]


@pytest.mark.parametrize(("first", "field", "words"), BAD, ids=[f"{row[1]}: {row[2]}" for row in BAD])
def test_a_faulty_one_is_the_one_problem(first: Any, field: str, words: str) -> None:
    changes = {"first_configurations": first, "limits.max_number_of_training_jobs": 2}
    problems = problems_of(changed(good(), changes))
    assert list(problems) == [field]
    assert words in problems[field].message


def test_a_value_off_the_steps_is_refused_with_the_nearest_on_them() -> None:
    changes = {"integer[0].step": 2, "first_configurations": [{**FIRST, "layers": 4}]}
    problem = problems_of(changed(good(), changes))["first_configurations[0].layers"]
    assert "1 + k * 2" in problem.message
    assert problem.message.endswith(("write 3", "write 5"))


def test_faulty_ranges_are_the_problem_that_is_told() -> None:
    changes = {"continuous[0].min_value": 1.0, "first_configurations": [FIRST]}
    assert set(problems_of(changed(good(), changes))) == {"continuous[0].max_value"}


def test_with_several_algorithms_nobody_could_tell_whose_they_are() -> None:
    problems = problems_of({**several(), "first_configurations": [FIRST]})
    assert "several algorithms" not in problems["first_configurations"].message
    assert "one algorithm at a time" in problems["first_configurations"].message


def test_a_hyperparameter_whose_range_is_still_to_be_chosen_may_have_any_value() -> None:
    spec = TuningSpec(
        **changed(
            good(),
            {
                "integer": MISSING,
                "auto_parameters": [{"name": "layers", "value_hint": 3}],
                "first_configurations": [{**FIRST, "layers": 999}],
            },
        )
    )
    assert spec.first_configurations[0]["layers"] == "999"


def test_amts_request_has_no_place_for_them() -> None:
    spec = TuningSpec(**{**good(), "training_job": {"sagemaker": SAGEMAKER}, "first_configurations": [FIRST]})
    with pytest.raises(SpecError) as caught:
        to_amt_request(spec)
    assert [problem.field for problem in caught.value.problems] == ["first_configurations"]
    assert "first" not in str(to_amt_request(spec, drop_unsupported=True))
