"""The engine: one tuning job, and everything that can be done with it.

Whatever is decided is in the journal before the world is touched; whatever is known comes from the journal's
fold; so a controller that dies at any point can be replaced by one that opens the same journal. In what order
things are done is for the loop (:mod:`amt_flows.tuning.loop`).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

from amt_flows.backends.local.controller import this_controller
from amt_flows.errors import BackendError, CapacityUnavailable, Fenced, LaunchRejected, NameTaken, SpecError
from amt_flows.events import (
    Concluding,
    Converged,
    Ended,
    Event,
    Judged,
    Judgement,
    Launched,
    Launching,
    Opened,
    Points,
    Reason,
    Resumed,
    StopAsked,
    TuningStatus,
)
from amt_flows.ledger.algorithms import secret_names
from amt_flows.ledger.identity import must_be_of, must_run_on
from amt_flows.ledger.observations import Observations
from amt_flows.ledger.record import Record, TakenOver
from amt_flows.ledger.running_tuning_job import HEARTBEAT_SECONDS, News
from amt_flows.ledger.secrets import hidden
from amt_flows.ledger.training_job import Trial
from amt_flows.ports import Backend, Clock, FoundJob, JobRequest, Journal, SystemClock
from amt_flows.rules.budget import launches_allowed
from amt_flows.rules.completion import nothing_usable, reasons_to_complete, reasons_to_fail
from amt_flows.rules.convergence import Convergence
from amt_flows.rules.early_stopping import early_stopping_rule
from amt_flows.rules.hyperband import to_resume
from amt_flows.spec import TuningSpec
from amt_flows.strategies import Strategy
from amt_flows.strategies.choose import strategy_of
from amt_flows.tuning import proposals
from amt_flows.tuning.autotune import Chosen, chosen
from amt_flows.tuning.endings import ending_of, finished, is_unexpected
from amt_flows.tuning.launches import HalfLaunched, end_what_nobody_looks_for, job_request, unknown_jobs
from amt_flows.tuning.patience import Patience
from amt_flows.tuning.problems import problems_on, unsupported
from amt_flows.tuning.proposals import Proposer
from amt_flows.tuning.starts import Starts, starts_of
from amt_flows.tuning.warm_start import Reader
from amt_flows.tuning.warm_start.inherit import inherit

logger = logging.getLogger("amt_flows")

TAKEN_OVER = TakenOver(
    "Tuning job {name} is driven by another controller now: {holder}.",
    because="it was started a second time while this one ran",
    remedy="nothing; this one leaves all training jobs to the other",
)


class Tuning:
    """One tuning job: its journal, the ledger folded from it, and the backend that runs its jobs.

    Made by :meth:`open`. The methods that decide write to the journal first and then act; each of them
    raises Fenced, having touched no job, once another controller has taken over.
    """

    def __init__(self, record: Record, backend: Backend, strategy: Strategy) -> None:
        self.record = record
        self.ledger = record.ledger
        self.backend = backend
        self._strategy = strategy
        self._proposer = Proposer(record.ledger, strategy)
        self._half_launched = HalfLaunched(record.ledger, backend)
        self._observations = Observations(record.ledger)
        self._stop_reason: str | None = None
        self._rejected: Reason | None = None
        self._patience = Patience()
        self._stopped_by_us: set[str] = set()

    @classmethod
    def open(
        cls,
        spec: TuningSpec,
        backend: Backend,
        journal: Journal,
        *,
        clock: Clock | None = None,
        strategy: Strategy | None = None,
        controller: str | None = None,
        parents: Reader | None = None,
        checked: bool = True,
    ) -> Tuning:
        """Create the tuning job, or take up the one that the journal holds.

        ``parents`` finds the parents of a warm start by their names; it is asked when the tuning job is new,
        and never again. ``checked=False`` is for whoever only ends it: a script that is gone is no hindrance
        then. Raises SpecError before anything is launched, NameTaken if the journal belongs to
        another spec (its message lists the fields that differ), JournalError, Fenced.
        """
        clock = clock or SystemClock()
        if spec.name is None:
            raise ValueError("a tuning job needs a name before it is opened: use spec.named(...)")
        record = Record(journal, clock, TAKEN_OVER)
        ledger = record.ledger
        if ledger.opened:
            must_be_of(ledger, spec)
            must_run_on(ledger, backend.address)
        choice = Chosen(ledger.spec) if ledger.opened else chosen(spec)
        if checked and not ledger.finished:
            problems = [*unsupported(choice.spec), *problems_on(backend, choice.spec)]
            if problems:
                raise SpecError(problems)
        # Once in the record, what parents know and what it starts from never change: a restarted controller
        # must see the same.
        inherited = () if ledger.opened else inherit(choice.spec, parents, clock.now())
        starts = Starts() if ledger.opened else starts_of(spec, choice.spec, inherited)
        tuning = cls(record, backend, strategy or strategy_of(choice.spec))
        controller = controller or this_controller()
        if not ledger.opened:
            opened = Opened(
                at=clock.now(),
                name=spec.name,
                fingerprint=spec.fingerprint(),
                spec=choice.spec.to_json(),
                controller=controller,
                backend=backend.address,
                asked=spec.to_json() if choice.why else {},
                chosen=choice.why,
                seed=proposals.drawn_seed() if spec.seed is None else None,
                starts=starts.configurations,
                starts_from=starts.sentences,
            )
            tuning._record(opened, *inherited)
        else:
            record.take_over(controller)
        if not ledger.finished:
            tuning._adopt(backend.find(ledger.name))
            # The last controller may have died between writing that it stops a job and stopping it.
            tuning._ask_backend_to_stop([j.name for j in ledger.live if j.stop_asked_at is not None])
        else:
            with contextlib.suppress(BackendError):
                tuning._half_launched.end()
        return tuning

    # -- the record ------------------------------------------------------------------------------

    @property
    def journal(self) -> Journal:
        return self.record.journal

    def now(self) -> float:
        """The clock's time, never before the last event's."""
        return self.record.now()

    def _record(self, *events: Event) -> None:
        try:
            self.record.append(events)
        except Fenced:
            end_what_nobody_looks_for(self.record, self.backend, events)
            raise

    @contextlib.contextmanager
    def round(self) -> Iterator[None]:
        """A round of the loop: see :meth:`Record.together`. Raises Fenced, JournalError."""
        with self.record.together():
            yield
        self._note()

    def _note(self, *events: Event) -> None:
        """Take note of what nothing in the world follows from before it is written down."""
        if not self.record.gather(events):
            self._record()

    @property
    def is_fenced(self) -> bool:
        """Whether another controller is known to have taken over; False also if the journal can't be read."""
        return self.record.is_fenced

    def _adopt(self, found: Sequence[FoundJob]) -> None:
        """Record jobs that an earlier controller launched and died before it could say so; but for the one to
        be launched next: a launch attaches to it, and starts it if its launcher did not get so far."""
        self._record(
            *(
                Launched(self.now(), job.name, job.trial, job.attempt)
                for job in unknown_jobs(self.ledger, found)
                if (job.trial, job.attempt) != self.ledger.launching
            )
        )

    @property
    def _secret_names(self) -> tuple[str, ...]:
        return secret_names(self.ledger.algorithms)

    # -- observing -------------------------------------------------------------------------------

    def observe(self) -> News:
        """Ask the backend for all running jobs, and record what is new."""
        self.record.absorb_now_and_then()
        live = [job.name for job in self.ledger.live]
        if not live:
            return News()
        points: dict[str, Points] = {}
        endings: list[Ended] = []
        for report in self.backend.poll(self.ledger.name, live):
            fresh = self._observations.take(report)
            for odd in self._observations.warnings(report.name):
                logger.warning("%s: %s.", report.name, hidden(odd, self._secret_names))
            if fresh:
                points[report.name] = fresh
            if report.state.terminal:
                metrics = self._observations.last_values(report.name)
                report = replace(report, unread=self._observations.unread(report.name))
                asked = self._stop_asked(anew=is_unexpected(self.ledger, report))
                ends, secrets = asked is not None, self._secret_names
                ending = ending_of(self.ledger, report, metrics, self.now(), secrets, is_ending=ends)
                endings.append(ending)
        # In the order of finishing, on which "not improving" depends, not in that of asking.
        endings.sort(key=lambda ending: ending.ended_at)
        if points:
            self.record.hold(self._observations.event(self.now(), points))
        self.record.write_what_waits()
        if endings:
            self._note(*endings)
            self._patience.a_job_ended()
        for ending in endings:
            self._observations.forget(ending.job)
        epochs = sum(len(p) for p in points.values())
        return News(epochs, tuple(ending.job for ending in endings))

    # -- early stopping --------------------------------------------------------------------------

    def check_early_stopping(self) -> tuple[Judgement, ...]:
        """Judge every new epoch of every running job and stop the jobs that the rule gives up."""
        rule = early_stopping_rule(self.ledger.spec)
        if rule is None or self.ledger.concluding:
            return ()
        judgements = rule.judge(self.ledger)
        if not judgements:
            return ()
        stops = [judgement for judgement in judgements if judgement.stop]
        now = self.now()
        if not stops:
            self.record.hold(Judged(now, judgements))
            return judgements
        # A judgement that stops, and what follows from it, are known together or not at all.
        self._record(
            Judged(now, judgements),
            *(StopAsked(now, (judgement.job,), True, judgement.why) for judgement in stops),
        )
        self._ask_backend_to_stop([judgement.job for judgement in stops])
        return judgements

    def _ask_backend_to_stop(self, names: Sequence[str]) -> None:
        if names:
            self.backend.stop(self.ledger.name, names)
            self._stopped_by_us.update(names)

    # -- completion ------------------------------------------------------------------------------

    def request_stop(self, reason: str) -> None:
        """Make the next completion check end the tuning job as Stopped. Safe in a signal handler."""
        self._stop_reason = reason

    def _stop_asked(self, *, anew: bool = False) -> str | None:
        """By whom or what, if somebody wants the tuning job to end."""
        return self._stop_reason or self.journal.asked_to_stop(anew=anew)

    def check_completion(self) -> tuple[Reason, ...]:
        """Record and return the reasons to end, if any holds. Ends nothing by itself."""
        if self.ledger.concluding:
            return self.ledger.reasons
        self.note_convergence()
        verdict = self._verdict()
        if verdict is None:
            return ()
        status, reasons = verdict
        self._record(Concluding(self.now(), status, reasons))
        return reasons

    def note_convergence(self) -> None:
        """Record that the values have converged, once they have."""
        if self.ledger.converged is None:
            reason = Convergence().met(self.ledger, self.now())
            if reason is not None:
                self._record(Converged(self.now(), reason))

    def _verdict(self) -> tuple[TuningStatus, tuple[Reason, ...]] | None:
        """The status to end with and why, or None to go on."""
        now = self.now()
        if self._rejected is not None:
            return TuningStatus.FAILED, (self._rejected,)
        stop = self._stop_asked()
        if stop is not None:
            return TuningStatus.STOPPED, (Reason("StoppedByUser", stop),)
        failures = reasons_to_fail(self.ledger, now)
        if failures:
            return TuningStatus.FAILED, failures
        reasons = reasons_to_complete(self.ledger, now, exhausted=self.exhausted)
        if not reasons:
            return None
        unusable = None if self.ledger.live else nothing_usable(self.ledger)
        if unusable is not None:
            return TuningStatus.FAILED, (*reasons, unusable)
        return TuningStatus.COMPLETED, reasons

    def stop_running_jobs(self, *, kill: bool = False) -> None:
        """Ask every running job to stop; each is asked once, or again with ``kill``."""
        live = self.ledger.live
        unasked = [job.name for job in live if job.stop_asked_at is None]
        if unasked:
            why = self.ledger.reasons[0].message if self.ledger.reasons else "the tuning job is ending"
            self._record(StopAsked(self.now(), tuple(unasked), False, why))
        if kill:
            self.backend.stop(self.ledger.name, [job.name for job in live], kill=True)
        else:
            self._ask_backend_to_stop([j.name for j in live if j.name not in self._stopped_by_us])

    def finish(self) -> None:
        """Close the record, if nothing is left to wait for.

        A fenced controller, or a launch whose answer was lost, may have left training jobs that the ledger
        lacks. They are recorded and stopped, and the record stays open until they have ended.
        """
        self._half_launched.end()
        found = self.backend.find(self.ledger.name)
        self._record(
            *(
                Launched(self.now(), job.name, job.trial, job.attempt)
                for job in unknown_jobs(self.ledger, found)
            )
        )
        settled = self._half_launched.settle(self._record, self.now())
        strays = [
            job.name for job in found if not job.state.terminal and job.fingerprint == self.ledger.fingerprint
        ]
        if strays:
            self.backend.stop(self.ledger.name, strays, kill=True)
        if self.ledger.live or not settled or not self.ledger.jobs.keys() >= set(strays):
            return
        self._record(finished(self.ledger, self.now()))
        # Whoever launched in between could not see yet that it is over; whoever launches later will.
        self._half_launched.end()

    def job_names_that_may_live(self) -> list[str]:
        """Of training jobs that were launched, as far as we know, and have not ended."""
        live = [job.name for job in self.ledger.live]
        half = self._half_launched.name
        return live if half is None else [*live, half]

    # -- proposing and launching -----------------------------------------------------------------

    def free_slots(self) -> int:
        """How many training jobs may be launched right now."""
        if self.ledger.concluding or self.now() < self._patience.until:
            return 0
        return launches_allowed(self.ledger)

    def waiting(self) -> int:
        """How many trials wait for a launch."""
        return len(self.ledger.to_launch())

    def ahead(self) -> int:
        """How many trials to choose for slots yet to become free: one, where results don't matter to it."""
        return self._proposer.ahead(self.waiting())

    @property
    def exhausted(self) -> bool:
        """The strategy has no configuration left that was not tried."""
        return self._proposer.exhausted and not to_resume(self.ledger)

    def propose(self, count: int) -> list[Trial]:
        """Choose up to ``count`` new configurations and record them; fewer when the space is exhausted.
        Before them come trials of Hyperband's that were stopped and are to go on."""
        trials: list[Trial] = []
        for one in to_resume(self.ledger)[:count]:
            self._note(Resumed(self.now(), one.trial, one.attempt, one.rung, one.reason))
            trials.append(self.ledger.trials[one.trial])
        while len(trials) < count and (proposed := self._proposer.propose(self.now())) is not None:
            self._note(proposed)
            trials.append(self.ledger.trials[proposed.trial])
        return trials

    def draft(self) -> None:
        """Prepare the next proposal while training jobs run, where results matter to it."""
        self._proposer.draft()

    @property
    def held_up_by(self) -> str | None:
        """Why the backend has no room for the next training job; None when it has."""
        return self._patience.held_up_by

    def launch(self, count: int) -> list[str]:
        """Launch up to ``count`` waiting trials; no criterion may hold and no limit may be passed by any.

        Passing faults delay further launches; a final refusal is kept for the next completion check.
        """
        launched: list[str] = []
        for trial, attempt in self.ledger.to_launch()[:count]:
            if self.free_slots() == 0 or self._verdict() is not None:
                break
            if self.ledger.launching != (trial.number, attempt):
                self._record(Launching(self.now(), trial.number, attempt))
            request = self._request(trial, attempt)
            try:
                self.backend.launch(request)
            except CapacityUnavailable as error:
                self._patience.refused(error, self.now())
                break
            except (LaunchRejected, NameTaken) as error:
                self._rejected = Reason("LaunchRejected", hidden(error.happened, self._secret_names))
                break
            self._patience.granted()
            # It shares the entry that announces the next launch: no more than one is ever unconfirmed.
            self._note(Launched(self.now(), request.name, trial.number, attempt))
            launched.append(request.name)
        return launched

    def _request(self, trial: Trial, attempt: int) -> JobRequest:
        return job_request(self.ledger, trial.number, attempt)

    # -- waiting ---------------------------------------------------------------------------------

    def check_is_due(self) -> bool:
        """Whether a completion check could find a reason that no observation brings: time, a request to
        stop, a refused launch, an exhausted space."""
        return not self.ledger.concluding and self._verdict() is not None

    def wait(self) -> None:
        """Sleep until a job may have changed or a deadline has come."""
        now = self.now()
        timeout = HEARTBEAT_SECONDS
        limit = self.ledger.spec.limits.max_runtime_seconds
        if limit is not None and not self.ledger.concluding:
            timeout = min(timeout, limit - self.ledger.running_seconds(now))
        if self._patience.until > now:
            timeout = min(timeout, self._patience.until - now)
        self.backend.wait(max(timeout, 0.0))
