"""The spare: the next proposal, drafted while all workers are busy, so that a slot that becomes free doesn't
wait for it.

A draft is made of what was known when the last trial was proposed, and the proposal is decided by it with
all results that are in by then, so nothing is proposed blindly. What was known is in the ledger: a controller
that takes over drafts the same and decides the same. One training job at a time has none: there is nothing to
do but to wait for its result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from amt_flows.ledger.algorithms import Algorithm
from amt_flows.ledger.history import History, Proposal, TrialRow, TrialState
from amt_flows.ledger.ledger import Ledger
from amt_flows.strategies import Draft, Drafts, Strategy


@dataclass
class Spare:
    """What is drafted for the next trial; made anew whenever there is a newer last one."""

    ledger: Ledger
    strategy: Strategy
    _drafted: tuple[int, str] = (0, "")
    """For which trial, and of which algorithm."""
    _draft: Draft | None = None

    def is_wanted(self) -> bool:
        """Whether another proposal is to come while training jobs run, and is not drafted yet."""
        ledger, most = self.ledger, self.ledger.spec.limits.max_number_of_training_jobs
        return (
            self._is_possible()
            and bool(ledger.live)
            and not ledger.concluding
            and (most is None or len(ledger.trials) < most)
            and self._drafted[0] != ledger.next_trial
        )

    def draft(self, algorithm: Algorithm, history: Sequence[TrialRow]) -> Draft | None:
        """The draft of the next trial, if it is of this algorithm. None where the strategy has none."""
        asked = (self.ledger.next_trial, algorithm.name)
        if self._drafted != asked and isinstance(self.strategy, Drafts):
            number, seed = self.ledger.next_ordinal(algorithm), algorithm.seed
            seen = _as_it_was(self.ledger, history)
            self._draft = self.strategy.draft(algorithm.space, seen, number=number, seed=seed)
            self._drafted = asked
        return self._draft

    def proposal(self, algorithm: Algorithm, history: Sequence[TrialRow]) -> Proposal | None:
        """The next trial by its draft, as the results have it by now. None when it is to be asked for anew:
        nothing has come in since the last one was proposed, or more than jobs ran then."""
        if not self._is_possible():
            return None
        since = len(self.ledger.ended) - self._known()
        if not 0 < since <= self.ledger.spec.limits.max_parallel_training_jobs:
            return None
        draft = self.draft(algorithm, history)
        if draft is None:
            return None
        number = self.ledger.next_ordinal(algorithm)
        return draft.proposal(algorithm.space, history, number=number, seed=algorithm.seed)

    def _is_possible(self) -> bool:
        parallel = self.ledger.spec.limits.max_parallel_training_jobs > 1
        return parallel and bool(self.ledger.trials) and isinstance(self.strategy, Drafts)

    def _known(self) -> int:
        """How many training jobs had ended when the last trial was proposed."""
        return self.ledger.trials[self.ledger.trial_numbers[-1]].known


def _as_it_was(ledger: Ledger, history: Sequence[TrialRow]) -> Sequence[TrialRow]:
    """The history when the last trial was proposed."""
    known = ledger.trials[ledger.trial_numbers[-1]].known
    since = {job.trial for job in ledger.ended[known:]}
    if not since:
        return history
    return History(_pending(row) if row.number in since else row for row in history)


def _pending(row: TrialRow) -> TrialRow:
    return replace(row, state=TrialState.PENDING, loss=None, other_losses=())
