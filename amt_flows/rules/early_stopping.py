"""Median early stopping: AMT's rule as its guide "Stop Training Jobs Early" states it.

After an epoch of a running job, take of every earlier job that reached that epoch the running average of
its objective up to it, and the median of those averages; the job is stopped if its own value *at* the epoch
is strictly worse. Two guards (ours; the bare rule spoils the best in a third of tunings): at least
``min_jobs`` jobs to compare with, and no judgement before the grace epoch. ``min_jobs=1, grace_epochs=0`` is
the bare rule.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from amt_flows.events import Judgement, Outcome
from amt_flows.ledger import Ledger, TrainingJob
from amt_flows.spec import ComparedJobs, EarlyStoppingType, TuningSpec

GRACE_FRACTION = 0.25


@dataclass(frozen=True)
class MedianRule:
    compare_with: ComparedJobs = ComparedJobs.COMPLETED
    min_jobs: int = 5
    grace_epochs: int | None = None

    def judge(self, ledger: Ledger) -> tuple[Judgement, ...]:
        """A judgement on every epoch that was not judged yet, of every running job, oldest epoch first.

        Nothing after the epoch that stops a job is judged, nor is a job that is being stopped.
        """
        judgements: list[Judgement] = []
        fresh = [job for job in ledger.live if job.stop_asked_at is None]
        fresh = [job for job in fresh if job.curve.last_epoch > job.judged_epoch]
        if not fresh:
            return ()
        compared, grace = self._compared(ledger), self._grace(ledger)
        for job in fresh:
            for epoch in job.curve.epochs_after(job.judged_epoch):
                judgement = self._judge_epoch(ledger, job, epoch, compared, grace)
                judgements.append(judgement)
                if judgement.stop:
                    break
        return tuple(judgements)

    def _judge_epoch(
        self,
        ledger: Ledger,
        job: TrainingJob,
        epoch: int,
        compared: Sequence[TrainingJob],
        grace: float | None,
    ) -> Judgement:
        value = job.curve.value(epoch)
        assert value is not None
        averages = [
            ledger.loss(other.curve.running_average(epoch))
            for other in compared
            if other is not job and other.curve.last_epoch >= epoch
        ]
        count = len(averages)
        if count < self.min_jobs:
            why = f"{count} of {self.min_jobs} jobs to compare with reached epoch {epoch}"
            return Judgement(job.name, epoch, value, None, count, False, why)
        if grace is None or epoch < grace:
            until = "no job has completed" if grace is None else f"grace lasts until epoch {grace:g}"
            return Judgement(job.name, epoch, value, None, count, False, until)
        median_loss = statistics.median(averages)
        median = -median_loss if ledger.spec.maximize else median_loss
        worse = ledger.loss(value) > median_loss
        relation = "worse than" if worse else "not worse than"
        why = f"{value:g} at epoch {epoch} is {relation} {median:g}, the median of {count} running averages"
        return Judgement(job.name, epoch, value, median, count, worse, why)

    def _compared(self, ledger: Ledger) -> list[TrainingJob]:
        if self.compare_with is ComparedJobs.ALL:
            return list(ledger.jobs.values())
        if self.compare_with is ComparedJobs.ENDED:
            return list(ledger.ended)
        return [job for job in ledger.ended if job.outcome is Outcome.COMPLETED]

    def _grace(self, ledger: Ledger) -> float | None:
        """The first epoch that may be judged; None while that can't be known."""
        if self.grace_epochs is not None:
            return self.grace_epochs
        lengths = [job.curve.last_epoch for job in ledger.ended if job.outcome is Outcome.COMPLETED]
        return math.ceil(GRACE_FRACTION * statistics.median(lengths)) if lengths else None


def early_stopping_rule(spec: TuningSpec) -> MedianRule | None:
    """The rule a spec asks for, or None when early stopping is Off."""
    policy = spec.early_stopping
    if policy.type is EarlyStoppingType.OFF:
        return None
    return MedianRule(policy.compare_with, policy.min_jobs, policy.grace_epochs)
