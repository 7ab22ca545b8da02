"""Median early stopping: AMT's rule as its guide "Stop Training Jobs Early" states it, and its guards.

After an epoch of a running job, take of every earlier job that reached that epoch the running average of
its objective up to it, and the median of those averages; the job is stopped if its own value *at* the epoch
is strictly worse, by more than the rounding of that average. The bare rule spoils the best in a third of
tunings, so by default (our guards):

- at least ``min_jobs`` jobs are compared with: if it isn't given, one will do as long as all jobs are seen
  to run equally long, and two are wanted otherwise, since those that complete first are then the shortest;
- no epoch before the grace epoch is judged;
- a job that may still reach the best training job is spared (:mod:`amt_flows.rules.prospects`).

``min_jobs=1, grace_epochs=0`` is the bare rule. ``beyond_median`` adds a second rule: in the second half of
training a job that can't reach the best any more is stopped even if it is better than the median.
The figures are in ``docs/stopping.md``.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from amt_flows.events import Judgement
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.names import count
from amt_flows.rules.hyperband import HyperbandRule
from amt_flows.rules.prospects import Prospect, longest, prospect, same_length
from amt_flows.rules.tallies import AveragesAt, Lengths, average_at, middle
from amt_flows.spec import ComparedJobs, EarlyStoppingType, StrategyType, TuningSpec

GRACE_FRACTION = 0.1
SECOND_HALF = 0.5


class EarlyStoppingRule(Protocol):
    """Answers with a judgement on each epoch that calls for one and has none yet, of every running job that
    isn't being stopped, oldest epoch first; nothing after the epoch that stops a job."""

    def judge(self, ledger: Ledger) -> tuple[Judgement, ...]: ...


@dataclass(frozen=True)
class MedianRule:
    """``min_jobs``: None means 1, or 2 once jobs are seen to differ in length. ``spare_hopeful``: None means
    unless this is the bare rule."""

    compare_with: ComparedJobs = ComparedJobs.COMPLETED
    min_jobs: int | None = None
    grace_epochs: int | None = None
    spare_hopeful: bool | None = None
    beyond_median: bool = False

    @property
    def spares(self) -> bool:
        if self.spare_hopeful is not None:
            return self.spare_hopeful
        return not (self.min_jobs == 1 and self.grace_epochs == 0)

    def judge(self, ledger: Ledger) -> tuple[Judgement, ...]:
        """A judgement on every epoch that was not judged yet, of every running job, oldest epoch first.

        Nothing after the epoch that stops a job is judged, nor is a job that is being stopped.
        """
        judgements: list[Judgement] = []
        fresh = [job for job in ledger.live if job.stop_asked_at is None]
        fresh = [job for job in fresh if job.curve.last_epoch > job.judged_epoch]
        if not fresh:
            return ()
        grace, wanted = self._grace(ledger), self._wanted(ledger)
        for job in fresh:
            for epoch in job.curve.epochs_after(job.judged_epoch):
                judgement = self._judge_epoch(ledger, job, epoch, (wanted, grace))
                judgements.append(judgement)
                if judgement.stop:
                    break
        return tuple(judgements)

    def _judge_epoch(
        self,
        ledger: Ledger,
        job: TrainingJob,
        epoch: int,
        measure: tuple[int, float | None],
    ) -> Judgement:
        """``measure``: how many jobs to compare with are wanted, and the first epoch to judge."""
        wanted, grace = measure
        value = job.curve.value(epoch)
        assert value is not None
        averages, running = self._averages(ledger, job, epoch)
        reached = len(averages) + len(running)
        if reached < wanted:
            why = f"{reached} of {count(wanted, 'job')} to compare with reached epoch {epoch}"
            return Judgement(job.name, epoch, value, None, reached, False, why)
        if grace is None or epoch < grace:
            until = "no job has completed" if grace is None else f"grace lasts until epoch {grace:g}"
            return Judgement(job.name, epoch, value, None, reached, False, until)
        median_loss, rounding = _median(middle(averages, running))
        median = -median_loss if ledger.spec.maximize else median_loss
        # Two equal curves never stop each other.
        worse = ledger.loss(value) > median_loss + rounding
        relation = "worse than" if worse else "not worse than"
        averaged = count(reached, "running average")
        why = f"{value:g} at epoch {epoch} is {relation} {median:g}, the median of {averaged}"
        judgement = Judgement(job.name, epoch, value, median, reached, worse, why)
        # A value that isn't a number has no prospects to weigh.
        if worse and self.spares and math.isfinite(value):
            return _spared_if_hopeful(judgement, ledger, prospect(ledger, job, epoch))
        if not worse and self.beyond_median and epoch >= SECOND_HALF * longest(ledger):
            return _stopped_if_hopeless(judgement, ledger, prospect(ledger, job, epoch))
        return judgement

    def _averages(
        self, ledger: Ledger, job: TrainingJob, epoch: int
    ) -> tuple[Sequence[tuple[float, float]], Sequence[tuple[float, float]]]:
        """The running averages at the epoch of the jobs to compare with: of those that have ended, ascending,
        and of running ones."""
        completed = self.compare_with is ComparedJobs.COMPLETED
        running = ledger.live if self.compare_with is ComparedJobs.ALL else ()
        return ledger.over_ended(AveragesAt(epoch, completed)), [
            average_at(ledger, other, epoch)
            for other in running
            if other is not job and other.curve.last_epoch >= epoch
        ]

    def _wanted(self, ledger: Ledger) -> int:
        if self.min_jobs is not None:
            return self.min_jobs
        return 1 if same_length(ledger) else 2

    def _grace(self, ledger: Ledger) -> float | None:
        """The first epoch that may be judged; None while that can't be known."""
        if self.grace_epochs is not None:
            return self.grace_epochs
        lengths = ledger.over_ended(Lengths())
        return math.ceil(GRACE_FRACTION * statistics.median(lengths)) if lengths else None


