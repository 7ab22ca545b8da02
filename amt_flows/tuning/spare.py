"""The spare: the next proposal, drafted while all workers are busy, so that a slot that becomes free doesn't
wait for it. It is decided in the end with all results that are in by then, so nothing is proposed blindly.

One training job at a time has none: there is nothing to do but to wait for its result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from amt_flows.ledger.algorithms import Algorithm
from amt_flows.ledger.history import Proposal, TrialRow
from amt_flows.ledger.ledger import Ledger
from amt_flows.strategies import Draft, Drafts, Strategy


@dataclass
class Spare:
    """What is drafted, by algorithm. It is this controller's alone: another one drafts its own."""

    ledger: Ledger
    strategy: Strategy
    _drafts: dict[str, tuple[Draft, int]] = field(default_factory=dict)
    """With how many training jobs had ended by then."""
    _drafted_at: tuple[int, int] = (-1, -1)

    def is_wanted(self) -> bool:
        """Whether another proposal is to come while training jobs run, and there is news for its draft."""
        ledger, limits = self.ledger, self.ledger.spec.limits
        most = limits.max_number_of_training_jobs
        return (
            isinstance(self.strategy, Drafts)
            and limits.max_parallel_training_jobs > 1
            and bool(ledger.live)
            and not ledger.concluding
            and (most is None or len(ledger.trials) < most)
            and self._drafted_at != self._standing()
        )

    def draft(self, algorithm: Algorithm, history: Sequence[TrialRow], *, number: int) -> None:
        """Draft what comes next; what was drafted before is given up."""
        self._drafted_at = self._standing()
        self._drafts.pop(algorithm.name, None)
        if not isinstance(self.strategy, Drafts):
            return
        drafted = self.strategy.draft(algorithm.space, history, number=number, seed=algorithm.seed)
        if drafted is not None:
            self._drafts[algorithm.name] = drafted, len(self.ledger.ended)

    def proposal(
        self, algorithm: Algorithm, history: Sequence[TrialRow], *, number: int
    ) -> Proposal | None:
        """What was drafted, as the results have it by now. None when nothing was, or when more has come in
        since than the jobs that ran then: the model's settings would be those of another time."""
        draft, ended = self._drafts.get(algorithm.name, (None, 0))
        since = len(self.ledger.ended) - ended
        if draft is None or since > self.ledger.spec.limits.max_parallel_training_jobs:
            return None
        return draft.proposal(algorithm.space, history, number=number, seed=algorithm.seed)

    def _standing(self) -> tuple[int, int]:
        return len(self.ledger.trials), len(self.ledger.ended)
