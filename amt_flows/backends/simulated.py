"""A backend in which nothing runs: training jobs are scripts of values on a virtual clock.

Waiting jumps the clock to the next thing that happens, so hours of tuning pass in milliseconds. Tests use it
to try rules and faults, and plans to estimate a tuning job before money is spent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from amt_flows.errors import CapacityUnavailable, NameTaken, Problem
from amt_flows.ports import FoundJob, JobReport, JobRequest, JobState, Launch, MetricPoint
from amt_flows.spec import TuningSpec


class VirtualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds


@dataclass(frozen=True)
class Script:
    """What a simulated training job will do: emit ``values`` of the objective, one after each
    ``seconds_per_epoch``, and then end. Times are in seconds."""

    values: Sequence[float] = ()
    seconds_per_epoch: float = 1.0
    startup_seconds: float = 0.0
    end: JobState = JobState.COMPLETED
    infrastructure: bool = False
    failure: str | None = None
    stopping_seconds: float = 0.0
    hangs: bool = False
    """Never ends by itself."""
    checkpoints: bool = False
    """A further attempt at its trial goes on after the last value of the one before."""
    counts_from: int = 1
    """What it calls its first epoch."""


@dataclass
class _Job:
    request: JobRequest
    script: Script
    launched_at: float
    values: Sequence[float]
    """Those of its script that no earlier attempt has emitted."""
    done: int = 0
    """How many those are that one has."""
    stop_at: float | None = None
    gone_at: float | None = None
    _emitted: int = 0
    """As of the last look, from which the next one goes on."""

    @property
    def started_at(self) -> float:
        return self.launched_at + self.script.startup_seconds

    @property
    def natural_end(self) -> float:
        if self.script.hangs:
            return float("inf")
        return self.started_at + len(self.values) * self.script.seconds_per_epoch

    @property
    def limit_end(self) -> float:
        limit = self.request.template.max_runtime_seconds
        return float("inf") if limit is None else self.started_at + limit

    @property
    def ended_at(self) -> float:
        ends = [self.natural_end, self.limit_end]
        if self.gone_at is not None:
            ends.append(self.gone_at)
        if self.stop_at is not None:
            ends.append(self.stop_at + self.script.stopping_seconds)
        return min(ends)

    def emitted_at(self, epoch: int) -> float:
        return self.started_at + epoch * self.script.seconds_per_epoch

    def told(self, epoch: int) -> int | None:
        """What it calls its ``epoch``-th value, where that is another number."""
        told = self.done + epoch + self.script.counts_from - 1
        return None if told == epoch else told

    def emitted(self, now: float) -> int:
        """How many values were emitted by ``now``."""
        until = min(now, self.ended_at) + 1e-9
        done = self._emitted if self.emitted_at(self._emitted) <= until else 0
        while done < len(self.values) and self.emitted_at(done + 1) <= until:
            done += 1
        self._emitted = done
        return done

    def state(self, now: float) -> JobState:
        if now < self.ended_at:
            if self.stop_at is not None:
                return JobState.STOPPING
            return JobState.RUNNING if now >= self.started_at else JobState.STARTING
        if self.ended_at == self.gone_at:
            return JobState.LOST
        return self.script.end if self.ended_at == self.natural_end else JobState.STOPPED


class _Jobs(dict[str, _Job]):
    """All jobs by their names in small letters, and which of them had not ended at the last look: an old
    world isn't asked about every job that it has ever had."""

    def __init__(self) -> None:
        super().__init__()
        self._running: dict[str, _Job] = {}

    def add(self, job: _Job) -> None:
        name = job.request.name.lower()
        self[name] = self._running[name] = job

    def still_running(self, now: float) -> dict[str, _Job]:
        for name in [name for name, job in self._running.items() if job.state(now).terminal]:
            del self._running[name]
        return self._running


