"""Parents: each rule they break is told with name and remedy, and what they know comes in our types."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from amt_flows.amt.parent import AmtParent, AmtParentJob
from amt_flows.errors import Problem, SpecError, TuningJobNotFound
from amt_flows.events import Outcome
from amt_flows.spec import TuningSpec
from amt_flows.tuning.warm_start import (
    Parent,
    ParentJob,
    first_of,
    parent_from_amt,
    parent_from_ledger,
    reader,
)
from amt_flows.tuning.warm_start.inherit import inherit
from worlds import ended_job, opened, run, spec

STATIC = {"epochs": "10"}


def warm(kind: str = "IdenticalDataAndAlgorithm", *parents: str, **changes: Any) -> TuningSpec:
    start = {"type": kind, "parents": parents or ("old",)}
    return spec(**{"warm_start": start, "static_hyperparameters": STATIC, "name": "new", **changes})


def parent(*jobs: ParentJob, **changes: Any) -> Parent:
    made = Parent(
        name="old",
        source="amt-flows",
        status="Completed",
        objective_metric="accuracy",
        maximize=True,
        static_hyperparameters=STATIC,
        tuned=frozenset({"learning_rate"}),
        jobs=jobs or (job(0.1, 0.9),),
    )
    return replace(made, **changes)


def job(rate: object, value: float | None, outcome: Outcome = Outcome.COMPLETED, **more: object) -> ParentJob:
    return ParentJob("old-001", {"learning_rate": rate, **more}, value, outcome)


def problems(asked: TuningSpec, *parents: Parent) -> list[Problem]:
    by_name: Mapping[str, Parent] = {one.name: one for one in parents}
    with pytest.raises(SpecError) as caught:
        inherit(asked, reader(asked, by_name), 0.0)
    return list(caught.value.problems)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"status": "InProgress"}, "is InProgress still; wait until it has ended"),
    ({"status": "Stopping"}, "is Stopping still"),
    ({"algorithms": 2}, "tuned 2 algorithms"),
    (
        {"objective_metric": "loss"},
        "has another objective, to maximize loss; here it is to maximize accuracy",
    ),
    ({"maximize": False}, "to minimize accuracy; here it is to maximize accuracy"),
    ({"static_hyperparameters": {}}, "has no hyperparameter epochs"),
    ({"static_hyperparameters": {**STATIC, "depth": "3"}}, "has the hyperparameter depth beside those"),
    ({"tuned": frozenset({"rate"})}, "has no hyperparameter learning_rate"),
    ({"kinds": {"learning_rate": "categorical"}}, "a range that is categorical, and here it is continuous"),
    ({"jobs": (job("quick", 0.5),)}, "old-001 has learning_rate = 'quick', which must be a number"),
]


@pytest.mark.parametrize(("changes", "words"), WRONG, ids=[words for _, words in WRONG])
@pytest.mark.parametrize("kind", ["IdenticalDataAndAlgorithm", "TransferLearning"])
def test_a_parent_that_breaks_a_rule_is_named_with_it(kind: str, changes: dict[str, Any], words: str) -> None:
    found = problems(warm(kind), parent(**changes))
    assert [one.field for one in found] == ["warm_start.parents[0]"] * len(found)
    assert all(one.value == "old" for one in found)
    assert words in " | ".join(one.message for one in found)


@pytest.mark.parametrize("status", ["Completed", "Failed", "Stopped"])
def test_a_parent_may_have_ended_in_any_way(status: str) -> None:
    asked = warm()
    assert inherit(asked, reader(asked, {"old": parent(status=status)}), 0.0)


def test_every_problem_of_every_parent_is_told_at_once() -> None:
    asked = warm("TransferLearning", "old", "unknown", "other")
    found = problems(asked, parent(status="InProgress", maximize=False), parent(name="other", algorithms=3))
    assert [one.field[-2] for one in found] == ["0", "0", "1", "2"]
    assert "There is no tuning job unknown" in found[2].message


def test_without_anybody_to_ask_a_name_is_not_found_and_a_file_is_read() -> None:
    with pytest.raises(SpecError, match="no tuning job old"):
        inherit(warm(), None, 0.0)
    with pytest.raises(SpecError, match="no such file"):
        inherit(warm("TransferLearning", "/nowhere/jobs.csv"), None, 0.0)


def test_a_spec_without_a_warm_start_asks_nobody() -> None:
    def never(name: str) -> Parent:
        raise AssertionError(name)

    assert inherit(spec(), never, 0.0) == ()


def test_jobs_without_a_usable_value_are_left_out_and_counted() -> None:
    asked = warm()
    jobs = [job(0.1, 0.9), job(0.2, None), job(0.3, math.nan), job(0.4, -math.inf), job(0.5, 0.2)]
    (event,) = inherit(asked, reader(asked, {"old": parent(*jobs)}), 7.0)
    assert [one.value for one in event.jobs] == [0.9, 0.2]
    assert (event.left_out, event.at, event.identical) == (3, 7.0, True)


def test_a_parent_without_any_is_recorded_all_the_same() -> None:
    asked = warm()
    (event,) = inherit(asked, reader(asked, {"old": parent(job(0.1, None))}), 0.0)
    assert (event.jobs, event.left_out) == ((), 1)


def test_a_value_outside_the_ranges_is_kept() -> None:
    asked = warm()
    (event,) = inherit(asked, reader(asked, {"old": parent(job(7, 0.9))}), 0.0)
    assert event.jobs[0].configuration == {"learning_rate": 7.0}


def test_what_was_static_there_and_is_tuned_here_has_its_static_value() -> None:
    asked = warm(
        static_hyperparameters={}, integer=[{"name": "epochs", "min_value": 1, "max_value": 50, "step": 1}]
    )
    (event,) = inherit(asked, reader(asked, {"old": parent()}), 0.0)
    assert event.jobs[0].configuration == {"learning_rate": 0.1, "epochs": 10}
    assert event.identical


def test_only_jobs_with_our_static_values_count_as_our_own() -> None:
    """A tuned hyperparameter has become static, and the value of a static one has changed."""
    asked = warm(static_hyperparameters={"epochs": "10", "depth": "3"})
    jobs = [job(0.1, 0.9, depth=3), job(0.2, 0.8, depth="3.0"), job(0.3, 0.7, depth=4)]
    made = parent(*jobs, tuned=frozenset({"learning_rate", "depth"}))
    same, other = inherit(asked, reader(asked, {"old": made}), 0.0)
    assert [(one.identical, len(one.jobs)) for one in (same, other)] == [(True, 2), (False, 1)]
    assert other.jobs[0].configuration == {"learning_rate": 0.3}
    (longer,) = inherit(
        asked, reader(asked, {"old": replace(made, static_hyperparameters={"epochs": "20"})}), 0.0
    )
    assert not longer.identical


def test_transfer_learning_counts_nothing_as_our_own() -> None:
    asked = warm("TransferLearning")
    (event,) = inherit(asked, reader(asked, {"old": parent()}), 0.0)
    assert not event.identical


# --- where parents come from -----------------------------------------------------------------------------


def test_a_tuning_job_of_ours_hands_down_its_own_jobs_and_not_its_parents() -> None:
    ledger = opened(spec(static_hyperparameters=STATIC))
    ended_job(ledger, 1, [0.1, 0.7])
    ended_job(ledger, 2, [0.2], Outcome.STOPPED_EARLY)
    ended_job(ledger, 3, [], Outcome.FAILED)
    asked = warm("IdenticalDataAndAlgorithm", "demo")
    for event in inherit(asked, reader(asked, {"demo": parent(name="demo")}), 0.0):
        ledger.apply(event)
    made = parent_from_ledger(ledger)
    assert [(one.value, one.outcome) for one in made.jobs] == [
        (0.7, Outcome.COMPLETED),
        (0.2, Outcome.STOPPED_EARLY),
        (None, Outcome.FAILED),
    ]
    assert made.status == "InProgress"
    assert made.kinds == {"learning_rate": "continuous"}


def test_a_finished_tuning_job_of_ours_is_a_parent_as_it_is() -> None:
    ledger, _ = run(spec(static_hyperparameters=STATIC))
    asked = warm("IdenticalDataAndAlgorithm", "demo")
    (event,) = inherit(asked, lambda name: parent_from_ledger(ledger), 0.0)
    assert [one.value for one in event.jobs] == [one.final_value for one in ledger.ended]
    assert all(one.started_at is not None and one.ended_at is not None for one in event.jobs)
    assert event.source == "amt-flows"


def amts_job(name: str, status: str, tuned: dict[str, str], value: float | None) -> AmtParentJob:
    return AmtParentJob(name, status, tuned, value, started_at=1.0, ended_at=2.0)


def amt(*jobs: AmtParentJob, **static: str) -> Parent:
    return parent_from_amt(AmtParent("old", "Stopped", "accuracy", True, {**STATIC, **static}, jobs))


def test_amts_strings_become_our_types_and_its_statuses_our_outcomes() -> None:
    asked = warm(
        integer=[{"name": "layers", "min_value": 1, "max_value": 4}],
        categorical=[{"name": "optimizer", "values": ["adam", "sgd"]}],
    )
    values = {"learning_rate": "0.01", "layers": "2", "optimizer": '"adam"'}
    made = amt(
        amts_job("a", "Completed", values, 0.5),
        amts_job("b", "Stopped", values, 0.4),
        amts_job("c", "Failed", values, 0.3),
        amts_job("d", "Completed", values, None),
    )
    (event,) = inherit(asked, lambda name: made, 0.0)
    assert event.source == "AMT"
    assert event.jobs[0].configuration == {"learning_rate": 0.01, "layers": 2, "optimizer": "adam"}
    assert [(one.job, one.outcome) for one in event.jobs] == [
        ("a", Outcome.COMPLETED),
        ("b", Outcome.STOPPED),
    ]
    assert event.left_out == 2


def test_hyperparameters_that_the_service_and_its_sdk_add_are_no_difference() -> None:
    asked = warm()
    added = {
        "_tuning_objective_metric": "accuracy",
        "sagemaker_program": '"train.py"',
        "sagemaker_region": "x",
    }
    (event,) = inherit(
        asked, lambda name: amt(amts_job("a", "Completed", {"learning_rate": "0.1"}, 1.0), **added), 0.0
    )
    assert event.identical
    assert len(event.jobs) == 1


def test_a_tuning_job_of_amt_without_training_jobs_teaches_nothing() -> None:
    (event,) = inherit(warm(), lambda name: amt(), 0.0)
    assert event.jobs == ()


def test_places_are_asked_in_turn() -> None:
    def unknown(name: str) -> Parent:
        raise TuningJobNotFound(f"not here: {name}")

    found = parent()
    assert first_of(unknown, lambda name: found)("old") is found
    with pytest.raises(TuningJobNotFound, match="not here: old"):
        first_of(unknown)("old")
    with pytest.raises(TuningJobNotFound, match="no tuning job old"):
        first_of()("old")
    assert reader(warm(), {}, lambda name: found)("old") is found
