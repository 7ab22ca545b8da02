"""Improvement and convergence.

AMT's guide "Track and set completion criteria for your tuning job" defines convergence as: none of the
recent training jobs returns a significant improvement (1 % or less) over the best so far; its algorithm is
not published. Ours: at least ``least`` training jobs have finished, the last ``window`` of them together did
not improve the best by more than 1 % of its value, and the last ``quiet`` of them did not improve it at all.
The third clock waits for a search that is still finding something, however small: larger finds often follow.

Rules that ask a model what is left to gain were measured too, among them the regret bound of Makarova et al.
2022 ("Automatic Termination for Hyperparameter Optimization") and the probability of a better result (Wilson
2024, "Stopping Bayesian Optimization with Probabilistic Regret Bounds"). For what they save they give up more
than counting does: the figures are in ``docs/stopping.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from amt_flows.events import Reason
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.rules.tallies import Usable

LEAST = 50
WINDOW = 40
SIGNIFICANT = 0.01
QUIET = 25
ROUNDING = 1e-15
"""Of two operations on numbers of one size."""


def improves(loss: float, best: float, min_relative: float) -> bool:
    """Whether ``loss`` is strictly better than ``best``, and by more than ``min_relative`` of |best|."""
    if not math.isfinite(best) or not min_relative:
        return loss < best
    # Exactly so much better isn't more, whatever rounding makes of the difference.
    enough = best - min_relative * abs(best)
    return loss < enough and not math.isclose(loss, enough, rel_tol=ROUNDING)


def jobs_not_improving(ledger: Ledger, min_relative: float = 0.0) -> int:
    """Finished training jobs, in the order of finishing, since the best was last improved.

    Jobs that completed or were cut short with a value count; failed ones do not. Only a job that may be the
    best training job can improve it.
    """
    best, count = ledger.over_ended(_Streak(min_relative))
    # Before the first job that can be the best there is nothing to improve on.
    return count if math.isfinite(best) else 0


@dataclass(frozen=True)
class _Streak:
    """The best loss so far, and how many jobs since did not improve it."""

    min_relative: float

    def start(self) -> tuple[float, int]:
        return math.inf, 0

    def step(self, ledger: Ledger, state: tuple[float, int], job: TrainingJob) -> tuple[float, int]:
        if not job.has_usable_value or job.final_value is None:
            return state
        (best, count), loss = state, ledger.loss(job.final_value)
        if ledger.eligible(job) and improves(loss, best, self.min_relative):
            return loss, 0
        return best, count + 1


@dataclass(frozen=True)
class Clocks:
    """Finished training jobs: all, those since the best was improved significantly, and since it was at all.
    Failed ones count in none of them."""

    finished: int
    since_significant: int
    since_any: int


def clocks(ledger: Ledger, significant: float = SIGNIFICANT) -> Clocks:
    return Clocks(
        finished=ledger.over_ended(Usable()),
        since_significant=jobs_not_improving(ledger, significant),
        since_any=jobs_not_improving(ledger),
    )


@dataclass(frozen=True)
class Convergence:
    """Depends on the ended jobs alone: the answer changes only when another has ended."""

    window: int = WINDOW
    quiet: int = QUIET
    least: int = LEAST
    significant: float = SIGNIFICANT

    def holds(self, at: Clocks) -> bool:
        return (
            at.finished >= self.least and at.since_significant >= self.window and at.since_any >= self.quiet
        )

    def met(self, ledger: Ledger, now: float) -> Reason | None:
        if len(ledger.ended) < self.least:
            return None
        at = clocks(ledger, self.significant)
        if not self.holds(at):
            return None
        message = (
            f"the last {at.since_significant} of {at.finished} training jobs did not improve the best by "
            f"more than {self.significant:.0%}, and the last {at.since_any} not at all"
        )
        return Reason(
            "CompleteOnConvergence",
            message,
            {
                "count": at.since_significant,
                "window": self.window,
                "unimproved": at.since_any,
                "quiet": self.quiet,
                "finished": at.finished,
                "least": self.least,
            },
        )
