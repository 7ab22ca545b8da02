"""What a launch, a takeover and an end leave open at every moment, and who settles it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.errors import BackendError, CapacityUnavailable, Fenced, JournalError
from amt_flows.events import Event, Launched, Launching, Outcome, TuningStatus
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import FoundJob, JobReport, JobRequest, Launch, SystemClock
from amt_flows.spec import TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.interrupts import stop_jobs_on_breakdown
from amt_flows.tuning.loop import drive
from worlds import rising, spec


def endless(hyperparameters: Mapping[str, str]) -> Script:
    return Script([0.5], hangs=True)


def asked(parallel: int = 1, jobs: int = 3) -> TuningSpec:
    return spec(limits={"max_parallel_training_jobs": parallel, "max_number_of_training_jobs": jobs})


def alive(backend: SimulatedBackend) -> list[str]:
    now = backend.clock.now()
    return [job.request.name for job in backend.jobs.values() if not job.state(now).terminal]


class LosesTheAnswer(SimulatedBackend):
    def launch(self, request: JobRequest) -> Launch:
        super().launch(request)
        raise CapacityUnavailable("There was no answer.")


class Full(MemoryJournal):
    """Can't write what is of these kinds."""

    kinds: tuple[type[Event], ...] = ()

    def append(self, index: int, events: Sequence[Event]) -> None:
        if any(isinstance(event, self.kinds) for event in events):
            raise JournalError("The disk is full.")
        super().append(index, events)


# -- the launch -------------------------------------------------------------------------------------------


def test_a_launch_is_in_the_record_before_the_backend_is_asked() -> None:
    journal = MemoryJournal()

    class Looks(SimulatedBackend):
        def launch(self, request: JobRequest) -> Launch:
            last = journal.read()[-1][-1]
            assert isinstance(last, Launching)
            assert (last.trial, last.attempt) == (request.trial, request.attempt)
            return super().launch(request)

    backend = Looks(VirtualClock(), rising)
    drive(Tuning.open(spec(), backend, journal, clock=backend.clock))
    assert len(backend.launches) == 10


def test_what_was_to_be_launched_comes_first_after_a_takeover() -> None:
    backend, journal = SimulatedBackend(VirtualClock(), endless), MemoryJournal()
    first = Tuning.open(asked(), backend, journal, clock=backend.clock)
    first.propose(3)
    journal.append(len(journal.read()), [Launching(first.now(), 2, 1)])
    second = Tuning.open(asked(), backend.view(), journal, clock=backend.clock)
    assert [trial.number for trial, _ in second.ledger.to_launch()] == [2, 1, 3]
    second.launch(3)
    assert [backend.jobs[name.lower()].request.trial for name in backend.launches] == [2]


class ClaimsFirst(SimulatedBackend):
    """Launches in two steps, as a place does that claims a name before it starts anything: what dies between
    them leaves a job that can be found, and that only another launch starts."""

    def claim(self, request: JobRequest) -> None:
        super().launch(request)
        self.jobs[request.name.lower()].launched_at = math.inf
        self.launches.remove(request.name)

    def launch(self, request: JobRequest) -> Launch:
        claimed = self.jobs.get(request.name.lower())
        if claimed is None or claimed.launched_at < math.inf:
            return super().launch(request)
        claimed.launched_at = self.clock.now()
        self.launches.append(request.name)
        return Launch.ATTACHED


def test_a_job_that_was_only_claimed_when_its_controller_died_is_launched_by_the_next_one() -> None:
    backend, journal = ClaimsFirst(VirtualClock(), rising), MemoryJournal()
    first = Tuning.open(asked(), backend, journal, clock=backend.clock)
    (trial,) = first.propose(1)
    request = first._request(trial, 1)
    journal.append(len(journal.read()), [Launching(first.now(), trial.number, 1)])
    backend.claim(request)
    second = Tuning.open(asked(), backend, journal, clock=backend.clock)
    assert second.ledger.jobs == {}, "it is none of those that run"
    assert second.ledger.launching == (trial.number, 1)
    assert second.launch(1) == backend.launches == [request.name]
    drive(second)
    assert second.ledger.jobs[request.name].outcome is Outcome.COMPLETED
    assert len(set(backend.launches)) == len(backend.launches) == 3


def test_a_job_that_the_record_lacks_is_adopted_as_it_is_opened_and_holds_its_slot() -> None:
    """Of a controller that stood still in the middle of a launch, was fenced, and came through after all."""
    backend, journal = SimulatedBackend(VirtualClock(), endless), MemoryJournal()
    first = Tuning.open(asked(parallel=2), backend, journal, clock=backend.clock)
    waiting, late, _ = first.propose(3)
    journal.append(len(journal.read()), [Launching(first.now(), waiting.number, 1)])
    backend.launch(first._request(waiting, 1))
    backend.launch(first._request(late, 1))
    strange = first._request(late, 1)
    backend.launch(JobRequest(**{**vars(strange), "name": "demo-002-other", "fingerprint": "another"}))
    second = Tuning.open(asked(parallel=2), backend.view(), journal, clock=backend.clock)
    assert list(second.ledger.jobs) == [strange.name]
    assert Ledger.replay(journal.read()).jobs.keys() == {strange.name}
    assert second.free_slots() == 1
    second.launch(3)
    assert set(second.ledger.jobs) == set(backend.launches[:2])
    assert second.free_slots() == 0


