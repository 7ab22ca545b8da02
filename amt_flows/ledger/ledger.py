"""The ledger: what is known of a tuning job, as the fold of its events.

``Ledger.apply`` is the only way in. Facts are idempotent (an epoch's first value stands, a job ends once),
so a repeated or late event changes nothing. Rules and strategies read; they never write.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, TypeVar

from amt_flows.errors import JournalError, SpecError
from amt_flows.events import (
    Attached,
    Concluding,
    Converged,
    Ended,
    Event,
    Extended,
    Finished,
    HandedOver,
    Inherited,
    Judged,
    Launched,
    Launching,
    Observed,
    Opened,
    Outcome,
    Proposed,
    Reason,
    Resumed,
    Start,
    StopAsked,
    TuningStatus,
    Withdrawn,
)
from amt_flows.ledger.algorithms import Algorithm, algorithms_of
from amt_flows.ledger.history import History, TrialRow, TrialState
from amt_flows.ledger.inherited import inherited_rows
from amt_flows.ledger.training_job import RETRYABLE, STOPPED, TrainingJob, Trial, as_loss
from amt_flows.metrics.epochs import epochs_before
from amt_flows.spec import BestEligible, ObjectiveType, TuningSpec
from amt_flows.spec.extension import extended

T = TypeVar("T")
_NOTHING_FRESH: Final[Mapping[str, Mapping[int, int]]] = {}


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Without looks for garbage: next to nothing of what a long record becomes is, and each look goes through
    all of it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Ledger:
    """A tuning job as its events tell it. Empty until the first event, ``Opened``, is applied."""

    def __init__(self) -> None:
        self._spec: TuningSpec | None = None
        self.algorithms: tuple[Algorithm, ...] = ()
        self._asked: TuningSpec | None = None
        self.drawn_seed: int | None = None
        self.name = ""
        self.fingerprint = ""
        """Of the spec as it was given at first, which its training jobs carry."""
        self.fingerprints: set[str] = set()
        """Of every spec that it was given, and of what came of it."""
        self.idle_seconds = 0.0
        """Between its ends and its extensions."""
        self.opened_at = 0.0
        self.backend = ""
        self.awaits_amt = False
        """Nobody has told yet whether SageMaker's own tuner has it."""
        self.chosen: tuple[str, ...] = ()
        """What was left to us to choose, what it came to and why, a sentence each."""
        self.starts: tuple[Start, ...] = ()
        self.starts_from: tuple[str, ...] = ()
        """What ``starts`` are, a sentence each."""
        self.inherited: list[Inherited] = []
        self.last_at = 0.0
        self.controller = ""
        self.status = TuningStatus.IN_PROGRESS
        self.reasons: tuple[Reason, ...] = ()
        self.end_status: TuningStatus | None = None
        self.amts_status: TuningStatus | None = None
        """What AMT itself calls the end, where it isn't our word."""
        self.finished_at: float | None = None
        self.converged: Reason | None = None
        self.converged_at: float | None = None
        self.trials: dict[int, Trial] = {}
        self.launching: tuple[int, int] | None = None
        """The trial and attempt whose launch was decided and not confirmed: the backend may have it."""
        self.jobs: dict[str, TrainingJob] = {}
        self.ended: list[TrainingJob] = []
        self._attempts: dict[int, list[TrainingJob]] = {}
        self._inherited_rows: list[TrialRow] = []
        # Tallies: what rules and strategies ask for again and again, kept so that an answer costs the same
        # however many training jobs there have been.
        self.resumed: dict[int, Resumed] = {}
        """The trials that go on, or went on, after having been stopped at a rung, with the last time."""
        self._resumed_after: dict[int, int] = {}
        """After how many of their attempts that was."""
        self._live: dict[str, TrainingJob] = {}
        self._waiting: set[int] = set()
        self._best: TrainingJob | None = None
        self.trial_numbers: list[int] = []
        """The numbers of all trials, ascending."""
        self._trials_of: Counter[str] = Counter()
        self._histories: dict[str | None, _KeptHistory] = {}
        self._folds: dict[Hashable, tuple[Any, int]] = {}

    @classmethod
    def replay(cls, entries: Iterable[Iterable[Event]]) -> Ledger:
        """The ledger of these entries; empty without any. Raises as :meth:`extend`."""
        ledger = cls()
        ledger.extend(entries)
        return ledger

    def extend(self, entries: Iterable[Iterable[Event]]) -> None:
        """Go on with the entries that come next in the journal. Raises JournalError when they can't be the
        record of a tuning job: one begins with its opening, and a trial is proposed before it is launched."""
        with _uncollected():
            for entry in entries:
                for event in entry:
                    self._go_on_with(event)

    def _go_on_with(self, event: Event) -> None:
        if not self.opened and not isinstance(event, Opened):
            raise JournalError("The journal doesn't begin with the opening of a tuning job.")
        if isinstance(event, Launched) and event.trial not in self.trials:
            raise JournalError(f"The journal has a launch of trial {event.trial}, but not its proposal.")
        try:
            self.apply(event)
        except SpecError as error:
            raise JournalError(f"The journal's tuning job has no valid spec: {error}") from error

    @property
    def spec(self) -> TuningSpec:
        if self._spec is None:
            raise ValueError("this ledger has no tuning job yet: its first event must be Opened")
        return self._spec

    @property
    def asked(self) -> TuningSpec:
        """The spec that was given: ``spec`` before anything that it left to us was chosen."""
        return self._asked or self.spec

    @property
    def seed(self) -> int:
        """That of the proposals: the one that was given, or drawn. The first records have none, which was
        0."""
        return self.spec.seed if self.spec.seed is not None else self.drawn_seed or 0

    @property
    def opened(self) -> bool:
        return self._spec is not None

    # -- folding ---------------------------------------------------------------------------------

    def apply(self, event: Event) -> None:  # noqa: C901 - one table: a case for each event
        # A clock that is set back must not make time run backwards for the rules.
        self.last_at = max(self.last_at, event.at)
        match event:
            case Opened():
                if self._spec is None:
                    self._spec = TuningSpec.parse(event.spec)
                    self.drawn_seed = event.seed
                    self.algorithms = algorithms_of(self._spec, self.seed)
                    self._asked = TuningSpec.parse(event.asked) if event.asked else None
                    self.chosen = event.chosen
                    self.starts, self.starts_from = event.starts, event.starts_from
                    self.name, self.fingerprint = event.name, event.fingerprint
                    self.fingerprints = {event.fingerprint, self._spec.fingerprint()}
                    self.opened_at, self.controller = event.at, event.controller
                    self.backend, self.awaits_amt = event.backend, event.intended
            case HandedOver():
                if self.awaits_amt:
                    self.awaits_amt, self.opened_at = False, event.created_at
            case Withdrawn():
                if self.awaits_amt:
                    self.awaits_amt, self._spec, self.algorithms = False, None, ()
            case Extended():
                self._extend(event)
            case Inherited():
                self._inherit(event)
            case Attached():
                self.controller = event.controller
            case Proposed():
                self._proposed(event)
            case Resumed():
                self._resume(event)
            case Launching():
                if event.trial in self.trials and event.attempt == len(self.attempts(event.trial)) + 1:
                    self.launching = (event.trial, event.attempt)
            case Launched():
                self._launched(event)
            case Observed():
                self._observed(event)
            case Judged():
                for judgement in event.judgements:
                    job = self.jobs.get(judgement.job)
                    if job is not None and judgement.epoch > job.judged_epoch:
                        job.take_judgement(judgement)
            case StopAsked():
                for name in event.jobs:
                    job = self.jobs.get(name)
                    if job is not None and job.live and job.stop_asked_at is None:
                        job.stop_asked_at, job.stop_why = event.at, event.why
                        job.stopped_early = event.early
            case Ended():
                self._ended(event)
            case Converged():
                if self.converged is None:
                    self.converged, self.converged_at = event.reason, event.at
            case Concluding():
                if self.end_status is None:
                    self.end_status, self.reasons = event.status, event.reasons
                    self.status = TuningStatus.STOPPING
            case Finished():
                if self.finished_at is None:
                    self.finished_at, self.status = event.at, event.status
                    self.reasons = (*self.reasons, *event.reasons)
                    self.amts_status = event.amts_status

    def _observed(self, event: Observed) -> None:
        on_epochs = self._spec is not None and self._spec.completion.target_on_epochs
        for name, points in event.points.items():
            job = self._live.get(name)
            if job is None:
                continue
            job.goes_on(event.went_on.get(name, 0), self._before(job))
            for epoch, value in points:
                if job.curve.add(epoch, value) and on_epochs:
                    self._note_target(job, value)
            if name in event.told:
                job.note_told((epoch for epoch, _ in points), event.told[name])

    def _before(self, job: TrainingJob) -> list[TrainingJob]:
        """The earlier attempts at its trial."""
        return [one for one in self.attempts(job.trial) if one.attempt < job.attempt]

    def goes_on_after(
        self, job: TrainingJob, told: int, fresh: Mapping[str, Mapping[int, int]] = _NOTHING_FRESH
    ) -> int:
        """After how many epochs of earlier attempts at its trial a job goes on, whose script calls its first
        epoch ``told``; 0 for one that begins with the first. ``fresh``: the epochs of jobs that are not in
        the ledger yet, and what those are called."""
        if job.went_on_after or len(job.curve):
            return job.went_on_after
        called = {
            epoch: (one.told or {}).get(epoch, epoch) for one in self._before(job) for epoch, _ in one.curve
        }
        for one in self._before(job):
            called.update(fresh.get(one.name, {}))
        return epochs_before(called, told)

    def seconds_behind(self, job: TrainingJob) -> float:
        """The training time behind a job's curve: of one that went on, with that of the attempts before."""
        jobs = [*self._before(job), job] if job.went_on_after else [job]
        return sum(one.training_seconds(self.last_at) for one in jobs)

    def _extend(self, event: Extended) -> None:
        if self.finished_at is not None:
            self.idle_seconds += max(0.0, event.at - self.finished_at)
        self._spec = extended(self.spec, event.changes)
        self._asked = None if self._asked is None else extended(self._asked, event.changes)
        self.fingerprints |= {self._spec.fingerprint(), self.asked.fingerprint()}
        self.algorithms = algorithms_of(self._spec, self.seed)
        self.status, self.end_status, self.reasons = TuningStatus.IN_PROGRESS, None, ()
        self.finished_at = self.amts_status = None
        on_epochs = self._spec.completion.target_on_epochs
        for job in self.jobs.values():
            job.reached = None
            ended = (job.final_value,) if job.has_usable_value else ()
            for value in (*ended, *((value for _, value in job.curve) if on_epochs else ())):
                self._note_target(job, value)
        # Who may be the best, and what counts as an improvement, may be decided otherwise now.
        self._folds.clear()
        self._best = None
        for job in self.ended:
            self._note_best(job)

    def running_seconds(self, until: float) -> float:
        """For how long the tuning job has run: wall clock, but for the time between an end and its
        extension."""
        return until - self.opened_at - self.idle_seconds

    def _inherit(self, event: Inherited) -> None:
        known = {(one.parent, one.identical) for one in self.inherited}
        if (event.parent, event.identical) not in known:
            self.inherited.append(event)
            self._inherited_rows = inherited_rows(self.inherited, self.loss)
            self._histories.clear()

    def _proposed(self, event: Proposed) -> None:
        if event.trial in self.trials:
            return
        trial = self._trial(event)
        self.trials[event.trial] = trial
        self._note_waiting(event.trial)
        self._trials_of[trial.definition] += 1
        if self.trial_numbers and event.trial < self.trial_numbers[-1]:
            # Rows stand in the order of their numbers.
            self.trial_numbers = sorted(self.trials)
            self._histories.clear()
        else:
            self.trial_numbers.append(event.trial)

    def _trial(self, event: Proposed) -> Trial:
        source, definition = event.source, event.definition
        if not definition and len(self.algorithms) > 1 and source.startswith("amt/"):
            # The first journals of tuning jobs that AMT drives have it there.
            source, _, definition = source.partition("/")
        ordinal = event.trial if len(self.algorithms) < 2 else self._trials_of[definition] + 1
        configuration, known = dict(event.configuration), len(self.ended)
        return Trial(event.trial, configuration, source, event.reason, definition, ordinal, known)

    def _resume(self, event: Resumed) -> None:
        attempts = self.attempts(event.trial)
        stopped = attempts and attempts[-1].outcome is Outcome.STOPPED_EARLY
        if stopped and event.attempt == len(attempts) + 1:
            self.resumed[event.trial] = event
            self._resumed_after[event.trial] = len(attempts)
            self._note_waiting(event.trial)

    def _note_waiting(self, number: int) -> None:
        attempts = self.attempts(number)
        waits = not attempts or self.is_retried(attempts[-1]) or self.is_resumed(number)
        if waits and number in self.trials:
            self._waiting.add(number)
        else:
            self._waiting.discard(number)

    def _launched(self, event: Launched) -> None:
        if event.job not in self.jobs:
            job = TrainingJob(event.job, event.trial, event.attempt, event.at)
            self.jobs[event.job] = job
            self._live[event.job] = job
            earlier = self.attempts(event.trial)
            if earlier and not earlier[-1].live and earlier[-1].outcome not in RETRYABLE:
                # Its row was taken for settled.
                self._histories.clear()
            self._attempts.setdefault(event.trial, []).append(job)
            self._note_waiting(event.trial)
            if self.launching == (event.trial, event.attempt):
                self.launching = None

    def _ended(self, event: Ended) -> None:
        job = self.jobs.get(event.job)
        if job is None or not job.live:
            return
        job.outcome, job.started_at, job.ended_at = event.outcome, event.started_at, event.ended_at
        job.metrics = dict(event.metrics)
        job.artifact, job.log, job.failure = event.artifact, event.log, event.failure
        job.checkpoints = event.checkpoints
        job.final_value = job.metrics.get(self.algorithm_of(job).metric_name, job.curve.last_value)
        ended_well = job.outcome in (Outcome.COMPLETED, Outcome.TIMED_OUT, *STOPPED)
        if job.reached is not None and ended_well and not math.isfinite(job.final_value or 0.0):
            # What came after the target was met doesn't undo it.
            job.final_value = job.reached
        if job.has_usable_value:
            self._note_target(job, job.final_value)
        self.ended.append(job)
        del self._live[job.name]
        self._note_waiting(job.trial)
        self._note_best(job)

    def _note_best(self, job: TrainingJob) -> None:
        if self.eligible(job) and (self._best is None or self.order(job) < self.order(self._best)):
            self._best = job

    def _note_target(self, job: TrainingJob, value: float | None) -> None:
        target = self.spec.completion.target_objective_metric_value
        if job.reached is None and target is not None and value is not None:
            job.reached = value if self.loss(value) <= self.loss(target) else None

    # -- reading ---------------------------------------------------------------------------------

    def loss(self, value: float) -> float:
        """The objective turned so that smaller is better; what is not finite is worse than every number."""
        return as_loss(value, maximize=self.spec.maximize)

    def other_losses(self, job: TrainingJob) -> tuple[float | None, ...]:
        """The last values of the further objectives, turned so that smaller is better; None for one that
        wasn't there or isn't finite."""
        told = [(one, job.metrics.get(one.metric_name)) for one in self.spec.other_objectives]
        return tuple(
            None
            if value is None or not math.isfinite(value)
            else (-value if one.type is ObjectiveType.MAXIMIZE else value)
            for one, value in told
        )

    def algorithm(self, trial: Trial) -> Algorithm:
        """The one that a trial is of."""
        return next((one for one in self.algorithms if one.name == trial.definition), self.algorithms[0])

    def algorithm_of(self, job: TrainingJob) -> Algorithm:
        trial = self.trials.get(job.trial)
        return self.algorithms[0] if trial is None else self.algorithm(trial)

    @property
    def leading_algorithm(self) -> Algorithm:
        """That of the best training job; the first one while there is none."""
        best = self.best
        return self.algorithms[0] if best is None else self.algorithm_of(best)

    def of_one_algorithm(self, algorithm: Algorithm | None = None) -> Ledger:
        """The tuning job as if an algorithm (by default the leading one) were its only one, for whatever
        draws or explains one space. A view of a ledger that stands still: apply no event to it."""
        if len(self.algorithms) == 1:
            return self
        algorithm = algorithm or self.leading_algorithm
        one = copy.copy(self)
        one._spec, one.algorithms = algorithm.spec, (replace(algorithm, name="", at=""),)
        one.trials = {n: trial for n, trial in self.trials.items() if self.algorithm(trial) is algorithm}
        one.jobs = {name: job for name, job in self.jobs.items() if job.trial in one.trials}
        one.ended = [job for job in self.ended if job.trial in one.trials]
        one._attempts = {n: jobs for n, jobs in self._attempts.items() if n in one.trials}
        one._live = {name: job for name, job in self._live.items() if job.trial in one.trials}
        one._waiting = self._waiting & one.trials.keys()
        one._best = one._best_of(one.ended)
        one.trial_numbers = [number for number in self.trial_numbers if number in one.trials]
        one._trials_of = Counter(trial.definition for trial in one.trials.values())
        one._histories, one._folds = {}, {}
        return one

    @property
    def concluding(self) -> bool:
        return self.end_status is not None

    @property
    def finished(self) -> bool:
        return self.finished_at is not None

    @property
    def live(self) -> list[TrainingJob]:
        """Training jobs that have not ended, in the order of their launches."""
        return list(self._live.values())

    def attempts(self, trial: int) -> Sequence[TrainingJob]:
        return self._attempts.get(trial, ())

    def to_launch(self) -> list[tuple[Trial, int]]:
        """Trials that wait for a launch and the attempt it would be: first the one whose launch was decided
        already, then the oldest trial."""
        waiting = [(self.trials[n], len(self.attempts(n)) + 1) for n in sorted(self._waiting)]
        return sorted(waiting, key=lambda one: (one[0].number, one[1]) != self.launching)

    def is_resumed(self, trial: int) -> bool:
        """Whether a trial that was stopped is to go on, and waits for its launch."""
        return self._resumed_after.get(trial) == len(self.attempts(trial))

    def resumptions(self, trial: int) -> int:
        """How many of its attempts did not fail, but were stopped and gone on with."""
        return sum(job.outcome not in RETRYABLE and not job.live for job in self.attempts(trial))

    def is_retried(self, job: TrainingJob) -> bool:
        """Whether the trial of a job gets another attempt in its place."""
        if job.outcome not in RETRYABLE:
            return False
        until = [one for one in self.attempts(job.trial) if one.attempt <= job.attempt]
        failures = sum(one.outcome in RETRYABLE for one in until)
        return failures <= self.algorithm_of(job).spec.training_job.max_retry_attempts

    @property
    def next_trial(self) -> int:
        return self.trial_numbers[-1] + 1 if self.trial_numbers else 1

    def next_ordinal(self, algorithm: Algorithm) -> int:
        """Of the next trial, if it is of this algorithm."""
        return self.next_trial if len(self.algorithms) < 2 else self._trials_of[algorithm.name] + 1

    def eligible(self, job: TrainingJob) -> bool:
        """Whether a job may be the best training job. One that met the target may, however it ended: else it
        couldn't have completed the tuning job."""
        if not job.has_usable_value:
            return False
        return (
            job.outcome is Outcome.COMPLETED
            or job.reached is not None
            or self.spec.best_eligible is BestEligible.COMPLETED_AND_STOPPED
        )

    @property
    def best(self) -> TrainingJob | None:
        """The best training job so far; among equals the one that ended first."""
        return self._best

    def _best_of(self, ended: Iterable[TrainingJob]) -> TrainingJob | None:
        return min(filter(self.eligible, ended), key=self.order, default=None)

    def over_ended(self, fold: EndedFold[T]) -> T:
        """The state of a fold over the jobs that have ended, in the order of their ends. It is kept, and goes
        on with those that have ended since."""
        state, seen = self._folds.get(fold, (None, 0))
        if seen == 0:
            state = fold.start()
        for job in self.ended[seen:] if seen < len(self.ended) else ():
            state = fold.step(self, state, job)
        self._folds[fold] = state, len(self.ended)
        kept: T = state
        return kept

    def order(self, job: TrainingJob) -> tuple[bool, float]:
        """Where a job that has ended stands among those that may be the best; smaller is better. Whoever met
        the target comes before all others, also if it was by an epoch and its last value is another."""
        return job.reached is None, self._loss_of(job)

    def _loss_of(self, job: TrainingJob) -> float:
        return math.inf if job.final_value is None else self.loss(job.final_value)

    def history(self, algorithm: Algorithm | None = None) -> History:
        """What a strategy may see, a row per trial (of one algorithm, if given) in the order of their
        numbers; those of parents first. It goes on with the tuning job: take a list of it to keep it as it
        is."""
        name = None if algorithm is None else algorithm.name
        kept = self._histories.get(name)
        if kept is None:
            kept = self._histories[name] = _KeptHistory(History(self._inherited_rows))
        return kept.brought_up_to_date(self, algorithm)

    def row_of(self, trial: Trial, job: TrainingJob | None) -> TrialRow:
        """A trial as strategies see it, by the latest of its jobs."""
        if job is None:
            return self.pending_row(trial)
        curve = job.curve.losses(maximize=self.spec.maximize)
        seconds = self.seconds_behind(job)
        state = TrialState.FAILED
        loss: float | None = None
        if job.live or self.is_retried(job):
            state = TrialState.PENDING
        elif job.has_usable_value:
            state = TrialState.COMPLETED if job.outcome is Outcome.COMPLETED else TrialState.STOPPED
            loss = self._loss_of(job)
        return TrialRow(
            trial.number,
            trial.configuration,
            state,
            loss=loss,
            curve=curve,
            seconds=seconds,
            other_losses=() if loss is None else self.other_losses(job),
            is_start=self._is_start(trial),
        )

    def pending_row(self, trial: Trial) -> TrialRow:
        """That of a trial of which nothing is known yet."""
        return TrialRow(trial.number, trial.configuration, TrialState.PENDING, is_start=self._is_start(trial))

    def _is_start(self, trial: Trial) -> bool:
        return bool(self.starts) and trial.source in {start.source for start in self.starts}


