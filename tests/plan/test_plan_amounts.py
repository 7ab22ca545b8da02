"""What a plan says of time and money: bounds, an estimate, and a likely case whose assumptions are named."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.plan.dry_run import Plan, plan
from amt_flows.plan.early_stops import likely_early_stops
from amt_flows.plan.estimate import all_configurations, estimate, hourly_price, most_cost, most_runtime
from amt_flows.plan.job_length import length_in
from amt_flows.plan.prices import Price
from amt_flows.plan.text import plan_text
from amt_flows.spec import TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from amt_flows.tuning.warm_start import parent_from_ledger
from worlds import opened, rising, spec

AUTO = {"early_stopping": {"type": "Auto"}}


def planned(tuning_spec: TuningSpec, **options: Any) -> Plan:
    return plan(tuning_spec, SimulatedBackend(VirtualClock(), rising), **options)


def printed(made: Plan) -> str:
    console = Console(file=io.StringIO(), width=300, highlight=False)
    with console.capture() as captured:
        console.print(plan_text(made))
    return " ".join(captured.get().split())


def run_with(script: Script, **changes: Any) -> Ledger:
    """A tuning job whose training jobs all follow one script."""
    backend = SimulatedBackend(VirtualClock(), lambda hyperparameters: script)
    tuning = Tuning.open(spec(**changes), backend, MemoryJournal(), clock=backend.clock)
    drive(tuning)
    return tuning.ledger


# -- how long a training job takes ----------------------------------------------------------------


def test_an_earlier_tuning_job_tells_how_long_its_jobs_took_and_to_start() -> None:
    ledger = run_with(Script([0.5] * 6, seconds_per_epoch=20.0, startup_seconds=30.0))
    length = length_in(ledger)
    assert length is not None
    assert length.seconds == pytest.approx(120.0)
    assert length.startup_seconds == pytest.approx(30.0)
    assert (length.epochs, length.source) == (6, "the median of 10 completed jobs of demo")
    assert length_in(opened()) is None


def test_what_is_given_wins_then_the_named_one_then_this_name_then_the_parents() -> None:
    two = {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 2}
    minute = run_with(Script([0.5] * 6, 10.0), name="minute", limits=two)
    hour = run_with(Script([0.5], 3600.0), name="hour", limits=two)
    child = spec(
        name="child",
        warm_start={"type": "IdenticalDataAndAlgorithm", "parents": ["hour"]},
        strategy="Bayesian",
    )
    parents = {"parents": lambda name: parent_from_ledger(hour)}

    def seconds(**options: Any) -> float | None:
        length = planned(child, first_jobs=0, **parents, **options).job_length
        return None if length is None else length.seconds

    assert seconds() == pytest.approx(3600.0)
    assert seconds(existing=minute) == pytest.approx(60.0)
    assert seconds(existing=hour, like=minute) == pytest.approx(60.0)
    assert seconds(like=minute, job_seconds=5.0) == 5.0
    inherited = planned(child, first_jobs=0, **parents)
    assert "(the median of 2 completed jobs of hour)" in printed(inherited)
    assert "give --job-seconds, or --like" in printed(planned(spec()))


def test_the_time_to_start_is_waited_for_and_not_paid_for() -> None:
    tuning_spec = spec(training_job={"command": ["train"], "price_per_hour": 3600.0})
    made = planned(tuning_spec, job_seconds=60.0, startup_seconds=40.0)
    assert made.estimate is not None
    assert made.estimate.runtime_seconds == pytest.approx(5 * 100.0, abs=0.01)
    assert made.estimate.training_seconds == pytest.approx(600.0)
    assert made.estimate.cost == pytest.approx(600.0)
    assert "after 40.0 s to start" in printed(made)


# -- bounds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("job", "limits", "seconds"),
    [
        ({}, {"max_number_of_training_jobs": 10}, None),
        ({"max_runtime_seconds": 50}, {"max_number_of_training_jobs": 10}, 10 * 60.0),
        (
            {"max_runtime_seconds": 50},
            {"max_number_of_training_jobs": 7, "max_parallel_training_jobs": 3},
            180.0,
        ),
        ({}, {"max_runtime_seconds": 100}, 110.0),
        ({"max_runtime_seconds": 50}, {"max_runtime_seconds": 100, "max_number_of_training_jobs": 10}, 110.0),
    ],
)
def test_the_end_comes_at_the_latest_with_the_least_of_all_bounds(
    job: dict[str, Any], limits: dict[str, Any], seconds: float | None
) -> None:
    tuning_spec = spec(limits=limits, training_job={"command": ["train"], "stop_grace_seconds": 10, **job})
    assert most_runtime(tuning_spec) == seconds
    assert ("over after" in printed(planned(tuning_spec))) is (seconds is not None)


def test_nothing_takes_longer_or_costs_more_than_the_worst_case() -> None:
    template = {
        "command": ["train"],
        "price_per_hour": 3600.0,
        "max_runtime_seconds": 50,
        "stop_grace_seconds": 10,
    }
    tuning_spec = spec(training_job=template)
    # Each of them runs into its time limit, and takes all of its grace.
    clock = VirtualClock()
    backend = SimulatedBackend(clock, lambda hyperparameters: Script([0.1], 60.0, stopping_seconds=10.0))
    tuning = Tuning.open(tuning_spec, backend, MemoryJournal(), clock=clock)
    drive(tuning)
    ledger = tuning.ledger
    cost, runtime = most_cost(tuning_spec), most_runtime(tuning_spec)
    assert cost is not None
    assert runtime is not None
    assert sum(job.training_seconds(ledger.last_at) for job in ledger.jobs.values()) <= cost
    assert ledger.last_at - ledger.opened_at <= runtime


def test_several_algorithms_are_counted_together_and_the_dearest_is_paid() -> None:
    grid = [{"name": "x", "min_value": 0.0, "max_value": 1.0, "step": 0.25}]
    other = {
        "definition_name": "b",
        "objective": {"metric_name": "accuracy"},
        "continuous": grid,
        "training_job": {"command": ["train"], "price_per_hour": 5.0},
    }
    template = {"command": ["train"], "price_per_hour": 2.0}
    both = spec(definition_name="a", continuous=grid, other_definitions=[other], training_job=template)
    assert (all_configurations(both), hourly_price(both)) == (10, 5.0)
    found = estimate(both, 3600.0)
    assert found is not None
    assert found.cost == pytest.approx(50.0)
    assert "all 10 configurations tried" in planned(both).criteria
    unpriced = both.model_copy(
        update={"training_job": both.training_job.model_copy(update={"price_per_hour": None})}
    )
    assert (hourly_price(unpriced), most_cost(unpriced)) == (None, None)


# -- what is likely -------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", ["Maximize", "Minimize"])
def test_early_stopping_saves_a_part_and_the_more_the_less_it_is_guarded(objective: str) -> None:
    kind = {"objective": {"metric_name": "accuracy", "type": objective}}
    limits = {"limits": {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 20}}
    guarded = likely_early_stops(spec(**kind, **limits, **AUTO))
    bare = likely_early_stops(
        spec(**kind, **limits, early_stopping={"type": "Auto", "min_jobs": 1, "grace_epochs": 0})
    )
    assert likely_early_stops(spec(**kind, **limits)) is None
    assert guarded is not None
    assert bare is not None
    assert 0 < guarded.share < bare.share < 1
    assert 0 < guarded.stopped < 1


def test_hyperband_saves_on_the_epochs_that_it_has() -> None:
    hyperband = spec(strategy="Hyperband", hyperband={"max_resource": 9})
    found = likely_early_stops(hyperband, epochs=500)
    assert found is not None
    assert found.epochs == 9
    assert 0 < found.share < 1


def test_the_likely_case_is_shorter_and_names_its_assumptions() -> None:
    template = {"command": ["train"], "price_per_hour": 3600.0}
    tuning_spec = spec(training_job=template, **AUTO)
    spot = Price(3600.0, "the table", "EUR", spot_discount=0.5)
    made = planned(tuning_spec, job_seconds=60.0, price=spot)
    assert made.estimate is not None
    assert made.likely is not None
    assert made.likely.jobs == made.estimate.jobs
    assert made.likely.runtime_seconds < made.estimate.runtime_seconds
    share = 1 - made.likely.saved_share
    assert made.likely.training_seconds == pytest.approx(share * made.estimate.training_seconds)
    assert made.likely.cost == pytest.approx(0.5 * made.likely.training_seconds)
    text = printed(made)
    assert "made-up curves of 20 epochs and that spot instances save 50% of the price" in text
    assert "600.00 EUR" in text
    assert planned(spec(), job_seconds=60.0).likely is None


def test_more_jobs_fit_into_the_time_when_they_are_stopped_early() -> None:
    limits = {"max_parallel_training_jobs": 2, "max_runtime_seconds": 3600}
    made = planned(spec(limits=limits, **AUTO), job_seconds=600.0)
    assert made.estimate is not None
    assert made.likely is not None
    assert made.likely.jobs > made.estimate.jobs


def test_a_price_that_is_not_known_says_why() -> None:
    assert "cost unknown: the table lacks it" in printed(planned(spec(), price_note="the table lacks it"))
    assert "or a price table (--prices)" in printed(planned(spec()))
    given = planned(spec(training_job={"command": ["train"], "price_per_hour": 2.0}), price_note="not asked")
    assert given.price == Price(2.0, "training_job.price_per_hour")
    assert given.price_note == ""