def test_a_frozen_launch_and_its_successor_start_one_job() -> None:
    """The first is frozen after it wrote what it launches; the second has meanwhile launched just that."""
    backend, journal = SimulatedBackend(VirtualClock(), endless), MemoryJournal()
    first = Tuning.open(asked(), backend, journal, clock=backend.clock)
    (trial,) = first.propose(1)

    class Freezes(SimulatedBackend):
        def launch(self, request: JobRequest) -> Launch:
            second = Tuning.open(asked(), backend.view(), journal, clock=backend.clock)
            second.launch(1)
            return super().launch(request)

    first.backend = Freezes(backend.clock, endless, None, backend.jobs, backend.launches)
    with pytest.raises(Fenced):
        first.launch(1)
    assert len(backend.launches) == 1
    assert backend.jobs[backend.launches[0].lower()].request.trial == trial.number
    assert alive(backend) == backend.launches, "it is the successor's"


def test_a_launch_that_wakes_up_after_the_end_leaves_nothing_running() -> None:
    backend, journal = SimulatedBackend(VirtualClock(), endless), MemoryJournal()
    first = Tuning.open(asked(), backend, journal, clock=backend.clock)
    first.propose(1)

    class Freezes(SimulatedBackend):
        def launch(self, request: JobRequest) -> Launch:
            second = Tuning.open(asked(), backend.view(), journal, clock=backend.clock)
            second.request_stop("enough")
            drive(second)
            assert second.ledger.finished
            return super().launch(request)

    first.backend = Freezes(backend.clock, endless, None, backend.jobs, backend.launches)
    with pytest.raises(Fenced):
        first.launch(1)
    assert len(backend.launches) == 1
    assert alive(backend) == []


def test_opening_an_ended_record_ends_a_launch_that_came_after_it() -> None:
    backend, journal = SimulatedBackend(VirtualClock(), endless), MemoryJournal()
    first = Tuning.open(asked(), backend, journal, clock=backend.clock)
    (trial,) = first.propose(1)
    journal.append(len(journal.read()), [Launching(first.now(), trial.number, 1)])
    second = Tuning.open(asked(), backend.view(), journal, clock=backend.clock)
    second.request_stop("enough")
    drive(second)
    backend.launch(second._request(trial, 1))
    Tuning.open(asked(), backend.view(), journal, clock=backend.clock)
    assert alive(backend) == []


# -- the end ----------------------------------------------------------------------------------------------


def test_a_job_whose_launch_had_no_answer_is_stopped_and_recorded_before_the_end() -> None:
    backend, journal = LosesTheAnswer(VirtualClock(), endless), MemoryJournal()
    tuning = Tuning.open(asked(), backend, journal, clock=backend.clock)
    tuning.propose(1)
    assert tuning.launch(1) == []
    (name,) = alive(backend)
    tuning.request_stop("enough")
    drive(tuning)
    assert alive(backend) == []
    assert tuning.ledger.jobs[name].outcome is Outcome.STOPPED
    assert tuning.ledger.finished


def test_a_job_that_a_search_does_not_show_yet_is_asked_for_by_its_name() -> None:
    class Lags(LosesTheAnswer):
        def find(self, tuning_job: str) -> Sequence[FoundJob]:
            return []

    backend, journal = Lags(VirtualClock(), endless), MemoryJournal()
    tuning = Tuning.open(asked(), backend, journal, clock=backend.clock)
    tuning.propose(1)
    tuning.launch(1)
    tuning.request_stop("enough")
    drive(tuning)
    (job,) = tuning.ledger.jobs.values()
    assert job.outcome is Outcome.STOPPED
    assert alive(backend) == []


def test_what_was_never_launched_is_in_no_record() -> None:
    backend, journal = SimulatedBackend(VirtualClock(), endless, capacity=0), MemoryJournal()
    tuning = Tuning.open(asked(), backend, journal, clock=backend.clock)
    tuning.propose(1)
    tuning.launch(1)
    assert tuning.ledger.launching == (1, 1)
    tuning.request_stop("enough")
    drive(tuning)
    assert tuning.ledger.jobs == {}
    assert tuning.ledger.status is TuningStatus.STOPPED


