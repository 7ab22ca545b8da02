"""Other limits for a tuning job that was begun: whatever it had come to, it goes on from there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.errors import AmtFlowsError, JournalError, NameTaken, SpecError
from amt_flows.events import Concluding, Extended, Opened, TuningStatus, event_from_json, event_to_json
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import JobState
from amt_flows.results import describe, result_of
from amt_flows.spec.extension import EXTENDABLE, extended, extension_between
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.extend import extend
from amt_flows.tuning.loop import drive
from worlds import drive_until, rising, spec

MOST = "limits.max_number_of_training_jobs"


class World:
    """One tuning job, on a virtual clock."""

    def __init__(self, train: Any = rising, **changes: Any) -> None:
        self.clock, self.journal = VirtualClock(), MemoryJournal()
        self.backend = SimulatedBackend(self.clock, train)
        self.spec = spec(seed=1, **changes)

    def tuning(self, one: Any = None) -> Tuning:
        return Tuning.open(one or self.spec, self.backend.view(), self.journal, clock=self.clock)

    def to_its_end(self, one: Any = None) -> Ledger:
        tuning = self.tuning(one)
        drive(tuning)
        return tuning.ledger

    def extend(self, changes: Mapping[str, Any]) -> Ledger:
        return extend("demo", self.journal, changes, clock=self.clock)


def test_a_completed_tuning_job_goes_on_and_is_as_if_it_had_been_asked_for_so_from_the_beginning() -> None:
    world = World(limits={"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 4})
    first = world.to_its_end()
    world.clock.advance(86_400)
    again = world.extend({MOST: 9})
    assert (again.status, again.finished, again.reasons) == (TuningStatus.IN_PROGRESS, False, ())
    ledger = world.to_its_end()
    whole = World(limits={"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 9}).to_its_end()
    assert ledger.status is TuningStatus.COMPLETED
    assert list(ledger.jobs)[:4] == list(first.jobs)
    assert list(ledger.jobs) == list(whole.jobs)
    assert ledger.best is not None
    assert whole.best is not None
    assert ledger.best.name == whole.best.name
    assert ledger.fingerprint == first.fingerprint, "its training jobs carry it"
    assert len(world.backend.launches) == len(set(world.backend.launches)) == 9


def test_the_time_between_an_end_and_its_extension_counts_for_no_limit() -> None:
    limits = {"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 2, "max_runtime_seconds": 60}
    world = World(limits=limits)
    ended = world.to_its_end()
    before = result_of(ended, "").runtime_seconds
    world.clock.advance(3600)
    world.extend({MOST: 4})
    ledger = world.to_its_end()
    assert ledger.reasons[0].rule == "MaxNumberOfTrainingJobs"
    assert result_of(ledger, "").runtime_seconds == pytest.approx(2 * before)
    assert describe(ledger, 1e12)["ConsumedResources"]["RuntimeInSeconds"] == int(2 * before)


def test_a_time_limit_that_was_reached_is_counted_on() -> None:
    limits = {"max_parallel_training_jobs": 1, "max_runtime_seconds": 35}
    world = World(limits=limits)
    world.to_its_end()
    world.clock.advance(3600)
    world.extend({"limits.max_runtime_seconds": 65})
    ledger = world.to_its_end()
    assert ledger.reasons[0].rule == "MaxRuntimeInSeconds"
    assert result_of(ledger, "").runtime_seconds == pytest.approx(65, abs=2)


def test_one_that_was_stopped_goes_on_and_can_be_stopped_again() -> None:
    world = World()
    tuning = world.tuning()
    drive_until(tuning, lambda: len(tuning.ledger.ended) >= 3)
    world.journal.ask_to_stop("enough")
    assert world.to_its_end().status is TuningStatus.STOPPED
    world.extend({MOST: 12})
    tuning = world.tuning()
    drive_until(tuning, lambda: len(tuning.ledger.ended) >= 6)
    assert not tuning.ledger.concluding
    world.journal.ask_to_stop("enough")
    assert world.to_its_end().reasons[0].message == "enough"


def test_one_that_failed_goes_on_once_it_may_fail_more_often() -> None:
    fates = iter([True] * 3 + [False] * 20)

    def train(given: Mapping[str, str]) -> Script:
        return Script(end=JobState.FAILED) if next(fates) else Script([0.5])

    limits = {"max_number_of_training_jobs": 8, "max_failed_training_jobs": 3}
    world = World(train, limits=limits)
    assert world.to_its_end().status is TuningStatus.FAILED
    with pytest.raises(SpecError, match="max_failed_training_jobs: it would end again at once"):
        world.extend({MOST: 20})
    world.extend({"limits.max_failed_training_jobs": 6})
    ledger = world.to_its_end()
    assert ledger.status is TuningStatus.COMPLETED
    assert len(ledger.jobs) == 8


def test_what_would_end_it_at_once_is_refused_and_named() -> None:
    world = World(limits={"max_number_of_training_jobs": 3})
    world.to_its_end()
    with pytest.raises(SpecError, match="max_number_of_training_jobs: it would end again at once"):
        world.extend({"limits.max_runtime_seconds": 9999})
    assert not any(isinstance(event, Extended) for entry in world.journal.read() for event in entry)


def test_only_limits_and_criteria_can_be_changed_and_the_refusal_names_the_other_way() -> None:
    world = World()
    world.to_its_end()
    for path in ("strategy", "limits.prefer_cheap", "objective.type", "limits.max_training_jobs"):
        with pytest.raises(SpecError, match="warm_start"):
            world.extend({path: "Bayesian"})
    with pytest.raises(SpecError):
        world.extend({MOST: 0})
    with pytest.raises(NameTaken, match="warm_start"):
        world.tuning(spec(seed=1, strategy="QuasiRandom"))


def test_a_spec_with_other_limits_is_refused_with_the_command_that_extends() -> None:
    world = World()
    world.to_its_end()
    larger = spec(seed=1, limits={**world.spec.limits.model_dump(), "max_number_of_training_jobs": 60})
    with pytest.raises(NameTaken, match="amt-flows extend demo --max-jobs 60"):
        world.tuning(larger)


def test_it_is_run_again_by_the_old_spec_and_by_every_extended_one() -> None:
    world = World(limits={"max_number_of_training_jobs": 2})
    specs = [world.spec]
    for most in (3, 4):
        world.to_its_end()
        specs.append(extended(specs[-1], {MOST: most}))
        world.extend({MOST: most})
    for one in specs:
        assert len(world.to_its_end(one).jobs) == 4
    assert len(world.backend.launches) == 4


def test_a_controller_that_runs_goes_on_within_the_new_limits() -> None:
    world = World(limits={"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 3})
    tuning, most, done = world.tuning(), 0, False

    def look(tuning: Tuning, news: object) -> None:
        nonlocal most, done
        most = max(most, len(tuning.ledger.live))
        if len(tuning.ledger.ended) == 1 and not done:
            done = True
            world.extend({MOST: 8, "limits.max_parallel_training_jobs": 3})

    drive(tuning, on_tick=look)
    assert (len(tuning.ledger.jobs), most) == (8, 3)
    assert tuning.ledger.status is TuningStatus.COMPLETED
    assert len(world.backend.launches) == len(set(world.backend.launches)) == 8


def test_an_end_that_was_decided_on_before_the_limits_were_changed_is_not_recorded() -> None:
    world = World(limits={"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 1})
    tuning = world.tuning()
    tuning.launch(len(tuning.propose(1)))
    world.clock.advance(60)
    tuning.observe()
    world.extend({MOST: 2})
    tuning.check_completion()
    assert not tuning.ledger.concluding
    assert not any(isinstance(event, Concluding) for entry in world.journal.read() for event in entry)
    drive(tuning)
    assert len(tuning.ledger.jobs) == 2


def test_one_that_is_ending_and_one_of_amts_are_refused() -> None:
    world = World()
    tuning = world.tuning()
    tuning.request_stop("enough")
    tuning.check_completion()
    with pytest.raises(AmtFlowsError, match="is ending"):
        world.extend({MOST: 20})
    journal, asked = MemoryJournal(), spec()
    opening = Opened(0.0, "demo", asked.fingerprint(), asked.to_json(), "me", "amt:eu-west-1")
    journal.append(0, [opening])
    with pytest.raises(AmtFlowsError, match="SageMaker's own tuner"):
        extend("demo", journal, {MOST: 20})


def test_a_target_that_is_changed_is_looked_for_in_what_there_is() -> None:
    curves = iter([[0.5, 0.8, 0.6], [0.3], [0.2]])
    world = World(
        lambda given: Script(next(curves)),
        limits={"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 2},
    )
    world.to_its_end()
    target = {"completion.target_objective_metric_value": 0.55}
    with pytest.raises(SpecError, match="target"):
        world.extend({**target, MOST: 9})
    world.extend({"completion.target_objective_metric_value": 0.9, MOST: 3})
    ledger = world.to_its_end()
    assert len(ledger.jobs) == 3


def test_an_older_reader_says_that_the_record_is_too_new() -> None:
    written = event_to_json(Extended(1.0, {MOST: 60, "limits.max_cost": None}))
    assert written["v"] == 2
    assert event_from_json(written) == Extended(1.0, {MOST: 60, "limits.max_cost": None})
    with pytest.raises(JournalError):
        event_from_json({**written, "v": 3})


def test_the_changes_between_two_specs_make_the_one_of_the_other() -> None:
    old = spec(limits={"max_number_of_training_jobs": 3, "max_runtime_seconds": 60})
    changes = {
        MOST: 60,
        "limits.max_runtime_seconds": None,
        "completion.target_objective_metric_value": 0.9,
        "completion.target_on_epochs": True,
    }
    new = extended(old, changes)
    assert extension_between(old, new) == changes
    assert set(changes) <= set(EXTENDABLE)
    assert extension_between(old, spec(strategy="QuasiRandom", limits=new.limits.model_dump())) == {}
    assert extension_between(old, old.named("other")) == {}
