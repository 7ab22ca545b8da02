"""Hyperband's early stopping, asynchronous: a job that reaches a rung goes on if it is among the best there.

The stopping variant of ASHA (Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning"), run in
Hyperband's brackets: no job ever waits for others. A job at a rung is compared with the jobs of its bracket
whose values at that rung are known. It goes on if it is in the top third, rounded up: the first always does.
A job that has used ``max_resource`` is ended: it has had all that it may use.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from amt_flows.events import Judgement
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
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
        why = f"epoch {epoch}: it has used its whole resource of {self.max_resource} epochs"
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
    loss = ledger.loss(value)
    others = []
    for peer in peers:
        reached = _reached_at(peer, rung)
        seen = None if reached is None else peer.curve.value(reached)
        if seen is not None:
            others.append(ledger.loss(seen))
    rank, of = 1 + sum(other < loss for other in others), 1 + len(others)
    keep = math.ceil(of / ETA)
    stop = rank > keep or not math.isfinite(value)
    go_on = "stops" if stop else "goes on"
    why = (
        f"{value:g} at rung {rung} of bracket {bracket} is number {rank} of {of} there; "
        f"the best {keep} of {of} go on, so it {go_on}"
    )
    numbers = {
        "bracket": float(bracket),
        "rung": float(rung),
        "rank": float(rank),
        "of": float(of),
        "keep": float(keep),
    }
    return Judgement(job.name, epoch, value, None, len(others), stop, why, numbers)