def test_a_stranger_with_our_name_and_fingerprint_is_ended_before_the_record_is() -> None:
    """A job of a trial that the record has lost: it can't be adopted, but it may not be left running."""
    backend, journal = SimulatedBackend(VirtualClock(), endless), MemoryJournal()
    tuning = Tuning.open(asked(jobs=1), backend, journal, clock=backend.clock)
    (trial,) = tuning.propose(1)
    request = tuning._request(trial, 1)
    fields = {**vars(request), "name": "demo-077-00000000", "trial": 77}
    backend.launch(JobRequest(**fields))
    tuning.request_stop("enough")
    drive(tuning)
    assert tuning.ledger.finished
    assert alive(backend) == []


# -- breaking down ----------------------------------------------------------------------------------------


def test_a_job_whose_launch_could_not_be_recorded_is_stopped_with_the_others() -> None:
    backend, journal = SimulatedBackend(VirtualClock(), endless), Full()
    tuning = Tuning.open(asked(2), backend, journal, clock=backend.clock)
    journal.kinds = (Launched,)
    with pytest.raises(JournalError), stop_jobs_on_breakdown(tuning):
        drive(tuning)
    assert len(backend.launches) == 1
    assert alive(backend) == []
    journal.kinds = ()
    again = Tuning.open(asked(2), backend.view(), journal, clock=backend.clock)
    again.launch(1)
    assert list(again.ledger.jobs) == backend.launches


def test_a_controller_that_breaks_down_leaves_the_jobs_of_its_successor_alone() -> None:
    backend, journal = SimulatedBackend(VirtualClock(), endless), MemoryJournal()
    first = Tuning.open(asked(), backend, journal, clock=backend.clock)
    first.propose(1)
    first.launch(1)
    Tuning.open(asked(), backend.view(), journal, clock=backend.clock)

    class Refuses(SimulatedBackend):
        def poll(self, tuning_job: str, names: Sequence[str]) -> Sequence[JobReport]:
            raise BackendError("AWS said no.")

    first.backend = Refuses(backend.clock, endless, None, backend.jobs, backend.launches)
    with pytest.raises(BackendError), stop_jobs_on_breakdown(first):
        drive(first)
    assert alive(backend) == backend.launches


def test_whether_it_is_fenced_is_not_known_without_a_journal() -> None:
    class Unreadable(MemoryJournal):
        broken = False

        def read(self, start: int = 0) -> Sequence[Sequence[Event]]:
            if self.broken:
                raise JournalError("It can't be read.")
            return super().read(start)

    journal = Unreadable()
    tuning = Tuning.open(spec(), SimulatedBackend(VirtualClock(), rising), journal, clock=VirtualClock())
    told = [tuning.is_fenced]
    Tuning.open(spec(), SimulatedBackend(VirtualClock(), rising), journal, clock=VirtualClock())
    told.append(tuning.is_fenced)
    journal.broken = True
    told.append(tuning.is_fenced)
    assert told == [False, True, False]


# -- time -------------------------------------------------------------------------------------------------


def test_a_clock_that_is_set_back_goes_on_as_a_stop_watch() -> None:
    wall, watch = [1000.0], [50.0]
    clock = SystemClock(lambda: wall[0], lambda: watch[0])
    assert clock.now() == 1000.0
    wall[0], watch[0] = 1010.0, 60.0
    assert clock.now() == 1010.0
    wall[0] = 10.0
    assert clock.now() == 1010.0
    watch[0] = 65.0
    assert clock.now() == 1015.0
    wall[0] = 5000.0
    assert clock.now() == 5000.0, "set ahead, it follows: a machine that slept wakes up so"


def test_a_clock_that_was_set_back_between_two_controllers_grants_no_time() -> None:
    clock, journal = VirtualClock(), MemoryJournal()
    backend = SimulatedBackend(clock, endless)
    limited = spec(limits={"max_parallel_training_jobs": 1, "max_runtime_seconds": 60})
    first = Tuning.open(limited, backend, journal, clock=clock)
    first.propose(1)
    first.launch(1)
    clock.advance(30)
    first.observe()
    began = clock.now()
    late = SystemClock(lambda: clock.now() - 3600, clock.now)
    second = Tuning.open(limited, backend.view(), journal, clock=late)
    drive(second)
    assert second.ledger.reasons[0].rule == "MaxRuntimeInSeconds"
    assert clock.now() - began == pytest.approx(30, abs=2)


# -- the fold ---------------------------------------------------------------------------------------------


def test_a_launch_that_is_told_late_or_for_no_trial_changes_nothing() -> None:
    backend, journal = SimulatedBackend(VirtualClock(), endless), MemoryJournal()
    tuning = Tuning.open(asked(), backend, journal, clock=backend.clock)
    tuning.propose(1)
    tuning.launch(1)
    ledger = Ledger.replay(journal.read())
    assert ledger.launching is None
    for event in (Launching(1.0, 1, 1), Launching(1.0, 9, 1), Launching(1.0, 1, 3)):
        ledger.apply(event)
        assert ledger.launching is None
