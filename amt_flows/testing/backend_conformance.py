"""The contract of a :class:`amt_flows.ports.Backend`, as a test class to inherit from.

    class TestMyBackend(BackendConformance):
        def make(self, place): return MyBackend(place)
        def template(self, behaviour): return TrainingJobTemplate(command=SCRIPTS[behaviour])

``make`` is called more than once with the same place, as several controllers would, and must then reach the
same training jobs. Nothing here sleeps: time passes in ``Backend.wait`` alone, be it real or simulated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import ClassVar

import pytest

from amt_flows.errors import NameTaken
from amt_flows.ledger.names import training_job_name
from amt_flows.ports import Backend, JobReport, JobRequest, JobState, Launch, MetricPoint
from amt_flows.spec import TrainingJobTemplate

TUNING_JOB = "conformance"
OBJECTIVE = "validation:accuracy"
CURVE = (0.5, 0.625, 0.75)
FIRST_VALUES = (0.25, 0.375)
REASON = "the loss exploded"


class Behaviour(str, Enum):
    """What a training job of the suite does. It gets this as its hyperparameter ``behaviour`` too, for
    backends that simulate jobs by their hyperparameters."""

    SUCCEED = "succeed"
    """Emits ``CURVE`` as values of ``OBJECTIVE``, leaves a model, and ends well."""
    FAIL = "fail"
    """Emits the first value of ``CURVE`` and fails with a reason in which ``REASON`` stands."""
    RUN = "run"
    """Emits ``FIRST_VALUES`` and runs on until it is asked to stop."""
    IGNORE_STOP = "ignore stop"
    """Emits ``FIRST_VALUES`` and runs on, whatever it is asked; only the end of its grace time ends it."""


Reports = Mapping[str, JobReport]


class Controller:
    """A backend as a controller uses it: it waits, polls, and keeps every value it was told."""

    def __init__(self, backend: Backend, patience_seconds: float) -> None:
        self.backend = backend
        self.points: dict[str, list[MetricPoint]] = {}
        self._patience_seconds = patience_seconds

    def poll(self, *names: str) -> dict[str, JobReport]:
        reports = self.backend.poll(TUNING_JOB, names)
        assert [report.name for report in reports] == list(names), "one report per name, in the same order"
        for report in reports:
            self.points.setdefault(report.name, []).extend(report.points)
        return {report.name: report for report in reports}

    def until(self, condition: Callable[[Reports], bool], *names: str) -> dict[str, JobReport]:
        """Poll until a condition holds for the reports, and return these."""
        give_up_at = time.monotonic() + self._patience_seconds
        while True:
            reports = self.poll(*names)
            if condition(reports):
                return reports
            assert time.monotonic() < give_up_at, f"in vain waited for {names}: {reports}"
            self.backend.wait(1.0)

    def until_ended(self, name: str) -> JobReport:
        return self.until(lambda reports: reports[name].state.terminal, name)[name]

    def until_values(self, name: str, count: int) -> None:
        self.until(lambda _: len(self.points[name]) >= count, name)

    def values(self, name: str) -> list[tuple[int, float]]:
        return [(p.epoch, p.value) for p in self.points.get(name, ()) if p.metric == OBJECTIVE]


def curve(values: Sequence[float]) -> list[tuple[int, float]]:
    return list(enumerate(values, start=1))


class BackendConformance:
    """Inherit, and define ``make`` and ``template``."""

    patience_seconds: ClassVar[float] = 30.0
    """Real time after which a test gives up waiting."""

    def make(self, place: Path) -> Backend:
        raise NotImplementedError

    def template(self, behaviour: Behaviour) -> TrainingJobTemplate:
        """How a job of this behaviour is run; its grace time should be well below ``patience_seconds``."""
        raise NotImplementedError

    # -- what the tests use ----------------------------------------------------------------------

    def controller(self, place: Path) -> Controller:
        return Controller(self.make(place), self.patience_seconds)

    def request(
        self, behaviour: Behaviour, *, trial: int = 1, attempt: int = 1, fingerprint: str = "f" * 64
    ) -> JobRequest:
        hyperparameters = {"behaviour": behaviour.value, "rate": "0.1", "note": "two words; $HOME"}
        return JobRequest(
            name=training_job_name(TUNING_JOB, trial, hyperparameters, attempt),
            tuning_job=TUNING_JOB,
            trial=trial,
            attempt=attempt,
            hyperparameters=hyperparameters,
            fingerprint=fingerprint,
            template=self.template(behaviour),
            objective_metric=OBJECTIVE,
        )

    @pytest.fixture(autouse=True)
    def _ends_everything(self, tmp_path: Path) -> Iterator[None]:
        yield
        controller = self.controller(tmp_path)
        left = [job.name for job in controller.backend.find(TUNING_JOB) if not job.state.terminal]
        controller.backend.stop(TUNING_JOB, left, kill=True)
        controller.until(lambda reports: all(r.state.terminal for r in reports.values()), *left)

    # -- the contract ----------------------------------------------------------------------------

    def test_is_a_backend(self, tmp_path: Path) -> None:
        assert isinstance(self.make(tmp_path), Backend)

    def test_a_job_runs_to_its_end_and_all_values_come_in_order(self, tmp_path: Path) -> None:
        controller, request = self.controller(tmp_path), self.request(Behaviour.SUCCEED)
        assert controller.backend.launch(request) is Launch.STARTED
        report = controller.until_ended(request.name)
        assert report.state is JobState.COMPLETED
        assert controller.values(request.name) == curve(CURVE)
        assert report.failure is None
        assert not report.timed_out
        assert not report.infrastructure
        assert report.artifact is not None

    def test_times_are_those_of_the_run(self, tmp_path: Path) -> None:
        controller, request = self.controller(tmp_path), self.request(Behaviour.SUCCEED)
        controller.backend.launch(request)
        report = controller.until_ended(request.name)
        assert report.started_at is not None
        assert report.ended_at is not None
        assert 0 < report.started_at <= report.ended_at

    def test_a_running_job_is_running_with_its_values_so_far(self, tmp_path: Path) -> None:
        controller, request = self.controller(tmp_path), self.request(Behaviour.RUN)
        controller.backend.launch(request)
        controller.until_values(request.name, len(FIRST_VALUES))
        report = controller.poll(request.name)[request.name]
        assert report.state is JobState.RUNNING
        assert report.ended_at is None
        assert controller.values(request.name) == curve(FIRST_VALUES)

    def test_values_are_told_once_by_an_object_and_all_again_by_the_next(self, tmp_path: Path) -> None:
        controller, request = self.controller(tmp_path), self.request(Behaviour.SUCCEED)
        controller.backend.launch(request)
        controller.until_ended(request.name)
        again = controller.poll(request.name)[request.name]
        assert again.points == ()
        assert again.state is JobState.COMPLETED
        successor = self.controller(tmp_path)
        report = successor.poll(request.name)[request.name]
        assert report.state is JobState.COMPLETED
        assert successor.values(request.name) == curve(CURVE)

    def test_no_value_comes_after_the_end(self, tmp_path: Path) -> None:
        controller = self.controller(tmp_path)
        requests = [self.request(Behaviour.SUCCEED, trial=trial) for trial in range(1, 5)]
        for request in requests:
            controller.backend.launch(request)
        for request in requests:
            controller.until_ended(request.name)
            assert controller.values(request.name) == curve(CURVE)

    def test_a_failure_carries_its_reason(self, tmp_path: Path) -> None:
        controller, request = self.controller(tmp_path), self.request(Behaviour.FAIL)
        controller.backend.launch(request)
        report = controller.until_ended(request.name)
        assert report.state is JobState.FAILED
        assert not report.infrastructure
        assert REASON in (report.failure or "")
        assert controller.values(request.name) == curve(CURVE[:1])

    def test_launching_a_running_job_again_attaches_to_it(self, tmp_path: Path) -> None:
        controller, request = self.controller(tmp_path), self.request(Behaviour.RUN)
        assert controller.backend.launch(request) is Launch.STARTED
        assert controller.backend.launch(request) is Launch.ATTACHED
        assert self.make(tmp_path).launch(request) is Launch.ATTACHED
        controller.until_values(request.name, len(FIRST_VALUES))
        controller.backend.stop(TUNING_JOB, [request.name])
        controller.until_ended(request.name)
        # A second execution would have told its values too.
        assert controller.values(request.name) == curve(FIRST_VALUES)

    def test_launching_an_ended_job_again_runs_nothing(self, tmp_path: Path) -> None:
        controller, request = self.controller(tmp_path), self.request(Behaviour.SUCCEED)
        controller.backend.launch(request)
        ended_at = controller.until_ended(request.name).ended_at
        successor = self.controller(tmp_path)
        assert successor.backend.launch(request) is Launch.ATTACHED
        assert successor.until_ended(request.name).ended_at == ended_at
        assert successor.values(request.name) == curve(CURVE)

    def test_a_name_belongs_to_one_spec(self, tmp_path: Path) -> None:
        backend = self.make(tmp_path)
        backend.launch(self.request(Behaviour.RUN))
        with pytest.raises(NameTaken):
            backend.launch(self.request(Behaviour.RUN, fingerprint="0" * 64))

    def test_a_stopped_job_keeps_its_values(self, tmp_path: Path) -> None:
        controller, request = self.controller(tmp_path), self.request(Behaviour.RUN)
        controller.backend.launch(request)
        controller.until_values(request.name, len(FIRST_VALUES))
        controller.backend.stop(TUNING_JOB, [request.name])
        report = controller.until_ended(request.name)
        assert report.state is JobState.STOPPED
        assert not report.timed_out
        assert controller.values(request.name) == curve(FIRST_VALUES)

    def test_a_job_can_be_stopped_right_after_its_launch(self, tmp_path: Path) -> None:
        controller, request = self.controller(tmp_path), self.request(Behaviour.RUN)
        controller.backend.launch(request)
        controller.backend.stop(TUNING_JOB, [request.name])
        assert controller.until_ended(request.name).state is JobState.STOPPED

    def test_a_job_that_ignores_the_request_is_ended_after_its_grace_time(self, tmp_path: Path) -> None:
        controller, request = self.controller(tmp_path), self.request(Behaviour.IGNORE_STOP)
        controller.backend.launch(request)
        controller.until_values(request.name, len(FIRST_VALUES))
        controller.backend.stop(TUNING_JOB, [request.name])
        assert controller.until_ended(request.name).state is JobState.STOPPED

    def test_kill_ends_a_job_that_is_stopping(self, tmp_path: Path) -> None:
        controller, request = self.controller(tmp_path), self.request(Behaviour.IGNORE_STOP)
        controller.backend.launch(request)
        controller.until_values(request.name, len(FIRST_VALUES))
        controller.backend.stop(TUNING_JOB, [request.name])
        controller.backend.stop(TUNING_JOB, [request.name], kill=True)
        assert controller.until_ended(request.name).state is JobState.STOPPED

    def test_stopping_what_is_stopping_ended_or_unknown_does_nothing(self, tmp_path: Path) -> None:
        controller = self.controller(tmp_path)
        done, running = self.request(Behaviour.SUCCEED), self.request(Behaviour.RUN, trial=2)
        controller.backend.launch(done)
        controller.backend.launch(running)
        before = controller.until_ended(done.name)
        for kill in (False, True):
            controller.backend.stop(TUNING_JOB, [done.name, f"{TUNING_JOB}-099-00000000"], kill=kill)
            controller.backend.stop("never-seen", [done.name], kill=kill)
        controller.backend.stop(TUNING_JOB, [running.name])
        controller.backend.stop(TUNING_JOB, [running.name])
        assert controller.until_ended(running.name).state is JobState.STOPPED
        after = controller.poll(done.name)[done.name]
        assert (after.state, after.ended_at) == (JobState.COMPLETED, before.ended_at)

    def test_an_unknown_job_is_lost(self, tmp_path: Path) -> None:
        name = f"{TUNING_JOB}-001-00000000"
        report = self.controller(tmp_path).poll(name)[name]
        assert report.state is JobState.LOST
        assert report.points == ()

    def test_jobs_are_found_by_the_tuning_jobs_name(self, tmp_path: Path) -> None:
        controller = self.controller(tmp_path)
        assert list(controller.backend.find(TUNING_JOB)) == []
        done, running = self.request(Behaviour.SUCCEED), self.request(Behaviour.RUN, trial=12, attempt=2)
        controller.backend.launch(done)
        controller.backend.launch(running)
        controller.until_ended(done.name)
        controller.until_values(running.name, 1)
        found = {job.name: job for job in self.make(tmp_path).find(TUNING_JOB)}
        assert found.keys() == {done.name, running.name}
        for request in (done, running):
            job = found[request.name]
            assert (job.trial, job.attempt) == (request.trial, request.attempt)
            assert job.fingerprint == request.fingerprint
            assert dict(job.hyperparameters) == dict(request.hyperparameters)
        assert found[done.name].state is JobState.COMPLETED
        assert found[running.name].state is JobState.RUNNING

    def test_a_successor_takes_a_running_job_over(self, tmp_path: Path) -> None:
        first, request = self.controller(tmp_path), self.request(Behaviour.RUN)
        first.backend.launch(request)
        first.until_values(request.name, len(FIRST_VALUES))
        successor = self.controller(tmp_path)
        assert successor.backend.launch(request) is Launch.ATTACHED
        successor.until_values(request.name, len(FIRST_VALUES))
        successor.backend.stop(TUNING_JOB, [request.name])
        assert successor.until_ended(request.name).state is JobState.STOPPED
        assert successor.values(request.name) == curve(FIRST_VALUES)
        # And the first one learns of it.
        assert first.until_ended(request.name).state is JobState.STOPPED

    def test_waiting_ends_soon_after_a_job_does(self, tmp_path: Path) -> None:
        controller, request = self.controller(tmp_path), self.request(Behaviour.SUCCEED)
        controller.backend.launch(request)
        started = time.monotonic()
        while not controller.poll(request.name)[request.name].state.terminal:
            controller.backend.wait(10 * self.patience_seconds)
            assert time.monotonic() - started < self.patience_seconds

    def test_waiting_for_no_time_at_all_returns(self, tmp_path: Path) -> None:
        controller, request = self.controller(tmp_path), self.request(Behaviour.RUN)
        controller.backend.wait(0.0)
        controller.backend.launch(request)
        for _ in range(3):
            controller.backend.wait(0.0)
