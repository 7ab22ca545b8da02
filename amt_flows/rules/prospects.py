"""What a running training job may still reach: the numbers behind sparing it, or giving it up.

Two ways in which it may yet gain are weighed, and the larger counts: by itself, as its curve has gone so far,
and as other jobs of the tuning did from the same epoch on. Neither is a forecast. Each is meant to be
generous, so that a job which can't reach the best even so can be stopped with little to regret.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.rules.tallies import Completed, LargestGain, Lengths, Longest, WholeGains

# More hardly move a median, and each costs a walk over its curve at every epoch that is judged.
PACEMAKERS = 100
# Of n gains the largest is taken to fall short of what is possible by so many n-ths of it: for a job that has
# begun to learn, and for one that hasn't.
SHORT_BY = 1
SHORT_BY_UNBEGUN = 3
# A job has begun to learn that has gained this share of what a completed one gains in all, and has come this
# share of the way.
BEGUN = 0.1
BEGUN_FROM = 0.2
# Of a handful of operations on numbers of one size.
ROUNDING = 1e-15


@dataclass(frozen=True)
class Prospect:
    """In losses (smaller is better): what the job may reach, and the best training job's final value."""

    reach: float
    best: float

    @property
    def hopeful(self) -> bool:
        """Equal to the best is as good, and so is what only rounding keeps from being equal."""
        return self.reach <= self.best or math.isclose(self.reach, self.best, rel_tol=ROUNDING)


def longest(ledger: Ledger) -> int:
    """The epochs of the longest completed job: how far a running one is taken to go."""
    lengths = ledger.over_ended(Lengths())
    return lengths[-1] if lengths else 0


def _longest_of_all(ledger: Ledger) -> int:
    """The last epoch that any job has reached, running ones too."""
    return max(ledger.over_ended(Longest()), max((job.curve.last_epoch for job in ledger.live), default=0))


def same_length(ledger: Ledger) -> bool:
    """Whether all jobs may run equally long, as far as is known: the completed ones did, and none of the
    others has run longer."""
    lengths = ledger.over_ended(Lengths())
    return not lengths or lengths[0] == lengths[-1] == _longest_of_all(ledger)


def _end(ledger: Ledger) -> float:
    """How far a running job may go: a length that two completed jobs share and none exceeds is taken for the
    length of all; otherwise the longest of n, and one n-th more, as much as it falls short on average (see
    :func:`_gain_of_others`)."""
    lengths, end = ledger.over_ended(Lengths()), longest(ledger)
    if lengths[-2:] == [end, end]:
        return end
    return end * (1 + 1 / len(lengths)) if lengths else end


def _is_limit(ledger: Ledger) -> bool:
    """Whether the longest completed job's length may be the longest of all: two share it, or there is but one
    completed job; and no job has run longer."""
    lengths, end = ledger.over_ended(Lengths()), longest(ledger)
    shared = len(lengths) == 1 or lengths[-2:] == [end, end]
    return shared and _longest_of_all(ledger) <= end


def _end_at_its_pace(ledger: Ledger, here: tuple[int, float]) -> float:
    """How far a job may go that stands ``here`` (epoch, best loss) when jobs differ in length.

    Scripts that end themselves once nothing improves run the longer the slower they learn. So a job that took
    k times as long as another to come this far is taken to run k times as long in all; of the lengths that
    the completed jobs give in this way, the median. Infinite where most were this far at their first epoch,
    which doesn't tell how much faster they are.
    """
    epoch, reached = here
    ends: list[float] = []
    for other in ledger.over_ended(Completed())[-PACEMAKERS:]:
        if not len(other.curve):
            continue
        # The last epoch at which it was still behind: its pace isn't known more finely than that.
        behind = 0
        for at, value in other.curve:
            if at > epoch or ledger.loss(value) <= reached:
                break
            behind = at
        ends.append(other.curve.last_epoch * max(1.0, epoch / behind) if behind else math.inf)
    return statistics.median(ends) if ends else 0.0


def prospect(ledger: Ledger, job: TrainingJob, epoch: int) -> Prospect | None:
    """What ``job`` may reach after ``epoch``; None as long as that can't be said: while no completed job can
    be the best, at the job's first epoch, which shows no trend, or if it gains with no end in sight.
    """
    best = ledger.best
    losses = [(at, ledger.loss(value)) for at, value in job.curve if at <= epoch]
    if best is None or best.final_value is None or len(losses) < 2:
        return None
    # The best of its epochs, so that one noisy epoch doesn't condemn a job.
    reached = min(loss for _, loss in losses)
    if not math.isfinite(reached):
        return Prospect(math.inf, ledger.loss(best.final_value))
    end = _end(ledger)
    if not _is_limit(ledger):
        end = max(end, _end_at_its_pace(ledger, (epoch, reached)))
    begun = _has_begun(ledger, epoch, losses[0][1] - reached)
    gain = max(_own_gain(losses, end), _gain_of_others(ledger, epoch, begun))
    if not math.isfinite(gain):
        return None
    return Prospect(reached - gain, ledger.loss(best.final_value))


def _own_gain(losses: Sequence[tuple[int, float]], end: float) -> float:
    """What is left to gain if the rate of gain over the last half of the epochs falls evenly to nothing at
    the end: half of what that rate would give if it lasted. Learning curves flatten."""
    half = max(1, len(losses) // 2)
    (since, _), (now, _) = losses[half - 1], losses[-1]
    before = min(loss for _, loss in losses[:half])
    reached = min(loss for _, loss in losses)
    if not math.isfinite(before):
        # It came from nowhere: anything may follow.
        return math.inf
    rate = (before - reached) / (now - since)
    return 0.5 * rate * max(0, end - now) if rate else 0.0


def _has_begun(ledger: Ledger, epoch: int, gained: float) -> bool:
    """Whether a job that has ``gained`` so much from its first epoch to ``epoch`` has begun to learn. The
    first fifth of the longest completed job is too early to say so; later it takes a tenth of what the
    completed jobs gained in all, at the median."""
    gains = ledger.over_ended(WholeGains())
    if not gains or epoch < BEGUN_FROM * longest(ledger):
        return False
    # They are ascending, and there may be thousands: no median that sorts them.
    median = gains[len(gains) // 2] / 2 + gains[~(len(gains) // 2)] / 2
    return gained > 0 and gained >= BEGUN * median


def _gain_of_others(ledger: Ledger, epoch: int, begun: bool) -> float:
    """The largest gain that may be made from ``epoch`` to the end, judged by those of n completed jobs: the
    largest seen, and one n-th more, by which the largest of n equally likely amounts falls short, on average,
    of the largest possible one (the estimate of serial numbers: Goodman 1952, "Serial Number Analysis").

    Of a job that hasn't begun to learn nothing is known but what others did, and when learning begins differs
    more than how it goes on. There it is three n-ths: the standard deviation is about one n-th too, and two
    of those more rarely condemn what none of a handful of completed jobs has shown."""
    largest, count = ledger.over_ended(LargestGain(epoch))
    short_by = SHORT_BY if begun else SHORT_BY_UNBEGUN
    return max(0.0, largest) * (1 + short_by / count) if count else 0.0
