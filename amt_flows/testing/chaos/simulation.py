"""One schedule from its seed to its verdict: controllers of one tuning job, killed, frozen, fenced, started
again, in virtual time, until the tuning job has ended and nobody is left."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from amt_flows.errors import AmtFlowsError, Fenced, SpecError
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.running_tuning_job import News
from amt_flows.ports import Journal
from amt_flows.testing.chaos.controllers import Member
from amt_flows.testing.chaos.faults import Died, Fault
from amt_flows.testing.chaos.journals import SEALED_AT_A_TIME, TextJournal, TornDirectoryJournal
from amt_flows.testing.chaos.plan import plan_of
from amt_flows.testing.chaos.ports import FaultyBackend, FaultyJournal
from amt_flows.testing.chaos.truth import SimulatedJobs
from amt_flows.testing.chaos.verdict import judge
from amt_flows.testing.chaos.world import Controller, TooLongError, Violation, World
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.extend import extend
from amt_flows.tuning.interrupts import InterruptedAgain, stop_jobs_on_breakdown
from amt_flows.tuning.loop import drive

MOST_RUNS = 200
EXTENDED = 0.25
"""Of the schedules, as far as their limits allow it."""

Tell = Callable[[str], None]
JournalFor = Callable[[Callable[[float], None]], Journal]
"""A controller's own way to the world's journal; it may sleep by the function given."""


@dataclass(frozen=True)
class Told:
    """What a schedule came to. ``violations`` is empty when every promise was kept."""

    seed: int
    faults: Counter[str]
    launched: int
    controllers: int
    violations: tuple[Violation, ...]


def run_schedule(seed: int, tell: Tell = lambda line: None, *, engine: type[Tuning] = Tuning) -> Told:
    """Play the schedule of a seed. ``tell`` is given a line for everything that happens; ``engine`` is there
    for tests that break it on purpose."""
    plan = plan_of(seed)
    place = Path(tempfile.mkdtemp(prefix="amt-flows-chaos-")) if plan.on_disk else None
    shared = TextJournal()

    def journal(sleep: Callable[[float], None]) -> Journal:
        return (
            shared
            if place is None
            else TornDirectoryJournal(place / "journal", segment_entries=SEALED_AT_A_TIME)
        )

    faults: Counter[Fault] = Counter()
    try:
        truth = SimulatedJobs(plan, faults)
        world = World(plan, random.Random(f"faults {seed}"), truth, journal(truth.advance), faults, tell)
        return play(world, journal, engine)
    finally:
        if place is not None:
            shutil.rmtree(place)


def play(world: World, journal: JournalFor, engine: type[Tuning] = Tuning) -> Told:
    """Play a world's schedule to its end, and judge it."""
    _Conductor(world, journal, engine).play()
    faults = Counter({fault.value: count for fault, count in world.faults.items()})
    jobs = len(world.truth.jobs())
    return Told(world.plan.seed, faults, jobs, len(world.controllers), tuple(world.violations))


