"""Comparing a challenger with the champion: strict, by a minimum, and only of the same objective."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.backends.simulated import Script
from amt_flows.deploy import Candidate, Champion, candidate_of, compare, create_model
from amt_flows.errors import DeployRejected, NotComparable
from amt_flows.ports import JobState
from amt_flows.results import result_of
from deploy.candidates import candidate, result
from worlds import run, spec


def champion(value: float = 0.8, **changes: Any) -> Champion:
    members: dict[str, Any] = {
        "name": "0001-old",
        "training_job": "old-001-00000000",
        "tuning_job": "old",
        "objective_metric": "validation:accuracy",
        "objective_type": "Maximize",
        "objective_value": value,
    }
    return Champion(**{**members, **changes})


@pytest.mark.parametrize(
    ("kind", "old", "new", "minimum", "promoted"),
    [
        ("Maximize", 0.8, 0.9, 0.0, True),
        ("Maximize", 0.8, 0.8, 0.0, False),
        ("Maximize", 0.8, 0.7, 0.0, False),
        ("Maximize", 0.8, 0.9, 0.2, False),
        ("Maximize", 0.2, 0.3, 0.1, True),  # although 0.3 - 0.2 is a little less than 0.1
        ("Maximize", 0.1 + 0.2, 0.3, 0.0, False),
        ("Maximize", 0.3, 0.1 + 0.2, 0.0, False),
        ("Minimize", 0.8, 0.7, 0.0, True),
        ("Minimize", 0.8, 0.9, 0.0, False),
        ("Minimize", 0.8, 0.75, 0.1, False),
        ("Minimize", -5.0, -6.0, 1.0, True),
        ("Maximize", math.nan, 0.1, 0.5, True),
    ],
)
def test_the_better_one_is_promoted(
    kind: str, old: float, new: float, minimum: float, promoted: bool
) -> None:
    found = compare(candidate(value=new, objective_type=kind), champion(old, objective_type=kind), minimum)
    assert found.promote is promoted
    assert found.sentence.endswith("the champion stays.") is not promoted
    assert (found.challenger_value, found.min_improvement) == (new, minimum)


def test_without_a_champion_anything_is_promoted() -> None:
    found = compare(candidate(), None, min_improvement=100.0)
    assert (found.promote, found.better_by, found.champion) == (True, None, None)


def test_the_champion_itself_is_not_promoted_again() -> None:
    one = candidate(value=0.9)
    found = compare(one, champion(0.9, training_job=one.training_job, tuning_job=one.tuning_job))
    assert (found.promote, found.is_champion) == (False, True)
    assert "is the champion already" in found.sentence


def test_a_model_of_the_same_name_from_another_home_is_another_model() -> None:
    one = candidate(value=0.9)
    its_namesake = champion(0.8, training_job=one.training_job, tuning_job=one.tuning_job)
    found = compare(one, its_namesake)
    assert (found.promote, found.is_champion) == (True, False)


@pytest.mark.parametrize(
    "other", [{"objective_metric": "f1"}, {"objective_type": "Minimize"}], ids=["metric", "direction"]
)
def test_what_was_measured_differently_is_not_compared(other: dict[str, Any]) -> None:
    with pytest.raises(
        NotComparable, match=r"maximize validation:accuracy, the champion 0001-old to"
    ) as told:
        compare(candidate(), champion(**other))
    assert "objective was changed" in str(told.value)


@pytest.mark.parametrize("minimum", [-0.1, math.nan, math.inf])
def test_the_minimum_is_a_number(minimum: float) -> None:
    with pytest.raises(DeployRejected, match="min_improvement"):
        compare(candidate(), champion(), minimum)


@given(
    st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 1e3), st.sampled_from(["Maximize", "Minimize"])
)
def test_of_two_at_most_one_beats_the_other(a: float, b: float, minimum: float, kind: str) -> None:
    def beats(new: float, old: float) -> bool:
        return compare(
            candidate(value=new, objective_type=kind), champion(old, objective_type=kind), minimum
        ).promote

    assert not (beats(a, b) and beats(b, a))
    assert not beats(a, a)


def test_a_candidate_has_all_that_a_deploy_step_needs() -> None:
    found = candidate_of(result(spec(static_hyperparameters={"optimizer": "adam"}, tags={"team": "x"})))
    assert found.training_job.startswith("demo-")
    assert found.hyperparameters["optimizer"] == "adam"
    assert "learning_rate" in found.hyperparameters
    assert (found.objective_metric, found.objective_value) == ("accuracy", 0.75)
    assert (found.tags, found.image, found.vpc) == ({"team": "x"}, None, {})
    assert candidate_of(found) is found
    odd = candidate()
    assert Candidate.model_validate_json(odd.model_dump_json()).metrics.keys() == odd.metrics.keys()


@pytest.mark.parametrize(
    ("best", "message"), [(None, "no training job with a usable"), ({"artifact": None}, "left no model")]
)
def test_without_a_model_there_is_nothing_to_deploy(best: dict[str, Any] | None, message: str) -> None:
    found = result() if best is None else result(**best)
    if best is None:
        found = found.model_copy(update={"best": None})
    with pytest.raises(DeployRejected, match=message):
        candidate_of(found)


def test_without_a_best_it_is_said_what_became_of_the_tuning_job() -> None:
    failed = Script(end=JobState.FAILED, failure="Traceback:\nValueError: no rows")
    ledger, _ = run(spec(), lambda hyperparameters: failed)
    with pytest.raises(DeployRejected, match=r"usable objective value; Failed: .*ValueError: no rows"):
        candidate_of(result_of(ledger, "file:///journal"))


@pytest.mark.parametrize("nothing", [None, {}, "demo"])
def test_what_is_no_result_is_refused_by_a_sentence(nothing: Any) -> None:
    for act in (candidate_of, create_model, lambda one: compare(one, None)):
        with pytest.raises(DeployRejected, match="no result of a tuning job"):
            act(nothing)
