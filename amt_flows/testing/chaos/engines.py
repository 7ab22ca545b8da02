"""The same schedules on engines of others, a Ray cluster or a work pool, in virtual time: their workers
killed, their server away, their jobs forgotten, their answers lost.

What is simulated is the engine, the machines that it has, and what a worker does there: which files it writes
to the directory that all share, and which it heeds. All that a controller does is the real thing.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amt_flows.backends.attended import backend as attended_room
from amt_flows.backends.attended.backend import AttendedBackend
from amt_flows.backends.attended.engine import EngineJob, EngineState, Order
from amt_flows.backends.local import backend as local_room
from amt_flows.backends.local import state as state_room
from amt_flows.backends.local.paths import JobPaths, TuningPaths
from amt_flows.backends.local.process import read_json
from amt_flows.backends.local.state import Leases
from amt_flows.backends.local_worker.claims import claim, wish
from amt_flows.backends.local_worker.job import ended
from amt_flows.backends.local_worker.lease import RENEWALS, lease_text
from amt_flows.backends.local_worker.records import write_json
from amt_flows.backends.simulated import Script, VirtualClock
from amt_flows.errors import CapacityUnavailable, NameTaken, Problem
from amt_flows.ports import Backend, JobRequest, JobState, Launch, Room
from amt_flows.spec import Resources, TuningSpec
from amt_flows.testing.chaos.faults import Fault
from amt_flows.testing.chaos.journals import TextJournal
from amt_flows.testing.chaos.plan import METRIC, Plan
from amt_flows.testing.chaos.simulation import Tell, Told, play
from amt_flows.testing.chaos.truth import Sleep, TrueJob
from amt_flows.testing.chaos.world import World
from amt_flows.tuning.engine import Tuning

KINDS = (
    Fault.KILLED,
    Fault.ANSWER_LOST,
    Fault.INTERRUPTED,
    Fault.FROZEN,
    Fault.RIVAL,
    Fault.USER_STOP,
    Fault.CLOCK_AHEAD,
    Fault.CLOCK_BACK,
    Fault.WORKER_KILLED,
    Fault.WORKER_KILLED,
    Fault.SERVER_AWAY,
    Fault.SERVER_AWAY,
    Fault.FORGOTTEN,
)
LEASE_SECONDS, GRACE_SECONDS, MAX_RUNTIME_SECONDS = 30.0, 60.0, 900
LOOK_SECONDS = 5.0
"""How long a controller waits at the most: a lease that is not renewed is no change that anybody tells."""
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of its own below it
ELSEWHERE = {"pid": 1, "guard": 1, "start": "0", "boot": "another machine", "space": ""}


def run_engine_schedule(seed: int, tell: Tell = lambda line: None, *, engine: type[Tuning] = Tuning) -> Told:
    """Play a seed's schedule on a simulated engine, with the record in memory."""
    plan = engine_plan_of(seed)
    faults: Counter[Fault] = Counter()
    below = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
    place = Path(tempfile.mkdtemp(prefix="amt-flows-chaos-", dir=below))
    clock, shared = VirtualClock(), TextJournal()
    try:
        with time_of(clock):
            truth = EngineJobs(plan, clock, place, faults)
            world = World(plan, random.Random(f"faults {seed}"), truth, shared, faults, tell)
            truth.broken = world.broken
            return play(world, lambda sleep: shared, engine)
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def time_of(clock: VirtualClock) -> Iterator[None]:
    """The clock in place of the time that the backend's files look at."""
    rooms: Sequence[Any] = (attended_room, local_room, state_room)
    usual = [room.time for room in rooms]
    for room in rooms:
        room.time = _Time(clock, room.time)
    try:
        yield
    finally:
        for room, time in zip(rooms, usual, strict=True):
            room.time = time


class _Time:
    def __init__(self, clock: VirtualClock, usual: Any) -> None:
        self.time = self.monotonic = clock.now
        self._usual = usual

    def __getattr__(self, name: str) -> Any:
        return getattr(self._usual, name)


def engine_plan_of(seed: int) -> Plan:
    chance = random.Random(f"engine plan {seed}")
    some = chance.random() < 0.5
    return Plan(
        seed=seed,
        spec=_spec(seed, chance),
        kinds=tuple(kind for kind in KINDS if not some or chance.random() < 0.6) or (Fault.KILLED,),
        faults=chance.choice((2, 5, 10, 20)),
        rate=chance.choice((0.02, 0.05, 0.1)),
        capacity=chance.choice((1, 2, 4, 8)),
        on_disk=False,
        machines_break=False,
        seconds_per_epoch=30.0,
    )