class _Conductor:
    def __init__(self, world: World, journal: JournalFor, engine: type[Tuning]) -> None:
        self._world, self._journal, self._engine = world, journal, engine
        self._final: Ledger | None = None
        world.spawn = self._spawn

    def play(self) -> None:
        world = self._world
        try:
            self._spawn()
            while self._move_one() or self._start_again() or self._extend():
                continue
        except Exception as error:  # whatever the code under test raises is a finding
            promise = "unended" if isinstance(error, TooLongError) else "crashed"
            world.broken(promise, f"{type(error).__name__}: {error}")
            self._let_go()
        else:
            judge(world, self._final)

    def _spawn(self) -> None:
        world = self._world
        controller = Controller(len(world.controllers) + 1, Member(lambda: self._run(controller)))
        world.controllers.append(controller)

    def _move_one(self) -> bool:
        """Let one controller move; whether there was one."""
        world = self._world
        alive = [one for one in world.controllers if not one.member.done]
        if not alive:
            return False
        ready = [one for one in alive if one.member.wake_at <= world.now()]
        if not ready:
            wake_at = min(one.member.wake_at for one in alive)
            if wake_at == float("inf"):
                ready = alive
            else:
                world.truth.advance(wake_at - world.now())
                ready = [one for one in alive if one.member.wake_at <= wake_at]
        world.chance.choice(ready).member.go()
        return True

    def _start_again(self) -> bool:
        """Whoever started a run that did not come to its end starts it again, after a while; but not one that
        was fenced, since that leaves everything to another."""
        world, chance = self._world, self._world.chance
        unsettled = [one for one in world.controllers if one.ended in ("killed", "broken")]
        if not unsettled:
            return False
        if len(world.controllers) >= MOST_RUNS:
            raise TooLongError(f"the tuning job has not ended after {MOST_RUNS} runs")
        for one in unsettled:
            one.ended = "started again"
        patience = 5 * world.plan.seconds_per_epoch
        world.truth.advance(patience * chance.choice((0.0, chance.uniform(0, 1), 4 * chance.expovariate(1))))
        self._spawn()
        return True

    def _extend(self) -> bool:
        """In some schedules the user wants more of a tuning job that has ended, once. Whether that could
        be."""
        world = self._world
        chance, ledger = random.Random(f"extension {world.plan.seed}"), world.ledger()
        if world.extension or not ledger.finished or chance.random() > EXTENDED:
            return False
        more = {
            "limits.max_number_of_training_jobs": len(ledger.jobs) + chance.randint(1, 5),
            "limits.max_parallel_training_jobs": chance.randint(1, 4),
        }
        world.truth.advance(3600 * chance.random())
        try:
            extend("chaos", self._journal(world.truth.advance), more, clock=world.wall_clock())
        except SpecError:
            return False  # another limit ended it, or its grid has no more
        world.extension, world.jobs_at_end = more, None
        # Between its end and now nobody counts the time, as between two controllers of whom one lost it.
        world.blind_seconds += world.now() - world.last_event_at
        world.tell(f"the user extends it: {more}")
        self._spawn()
        return True

    def _run(self, controller: Controller) -> None:
        try:
            self._drive(controller)
            controller.ended = "done"
        except Died:
            controller.ended = "killed"
        except Fenced:
            controller.ended = "fenced"
        except AmtFlowsError as error:
            self._world.say(controller, f"{type(error).__name__}: {error.happened}")
            controller.ended = "broken"
        except InterruptedAgain:
            self._world.say(controller, "interrupted a second time")
            controller.ended = "broken"
        self._world.say(controller, controller.ended)

    def _drive(self, controller: Controller) -> None:
        world = self._world

        def sleep(seconds: float) -> None:
            world.sleep(controller, seconds)

        tuning = self._engine.open(
            world.plan.spec,
            FaultyBackend(world, controller, world.truth.backend(sleep)),
            FaultyJournal(world, controller, self._journal(sleep)),
            clock=world.wall_clock(),
            controller=f"controller {controller.number}",
        )
        controller.tuning = tuning
        limit = world.plan.spec.limits.max_runtime_seconds
        looked_at = world.opened_at

        def on_tick(tuning: Tuning, news: News) -> None:
            nonlocal looked_at
            elapsed = looked_at - world.opened_at - world.blind_seconds
            if limit is not None and elapsed > limit and not tuning.ledger.concluding:
                world.broken("overshot", f"it goes on after {elapsed:.1f} s of {limit} s")
            looked_at = world.now()

        with stop_jobs_on_breakdown(tuning):
            try:
                drive(tuning, on_tick=on_tick)
            except BaseException:
                controller.breaking_down = True
                raise
        self._final = tuning.ledger

    def _let_go(self) -> None:
        """End the threads of a schedule that is given up."""
        for one in self._world.controllers:
            one.dead = True
            while not one.member.done:
                one.member.go()
