"""Controllers die at random points, jobs fail, hang and vanish; the limits and the promises still hold."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.events import Event, TuningStatus
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import JobRequest, JobState, Launch
from amt_flows.rules.budget import committed_cost
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from worlds import spec


class Died(Exception):
    """Stands for ``kill -9`` of the controller."""


class MortalJournal(MemoryJournal):
    """Kills the controller before or after some of its writes."""

    def __init__(self, chance: random.Random, rate: float) -> None:
        super().__init__()
        self.chance, self.rate = chance, rate

    def append(self, index: int, events: Sequence[Event]) -> None:
        fate = self.chance.random()
        if fate < self.rate / 2:
            raise Died
        super().append(index, events)
        if fate > 1 - self.rate / 2:
            raise Died


class MortalBackend(SimulatedBackend):
    """Kills the controller before or after some of its launches and stops."""

    chance = random.Random(0)
    rate = 0.0

    def _maybe_die(self) -> None:
        if self.chance.random() < self.rate:
            raise Died

    def launch(self, request: JobRequest) -> Launch:
        self._maybe_die()
        answer = super().launch(request)
        self._maybe_die()
        return answer

    def stop(self, tuning_job: str, names: Sequence[str], *, kill: bool = False) -> None:
        self._maybe_die()
        super().stop(tuning_job, names, kill=kill)
        self._maybe_die()


def trainer(chance: random.Random) -> object:
    def train(hyperparameters: Mapping[str, str]) -> Script:
        # Drawn from the configuration, so that a second attempt meets the same fate.
        fate = random.Random(hyperparameters["learning_rate"])
        kind = fate.random()
        if kind < 0.1:
            return Script([0.1] * fate.randint(0, 3), end=JobState.FAILED)
        if kind < 0.2:
            return Script([0.1], end=JobState.FAILED, infrastructure=True)
        if kind < 0.25:
            return Script([0.2], hangs=True)
        if kind < 0.3:
            return Script()
        length = fate.randint(1, 8)
        return Script(
            [fate.random() for _ in range(length)],
            seconds_per_epoch=fate.uniform(0.5, 3),
            startup_seconds=fate.uniform(0, 2),
            stopping_seconds=fate.uniform(0, 4),
        )

    return train


@settings(max_examples=150)
@given(
    seed=st.integers(0, 2**32),
    jobs=st.integers(1, 25),
    parallel=st.integers(1, 6),
    capacity=st.none() | st.integers(1, 4),
    death_rate=st.sampled_from([0.0, 0.02, 0.1]),
    loss_rate=st.sampled_from([0.0, 0.05]),
    auto=st.booleans(),
    max_cost=st.none() | st.floats(1, 40),
    not_improving=st.none() | st.integers(1, 10),
)
def test_no_limit_is_passed_nothing_runs_twice_and_nothing_is_left_running(
    seed: int,
    jobs: int,
    parallel: int,
    capacity: int | None,
    death_rate: float,
    loss_rate: float,
    auto: bool,
    max_cost: float | None,
    not_improving: int | None,
) -> None:
    chance = random.Random(seed)
    limits = {
        "max_parallel_training_jobs": parallel,
        "max_number_of_training_jobs": jobs,
        "max_failed_training_jobs": 8,
        "max_cost": max_cost,
    }
    asked = spec(
        seed=seed,
        limits=limits,
        completion={"max_number_of_training_jobs_not_improving": not_improving},
        early_stopping={"type": "Auto" if auto else "Off", "min_jobs": 2},
        training_job={
            "command": ["train"],
            "max_runtime_seconds": 20,
            "stop_grace_seconds": 4,
            "price_per_hour": 3600 / 24,
        },
    )
    clock = VirtualClock()
    world = MortalBackend(clock, trainer(chance), capacity)  # type: ignore[arg-type]
    world.chance, world.rate = chance, death_rate
    journal = MortalJournal(chance, death_rate)

    def check(tuning: Tuning, news: object) -> None:
        now = clock.now()
        running = [job for job in world.jobs.values() if not job.state(now).terminal]
        assert len(running) <= parallel
        assert len(world.launches) <= jobs
        if max_cost is not None:
            assert committed_cost(tuning.ledger) <= max_cost + 1e-9
        for job in running:
            if chance.random() < loss_rate:
                world.lose(job.request.name)

    for _ in range(2000):
        backend = MortalBackend(clock, world.train, capacity, world.jobs, world.launches)
        backend.chance, backend.rate = chance, death_rate
        try:
            tuning = Tuning.open(asked, backend, journal, clock=clock)
            drive(tuning, on_tick=check)
            break
        except Died:
            clock.advance(chance.uniform(0, 5))
    else:
        raise AssertionError("the tuning job never ended")

    ledger = Ledger.replay(journal.read())
    assert ledger.finished
    assert ledger.status in (TuningStatus.COMPLETED, TuningStatus.FAILED)
    assert len(world.launches) == len(set(world.launches)) <= jobs
    assert set(ledger.jobs) == set(world.launches), "every job that ran is in the ledger, and no other"
    assert all(job.state(clock.now()).terminal for job in world.jobs.values())
    assert not ledger.live
    configurations = [tuple(trial.configuration.items()) for trial in ledger.trials.values()]
    assert len(configurations) == len(set(configurations))
    if max_cost is not None:
        assert committed_cost(ledger) <= max_cost + 1e-9