def _spec(seed: int, chance: random.Random) -> TuningSpec:
    return TuningSpec(
        name="chaos",
        seed=seed,
        objective={"metric_name": METRIC},
        strategy="Random",
        continuous=[{"name": "x", "min_value": 0.001, "max_value": 1.0}],
        limits={
            "max_parallel_training_jobs": chance.choice((1, 2, 4)),
            "max_number_of_training_jobs": chance.randint(2, 8),
            "max_runtime_seconds": chance.choice((None, None, 1800)),
            "max_cost": chance.choice((None, 6.0)),
        },
        early_stopping={"type": chance.choice(("Off", "Auto")), "min_jobs": 2},
        training_job={
            "command": ["train"],
            "price_per_hour": 3.6,
            "max_runtime_seconds": MAX_RUNTIME_SECONDS,
            "stop_grace_seconds": GRACE_SECONDS,
            "max_retry_attempts": chance.randint(0, 3),
        },
    )


@dataclass
class _Worker:
    """What runs a job on a machine of the engine's: its claim is made, and it writes what a worker writes."""

    paths: JobPaths
    began_at: float
    metric: str
    script: Script
    stop_at: float | None = None
    ended_at: float | None = None
    killed: bool = False
    written: int = 0

    @property
    def live(self) -> bool:
        return self.ended_at is None

    @property
    def values(self) -> Sequence[float]:
        return self.script.values

    @property
    def seconds_per_epoch(self) -> float:
        return self.script.seconds_per_epoch

    @property
    def natural_end(self) -> float:
        return self.began_at + len(self.values) * self.seconds_per_epoch

    @property
    def due(self) -> float:
        """When something happens next: a value, or its end."""
        ends = min(self.natural_end, self.began_at + MAX_RUNTIME_SECONDS)
        ends = ends if self.stop_at is None else min(ends, self.stop_at)
        return min(ends, self.began_at + (self.written + 1) * self.seconds_per_epoch)

    def move_to(self, now: float) -> None:
        if not self.live:
            return
        while self.live and self.due <= now:
            self._step(self.due)
        if self.live:
            beats = 1 + int((now - self.began_at) * RENEWALS / LEASE_SECONDS)
            self.paths.lease.write_bytes(lease_text(beats, LEASE_SECONDS))

    def _step(self, now: float) -> None:
        if (
            self.written < len(self.values)
            and now >= self.began_at + (self.written + 1) * self.seconds_per_epoch
        ):
            self.written += 1
            content = {"metric": self.metric, "epoch": self.written, "value": self.values[self.written - 1]}
            with self.paths.values.open("a") as file:
                file.write(json.dumps(content) + "\n")
        if now >= self.natural_end:
            self.end(self.script.end.value, now)
        elif self.stop_at is not None and now >= self.stop_at:
            self.end("stopped", now)
        elif now >= self.began_at + MAX_RUNTIME_SECONDS:
            self.end("stopped", now, timed_out=True)

    def end(self, state: str, now: float, *, timed_out: bool = False) -> None:
        failure = "it crashed" if state == "failed" else None
        self.ended_at = now
        if not self.paths.end.exists():
            content = ended(
                state, started_at=self.began_at, ended_at=now, failure=failure, timed_out=timed_out
            )
            write_json(str(self.paths.end), content)

    def kill(self, now: float) -> None:
        """With its machine: it leaves no word."""
        self.killed, self.ended_at = True, now


