"""What to try next: first which algorithm's turn it is, then the configuration its own trials lead to."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from amt_flows.events import Proposed
from amt_flows.ledger.algorithms import Algorithm
from amt_flows.ledger.history import History, Proposal
from amt_flows.ledger.ledger import Ledger
from amt_flows.strategies import Strategy
from amt_flows.strategies.allocation import next_algorithm
from amt_flows.tuning.spare import Spare
from amt_flows.tuning.starts.turns import next_start
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

    def __post_init__(self) -> None:
        self._spare = Spare(self.ledger, self.strategy)

    def propose(self, now: float) -> Proposed | None:
        """The next trial; None when there is none left."""
        while (turn := self._next()) is not None:
            proposal = self._opening(turn)
            if proposal is None:
                proposal = self._drafted_or_new(turn)
            if proposal is None:
                self._exhausted.add(turn.index)
                continue
            reason = "; ".join(filter(None, (proposal.reason, turn.why)))
            configuration = dict(proposal.configuration)
            number = self.ledger.next_trial
            return Proposed(now, number, configuration, proposal.source, reason, turn.algorithm.name)
        return None

    def ahead(self, waiting: int) -> int:
        """How many trials to choose now, while ``waiting`` wait: see :meth:`Tuning.ahead`."""
        ledger, limit = self.ledger, self.ledger.spec.limits.max_number_of_training_jobs
        enough = waiting > 0 or (limit is not None and len(ledger.jobs) >= limit)
        if not self.strategy.ignores_results or self.exhausted or ledger.concluding or enough:
            return 0
        return 1

    def draft(self) -> None:
        """Draft the next trial, if that is worth while: what takes long of it is then done before it is asked
        for."""
        if not self._spare.is_wanted() or (turn := self._next()) is None:
            return
        if self._opening(turn) is None:
            self._spare.draft(turn.algorithm, turn.history)

    def _opening(self, turn: _Turn) -> Proposal | None:
        """What comes before the strategy's: what is given, the parents' best, the starts that were added."""
        algorithm = turn.algorithm
        given = opening_proposal(algorithm.spec, algorithm.space, turn.history)
        if given is not None:
            return given
        starts = [one for one in self.ledger.starts if one.definition == algorithm.name]
        start = next_start(starts, algorithm.space, turn.history)
        return None if start is None else Proposal(start.configuration, start.source, start.reason)

    def _next(self) -> _Turn | None:
        ledger = self.ledger
        histories = [ledger.history(one) for one in ledger.algorithms]
        turn = next_algorithm(
            histories, passed_over=self._exhausted, takes_turns=self.strategy.ignores_results
        )
        if turn is None:
            return None
        return _Turn(turn.index, turn.why, ledger.algorithms[turn.index], histories[turn.index])

    def _drafted_or_new(self, turn: _Turn) -> Proposal | None:
        algorithm, history = turn.algorithm, turn.history
        ordinal = self.ledger.next_ordinal(algorithm)
        drafted = self._spare.proposal(algorithm, history)
        if drafted is not None:
            return drafted
        return self.strategy.propose(algorithm.space, history, number=ordinal, seed=algorithm.seed)


@dataclass(frozen=True)
class _Turn:
    """Whose turn it is. ``index``: of the algorithm; ``why`` it is its, in words."""

    index: int
    why: str
    algorithm: Algorithm
    history: History


def drawn_seed() -> int:
    """Below 2**31, which is a ``RandomSeed`` of AMT's too. Drawn once, when the tuning job is opened; from
    then on it is the record's, and each training job carries it."""
    return secrets.randbelow(2**31)