@dataclass
class SimulatedBackend:
    """Runs ``train(hyperparameters)``'s scripts. Several controllers may share one object; the points that
    were reported are remembered per ``poll`` caller only if each has its own view from :meth:`view`."""

    clock: VirtualClock
    train: Callable[[Mapping[str, str]], Script]
    capacity: int | None = None
    jobs: _Jobs = field(default_factory=_Jobs)
    launches: list[str] = field(default_factory=list)
    """Every training job that was really started, in order: the proof that none was twice."""
    _reported: dict[str, int] = field(default_factory=dict)
    _awaited: set[str] = field(default_factory=set)
    """Jobs that this view was asked about and whose end it has not reported."""

    def view(self) -> SimulatedBackend:
        """The same world as a new controller meets it."""
        return SimulatedBackend(self.clock, self.train, self.capacity, self.jobs, self.launches)

    def check(self, spec: TuningSpec) -> Sequence[Problem]:
        return ()

    def launch(self, request: JobRequest) -> Launch:
        existing = self.jobs.get(request.name.lower())
        if existing is not None:
            if existing.request.fingerprint != request.fingerprint:
                raise NameTaken(f"The training job {request.name} exists already and is not ours.")
            return Launch.ATTACHED
        now = self.clock.now()
        if self.capacity is not None:
            busy = len(self.jobs.still_running(now))
            if busy >= self.capacity:
                raise CapacityUnavailable(f"All {self.capacity} places are taken.")
        script = self.train(request.hyperparameters)
        done = self._done_before(request, now) if script.checkpoints else 0
        self.jobs.add(_Job(request, script, now, script.values[done:], done))
        self.launches.append(request.name)
        return Launch.STARTED

    def _done_before(self, request: JobRequest, now: float) -> int:
        """How many values earlier attempts at the same trial have emitted."""
        same = request.tuning_job, request.trial
        earlier = [job for job in self.jobs.values() if (job.request.tuning_job, job.request.trial) == same]
        return max((job.done + job.emitted(now) for job in earlier), default=0)

    def poll(self, tuning_job: str, names: Sequence[str]) -> Sequence[JobReport]:
        return [self._report(name) for name in names]

    def _report(self, name: str) -> JobReport:
        job, now = self.jobs.get(name.lower()), self.clock.now()
        if job is None:
            return JobReport(name, JobState.LOST, ended_at=now)
        self._awaited.add(job.request.name)
        emitted, reported = job.emitted(now), self._reported.get(name, 0)
        self._reported[name] = emitted
        points = tuple(
            MetricPoint(job.request.objective_metric, epoch, job.values[epoch - 1], job.told(epoch))
            for epoch in range(reported + 1, emitted + 1)
        )
        state = job.state(now)
        if state.terminal:
            self._awaited.discard(job.request.name)
        return JobReport(
            name,
            state,
            points,
            started_at=job.started_at if now >= job.started_at else None,
            ended_at=job.ended_at if state.terminal else None,
            timed_out=state is JobState.STOPPED and job.ended_at == job.limit_end,
            infrastructure=state is JobState.FAILED and job.script.infrastructure,
            failure=(job.script.failure or "simulated failure") if state is JobState.FAILED else None,
            checkpoints=f"simulated:{name}" if state.terminal and job.script.checkpoints else None,
            artifact=f"simulated:{name}" if state in (JobState.COMPLETED, JobState.STOPPED) else None,
        )

    def stop(self, tuning_job: str, names: Sequence[str], *, kill: bool = False) -> None:
        now = self.clock.now()
        for name in names:
            job = self.jobs.get(name.lower())
            if job is None or job.state(now).terminal:
                continue
            if job.stop_at is None:
                job.stop_at = now
            if kill:
                job.stop_at = min(job.stop_at, now - job.script.stopping_seconds)

    def lose(self, name: str) -> None:
        """The job's machine vanishes now."""
        self.jobs[name.lower()].gone_at = self.clock.now()

    @property
    def address(self) -> str:
        return "simulated"

    def find(self, tuning_job: str) -> Sequence[FoundJob]:
        now = self.clock.now()
        return [
            FoundJob(
                job.request.name,
                job.request.trial,
                job.request.attempt,
                job.request.fingerprint,
                job.request.hyperparameters,
                job.state(now),
                job.request.seed,
            )
            for job in self.jobs.values()
            if job.request.tuning_job.lower() == tuning_job.lower()
        ]

    def wait(self, timeout: float) -> None:
        """Move the clock to the next change of any job, or by ``timeout``; an end that was not reported
        yet is a change that has come."""
        now = self.clock.now()
        target = min(now + timeout, self.next_change())
        # At least a little: a caller that waits for a time it has reached must not wait for ever.
        self.clock.advance(max(target - now, 1e-6))

    def next_change(self) -> float:
        """When something happens next to a job, as far as this view has not reported it; infinite: never."""
        now = self.clock.now()
        running = self.jobs.still_running(now)
        if any(name.lower() not in running for name in self._awaited):
            return now
        return min((t for job in running.values() for t in self._changes(job, now)), default=float("inf"))

    def _changes(self, job: _Job, now: float) -> list[float]:
        times = [job.started_at, job.ended_at]
        if job.emitted(now) < len(job.values):
            times.append(job.emitted_at(job.emitted(now) + 1))
        return [t for t in times if now < t < float("inf")]
