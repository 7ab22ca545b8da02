"""Training jobs that go on from a checkpoint: a further attempt, and a rung of Hyperband's that was left."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import pytest

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.events import Outcome, Resumed, event_from_json, event_to_json
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import JobRequest, Launch
from amt_flows.rules.hyperband import to_resume
from amt_flows.spec import TuningSpec
from amt_flows.strategies.brackets import bracket_of, rungs
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from amt_flows.tuning.recover import recover
from worlds import drive_until, rising, spec


class LosesMachines(SimulatedBackend):
    """The first attempt at each trial loses its machine after four epochs and a half."""

    def launch(self, request: JobRequest) -> Launch:
        answer = super().launch(request)
        if request.attempt == 1:
            self.jobs[request.name].gone_at = self.clock.now() + 4.5
        return answer


def early(**changes: object) -> TuningSpec:
    policy = {"type": "Auto", "min_jobs": 1, "grace_epochs": 0}
    return spec(**{"seed": 3, "early_stopping": policy, **changes})


def undisturbed(asked: TuningSpec) -> Ledger:
    clock = VirtualClock()
    tuning = Tuning.open(asked, SimulatedBackend(clock, rising), MemoryJournal(), clock=clock)
    drive(tuning)
    return tuning.ledger


@pytest.mark.parametrize("counts_from", [0, 1])
def test_an_attempt_that_goes_on_is_compared_by_the_epochs_of_its_trial(counts_from: int) -> None:
    asked = early(limits={"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 20})
    clock, journal = VirtualClock(), MemoryJournal()
    backend = LosesMachines(
        clock, lambda given: replace(rising(given), checkpoints=True, counts_from=counts_from)
    )
    tuning = Tuning.open(asked, backend, journal, clock=clock)
    drive(tuning)
    ledger, whole = tuning.ledger, undisturbed(asked)
    last = {number: ledger.attempts(number)[-1] for number in ledger.trials if ledger.attempts(number)}
    went_on = [job for job in last.values() if job.went_on_after == 4]
    assert {job.outcome for job in went_on} >= {Outcome.COMPLETED}
    for job in went_on:
        undisturbed_one = whole.attempts(job.trial)[0]
        until = min(job.curve.last_epoch, undisturbed_one.curve.last_epoch)
        assert [pair for pair in job.curve if pair[0] <= until] == [
            pair for pair in undisturbed_one.curve if pair[0] <= until
        ]
        assert job.outcome is undisturbed_one.outcome
        assert all(judgement.epoch > 4 for judgement in job.judgements)
    # Whoever opens the record again knows the same.
    again = Ledger.replay(journal.read())
    assert {name: list(job.curve) for name, job in again.jobs.items()} == {
        name: list(job.curve) for name, job in ledger.jobs.items()
    }


def test_an_attempt_that_begins_anew_has_a_curve_of_its_own() -> None:
    asked = early(limits={"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 4})
    clock = VirtualClock()
    tuning = Tuning.open(asked, LosesMachines(clock, rising), MemoryJournal(), clock=clock)
    drive(tuning)
    second = tuning.ledger.attempts(1)[1]
    assert (second.went_on_after, second.curve.last_epoch) == (0, 10)


def test_who_takes_over_goes_on_with_the_same_epochs() -> None:
    asked = early(limits={"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 2})
    clock, journal = VirtualClock(), MemoryJournal()
    backend = LosesMachines(clock, lambda given: replace(rising(given), checkpoints=True))
    first = Tuning.open(asked, backend, journal, clock=clock)
    drive_until(first, lambda: any(job.curve.last_epoch == 7 for job in first.ledger.live))
    second = Tuning.open(asked, backend.view(), journal, clock=clock)
    drive(second)
    job = second.ledger.attempts(1)[1]
    assert (job.went_on_after, [epoch for epoch, _ in job.curve]) == (4, list(range(1, 11)))


def test_a_record_that_is_made_anew_has_the_same_curves() -> None:
    asked = early(limits={"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 6})
    clock = VirtualClock()
    backend = LosesMachines(clock, lambda given: replace(rising(given), checkpoints=True, counts_from=0))
    tuning = Tuning.open(asked, backend, MemoryJournal(), clock=clock)
    drive(tuning)
    again = recover(asked, backend.view, MemoryJournal(), clock=clock)
    assert any(job.went_on_after == 4 for job in again.jobs.values())
    assert {name: list(job.curve) for name, job in again.jobs.items()} == {
        name: list(job.curve) for name, job in tuning.ledger.jobs.items()
    }


# -- Hyperband -------------------------------------------------------------------------------------------


def hyperband(jobs: int = 60, *, resumes: bool = True) -> TuningSpec:
    return spec(
        strategy="Hyperband",
        seed=5,
        hyperband={"min_resource": 1, "max_resource": 9, "resume_stopped": resumes},
        limits={"max_parallel_training_jobs": 4, "max_number_of_training_jobs": jobs},
    )


def run(asked: TuningSpec, *, checkpoints: bool) -> tuple[Ledger, SimulatedBackend, MemoryJournal]:
    def train(given: Mapping[str, str]) -> Script:
        return replace(rising(given), checkpoints=checkpoints)

    clock, journal = VirtualClock(), MemoryJournal()
    backend = SimulatedBackend(clock, train)
    tuning = Tuning.open(asked, backend, journal, clock=clock)
    drive(tuning)
    return tuning.ledger, backend, journal


def test_who_was_stopped_at_a_rung_goes_on_from_there_once_it_is_among_the_best() -> None:
    ledger, backend, journal = run(hyperband(), checkpoints=True)
    resumed = [event for entry in journal.read() for event in entry if isinstance(event, Resumed)]
    assert len(resumed) >= 3
    for event in resumed:
        assert event_from_json(event_to_json(event)) == event
        before, after = ledger.attempts(event.trial)[:2]
        assert before.outcome is Outcome.STOPPED_EARLY
        # From the checkpoint: no epoch is trained twice, and none is judged twice.
        assert after.went_on_after == before.curve.last_epoch >= event.rung
        assert [epoch for epoch, _ in after.curve] == list(range(1, after.curve.last_epoch + 1))
        assert all(judgement.epoch > event.rung for judgement in after.judgements)
        # The cost is that of the epochs it trained itself.
        if after.ended_at is not None:
            trained = after.curve.last_epoch - after.went_on_after
            assert after.training_seconds(0.0) <= trained + 1
    # A limit of training jobs counts these too.
    assert len(ledger.jobs) == len(backend.launches) == 60
    # A trial has one living training job at most.
    for attempts in map(ledger.attempts, ledger.trials):
        for one, other in itertools.pairwise(attempts):
            assert one.ended_at is not None
            assert one.ended_at <= other.launched_at


def test_scripts_without_checkpoints_and_specs_that_do_not_ask_are_as_ever() -> None:
    usual = run(hyperband(resumes=False), checkpoints=False)[1].launches
    assert run(hyperband(resumes=False), checkpoints=True)[1].launches == usual
    assert run(hyperband(resumes=True), checkpoints=False)[1].launches == usual


def test_a_machine_lost_on_the_way_to_the_next_rung_is_another_attempt_from_the_same_checkpoints() -> None:
    class LosesTheResumed(SimulatedBackend):
        def launch(self, request: JobRequest) -> Launch:
            answer = super().launch(request)
            if request.attempt == 2 and request.resumptions == 1:
                self.jobs[request.name].gone_at = self.clock.now() + 1.5
            return answer

    clock = VirtualClock()
    backend = LosesTheResumed(clock, lambda given: replace(rising(given), checkpoints=True))
    tuning = Tuning.open(hyperband(), backend, MemoryJournal(), clock=clock)
    drive(tuning)
    ledger = tuning.ledger
    lost = [job for job in ledger.ended if job.outcome is Outcome.LOST]
    assert lost
    third = [ledger.attempts(job.trial)[2] for job in lost if len(ledger.attempts(job.trial)) > 2]
    assert third
    for job in third:
        second = ledger.attempts(job.trial)[1]
        assert job.went_on_after == second.curve.last_epoch > second.went_on_after


def test_a_space_with_nothing_left_is_not_over_while_somebody_may_go_on() -> None:
    small = {
        "continuous": [],
        "categorical": [{"name": "learning_rate", "values": ["0.1", "0.2", "0.3", "0.4"]}],
    }
    asked = hyperband().model_copy()
    values = {**asked.to_json(), **small}
    values["limits"] = {"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 40}
    ledger, _, _ = run(TuningSpec.parse(values), checkpoints=True)
    assert len(ledger.trials) == 4
    assert not to_resume(ledger)


def test_of_each_trial_one_value_counts_at_a_rung() -> None:
    every = rungs(1, 9)
    ledger, _, _ = run(hyperband(), checkpoints=True)
    for number, trial in ledger.trials.items():
        in_bracket = [
            n
            for n, other in ledger.trials.items()
            if bracket_of(other.ordinal, len(every) + 1) == bracket_of(trial.ordinal, len(every) + 1)
        ]
        for job in ledger.attempts(number):
            assert all(judgement.compared < len(in_bracket) for judgement in job.judgements)
