"""The world that a schedule plays in: its controllers, its time, its faults, and which promises were broken.

What the code under test believes is in its ledger; what really happened is told by :mod:`.truth`, and the
two are compared while it happens and at the end (:mod:`.verdict`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from amt_flows.events import Attached, Event, Finished, Opened
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import Clock, JobRequest, Journal, SystemClock
from amt_flows.spec.extension import extended
from amt_flows.testing.chaos.controllers import Member
from amt_flows.testing.chaos.faults import Died, Fault
from amt_flows.testing.chaos.plan import Plan, resumes
from amt_flows.testing.chaos.truth import TrueJob, Truth, starts_again
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.interrupts import InterruptedAgain

MOST_CONTROLLERS = 3
MOST_STEPS = 20_000
MOST_VIOLATIONS = 50


@dataclass(frozen=True)
class Violation:
    """A promise that was broken: which one (a row of the report), and what was seen."""

    promise: str
    seen: str


@dataclass
class Controller:
    """One run of the code under test."""

    number: int
    member: Member
    tuning: Tuning | None = None
    dead: bool = False
    ended: str = ""
    """How its run ended: done, fenced, broken or killed; empty while it goes on."""
    interrupted: bool = False
    breaking_down: bool = False
    asked: bool = False
    """While it breaks down, the journal has told it that it is not fenced, or could not tell."""

    def seconds_since(self, events: Sequence[Event]) -> float:
        """How old the newest of the events' times is, by its own clock: values that were held back are
        written with the time at which they were seen."""
        if self.tuning is None:
            return 0.0
        return max(0.0, self.tuning.now() - max(event.at for event in events))


class TooLongError(Exception):
    """The tuning job doesn't come to its end."""


