"""A journal and a backend as a controller meets them in a schedule: each call may be its last, or fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from amt_flows.errors import BackendError, CapacityUnavailable, JournalError, Problem
from amt_flows.events import Event
from amt_flows.ports import Backend, FoundJob, JobReport, JobRequest, JobState, Journal, Launch, MetricPoint
from amt_flows.spec import TuningSpec
from amt_flows.testing.chaos.faults import Died, Fault
from amt_flows.testing.chaos.journals import TornDirectoryJournal
from amt_flows.testing.chaos.world import Controller, World


class FaultyJournal:
    """The journal as one controller meets it; ``inner`` is its own way to the world's."""

    def __init__(self, world: World, controller: Controller, inner: Journal) -> None:
        self._world, self._controller, self._inner = world, controller, inner

    @property
    def location(self) -> str:
        return self._inner.location

    def read(self, start: int = 0) -> Sequence[Sequence[Event]]:
        self._world.point(self._controller, "before a read of the journal")
        me = self._controller
        try:
            entries = self._inner.read(start)
            me.asked = me.breaking_down and not self._world.fenced(me)
        except JournalError:
            me.asked = me.breaking_down
            raise
        self._world.point(self._controller, "after a read of the journal")
        return entries

    def append(self, index: int, events: Sequence[Event]) -> None:
        world, me = self._world, self._controller
        stamped_at = world.now() - me.seconds_since(events)
        what = f"entry {index} ({', '.join(event.kind for event in events)})"
        fault = world.point(me, f"before {what}", Fault.TORN)
        if fault is Fault.TORN and isinstance(self._inner, TornDirectoryJournal):
            self._inner.tear(index, events, world.chance.random())
            world.kill(me)
        if world.now() < world.full_until:
            world.say(me, f"could not write {what}")
            raise JournalError("The journal can't be written: no space left on device.")
        self._inner.append(index, events)
        world.wrote(me, events, stamped_at)
        world.say(me, f"wrote {what}")
        if world.point(me, f"after {what}", Fault.ANSWER_LOST) is Fault.ANSWER_LOST:
            raise JournalError("The journal can't be written: no answer.")

    def ask_to_stop(self, reason: str) -> None:
        self._inner.ask_to_stop(reason)

    def asked_to_stop(self, *, anew: bool = False) -> str | None:
        if self._controller.dead:
            raise Died
        return self._inner.asked_to_stop(anew=anew)

    def take_back_stop(self) -> None:
        self._inner.take_back_stop()


class FaultyBackend:
    """The training jobs as one controller meets them; ``inner`` is its own view of them."""

    def __init__(self, world: World, controller: Controller, inner: Backend) -> None:
        self._world, self._controller, self._inner = world, controller, inner
        self._held: dict[str, list[MetricPoint]] = {}
        self._told: dict[str, list[MetricPoint]] = {}

    @property
    def address(self) -> str:
        return "chaos"

    def check(self, spec: TuningSpec) -> Sequence[Problem]:
        return self._inner.check(spec)

    def launch(self, request: JobRequest) -> Launch:
        world, me = self._world, self._controller
        world.point(me, f"before the launch of {request.name}")
        if world.now() < world.no_capacity_until:
            raise CapacityUnavailable("There is no room.")
        before = world.truth.jobs()
        unknown = all(job.name != request.name for job in before)
        if world.fenced(me) and unknown and world.ledger().launching != (request.trial, request.attempt):
            world.broken("fenced", f"a fenced controller launched {request.name}")
        try:
            how = self._inner.launch(request)
            world.say(me, f"launched {request.name}: {how.value}")
        finally:
            # It may have been started although the answer is an error.
            if len(world.truth.jobs()) > len(before):
                world.check_start(before, request)
        if world.point(me, f"after the launch of {request.name}", Fault.ANSWER_LOST) is Fault.ANSWER_LOST:
            raise CapacityUnavailable("There was no answer.")
        return how

    def poll(self, tuning_job: str, names: Sequence[str]) -> Sequence[JobReport]:
        self._may_fail("before a poll", Fault.REFUSED)
        reports = [self._distorted(report) for report in self._inner.poll(tuning_job, names)]
        self._may_fail("after a poll", Fault.ANSWER_LOST)
        return reports

    def _distorted(self, report: JobReport) -> JobReport:
        """Points late, twice and in another order, and an end that is told later; but, as the port has it, no
        point after the end."""
        world, me, chance = self._world, self._controller, self._world.chance
        told = self._told.setdefault(report.name, [])
        points = self._held.pop(report.name, []) + list(report.points)
        if report.state.terminal and report.state is not JobState.LOST:
            if world.point(me, "in a poll", Fault.LATE_END) is Fault.LATE_END:
                self._held[report.name] = points
                return JobReport(report.name, JobState.RUNNING)
        elif points and world.point(me, "in a poll", Fault.POINTS) is Fault.POINTS:
            cut = chance.randint(0, len(points))
            self._held[report.name], points = points[:cut], points[cut:]
            points += told[-2:]
            chance.shuffle(points)
        told += points
        return replace(report, points=tuple(points))

    def stop(self, tuning_job: str, names: Sequence[str], *, kill: bool = False) -> None:
        world, me, which = self._world, self._controller, ", ".join(names) or "nothing"
        self._may_fail(f"before the stop of {which}", Fault.REFUSED)
        if world.fenced(me):
            self._check_fenced_stop(names)
        self._inner.stop(tuning_job, names, kill=kill)
        world.say(me, f"{'killed' if kill else 'stopped'} {which}")
        self._may_fail(f"after the stop of {which}", Fault.ANSWER_LOST)

    def _check_fenced_stop(self, names: Sequence[str]) -> None:
        """A fenced controller may only do what the journal had decided before; or, when it breaks down, what
        it might do when it asked."""
        world, me, ledger = self._world, self._controller, self._world.ledger()
        if ledger.concluding or me.asked:
            return
        alive = {job.name for job in world.truth.jobs() if job.alive}
        for name in alive & set(names):
            job = ledger.jobs.get(name)
            if job is None or job.stop_asked_at is None:
                world.broken("fenced", f"fenced controller {me.number} stopped {name}")

    def find(self, tuning_job: str) -> Sequence[FoundJob]:
        self._may_fail("before a search for jobs", Fault.REFUSED)
        found = self._inner.find(tuning_job)
        self._may_fail("after a search for jobs", Fault.ANSWER_LOST)
        return found

    def wait(self, timeout: float) -> None:
        self._world.point(self._controller, "while waiting")
        self._inner.wait(timeout)

    def _may_fail(self, where: str, fault: Fault) -> None:
        if self._world.point(self._controller, where, fault) is fault:
            raise BackendError(f"The backend failed {where}.")