class EndedFold(Hashable, Protocol[T]):
    """What a rule counts over the jobs that have ended, one after the other. Hashable: two that are equal
    share their state."""

    def start(self) -> T: ...

    def step(self, ledger: Ledger, state: T, job: TrainingJob) -> T:
        """The state with one more job; ``state`` may be changed and returned."""
        ...


@dataclass
class _KeptHistory:
    """A history, and which of its trials may still change."""

    history: History
    _seen: int = 0
    _open: dict[int, int] = field(default_factory=dict)

    def brought_up_to_date(self, ledger: Ledger, algorithm: Algorithm | None) -> History:
        for number, place in list(self._open.items()):
            row, settled = self._row(ledger, number)
            self.history.replace(place, row)
            if settled:
                del self._open[number]
        for number in ledger.trial_numbers[self._seen :]:
            if algorithm is None or ledger.algorithm(ledger.trials[number]) is algorithm:
                row, settled = self._row(ledger, number)
                place = self.history.add(row)
                if not settled:
                    self._open[number] = place
        self._seen = len(ledger.trial_numbers)
        return self.history

    def _row(self, ledger: Ledger, number: int) -> tuple[TrialRow, bool]:
        """That of a trial as it stands, and whether it stays so."""
        attempts = ledger.attempts(number)
        job = attempts[-1] if attempts else None
        settled = job is not None and not job.live and job.outcome not in RETRYABLE
        return ledger.row_of(ledger.trials[number], job), settled
