"""Hyperband's early stopping, asynchronous: a job that reaches a rung goes on if it is among the best there.

The stopping variant of ASHA (Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning"), run in
Hyperband's brackets: no job ever waits for others. A job at a rung is compared with the jobs of its bracket
whose values at that rung are known. It goes on if it is in the top third, rounded up: the first always does.
A job that has used ``max_resource`` is ended: it has had all that it may use.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

from amt_flows.events import Judgement, Outcome
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.names import count
from amt_flows.spec import TuningSpec
from amt_flows.strategies.brackets import ETA, rungs, rungs_of


def used_its_resource(spec: TuningSpec, job: TrainingJob) -> bool:
    """Whether a job got as far as Hyperband lets any job go: its final value is that of a whole training."""
    return spec.hyperband is not None and job.curve.last_epoch >= spec.hyperband.max_resource


@dataclass(frozen=True)
class HyperbandRule:
    min_resource: int
    max_resource: int

    def judge(self, ledger: Ledger) -> tuple[Judgement, ...]:
        """A judgement on every epoch at which a running job reached a rung of its bracket, or the full
        resource, and which has none yet. Nothing after the epoch that stops a job is judged."""
        fresh = [job for job in ledger.live if job.stop_asked_at is None]
        fresh = [job for job in fresh if job.curve.last_epoch > job.judged_epoch]
        if not fresh:
            return ()
        every = rungs(self.min_resource, self.max_resource)
        judgements: list[Judgement] = []
        for job in fresh:
            for judgement in self._judge_job(ledger, job, every):
                judgements.append(judgement)
                if judgement.stop:
                    break
        return tuple(judgements)

    def _judge_job(self, ledger: Ledger, job: TrainingJob, every: Sequence[int]) -> list[Judgement]:
        bracket, own = rungs_of(ledger.trials[job.trial].ordinal, every)
        resumed = ledger.resumed.get(job.trial)
        if resumed is not None:
            # It may have gone on from an earlier epoch, and where it was stopped it goes on this time.
            own = tuple(rung for rung in own if rung > resumed.rung)
        judgements = []
        for rung in own:
            epoch = _reached_at(job, rung)
            # Usually the next rung is reached at a later epoch. If the job skips epochs, the last one counts.
            later = [r for r in own if r > rung and epoch is not None and epoch >= r]
            if epoch is None or epoch <= job.judged_epoch or later or epoch >= self.max_resource:
                continue
            judgements.append(_at_rung(ledger, job, _peers(ledger, job, rung, every), (bracket, rung, epoch)))
        end = _reached_at(job, self.max_resource)
        if end is not None and end > job.judged_epoch:
            judgements.append(self._at_end(job, bracket, end))
        return judgements

    def _at_end(self, job: TrainingJob, bracket: int, epoch: int) -> Judgement:
        value = job.curve.value(epoch)
        assert value is not None
        why = f"epoch {epoch}: it has used its whole resource of {count(self.max_resource, 'epoch')}"
        numbers = {"bracket": float(bracket), "rung": float(self.max_resource)}
        return Judgement(job.name, epoch, value, None, 0, True, why, numbers)


def _peers(ledger: Ledger, job: TrainingJob, rung: int, every: Sequence[int]) -> list[TrainingJob]:
    """The jobs of its bracket that a job is compared with at a rung: of each other trial the latest attempt
    that has reached it. The curves of several algorithms can't be compared."""
    algorithm = ledger.algorithm_of(job)
    bracket = rungs_of(ledger.trials[job.trial].ordinal, every)[0]
    latest = {
        other.trial: other
        for other in ledger.jobs.values()
        if other.trial != job.trial
        and other.curve.last_epoch >= rung
        and ledger.algorithm_of(other) is algorithm
    }
    return [
        other
        for number, other in latest.items()
        if rungs_of(ledger.trials[number].ordinal, every)[0] == bracket
    ]


def _reached_at(job: TrainingJob, rung: int) -> int | None:
    """The first epoch at or after the rung: a script may not emit each epoch."""
    reached = job.curve.epochs_after(rung - 1)
    return reached[0] if reached else None


