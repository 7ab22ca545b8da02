"""Improvement and convergence.

AMT's guide "Track and set completion criteria for your tuning job" defines convergence as: none of the
recent training jobs returns a significant improvement (1 % or less) over the best so far; its algorithm is
not published. Ours: a tuning job has converged when the last ``window`` finished training jobs together did
not improve the best by more than 1 % of its value, and the last ``quiet`` of them did not improve it at all.
The second clock waits for a search that is still finding something, however small: larger finds often
follow. What this saves and what it gives up, next to the regret bound of Makarova et al. 2022 ("Automatic
Termination for Hyperparameter Optimization") and others, is in ``docs/stopping.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from amt_flows.events import Reason
from amt_flows.ledger import Ledger

WINDOW = 50
SIGNIFICANT = 0.01
QUIET = 20


def improves(loss: float, best: float, min_relative: float) -> bool:
    """Whether ``loss`` is strictly better than ``best``, and by more than ``min_relative`` of |best|."""
    return loss < best - min_relative * abs(best) if math.isfinite(best) else loss < best


def jobs_not_improving(ledger: Ledger, min_relative: float = 0.0) -> int:
    """Finished training jobs, in the order of finishing, since the best was last improved.

    Jobs that completed or were cut short with a value count; failed ones do not. Only a job that may be the
    best training job can improve it.
    """
    best, count = math.inf, 0
    for job in ledger.ended:
        if not job.has_usable_value or job.final_value is None:
            continue
        loss = ledger.loss(job.final_value)
        if ledger.eligible(job) and improves(loss, best, min_relative):
            best, count = loss, 0
        else:
            count += 1
    # Before the first job that can be the best there is nothing to improve on.
    return count if math.isfinite(best) else 0


@dataclass(frozen=True)
class Convergence:
    """Depends on the ended jobs alone: the answer changes only when another has ended."""

    window: int = WINDOW
    significant: float = SIGNIFICANT
    quiet: int = QUIET

    def met(self, ledger: Ledger, now: float) -> Reason | None:
        if len(ledger.ended) <= self.window:
            return None
        count = jobs_not_improving(ledger, self.significant)
        if count < self.window:
            return None
        quiet = jobs_not_improving(ledger)
        if quiet < self.quiet:
            return None
        message = (
            f"the last {count} training jobs did not improve the best by more than {self.significant:.0%}, "
            f"and the last {quiet} not at all"
        )
        numbers = {"count": count, "window": self.window, "unimproved": quiet, "quiet": self.quiet}
        return Reason("CompleteOnConvergence", message, numbers)
