"""A plan shows what was left to us to choose, what parents hand down, and what is wrong with either."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from amt_flows.backends.simulated import SimulatedBackend, VirtualClock
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.plan.dry_run import Plan, plan
from amt_flows.plan.text import plan_text
from amt_flows.rules.budget import worst_case_cost
from amt_flows.spec import TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from amt_flows.tuning.warm_start import Parent, Reader, parent_from_ledger
from worlds import rising, run, spec


def planned(asked: TuningSpec, parents: Reader | None = None, **more: Any) -> Plan:
    return plan(asked, SimulatedBackend(VirtualClock(), rising), parents=parents, **more)


def text_of(made: Plan) -> str:
    from rich.console import Console

    console = Console(width=200)
    with console.capture() as capture:
        console.print(plan_text(made))
    return capture.get()


def warm(kind: str) -> TuningSpec:
    return spec(name="child", strategy="Bayesian", warm_start={"type": kind, "parents": ["demo"]})


def counted(parent: Parent) -> tuple[Callable[[str], Parent], list[str]]:
    asked_for: list[str] = []

    def read(name: str) -> Parent:
        asked_for.append(name)
        return parent

    return read, asked_for


def test_what_was_left_open_is_shown_as_it_would_be_tuned() -> None:
    hints = [{"name": "learning_rate", "value_hint": 0.1}]
    asked = spec(
        continuous=[], auto_parameters=hints, autotune=True, limits={"max_parallel_training_jobs": 2}
    )
    made = planned(asked, job_seconds=10.0)
    assert not made.problems
    assert [(one.name, one.range, one.scaling) for one in made.ranges] == [
        ("learning_rate", "0.001 to 1", "Logarithmic")
    ]
    assert made.most_jobs == 30
    assert made.estimate is not None
    assert made.estimate.jobs == 30
    assert made.fingerprint == asked.fingerprint()
    assert "learning_rate" in made.first_jobs[0].hyperparameters
    shown = text_of(made)
    assert "Chosen for you" in shown
    assert "learning_rate: 0.001 to 1, Logarithmic, from the hint 0.1 (as a learning rate)" in shown
    assert made.to_json()["chosen"] == made.chosen


def test_a_tuning_job_with_chosen_ranges_is_known_again() -> None:
    hints = [{"name": "learning_rate", "value_hint": 0.1}]
    asked = spec(continuous=[], auto_parameters=hints)
    ledger, _ = run(asked)
    existing = planned(asked, existing=ledger).existing
    assert existing is not None
    assert existing.differences == ()


def test_a_hint_without_a_range_is_a_problem_of_the_plan() -> None:
    made = planned(spec(auto_parameters=[{"name": "optimizer", "value_hint": "adam"}]))
    assert [problem.field for problem in made.problems] == ["auto_parameters[0].value_hint"]
    assert made.first_jobs == ()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("IdenticalDataAndAlgorithm", "10 training jobs of demo (amt-flows), counted as its own"),
        ("TransferLearning", "10 training jobs of demo (amt-flows), as a hint"),
    ],
)
def test_parents_are_read_once_and_shown_with_the_first_jobs_they_lead_to(kind: str, words: str) -> None:
    ledger, _ = run(spec())
    read, asked_for = counted(parent_from_ledger(ledger))
    made = planned(warm(kind), read)
    assert asked_for == ["demo"]
    assert not made.problems
    assert made.inherited == (words,)
    assert words in text_of(made)
    source = made.first_jobs[0].source
    assert source == "warm start" if kind == "TransferLearning" else source.startswith("bayesian/gp")


GRID: dict[str, Any] = {
    "strategy": "Grid",
    "continuous": [{"name": "learning_rate", "min_value": 0.1, "max_value": 0.5, "step": 0.1}],
    "limits": {"max_parallel_training_jobs": 2},
}


@pytest.mark.parametrize("tried", [0, 3, 5])
def test_what_parents_have_tried_is_not_counted_among_the_jobs_to_come(tried: int) -> None:
    """The plan's numbers, cost and words are those of the run."""
    priced = {"price_per_hour": 3600.0, "max_runtime_seconds": 10, "command": ["true"]}
    start = {"type": "IdenticalDataAndAlgorithm", "parents": ["demo"]}
    asked = spec(**GRID, name="child", warm_start=start, training_job=priced)
    first, _ = run(spec(**GRID))
    parent = parent_from_ledger(first)
    read = counted(replace(parent, jobs=parent.jobs[:tried]))[0]
    made = planned(asked, read, job_seconds=10.0)
    clock = VirtualClock()
    tuning = Tuning.open(asked, SimulatedBackend(clock, rising), MemoryJournal(), clock=clock, parents=read)
    drive(tuning)
    ledger = tuning.ledger
    assert made.most_jobs == len(ledger.jobs) == 5 - tried
    assert made.worst_case_cost == worst_case_cost(asked) * len(ledger.jobs)
    assert ("they tried every configuration" in "".join(made.warnings)) is (tried == 5)
    if tried == 5:
        assert made.estimate is None
        return
    assert made.estimate is not None
    assert made.estimate.jobs == len(ledger.jobs)
    assert made.estimate.ends_because == ledger.reasons[0].message


def test_a_parent_that_cant_be_one_is_a_problem_of_the_plan() -> None:
    made = planned(warm("TransferLearning"))
    assert [problem.field for problem in made.problems] == ["warm_start.parents[0]"]
    assert made.first_jobs == ()


def test_given_configurations_are_the_first_jobs() -> None:
    made = planned(spec(first_configurations=[{"learning_rate": 0.5}, {"learning_rate": 0.25}]))
    assert [(job.source, job.hyperparameters["learning_rate"]) for job in made.first_jobs[:2]] == [
        ("given", "0.5"),
        ("given", "0.25"),
    ]