def _at_rung(
    ledger: Ledger, job: TrainingJob, peers: Sequence[TrainingJob], place: tuple[int, int, int]
) -> Judgement:
    bracket, rung, epoch = place
    value = job.curve.value(epoch)
    assert value is not None
    others = [loss for peer in peers if (loss := _loss_at(ledger, peer, rung)) is not None]
    standing = Standing.among(sorted(others), ledger.loss(value))
    stop = not standing.goes_on or not math.isfinite(value)
    go_on = "stops" if stop else "goes on"
    why = f"{value:g} at rung {rung} of bracket {bracket} is {standing}, so it {go_on}"
    numbers = {
        "bracket": float(bracket),
        "rung": float(rung),
        "rank": float(standing.rank),
        "of": float(standing.of),
        "keep": float(standing.keep),
    }
    return Judgement(job.name, epoch, value, None, len(others), stop, why, numbers)


def _loss_at(ledger: Ledger, job: TrainingJob, rung: int) -> float | None:
    reached = _reached_at(job, rung)
    seen = None if reached is None else job.curve.value(reached)
    return None if seen is None else ledger.loss(seen)


@dataclass(frozen=True)
class Standing:
    """Where a value stands at a rung: its rank, among how many."""

    rank: int
    of: int

    @classmethod
    def among(cls, others: Sequence[float], loss: float) -> Standing:
        """``others`` are the losses of the other jobs there, ascending."""
        return cls(1 + bisect.bisect_left(others, loss), 1 + len(others))

    @property
    def keep(self) -> int:
        return math.ceil(self.of / ETA)

    @property
    def goes_on(self) -> bool:
        return self.rank <= self.keep

    def __str__(self) -> str:
        return f"number {self.rank} of {self.of} there; the best {self.keep} of {self.of} go on"


@dataclass(frozen=True)
class Resumption:
    """A trial that is to go on from the rung at which its job was stopped, and why."""

    trial: int
    attempt: int
    rung: int
    reason: str


def to_resume(ledger: Ledger) -> list[Resumption]:
    """The trials that are to go on, if the spec wants that: stopped at a rung, among the best of those that
    have come there by now, and with checkpoints to go on from. Those of the highest rung first, as ASHA
    promotes them."""
    asked = ledger.spec.hyperband
    if asked is None or not asked.resume_stopped:
        return []
    every = rungs(asked.min_resource, asked.max_resource)
    found = []
    there: dict[tuple[str, int, int], dict[int, float]] = {}
    for number, trial in ledger.trials.items():
        bracket, own = rungs_of(trial.ordinal, every)
        for job in ledger.attempts(number):
            for rung in own:
                loss = _loss_at(ledger, job, rung)
                if loss is not None:
                    there.setdefault((trial.definition, bracket, rung), {})[number] = loss
    losses = {place: sorted(by_trial.values()) for place, by_trial in there.items()}
    for number, trial in ledger.trials.items():
        stopped_at = _stopped_at(ledger, number)
        if stopped_at is None:
            continue
        place = (trial.definition, rungs_of(trial.ordinal, every)[0], stopped_at)
        loss = there.get(place, {}).get(number, math.inf)
        standing = Standing(1 + bisect.bisect_left(losses.get(place, []), loss), len(losses.get(place, [])))
        if math.isfinite(loss) and standing.goes_on:
            attempt = len(ledger.attempts(number)) + 1
            why = f"stopped at rung {stopped_at} of bracket {place[1]}, it is {standing} now"
            found.append((-stopped_at, standing.rank, Resumption(number, attempt, stopped_at, why)))
    return [one for _, _, one in sorted(found, key=lambda one: (one[0], one[1], one[2].trial))]


def _stopped_at(ledger: Ledger, trial: int) -> int | None:
    """The rung at which a trial's job was stopped that can be gone on with; None for any other."""
    attempts = ledger.attempts(trial)
    if not attempts or attempts[-1].outcome is not Outcome.STOPPED_EARLY or ledger.is_resumed(trial):
        return None
    job = attempts[-1]
    numbers = {} if job.verdict is None else job.verdict.numbers
    return None if job.checkpoints is None or "rank" not in numbers else int(numbers["rung"])
