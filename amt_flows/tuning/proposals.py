"""What to try next: first which algorithm's turn it is, then the configuration its own trials lead to."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from amt_flows.events import Proposed
from amt_flows.ledger.history import Proposal
from amt_flows.ledger.ledger import Ledger
from amt_flows.strategies import Strategy
from amt_flows.strategies.allocation import next_algorithm
from amt_flows.tuning.warm_start.opening import opening_proposal


@dataclass
class Proposer:
    """Depends on the ledger alone, and so does what it remembers: which algorithms have no configuration
    left. Another controller finds out again."""

    ledger: Ledger
    strategy: Strategy
    _exhausted: set[int] = field(default_factory=set)

    @property
    def exhausted(self) -> bool:
        """No algorithm has a configuration left."""
        return len(self._exhausted) >= len(self.ledger.algorithms)

    def propose(self, now: float) -> Proposed | None:
        """The next trial; None when there is none left."""
        ledger = self.ledger
        number, histories = ledger.next_trial, [ledger.history(one) for one in ledger.algorithms]
        while True:
            turn = next_algorithm(
                histories, passed_over=self._exhausted, takes_turns=self.strategy.ignores_results
            )
            if turn is None:
                return None
            algorithm, history = ledger.algorithms[turn.index], histories[turn.index]
            proposal: Proposal | None = opening_proposal(algorithm.spec, algorithm.space, history)
            if proposal is None:
                ordinal, seed = ledger.next_ordinal(algorithm), algorithm.seed
                proposal = self.strategy.propose(algorithm.space, history, number=ordinal, seed=seed)
            if proposal is None:
                self._exhausted.add(turn.index)
                continue
            reason = "; ".join(filter(None, (proposal.reason, turn.why)))
            configuration = dict(proposal.configuration)
            return Proposed(now, number, configuration, proposal.source, reason, algorithm.name)


def drawn_seed() -> int:
    """Below 2**31, which is a ``RandomSeed`` of AMT's too. Drawn once, when the tuning job is opened; from
    then on it is the record's, and each training job carries it."""
    return secrets.randbelow(2**31)