@dataclass
class EngineJobs:
    """Training jobs of an engine. A job is there once its directory is."""

    plan: Plan
    clock: VirtualClock
    place: Path
    faults: Counter[Fault]
    tuning_job: str = "chaos"
    away_until: float = 0.0
    broken: Callable[[str, str], None] = lambda promise, seen: None
    orders: dict[str, Order] = field(default_factory=dict)
    """What the engine knows, by name."""
    most_delay: float = 60.0
    """How long a machine takes at the most until it begins with a job."""
    _due: dict[str, float] = field(default_factory=dict)
    """When a machine is going to begin with a job that waits."""
    workers: dict[str, _Worker] = field(default_factory=dict)
    prepared: dict[str, JobRequest] = field(default_factory=dict)
    """Every job whose directory was made, in order."""

    def __post_init__(self) -> None:
        self.chance = random.Random(f"engine {self.plan.seed}")
        self.refuses = self.chance.random() < 0.5
        """As Ray is asked: no more are submitted than there is room for."""

    def paths(self, name: str) -> JobPaths:
        return JobPaths(self.place / self.tuning_job / "jobs" / name)

    # -- the truth -------------------------------------------------------------------------------

    def now(self) -> float:
        return self.clock.now()

    def advance(self, seconds: float) -> None:
        until = self.now() + seconds
        self._see_wishes()
        while (at := self.next_change()) <= until:
            self.clock.advance(max(0.0, at - self.now()))
            self._move()
        self.clock.advance(max(0.0, until - self.now()))
        self._move()

    def next_change(self) -> float:
        free = len(self.running()) < (self.plan.capacity or 1)
        begins = [max(at, self.now()) for at in self._due.values()] if free else []
        return min([worker.due for worker in self.running()] + begins, default=float("inf"))

    def running(self) -> list[_Worker]:
        return [worker for worker in self.workers.values() if worker.live]

    def _move(self) -> None:
        for worker in self.running():
            worker.move_to(self.now())
        for name, at in sorted(self._due.items(), key=lambda one: one[1]):
            if at <= self.now() and len(self.running()) < (self.plan.capacity or 1):
                del self._due[name]
                self._begin(name)

    def _begin(self, name: str) -> None:
        order, now = self.orders[name], self.now()
        paths = JobPaths(order.directory)
        lock = claim(str(paths.directory), json.dumps(ELSEWHERE).encode())
        if lock is None:
            return  # nobody wants it any more
        os.close(lock)
        request = order.request
        for other in self.workers.values():
            if other.live and self.prepared[other.paths.directory.name].trial == request.trial:
                self.broken("doubled", f"{request.name} began while {other.paths.directory.name} trained")
        script = self.train(request.hyperparameters)
        starts_at = now + script.startup_seconds
        worker = self.workers[name] = _Worker(paths, starts_at, request.objective_metric, script)
        if wish(str(paths.directory)):
            worker.end("stopped", now)
            return
        write_json(str(paths.process), {**ELSEWHERE, "started_at": starts_at})

    def train(self, hyperparameters: Mapping[str, str]) -> Script:
        """What a training job does: the same for the same configuration."""
        fate = random.Random(f"{self.plan.seed} {hyperparameters['x']}")
        return Script(
            [round(fate.random(), 4) for _ in range(fate.randint(2, 6))],
            seconds_per_epoch=fate.uniform(20, 40),
            stopping_seconds=fate.uniform(0, GRACE_SECONDS),
            end=JobState.FAILED if fate.random() < 0.08 else JobState.COMPLETED,
        )

    def _see_wishes(self) -> None:
        for worker in self.running():
            wanted = wish(str(worker.paths.directory))
            if wanted == "kill":
                worker.end("stopped", self.now())
            elif wanted and worker.stop_at is None:
                worker.stop_at = self.now() + worker.script.stopping_seconds

    def jobs(self) -> Sequence[TrueJob]:
        self._see_wishes()
        return [self._true(name, request) for name, request in self.prepared.items()]

    def _true(self, name: str, request: JobRequest) -> TrueJob:
        worker, state = self.workers.get(name), JobState.STARTING
        paths = self.paths(name)
        if worker is None:
            abandoned = (read_json(paths.claim) or {}).get("abandoned")
            state = JobState.STARTING if abandoned is None else JobState(abandoned["state"])
        elif worker.live:
            state = JobState.RUNNING
        elif worker.killed:
            state = JobState.LOST
        else:
            state = JobState((read_json(paths.end) or {})["state"])
        until = self.now() if worker is None or worker.ended_at is None else worker.ended_at
        seconds = 0.0 if worker is None else max(0.0, until - worker.began_at)
        return TrueJob(
            name=request.name,
            trial=request.trial,
            attempt=request.attempt,
            hyperparameters=request.hyperparameters,
            state=state,
            seconds=seconds,
            retryable=state is JobState.LOST,
            value=worker.values[worker.written - 1] if worker is not None and worker.written else None,
        )

    def backend(self, sleep: Sleep) -> Backend:
        return _Backend(self, sleep)

    def strike(self, fault: Fault, chance: random.Random) -> bool:
        if fault is Fault.SERVER_AWAY:
            self.away_until = self.now() + 300 * chance.expovariate(1)
            return True
        running = self.running()
        if fault is Fault.WORKER_KILLED and running:
            chance.choice(running).kill(self.now())
            return True
        if fault is Fault.FORGOTTEN and self.orders:
            # A head without a storage of its own, restarted: what waited never begins, and what ran loses
            # what had started it.
            self.orders.clear()
            self._due.clear()
            for worker in running:
                if chance.random() < 0.5:
                    worker.kill(self.now())
            return True
        return False

    # -- the engine ------------------------------------------------------------------------------

    address = "engine:chaos"

    def reach(self) -> None:
        if self.now() < self.away_until:
            raise CapacityUnavailable("The engine can't be reached.")

    def check(self, spec: TuningSpec) -> Sequence[Problem]:
        return ()

    def room(self, need: Resources) -> Room:
        return Room(self.plan.capacity, "so it was planned")

    def must_have_room(self, request: JobRequest) -> None:
        self.reach()
        if self.refuses and len(self.running()) + len(self._due) >= (self.plan.capacity or 1):
            raise CapacityUnavailable("The engine has no room.")

    def start(self, order: Order) -> None:
        self.reach()
        name = order.request.name.lower()
        known = self.orders.get(name)
        if known is not None and known.launch != order.launch:
            raise NameTaken(f"The engine has another job {name}.")
        if known is None:
            self.orders[name] = order
            self._due[name] = self.now() + self.chance.uniform(0, self.most_delay)
        self._perhaps_unanswered()

    def states(self, tuning_job: str, names: Sequence[str]) -> Mapping[str, EngineJob]:
        self.reach()
        return {name: EngineJob(self._state(name), "so it is") for name in self.orders}

    def _state(self, name: str) -> EngineState:
        if name in self._due:
            return EngineState.WAITING
        worker = self.workers.get(name)
        return EngineState.RUNNING if worker is not None and worker.live else EngineState.OVER

    def drop(self, tuning_job: str, name: str, *, lost: bool = False) -> None:
        self.reach()
        self._due.pop(name, None)
        self._perhaps_unanswered()

    def _perhaps_unanswered(self) -> None:
        if Fault.ANSWER_LOST in self.plan.kinds and self.chance.random() < 0.1:
            self.faults[Fault.ANSWER_LOST] += 1
            raise CapacityUnavailable("The engine did not answer.")


