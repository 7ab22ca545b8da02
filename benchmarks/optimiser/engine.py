"""Our strategies behind the benchmark's ask and tell: the whole state is the history of trial rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from amt_flows.ledger.history import TrialRow, TrialState
from amt_flows.space.space import (
    Categorical,
    Condition,
    Configuration,
    Continuous,
    Integer,
    Parameter,
    Scaling,
    Space,
)
from amt_flows.strategies import Strategy
from amt_flows.strategies.bayesian import Bayesian
from amt_flows.strategies.quasirandom import QuasiRandom
from amt_flows.strategies.random import Random


def space_of(theirs: Any) -> Space:
    """Our space for the benchmark's, its conditional parameters included."""
    conditional = [p for p in theirs.params if p.cond is not None]
    conditions = [Condition(p.name, p.cond[0], tuple(str(one) for one in p.cond[1])) for p in conditional]
    return Space(tuple(_parameter(p) for p in theirs.params), tuple(conditions))


def _parameter(p: Any) -> Parameter:
    if p.kind == "cat":
        return Categorical(p.name, tuple(str(choice) for choice in p.choices))
    scaling = Scaling.LOGARITHMIC if p.log else Scaling.LINEAR
    if p.kind == "int":
        return Integer(p.name, int(p.lo), int(p.hi), scaling)
    return Continuous(p.name, float(p.lo), float(p.hi), scaling)


@dataclass
class Engine:
    """``ask()`` gives a number and a configuration, ``tell`` takes its loss, None or NaN for a failure.

    ``sources`` holds which part of the strategy each proposal came from.
    """

    strategy: Strategy
    theirs: Any
    seed: int
    history: list[TrialRow] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.space = space_of(self.theirs)
        self.choices = {p.name: {str(c): c for c in p.choices} for p in self.theirs.params if p.kind == "cat"}

    def ask(self) -> tuple[int, dict[str, Any]]:
        number = len(self.history)
        proposal = self.strategy.propose(self.space, self.history, number=number, seed=self.seed)
        if proposal is None:
            raise RuntimeError("the space is exhausted")
        self.history.append(TrialRow(number, proposal.configuration, TrialState.PENDING))
        self.sources.append(proposal.source)
        return number, self.shown(proposal.configuration)

    def shown(self, configuration: Configuration) -> dict[str, Any]:
        """Our configuration as the benchmark has it: with its own values of categories."""
        theirs: dict[str, Any] = dict(configuration)
        named = {name: original for name, original in self.choices.items() if name in theirs}
        return theirs | {name: original[theirs[name]] for name, original in named.items()}

    def tell(self, number: int, _configuration: dict[str, Any], loss: float | None) -> None:
        ended = loss is not None and math.isfinite(loss)
        state = TrialState.COMPLETED if ended else TrialState.FAILED
        self.history[number] = replace(self.history[number], state=state, loss=loss if ended else None)


def bayesian(theirs: Any, seed: int) -> Engine:
    return Engine(Bayesian(), theirs, seed)


def random(theirs: Any, seed: int) -> Engine:
    return Engine(Random(), theirs, seed)


def quasi_random(theirs: Any, seed: int) -> Engine:
    return Engine(QuasiRandom(), theirs, seed)