@dataclass
class World:
    plan: Plan
    chance: random.Random
    truth: Truth
    journal: Journal
    faults: Counter[Fault]
    tell: Callable[[str], None]
    skew: float = 0.0
    violations: list[Violation] = field(default_factory=list)
    controllers: list[Controller] = field(default_factory=list)
    holder: Controller | None = None
    """Who took the tuning job over last."""
    spawn: Callable[[], None] = lambda: None
    opened_at: float = 0.0
    """When the tuning job was created, in true time and by the wall clock of who did it."""
    opened_wall: float = 0.0
    extension: Mapping[str, Any] = field(default_factory=dict)
    """What the user changed of the limits after the tuning job's first end."""
    jobs_at_end: int | None = None
    """How many training jobs had been started when the record was closed."""
    full_until: float = 0.0
    no_capacity_until: float = 0.0
    last_event_at: float = 0.0
    blind_seconds: float = 0.0
    """Time that no clock can tell of: from the last event to a takeover, after a clock was set back."""
    _steps: int = 0
    _struck: int = 0

    def __post_init__(self) -> None:
        self._began_at = self.truth.now()

    def now(self) -> float:
        return self.truth.now()

    def wall_clock(self) -> Clock:
        """What a new controller's machine has for a clock."""
        return SystemClock(lambda: self.now() + self.skew, self.now)

    # -- faults -----------------------------------------------------------------------------------

    def point(self, controller: Controller, where: str, *faults: Fault) -> Fault | None:
        """A moment at which a fault may strike a controller. ``faults`` are those that only this place can
        have; one of them is returned to be acted upon, all others happen here."""
        if controller.dead:
            raise Died
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise TooLongError(f"the tuning job has not ended after {MOST_STEPS} steps")
        if self._struck >= self.plan.faults or self.chance.random() >= self.plan.rate:
            return None
        here = [fault for fault in faults if fault in self.plan.kinds]
        fault = self.chance.choice(here if here and self.chance.random() < 0.5 else self.plan.kinds)
        if fault in faults:
            self._note(controller, fault, where)
            return fault
        self._strike(controller, fault, where)
        return None

    def _strike(self, controller: Controller, fault: Fault, where: str) -> None:
        chance, patience = self.chance, self.plan.seconds_per_epoch
        if fault is Fault.KILLED:
            self._note(controller, fault, where)
            self.kill(controller)
        elif fault is Fault.FROZEN:
            self._note(controller, fault, where)
            if chance.random() < 0.5:
                self._rival(controller, where)
            forever = chance.random() < 0.4
            self.rest(controller, float("inf") if forever else 5 * patience * chance.expovariate(1))
        elif fault is Fault.RIVAL:
            self._rival(controller, where)
            self.rest(controller, 0.0)
        elif fault is Fault.INTERRUPTED:
            self._interrupt(controller, where)
        elif fault is Fault.USER_STOP and chance.random() < 0.1:
            self._note(controller, fault, where)
            self.journal.ask_to_stop("the user had enough")
        elif fault in (Fault.CLOCK_AHEAD, Fault.CLOCK_BACK):
            self._note(controller, fault, where)
            sign = 1 if fault is Fault.CLOCK_AHEAD else -1
            self.skew += sign * chance.choice((0.5, 5.0, 3600.0))
        elif fault is Fault.DISK_FULL:
            self._note(controller, fault, where)
            self.full_until = self.now() + 2 * patience * chance.expovariate(1)
        elif fault is Fault.NO_CAPACITY:
            self._note(controller, fault, where)
            self.no_capacity_until = self.now() + 5 * patience * chance.expovariate(1)
        elif self.truth.strike(fault, chance):
            self._note(controller, fault, where)

    def _note(self, controller: Controller, fault: Fault, where: str) -> None:
        self._struck += 1
        self.faults[fault] += 1
        self.say(controller, f"{fault.value}, {where}")

    def say(self, controller: Controller, what: str) -> None:
        self.tell(f"{self.now() - self._began_at:9.3f}  controller {controller.number}: {what}")

    def kill(self, controller: Controller) -> None:
        controller.dead = True
        raise Died

    def _rival(self, controller: Controller, where: str) -> None:
        if sum(not one.member.done for one in self.controllers) < MOST_CONTROLLERS:
            self._note(controller, Fault.RIVAL, where)
            self.spawn()

    def _interrupt(self, controller: Controller, where: str) -> None:
        if controller.tuning is None or controller.breaking_down or self.chance.random() > 0.2:
            return
        self._note(controller, Fault.INTERRUPTED, where)
        if controller.interrupted:
            raise InterruptedAgain
        controller.interrupted = True
        controller.tuning.request_stop("stopped by SIGINT")

    # -- time -------------------------------------------------------------------------------------

    def rest(self, controller: Controller, seconds: float) -> None:
        """A controller stands still while others move."""
        controller.member.rest(self.now() + seconds)
        if controller.dead:
            raise Died

    def sleep(self, controller: Controller, seconds: float) -> None:
        """A controller waits. Time goes on at once when there is nobody else."""
        if controller.dead:
            raise Died
        seconds = max(seconds, 1e-6)
        if all(one is controller or one.member.done for one in self.controllers):
            self.truth.advance(seconds)
        else:
            self.rest(controller, seconds)

    # -- what is promised -------------------------------------------------------------------------

    def broken(self, promise: str, seen: str) -> None:
        if len(self.violations) < MOST_VIOLATIONS:
            self.violations.append(Violation(promise, seen))
        self.tell(f"    BROKEN, {promise}: {seen}")

    def ledger(self) -> Ledger:
        return Ledger.replay(self.journal.read())

    def wrote(self, controller: Controller, events: Sequence[Event], stamped_at: float) -> None:
        """An entry was written; its newest time is what was ``stamped_at`` then, a little before."""
        for event in events:
            if isinstance(event, Opened):
                self.opened_at, self.opened_wall = self.now(), event.at
            elif isinstance(event, Attached) and self.faults[Fault.CLOCK_BACK]:
                self.blind_seconds += self.now() - self.last_event_at
            elif isinstance(event, Finished):
                self.jobs_at_end = len(self.truth.jobs())
            if isinstance(event, Opened | Attached):
                self.holder = controller
        self.last_event_at = stamped_at

    def fenced(self, controller: Controller) -> bool:
        return self.holder is not None and self.holder is not controller

    def check_start(self, before: Sequence[TrueJob], request: JobRequest) -> None:
        """A training job was started: the promises about starting are looked at here and now."""
        limits = extended(self.plan.spec, self.extension).limits
        wrong = starts_again(before, request, resumes=resumes(self.plan.spec))
        if wrong is not None:
            self.broken("doubled", wrong)
        alive = 1 + sum(job.alive for job in before)
        if alive > limits.max_parallel_training_jobs:
            self.broken("overshot", f"{alive} training jobs at once, with {request.name}")
        most = limits.max_number_of_training_jobs
        if most is not None and len(before) >= most:
            self.broken("overshot", f"{request.name} is training job number {len(before) + 1} of {most}")
