"""A tuning job that AMT drives and that is recorded in a journal of ours.

AMT decides; here it is only followed, so that its ledger, result, progress and artifacts are those of any
tuning job. Whoever follows may die: what he had not written down is asked for again by the next one.
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass, field
from typing import Final

from amt_flows.amt.api import TuningApi
from amt_flows.amt.described_spec import described_spec
from amt_flows.amt.listing import AmtListing
from amt_flows.amt.opening import (
    Sleep,
    begin,
    created_at,
    found,
    must_be_asked_for,
    must_be_the_same,
    opening,
    tag_of,
)
from amt_flows.amt.parent import objective_value
from amt_flows.amt.reasons import (
    CONVERGED,
    LIVE,
    converged_at,
    criteria_met,
    job_count,
    reasons_to_end,
    status_of,
)
from amt_flows.amt.training_jobs import TrainingJobs
from amt_flows.backends.local.controller import this_controller
from amt_flows.backends.places import AMT
from amt_flows.backends.sagemaker.clients import Clients
from amt_flows.backends.sagemaker.fleet import Fleet, Habits
from amt_flows.backends.sagemaker.pacing import Pace
from amt_flows.backends.sagemaker.service import Answer, PassingTrouble
from amt_flows.backends.sagemaker.watched import seconds
from amt_flows.errors import BackendError, NameTaken, TuningJobNotFound
from amt_flows.events import (
    Concluding,
    Converged,
    Ended,
    Event,
    Finished,
    HandedOver,
    Observed,
    Reason,
    StopAsked,
    TuningStatus,
)
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.record import Record, TakenOver
from amt_flows.ledger.running_tuning_job import HEARTBEAT_SECONDS, News
from amt_flows.ports import Clock, Journal, SystemClock
from amt_flows.rules.completion import nothing_usable
from amt_flows.spec import TuningSpec

logger = logging.getLogger("amt_flows")

MISSING_POLLS: Final = 3
"""So many polls in a row a tuning job is unknown before it counts as deleted."""
FINAL_POLLS: Final = 5
"""So many polls after its end a tuning job may still tell more: values, and jobs that its list lacks."""


DELETED: Final = Reason("Deleted", "it was deleted in SageMaker before its end was recorded here")
NOT_BEGUN: Final = Reason("StoppedByUser", "it was stopped before SageMaker's own tuner had it")


@dataclass(frozen=True)
class Following:
    """How AMT is followed, and by whom: it is asked every ``poll_seconds`` or so, and the record names
    ``controller``. The rest is as in :class:`amt_flows.backends.sagemaker.SageMakerBackend`."""

    poll_seconds: float = 20.0
    log_calls_per_poll: int = 100
    final_metric_polls: int = 3
    approximate_curves: bool = False
    clock: Clock = field(default_factory=SystemClock)
    sleep: Sleep = time.sleep
    seed: int | None = None
    controller: str = field(default_factory=this_controller)


TAKEN_OVER: Final = TakenOver(
    "The record of tuning job {name} is kept by another process now: {holder}.",
    because="it was followed a second time, with the same journal, while this one ran",
    remedy="nothing; the tuning job goes on, and the other one records it",
)


class HandedOff:
    """One tuning job that AMT drives; made by :meth:`open` or :meth:`attach`.

    It has what :class:`amt_flows.ledger.running_tuning_job.RunningTuningJob` asks for. Whatever happens to
    this object, AMT goes on.
    """

    def __init__(self, record: Record, clients: Clients, how: Following) -> None:
        self.record = record
        self.ledger: Ledger = record.ledger
        self.held_up_by: str | None = None
        self._api = TuningApi(clients)
        self._sleep = how.sleep
        clock, chance = how.clock, random.Random(how.seed)
        self._pace = Pace(clock, how.poll_seconds, chance)
        self._listing = AmtListing(self._api, self.ledger.name)
        habits = Habits(how.log_calls_per_poll, how.final_metric_polls, how.approximate_curves)
        # It is asked when we are, so it has no pace of its own.
        every_time = Pace(clock, 0.0, chance)
        fleet = Fleet(self.ledger.name, clients, self._api.service, clock, every_time, habits, self._listing)
        self._training_jobs = TrainingJobs(self.ledger, self._listing, fleet)
        self._stop_reason: str | None = None
        self._missing = 0
        self._polls_after_end = 0

    # -- beginning -------------------------------------------------------------------------------

    @classmethod
    def open(
        cls, spec: TuningSpec, clients: Clients, journal: Journal, *, how: Following | None = None
    ) -> HandedOff:
        """Hand a tuning job to AMT, or take up following the one that was handed over before.

        That it is going to be AMT's is recorded first. Raises SpecError before that, with all that AMT can't
        do; NameTaken when the name is that of another tuning job, in AMT or in the journal; BackendError when
        AMT refuses; JournalError and Fenced, before AMT is asked.
        """
        if spec.name is None:
            raise ValueError("a tuning job needs a name before it is handed over: use spec.named(...)")
        how = how or Following()
        record = Record(journal, how.clock, TAKEN_OVER)
        _must_be_amts(record, spec.name)
        begin(record, spec, clients, how.sleep, how.controller)
        return cls(record, clients, how)

    @classmethod
    def attach(
        cls, name: str, clients: Clients, journal: Journal, *, how: Following | None = None
    ) -> HandedOff:
        """Follow a tuning job of AMT's that anybody created, running or ended.

        Raises TuningJobNotFound, NameTaken when the journal is that of another one, SpecError for one that no
        spec of ours can say, BackendError, JournalError, Fenced.
        """
        how = how or Following()
        record = Record(journal, how.clock, TAKEN_OVER)
        _must_be_amts(record, name)
        if not record.ledger.opened:
            answer = found(name, TuningApi(clients), how.sleep)
            spec = described_spec(answer)
            record.append([opening(spec, answer, clients.region, controller=how.controller)])
        else:
            record.take_over(how.controller)
        return cls(record, clients, how)

    # -- what others see -------------------------------------------------------------------------

    @property
    def journal(self) -> Journal:
        return self.record.journal

    def now(self) -> float:
        """The clock's time, never before the last event's."""
        return self.record.now()

    def request_stop(self, reason: str) -> None:
        """Have AMT stop the tuning job, soon. Safe in a signal handler."""
        self._stop_reason = reason

    def wait(self) -> None:
        """Sleep until AMT is to be asked again, or a request to stop is to be looked for."""
        self._sleep(min(HEARTBEAT_SECONDS, self._pace.left()))

    # -- following -------------------------------------------------------------------------------

    def observe(self) -> News:
        """Ask AMT, when it is time to, and record what is new.

        Passing trouble is waited out: ``held_up_by`` says which. Raises BackendError when AWS refuses for
        good, Fenced when another follower has the journal, JournalError.
        """
        if self.ledger.finished:
            return News()
        stop = None if self.ledger.concluding else self._stop_reason or self.journal.asked_to_stop()
        at_once = stop is not None and self.held_up_by is None
        if self._pace.left() > 0 and not at_once:
            return News()
        self._pace.took_turn()
        try:
            if stop is not None:
                self._stop(stop)
            news = self._ask()
        except PassingTrouble as trouble:
            logger.warning("%s. It is tried again.", trouble)
            self.held_up_by = str(trouble)
            return News()
        self.held_up_by = None
        return news

    def _stop(self, reason: str) -> None:
        """Recorded when AMT has agreed: one who isn't allowed to stop it hasn't stopped it. Should we die in
        between, then the next one sees that it stops."""
        try:
            stopping = self._api.stop(self.ledger.name)
        except TuningJobNotFound:
            return  # which is noticed by asking
        except BackendError as error:
            raise BackendError(
                f"{error.happened} The tuning job goes on.", because=error.because, remedy=error.remedy
            ) from error
        if stopping:
            self._conclude(TuningStatus.STOPPED, (Reason("StoppedByUser", reason),))

    def _conclude(self, status: TuningStatus, reasons: tuple[Reason, ...]) -> None:
        now = self.now()
        unasked = tuple(job.name for job in self.ledger.live if job.stop_asked_at is None)
        asked: list[Event] = [StopAsked(now, unasked, False, reasons[0].message)] if unasked else []
        self.record.append([Concluding(now, status, reasons), *asked])

    def _ask(self) -> News:
        answer = self._api.describe(self.ledger.name)
        if answer is None:
            return self._gone()
        self._missing = 0
        if self.ledger.awaits_amt:
            must_be_asked_for(self.ledger.spec, answer, tag_of(answer, self._api))
            self.record.append([HandedOver(self.now(), created_at(answer))])
        must_be_the_same(self.ledger, answer)
        self.record.append(self._training_jobs.newcomers())
        status = status_of(answer)
        news = self._see_jobs(answer)
        if self.ledger.converged is None and (at := converged_at(answer)) is not None:
            self.record.append([Converged(at, CONVERGED)])
        if status is TuningStatus.STOPPING and not self.ledger.concluding:
            met = criteria_met(self.ledger.spec, answer)
            end = TuningStatus.COMPLETED if met else TuningStatus.STOPPED
            self._conclude(end, reasons_to_end(self.ledger.spec, answer))
        if status not in LIVE:
            self._finish(answer, status)
        return news

    def _see_jobs(self, answer: Answer | None) -> News:
        is_late = answer is None or self._polls_after_end >= FINAL_POLLS
        events = self._training_jobs.progress(answer, self.now(), is_late=is_late)
        self.record.append(events)
        epochs = sum(len(p) for one in events if isinstance(one, Observed) for p in one.points.values())
        ended = tuple(one.job for one in events if isinstance(one, Ended))
        for name in ended:
            self._training_jobs.release(name)
        return News(epochs, ended)

    def _finish(self, answer: Answer, status: TuningStatus) -> None:
        """Close the record when all is told: what AMT says of the tuning job may be ahead of what it says of
        the training jobs."""
        self._polls_after_end += 1
        unlisted = job_count(answer) > len(self.ledger.jobs)
        if unlisted:
            self._listing.request_full()
        if self.ledger.live or (unlisted and self._polls_after_end < FINAL_POLLS):
            return
        ended_at = seconds(answer.get("HyperParameterTuningEndTime"))
        self._close(status, reasons_to_end(self.ledger.spec, answer), ended_at)
        _compare_best(self.ledger, answer)

    def _close(self, status: TuningStatus, reasons: tuple[Reason, ...], at: float | None = None) -> None:
        """One that AMT calls completed is Failed to us if no training job of it can be used."""
        now = self.now()
        end = Finished(now if at is None else at, status)
        unusable = None if status is TuningStatus.STOPPED else nothing_usable(self.ledger)
        if unusable is not None and status is TuningStatus.FAILED:
            reasons = (*reasons, unusable)
        elif unusable is not None:
            end = Finished(end.at, TuningStatus.FAILED, (unusable,), amts_status=status)
        why: list[Event] = [] if self.ledger.concluding else [Concluding(now, status, reasons)]
        self.record.append([*why, end])

    def _gone(self) -> News:
        """The tuning job was deleted, which AMT allows for those that have ended; or it is so new that not
        all of the service knows it. Its training jobs are there as long as nobody deletes them."""
        self._missing += 1
        if self._missing < MISSING_POLLS:
            return News()
        self._listing.forget()
        news = self._see_jobs(None)
        if not self.ledger.live:
            self._close(TuningStatus.STOPPED, (NOT_BEGUN if self.ledger.awaits_amt else DELETED,))
        return news


def _must_be_amts(record: Record, name: str) -> None:
    """Raises NameTaken when the journal is that of another tuning job, or of one that AMT doesn't run."""
    ledger = record.ledger
    if not ledger.opened:
        return
    if ledger.backend.partition(":")[0] != AMT:
        raise NameTaken(
            f"The journal {record.journal.location} is that of a tuning job that amt-flows itself runs.",
            remedy="choose another name, or go on with it as it was begun",
        )
    if ledger.name.lower() != name.lower():
        raise NameTaken(
            f"The journal {record.journal.location} is that of another tuning job, {ledger.name}.",
            remedy="give each tuning job a journal of its own",
        )


def _compare_best(ledger: Ledger, answer: Answer) -> None:
    theirs, ours = answer.get("BestTrainingJob"), ledger.best
    if theirs is None:
        return
    name, value = str(theirs["TrainingJobName"]), objective_value(theirs)
    if ours is None or (ours.name != name and ours.final_value != value):
        logger.warning(
            "AMT's best training job of %s is %s (%s), not %s.", ledger.name, name, value, ours and ours.name
        )
