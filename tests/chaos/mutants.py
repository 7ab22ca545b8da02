"""Engines that are broken on purpose, each in one promise: what a suite that can fail must find."""

from __future__ import annotations

import secrets
from dataclasses import replace

from amt_flows.errors import Fenced
from amt_flows.events import Event, Finished, Launching, Points, Proposed, TuningStatus
from amt_flows.ledger.observations import Observations
from amt_flows.ledger.record import Record
from amt_flows.ledger.training_job import Trial
from amt_flows.ports import Backend, JobReport, JobRequest
from amt_flows.strategies import Strategy
from amt_flows.tuning.engine import Tuning


class LaunchesBeforeItWrites(Tuning):
    """What is to be launched is written when it has been."""

    def _record(self, *events: Event) -> None:
        held: list[Event] = self.__dict__.setdefault("held", [])
        if all(isinstance(event, Proposed | Launching) for event in events):
            for event in events:
                self.ledger.apply(event)
            held += events
            return
        written = [*held, *events]
        held.clear()
        super()._record(*written)


class ReservesNothing(Tuning):
    """A retry is launched on the strength of what was known before a rival came."""

    def _record(self, *events: Event) -> None:
        super()._record(*(event for event in events if not isinstance(event, Launching)))


class WritesPastTheFence(Tuning):
    """Somebody wrote in between; so it writes behind that."""

    def _record(self, *events: Event) -> None:
        try:
            super()._record(*events)
        except Fenced:
            self.record.next_entry = len(self.journal.read())
            super()._record(*events)


class NamesAnew(Tuning):
    """Every launch has a name of its own, so that none is known again."""

    def _request(self, trial: Trial, attempt: int) -> JobRequest:
        names: dict[tuple[int, int], str] = self.__dict__.setdefault("names", {})
        plain = super()._request(trial, attempt)
        name = names.setdefault((trial.number, attempt), f"{plain.name}-{secrets.token_hex(2)}")
        return replace(plain, name=name)


class LooksForNothingAtTheEnd(Tuning):
    def finish(self) -> None:
        self._record(Finished(self.now(), self.ledger.end_status or TuningStatus.COMPLETED))


class StopsWhatItKnowsToBeAnothers(Tuning):
    """It breaks down and stops all jobs, whoever drives them."""

    @property
    def is_fenced(self) -> bool:
        return False


class CountsFromItsOwnStart(Tuning):
    """The time limit begins anew with every controller."""

    def now(self) -> float:
        born: float = self.__dict__.setdefault("born", self.record.clock.now())
        return self.ledger.opened_at + self.record.clock.now() - born if self.ledger.opened else born


class FinishesWhileJobsRun(Tuning):
    """It closes the record at once when a criterion holds."""

    def stop_running_jobs(self, *, kill: bool = False) -> None:
        self._record(Finished(self.now(), self.ledger.end_status or TuningStatus.COMPLETED))


class NeverConcludes(Tuning):
    """No criterion ever holds."""

    def _verdict(self) -> None:
        return None


class WritesNoValues(Tuning):
    """What it has observed it keeps to itself."""

    def __init__(self, record: Record, backend: Backend, strategy: Strategy) -> None:
        super().__init__(record, backend, strategy)
        record.hold = self.ledger.apply  # type: ignore[method-assign, assignment]


class LosesWhatItHolds(Tuning):
    """Values that wait for an entry give way to whatever comes next."""

    def _record(self, *events: Event) -> None:
        self.record._held.clear()
        super()._record(*events)


class ForgetsTheLastValues(Tuning):
    """What comes with the report of an end is not read."""

    def __init__(self, record: Record, backend: Backend, strategy: Strategy) -> None:
        super().__init__(record, backend, strategy)
        self._observations = _WithoutLastValues(record.ledger)


class _WithoutLastValues(Observations):
    def take(self, report: JobReport) -> Points:
        return () if report.state.terminal else super().take(report)
