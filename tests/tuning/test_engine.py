"""One tuning job from opening to end, on a virtual clock."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import pytest

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.errors import Fenced, LaunchRejected, NameTaken
from amt_flows.events import Outcome, TuningStatus
from amt_flows.ledger.history import Proposal, TrialRow
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import JobRequest, JobState, Launch
from amt_flows.space.space import Space
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import Stages, drive
from worlds import rising, run, spec


def test_ten_jobs_two_at_once_run_in_five_rounds() -> None:
    ledger, backend = run(spec())
    assert ledger.status is TuningStatus.COMPLETED
    assert [r.rule for r in ledger.reasons] == ["MaxNumberOfTrainingJobs"]
    assert len(ledger.jobs) == len(backend.launches) == 10
    assert ledger.finished_at is not None
    assert ledger.finished_at - ledger.opened_at == pytest.approx(50, abs=0.1)
    assert all(job.outcome is Outcome.COMPLETED for job in ledger.jobs.values())


def test_every_limit_of_parallelism_is_kept_at_every_moment() -> None:
    backend = SimulatedBackend(VirtualClock(), rising)
    tuning = Tuning.open(
        spec(limits={"max_parallel_training_jobs": 3, "max_number_of_training_jobs": 20}),
        backend,
        MemoryJournal(),
        clock=backend.clock,
    )
    most = 0

    def look(tuning: Tuning, news: object) -> None:
        nonlocal most
        now = backend.clock.now()
        running = sum(not job.state(now).terminal for job in backend.jobs.values())
        most = max(most, running)

    drive(tuning, on_tick=look)
    assert most == 3


def test_the_same_seed_gives_the_same_tuning_and_another_seed_another() -> None:
    def configurations(seed: int) -> list[object]:
        ledger, _ = run(spec(seed=seed))
        return [trial.configuration for trial in ledger.trials.values()]

    assert configurations(3) == configurations(3)
    assert configurations(3) != configurations(4)


def test_a_space_that_runs_out_completes_the_tuning_job_and_says_so() -> None:
    ledger, backend = run(
        spec(
            continuous=[],
            categorical=[{"name": "learning_rate", "values": ["0.1", "0.2", "0.3"]}],
            limits={"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 50},
        )
    )
    assert ledger.status is TuningStatus.COMPLETED
    assert [r.rule for r in ledger.reasons] == ["SpaceExhausted"]
    assert len(backend.launches) == 3


def test_the_run_time_limit_stops_what_runs_and_keeps_the_best() -> None:
    ledger, backend = run(
        spec(
            limits={
                "max_parallel_training_jobs": 2,
                "max_number_of_training_jobs": 50,
                "max_runtime_seconds": 25,
            }
        )
    )
    assert [r.rule for r in ledger.reasons] == ["MaxRuntimeInSeconds"]
    assert ledger.finished_at is not None
    assert ledger.finished_at - ledger.opened_at == pytest.approx(25, abs=0.1)
    stopped = [job for job in ledger.jobs.values() if job.outcome is Outcome.STOPPED]
    assert len(stopped) == 2
    assert all(job.final_value is not None for job in stopped), "a stopped job keeps its last metric"
    assert ledger.best is not None
    assert ledger.best.outcome is Outcome.COMPLETED
    assert all(job.state(backend.clock.now()).terminal for job in backend.jobs.values())


def test_a_target_reached_by_an_epoch_ends_the_tuning_job_in_that_epoch() -> None:
    ledger, _ = run(spec(completion={"target_objective_metric_value": 0.3, "target_on_epochs": True}, seed=1))
    assert ledger.reasons[0].rule == "TargetObjectiveMetricValue"
    assert ledger.finished_at is not None
    assert ledger.finished_at - ledger.opened_at < 10


def test_early_stopping_stops_poor_jobs_and_the_judgements_say_why() -> None:
    limits = {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 30}
    ledger, _ = run(spec(limits=limits, early_stopping={"type": "Auto"}, seed=5))
    stopped = [job for job in ledger.ended if job.outcome is Outcome.STOPPED_EARLY]
    assert stopped
    for job in stopped:
        last = job.verdict
        assert last is not None
        assert last.median is not None
        assert last.value < last.median
        assert last.compared >= 5
        assert job.final_value == last.value
        assert last.why == job.stop_why
    without, _ = run(spec(limits=limits, seed=5))
    assert ledger.best is not None
    assert without.best is not None
    assert ledger.best.final_value == without.best.final_value


def test_jobs_that_ended_between_two_looks_are_recorded_in_the_order_of_their_ends() -> None:
    """Not in that of their launches, by which they are asked for: "not improving" counts from the best on."""
    seconds = iter((30.0, 20.0, 10.0))
    backend = SimulatedBackend(VirtualClock(), lambda given: Script([0.5], seconds_per_epoch=next(seconds)))
    asked = spec(limits={"max_parallel_training_jobs": 3, "max_number_of_training_jobs": 3})
    journal = MemoryJournal()
    tuning = Tuning.open(asked, backend, journal, clock=backend.clock)
    tuning.propose(3)
    launched = tuning.launch(3)
    backend.clock.advance(60)
    news = tuning.observe()
    assert list(news.ended) == launched[::-1]
    assert [job.name for job in Ledger.replay(journal.read()).ended] == launched[::-1]
    ends = [tuning.ledger.jobs[name].ended_at for name in launched[::-1]]
    assert ends == sorted(end for end in ends if end is not None)


def test_a_stopping_job_holds_its_slot_until_it_has_stopped() -> None:
    def slow_to_stop(hyperparameters: Mapping[str, str]) -> Script:
        script = rising(hyperparameters)
        return Script(script.values, stopping_seconds=2.5)

    backend = SimulatedBackend(VirtualClock(), slow_to_stop)
    most = 0

    def look(tuning: Tuning, news: object) -> None:
        nonlocal most
        now = backend.clock.now()
        most = max(most, sum(not job.state(now).terminal for job in backend.jobs.values()))

    limits = {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 30}
    tuning = Tuning.open(
        spec(limits=limits, early_stopping={"type": "Auto", "min_jobs": 1, "grace_epochs": 0}),
        backend,
        MemoryJournal(),
        clock=backend.clock,
    )
    drive(tuning, on_tick=look)
    assert any(job.outcome is Outcome.STOPPED_EARLY for job in tuning.ledger.ended)
    assert most == 2


def test_a_tuning_job_in_which_everything_fails_is_failed_after_five() -> None:
    def crash(hyperparameters: Mapping[str, str]) -> Script:
        return Script(end=JobState.FAILED, failure="ImportError: no module named torch")

    ledger, backend = run(spec(limits={"max_number_of_training_jobs": 100}), crash)
    assert ledger.status is TuningStatus.FAILED
    assert len(backend.launches) == 5
    assert "no module named torch" in ledger.reasons[0].message


def test_failures_in_some_configurations_do_not_end_it() -> None:
    def sometimes(hyperparameters: Mapping[str, str]) -> Script:
        if float(hyperparameters["learning_rate"]) > 0.05:
            return Script(end=JobState.FAILED)
        return rising(hyperparameters)

    ledger, backend = run(
        spec(limits={"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 30}), sometimes
    )
    outcomes = {job.outcome for job in ledger.jobs.values()}
    assert outcomes == {Outcome.FAILED, Outcome.COMPLETED}
    assert ledger.status is TuningStatus.COMPLETED
    assert len(backend.launches) == 30


def test_a_metric_that_is_never_emitted_is_an_outcome_and_then_a_reason() -> None:
    ledger, _ = run(spec(limits={"max_number_of_training_jobs": 100}), lambda h: Script())
    assert {job.outcome for job in ledger.jobs.values()} == {Outcome.NO_METRIC}
    assert ledger.status is TuningStatus.FAILED
    assert "accuracy" in ledger.reasons[0].message


def test_nan_is_a_failed_objective_and_never_the_best() -> None:
    def nan_or_not(hyperparameters: Mapping[str, str]) -> Script:
        bad = float(hyperparameters["learning_rate"]) > 0.01
        return Script([math.nan if bad else 0.1])

    ledger, _ = run(spec(), nan_or_not)
    assert ledger.best is not None
    assert ledger.best.final_value == 0.1


def test_an_infrastructure_failure_is_tried_again_under_another_name() -> None:
    fate = iter([True, False, True, True, False])

    def flaky(hyperparameters: Mapping[str, str]) -> Script:
        broken = next(fate, False)
        return Script(end=JobState.FAILED, infrastructure=True) if broken else Script([0.5])

    ledger, backend = run(
        spec(limits={"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 6}), flaky
    )
    assert len(backend.launches) == 6, "a retry is a job that counts"
    retried = [name for name in backend.launches if name.endswith(("-r2", "-r3"))]
    assert len(retried) == 3
    assert len(ledger.trials) == 3


def test_a_request_to_stop_ends_it_as_stopped_with_what_was_reached() -> None:
    backend, journal = SimulatedBackend(VirtualClock(), rising), MemoryJournal()
    tuning = Tuning.open(spec(), backend, journal, clock=backend.clock)

    def stop_later(tuning: Tuning, news: object) -> None:
        if len(tuning.ledger.ended) == 4:
            journal.ask_to_stop("enough")

    drive(tuning, on_tick=stop_later)
    assert tuning.ledger.status is TuningStatus.STOPPED
    assert tuning.ledger.reasons[0].message == "enough"
    assert tuning.ledger.best is not None
    assert not tuning.ledger.live
    assert len(backend.launches) < 10


def test_opening_a_finished_tuning_job_again_runs_nothing() -> None:
    backend, journal = SimulatedBackend(VirtualClock(), rising), MemoryJournal()
    for _ in range(2):
        tuning = Tuning.open(spec(), backend, journal, clock=backend.clock)
        drive(tuning)
    assert len(backend.launches) == 10
    assert tuning.ledger.best is not None


def test_another_spec_under_the_same_name_is_refused_with_the_differences() -> None:
    backend, journal = SimulatedBackend(VirtualClock(), rising), MemoryJournal()
    Tuning.open(spec(), backend, journal, clock=backend.clock)
    with pytest.raises(NameTaken) as raised:
        Tuning.open(spec(seed=8, strategy="QuasiRandom"), backend, journal, clock=backend.clock)
    assert "seed" in str(raised.value)
    assert '"Random" -> "QuasiRandom"' in str(raised.value)
    assert not backend.launches


def test_a_rival_fences_the_first_controller_which_then_touches_no_job() -> None:
    backend, journal = SimulatedBackend(VirtualClock(), rising), MemoryJournal()
    first = Tuning.open(spec(), backend, journal, clock=backend.clock, controller="the first")
    first.launch(len(first.propose(2)))
    second = Tuning.open(spec(), backend.view(), journal, clock=backend.clock, controller="the second")
    backend.clock.advance(3.0)
    with pytest.raises(Fenced, match="the second"):
        drive(first)
    assert all(job.stop_at is None for job in backend.jobs.values())
    drive(second)
    assert second.ledger.status is TuningStatus.COMPLETED
    assert len(backend.launches) == len(set(backend.launches)) == 10


class Refusing(SimulatedBackend):
    def launch(self, request: JobRequest) -> Launch:
        if len(self.launches) >= 3:
            raise LaunchRejected("The role may not create training jobs.")
        return super().launch(request)


def test_a_final_refusal_ends_the_tuning_job_as_failed_and_stops_what_runs() -> None:
    ledger, backend = run(spec(), backend=Refusing(VirtualClock(), rising))
    assert ledger.status is TuningStatus.FAILED
    assert "role may not" in ledger.reasons[0].message
    assert all(job.state(backend.clock.now()).terminal for job in backend.jobs.values())


def test_less_capacity_than_asked_for_is_waited_for() -> None:
    backend = SimulatedBackend(VirtualClock(), rising, capacity=2)
    limits = {"max_parallel_training_jobs": 5, "max_number_of_training_jobs": 12}
    tuning = Tuning.open(spec(limits=limits), backend, MemoryJournal(), clock=backend.clock)
    held_up_by: set[str | None] = set()
    drive(tuning, on_tick=lambda tuning, news: held_up_by.add(tuning.held_up_by))
    assert tuning.ledger.status is TuningStatus.COMPLETED
    assert len(backend.launches) == 12
    assert held_up_by == {"All 2 places are taken.", None}, "and the reason is told meanwhile"


def test_a_stage_is_called_only_when_there_is_something_new_for_it() -> None:
    calls: dict[str, int] = {"propose": 0, "launch": 0, "early": 0, "completion": 0}

    def counted(name: str, stage: object) -> object:
        def call(*args: object) -> object:
            calls[name] += 1
            return stage(*args)  # type: ignore[operator]

        return call

    plain = Stages()
    stages = Stages(
        propose=counted("propose", plain.propose),  # type: ignore[arg-type]
        launch=counted("launch", plain.launch),  # type: ignore[arg-type]
        check_early_stopping=counted("early", plain.check_early_stopping),  # type: ignore[arg-type]
        check_completion=counted("completion", plain.check_completion),  # type: ignore[arg-type]
    )
    backend = SimulatedBackend(VirtualClock(), rising)
    limits = {"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 10}
    tuning = Tuning.open(spec(limits=limits), backend, MemoryJournal(), clock=backend.clock)
    drive(tuning, stages)
    assert calls == {"propose": 10, "launch": 10, "early": 100, "completion": 10}


def test_a_replayed_journal_gives_the_same_ledger() -> None:
    backend, journal = SimulatedBackend(VirtualClock(), rising), MemoryJournal()
    tuning = Tuning.open(spec(early_stopping={"type": "Auto"}), backend, journal, clock=backend.clock)
    drive(tuning)
    again = Ledger.replay(journal.read())
    assert again.history() == tuning.ledger.history()
    assert again.status is tuning.ledger.status
    assert again.best is not None
    assert tuning.ledger.best is not None
    assert again.best.name == tuning.ledger.best.name


def test_a_stop_that_was_written_but_never_sent_is_sent_by_the_next_controller() -> None:
    class DiesBeforeStopping(SimulatedBackend):
        def stop(self, tuning_job: str, names: Sequence[str], *, kill: bool = False) -> None:
            raise ConnectionError

    journal, clock = MemoryJournal(), VirtualClock()
    first = DiesBeforeStopping(clock, rising)
    asked = spec(
        limits={"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 30},
        early_stopping={"type": "Auto", "min_jobs": 1, "grace_epochs": 0},
    )
    tuning = Tuning.open(asked, first, journal, clock=clock)
    with pytest.raises(ConnectionError):
        drive(tuning)
    stopping = next(job.name for job in tuning.ledger.live if job.stop_asked_at is not None)
    second = SimulatedBackend(clock, rising, None, first.jobs, first.launches)
    again = Tuning.open(asked, second, journal, clock=clock)
    assert second.jobs[stopping.lower()].stop_at is not None
    drive(again)
    assert again.ledger.jobs[stopping].outcome is Outcome.STOPPED_EARLY


def test_nothing_is_launched_once_time_ran_out_while_a_proposal_was_computed() -> None:
    clock = VirtualClock()

    class Slow:
        ignores_results: ClassVar[bool] = False

        def propose(
            self, space: Space, history: Sequence[TrialRow], *, number: int, seed: int
        ) -> Proposal | None:
            clock.advance(40.0)
            return Proposal({"learning_rate": 0.5 / number}, "slow")

    backend = SimulatedBackend(clock, rising)
    limits = {"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 9, "max_runtime_seconds": 60}
    tuning = Tuning.open(spec(limits=limits), backend, MemoryJournal(), clock=clock, strategy=Slow())
    drive(tuning)
    assert len(backend.launches) == 1
    assert tuning.ledger.reasons[0].rule == "MaxRuntimeInSeconds"


def test_a_job_that_only_the_backend_knows_is_stopped_at_the_end() -> None:
    backend, journal = SimulatedBackend(VirtualClock(), lambda h: Script([0.5], hangs=True)), MemoryJournal()
    tuning = Tuning.open(spec(), backend, journal, clock=backend.clock)
    (trial,) = tuning.propose(1)
    request = tuning._request(trial, 1)
    backend.launch(request)  # by a controller that was fenced off in this very moment
    tuning.request_stop("enough")
    drive(tuning)
    assert tuning.ledger.status is TuningStatus.STOPPED
    assert all(job.state(backend.clock.now()).terminal for job in backend.jobs.values())


def test_where_results_do_not_matter_the_next_trial_is_chosen_while_jobs_run() -> None:
    backend = SimulatedBackend(VirtualClock(), rising)
    tuning = Tuning.open(spec(), backend, MemoryJournal(), clock=backend.clock)
    waiting: list[int] = []

    def look(tuning: Tuning, news: object) -> None:
        if len(tuning.ledger.live) == 2 and len(tuning.ledger.jobs) < 10:
            waiting.append(tuning.waiting())

    drive(tuning, on_tick=look)
    assert set(waiting) == {1}
    assert len(tuning.ledger.trials) == len(backend.launches) == 10, "and never one too many"


def test_where_results_matter_nothing_is_chosen_before_they_are_in() -> None:
    backend = SimulatedBackend(VirtualClock(), rising)
    tuning = Tuning.open(spec(strategy="Bayesian"), backend, MemoryJournal(), clock=backend.clock)
    waiting: list[int] = []
    drive(tuning, on_tick=lambda tuning, news: waiting.append(tuning.waiting()))
    assert set(waiting) == {0}


class SeldomLooks(MemoryJournal):
    """As a record in S3, where each look at the note costs: what was seen first is answered until somebody
    must know."""

    _seen: str | None = None
    looks = 0

    def asked_to_stop(self, *, anew: bool = False) -> str | None:
        if anew:
            self.looks += 1
            self._seen = super().asked_to_stop()
        return self._seen


def someone_stops(tuning: Tuning, backend: SimulatedBackend, *, note: str | None) -> None:
    """As from another terminal, in the middle of it: the note first, then what runs."""
    done = False

    def act(tuning: Tuning, news: object) -> None:
        nonlocal done
        if not done and tuning.ledger.ended and tuning.ledger.live:
            done = True
            if note is not None:
                tuning.journal.ask_to_stop(note)
            backend.stop("demo", [job.name for job in tuning.ledger.live])

    drive(tuning, on_tick=act)
    assert done


def test_nothing_takes_the_place_of_what_was_stopped_with_its_tuning_job() -> None:
    backend, journal = SimulatedBackend(VirtualClock(), rising), SeldomLooks()
    tuning = Tuning.open(spec(), backend, journal, clock=backend.clock)
    someone_stops(tuning, backend, note="enough")
    ledger = tuning.ledger
    assert (ledger.status, ledger.reasons[0].message) == (TuningStatus.STOPPED, "enough")
    assert len(backend.launches) == len(ledger.jobs) == 4
    assert [job.outcome for job in ledger.ended].count(Outcome.STOPPED) == 2


def test_what_was_stopped_alone_is_replaced_and_only_what_ends_unexpectedly_costs_a_look() -> None:
    backend, journal = SimulatedBackend(VirtualClock(), rising), SeldomLooks()
    tuning = Tuning.open(spec(), backend, journal, clock=backend.clock)
    someone_stops(tuning, backend, note=None)
    outcomes = [job.outcome for job in tuning.ledger.ended]
    assert (outcomes.count(Outcome.STOPPED_OUTSIDE), outcomes.count(Outcome.COMPLETED)) == (2, 8)
    assert (tuning.ledger.status, journal.looks) == (TuningStatus.COMPLETED, 2)