class _Engine:
    """The engine's side of :class:`EngineJobs`, as the port has it."""

    def __init__(self, jobs: EngineJobs) -> None:
        self.address = jobs.address
        self.check, self.room, self.must_have_room = jobs.check, jobs.room, jobs.must_have_room
        self.start, self.jobs, self.drop = jobs.start, jobs.states, jobs.drop


class _Backend(AttendedBackend):
    """The real backend, but for its clock and for the processes of this machine, of which none is a job's."""

    def __init__(self, truth: EngineJobs, sleep: Sleep) -> None:
        super().__init__(_Engine(truth), truth.place, lease_seconds=LEASE_SECONDS)
        self._truth, self._sleep = truth, sleep
        self._leases = Leases(monotonic=truth.now)

    def launch(self, request: JobRequest) -> Launch:
        try:
            return super().launch(request)
        finally:
            if self._truth.paths(request.name.lower()).request.exists():
                self._truth.prepared.setdefault(request.name.lower(), request)

    def _create(self, tuning: TuningPaths, paths: JobPaths, request: JobRequest) -> bool:
        created = super()._create(tuning, paths, request)
        self._touch(paths)
        return created

    def _start(self, paths: JobPaths, request: JobRequest, share: Mapping[str, str] | None) -> None:
        self._touch(paths)
        super()._start(paths, request, share)

    def _touch(self, paths: JobPaths) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.utime(paths.request, (self._truth.now(),) * 2)

    def _fill(self, request: JobRequest, paths: JobPaths, scratch: Path) -> None:
        content = {
            "v": 1,
            **{name: getattr(request, name) for name in ("name", "trial", "attempt", "fingerprint", "seed")},
            "hyperparameters": dict(request.hyperparameters),
            "metrics": [],
        }
        (scratch / "request.json").write_text(json.dumps(content))
        (scratch / "launch").write_text(f"{self._truth.chance.getrandbits(64):x}")
        (scratch / "checkpoints").mkdir()

    def _workers_without_files(self, tuning: TuningPaths) -> list[Path]:
        return []

    def wait(self, timeout: float) -> None:
        change = self._truth.next_change() - self._truth.now()
        self._sleep(min(timeout, LOOK_SECONDS, max(change, 0.001)))
