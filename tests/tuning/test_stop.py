"""Stopping training jobs by the name of their tuning job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.errors import BackendError
from amt_flows.ports import JobRequest
from amt_flows.spec import TrainingJobTemplate
from amt_flows.tuning.stop import stop_until_none_lives


def request(number: int) -> JobRequest:
    return JobRequest(
        f"demo-{number:03d}", "demo", number, 1, {}, "f", TrainingJobTemplate(command=("train",)), "accuracy"
    )


def world(script: Script, kind: type[SimulatedBackend] = SimulatedBackend) -> SimulatedBackend:
    def train(hyperparameters: Mapping[str, str]) -> Script:
        return script

    backend = kind(VirtualClock(), train)
    for number in (1, 2):
        backend.launch(request(number))
    return backend


class LaunchesOneMore(SimulatedBackend):
    """A controller that was about to launch when it was told to stop."""

    def wait(self, timeout: float) -> None:
        if len(self.jobs) == 2:
            self.launch(request(3))
        super().wait(timeout)


class Immortal(SimulatedBackend):
    def stop(self, tuning_job: str, names: Sequence[str], *, kill: bool = False) -> None:
        return None


def test_a_job_that_was_being_launched_is_found_the_next_time() -> None:
    backend = world(Script(hangs=True, stopping_seconds=3.0), LaunchesOneMore)
    stopped = stop_until_none_lives(backend, "demo", kill=False, grace_seconds=60, clock=backend.clock)
    assert stopped == ["demo-001", "demo-002", "demo-003"]
    assert all(job.state.terminal for job in backend.find("demo"))


def test_jobs_get_their_grace_and_are_killed_after_it() -> None:
    backend = world(Script(hangs=True, stopping_seconds=1e6))
    start = backend.clock.now()
    stop_until_none_lives(backend, "demo", kill=False, grace_seconds=60, clock=backend.clock)
    assert 60 <= backend.clock.now() - start <= 80


def test_kill_gives_no_grace() -> None:
    backend = world(Script(hangs=True, stopping_seconds=1e6))
    start = backend.clock.now()
    stop_until_none_lives(backend, "demo", kill=True, grace_seconds=60, clock=backend.clock)
    assert backend.clock.now() - start < 1


def test_what_cannot_be_killed_is_told() -> None:
    backend = world(Script(hangs=True), Immortal)
    with pytest.raises(BackendError, match="demo-001, demo-002"):
        stop_until_none_lives(backend, "demo", kill=False, grace_seconds=5, clock=backend.clock)
