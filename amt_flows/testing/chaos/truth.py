"""What is true of training jobs, told by the simulation that runs them and by nobody else."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.ports import Backend, JobRequest, JobState
from amt_flows.testing.chaos.faults import Fault
from amt_flows.testing.chaos.plan import Plan, Trainer

Sleep = Callable[[float], None]


@dataclass(frozen=True)
class TrueJob:
    """A training job that really was started. ``seconds`` is how long it has trained, ``value`` the last
    value of the objective that it printed, ``retryable`` whether it ended through no fault of its own."""

    name: str
    trial: int
    attempt: int
    hyperparameters: Mapping[str, str]
    state: JobState
    seconds: float
    retryable: bool
    value: float | None

    @property
    def alive(self) -> bool:
        return not self.state.terminal

    @property
    def finite(self) -> bool:
        return self.value is not None and math.isfinite(self.value)


class Truth(Protocol):
    """A place where training jobs run, and its time."""

    def now(self) -> float: ...

    def advance(self, seconds: float) -> None: ...

    def jobs(self) -> Sequence[TrueJob]:
        """Every job that was ever started, in order."""
        ...

    def backend(self, sleep: Sleep) -> Backend:
        """The backend as a new controller meets it. It waits by ``sleep``."""
        ...

    def strike(self, fault: Fault, chance: random.Random) -> bool:
        """Let a fault happen to what training jobs run on. Whether that could be."""
        ...


class SimulatedJobs:
    """Training jobs of the simulated backend."""

    def __init__(self, plan: Plan, faults: Counter[Fault]) -> None:
        self.clock = VirtualClock()
        self._trainer, self._faults = Trainer(plan), faults
        self._jobs = SimulatedBackend(self.clock, self._train, plan.capacity)

    def _train(self, hyperparameters: Mapping[str, str]) -> Script:
        script, fault = self._trainer(hyperparameters)
        if fault is not None:
            self._faults[fault] += 1
        return script

    def now(self) -> float:
        return self.clock.now()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def jobs(self) -> Sequence[TrueJob]:
        now, found = self.clock.now(), []
        for job in self._jobs.jobs.values():
            state, emitted, asked = job.state(now), job.emitted(now), job.request
            found.append(
                TrueJob(
                    name=asked.name,
                    trial=asked.trial,
                    attempt=asked.attempt,
                    hyperparameters=asked.hyperparameters,
                    state=state,
                    seconds=max(0.0, min(job.ended_at, now) - job.started_at),
                    retryable=state is JobState.LOST
                    or (state is JobState.FAILED and job.script.infrastructure),
                    value=job.values[emitted - 1] if emitted else None,
                )
            )
        return found

    def backend(self, sleep: Sleep) -> Backend:
        return _Waiting(self._jobs, sleep)

    def strike(self, fault: Fault, chance: random.Random) -> bool:
        alive = [job.name for job in self.jobs() if job.alive]
        if fault is not Fault.JOB_LOST or not alive:
            return False
        self._jobs.lose(chance.choice(alive))
        return True


class _Waiting(SimulatedBackend):
    """A view that lets others move while it waits."""

    def __init__(self, jobs: SimulatedBackend, sleep: Sleep) -> None:
        super().__init__(jobs.clock, jobs.train, jobs.capacity, jobs.jobs, jobs.launches)
        self._sleep = sleep

    def wait(self, timeout: float) -> None:
        self._sleep(min(timeout, self.next_change() - self.clock.now()))


def starts_again(before: Sequence[TrueJob], request: JobRequest, *, resumes: bool = False) -> str | None:
    """What is wrong with starting this attempt beside the jobs before it, if anything is. ``resumes``: one
    that was stopped may be gone on with."""
    who = f"attempt {request.attempt} at trial {request.trial}"
    for job in before:
        if job.trial != request.trial:
            continue
        if job.attempt == request.attempt:
            return f"{who} was started twice, as {job.name} and as {request.name}"
        if dict(job.hyperparameters) != dict(request.hyperparameters):
            return f"{who} has other hyperparameters than {job.name}"
        over = job.retryable or (resumes and job.state is JobState.STOPPED)
        if job.attempt < request.attempt and (job.alive or not over):
            return f"{who} was started while {job.name} was {job.state.value}"
    return None