def _median(middle: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The median, from the one or two numbers in the middle, which come with their rounding errors; and its
    own."""
    return statistics.median(number for number, _ in middle), max(rounding for _, rounding in middle)


def _spared_if_hopeful(judgement: Judgement, ledger: Ledger, prospect: Prospect | None) -> Judgement:
    if prospect is None:
        why = f"{judgement.why}, but it is too early to say what it may reach"
        return judgement._replace(stop=False, why=why)
    numbers, reach, best = _in_objective(ledger, prospect)
    if prospect.hopeful:
        why = f"{judgement.why}, but it may still reach {reach}; the best is {best}"
        return judgement._replace(stop=False, why=why, numbers=numbers)
    why = f"{judgement.why}; it may reach {reach} at most, and the best is {best}"
    return judgement._replace(why=why, numbers=numbers)


def _stopped_if_hopeless(judgement: Judgement, ledger: Ledger, prospect: Prospect | None) -> Judgement:
    if prospect is None or prospect.hopeful:
        return judgement
    numbers, reach, best = _in_objective(ledger, prospect)
    why = f"{judgement.why}, but it may reach {reach} at most; the best is {best}"
    return judgement._replace(stop=True, why=why, numbers=numbers)


def _in_objective(ledger: Ledger, prospect: Prospect) -> tuple[dict[str, float], str, str]:
    """The reach and the best as numbers of the objective, and in words."""
    sign = -1.0 if ledger.spec.maximize else 1.0
    reach, best = sign * prospect.reach, sign * prospect.best
    return {"reach": reach, "best": best}, f"{reach:g}", f"{best:g}"


def early_stopping_rule(spec: TuningSpec) -> EarlyStoppingRule | None:
    """The rule a spec asks for: Hyperband's own, the median rule, or None when early stopping is Off."""
    if spec.strategy is StrategyType.HYPERBAND and spec.hyperband is not None:
        return HyperbandRule(spec.hyperband.min_resource, spec.hyperband.max_resource)
    policy = spec.early_stopping
    if policy.type is EarlyStoppingType.OFF:
        return None
    return MedianRule(
        policy.compare_with, policy.min_jobs, policy.grace_epochs, policy.spare_hopeful, policy.beyond_median
    )
