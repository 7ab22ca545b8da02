"""Our strategies behind the benchmark's ask and tell: the whole state is the history of trial rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from amt_flows.events import Start
from amt_flows.ledger.history import Proposal, TrialRow, TrialState
from amt_flows.space.space import (
    Categorical,
    Condition,
    Configuration,
    Continuous,
    Integer,
    Parameter,
    Scaling,
    Space,
    configuration_key,
)
from amt_flows.space.values import configuration_from
from amt_flows.spec import TuningSpec
from amt_flows.strategies import Strategy
from amt_flows.strategies.bayesian import Bayesian
from amt_flows.strategies.quasirandom import QuasiRandom
from amt_flows.strategies.random import Random
from amt_flows.tuning.starts.fitting import fitted
from amt_flows.tuning.starts.known_set import known_set
from amt_flows.tuning.starts.recognition import recognised
from amt_flows.tuning.starts.starting import KNOWN, MOST, SHARE
from amt_flows.tuning.starts.turns import next_start


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
    """``ask()`` gives a number and a configuration, ``tell`` takes its loss, None or NaN for a failure. It
    takes the results of others too: configurations that it didn't propose, under whatever name they have.

    ``starts`` are tried first. ``sources`` holds which part of the strategy each proposal came from.
    """

    strategy: Strategy
    theirs: Any
    seed: int
    history: list[TrialRow] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    starts: Sequence[Start] = ()

    def __post_init__(self) -> None:
        self.space = space_of(self.theirs)
        self.choices = {p.name: {str(c): c for c in p.choices} for p in self.theirs.params if p.kind == "cat"}

    def ask(self) -> tuple[int, dict[str, Any]]:
        number = len(self.history)
        start = next_start(self.starts, self.space, self.history)
        proposal = (
            Proposal(start.configuration, start.source, start.reason)
            if start is not None
            else self.strategy.propose(self.space, self.history, number=number, seed=self.seed)
        )
        if proposal is None:
            raise RuntimeError("the space is exhausted")
        is_start = start is not None
        row = TrialRow(number, proposal.configuration, TrialState.PENDING, is_start=is_start)
        self.history.append(row)
        self.sources.append(proposal.source)
        return number, self.shown(proposal.configuration)

    def shown(self, configuration: Configuration) -> dict[str, Any]:
        """Our configuration as the benchmark has it: with its own values of categories."""
        theirs: dict[str, Any] = dict(configuration)
        named = {name: original for name, original in self.choices.items() if name in theirs}
        return theirs | {name: original[theirs[name]] for name, original in named.items()}

    def tell(self, number: Any, configuration: Mapping[str, Any], loss: float | None) -> None:
        at = self._row_of(number, configuration)
        ended = loss is not None and math.isfinite(loss)
        state = TrialState.COMPLETED if ended else TrialState.FAILED
        self.history[at] = replace(self.history[at], state=state, loss=loss if ended else None)

    def _row_of(self, number: Any, configuration: Mapping[str, Any]) -> int:
        """The row of one that was asked for, or a new one: a number that was never given out, or that is told
        with another configuration, is somebody else's."""
        words = {name: str(value) for name, value in configuration.items() if name in self.choices}
        own = configuration_from(self.space, {**configuration, **words})
        known = isinstance(number, int) and 0 <= number < len(self.history)
        if known and configuration_key(self.history[number].configuration) == configuration_key(own):
            return int(number)
        self.history.append(TrialRow(len(self.history), own, TrialState.PENDING))
        self.sources.append("told")
        return len(self.history) - 1


def bayesian(theirs: Any, seed: int) -> Engine:
    return Engine(Bayesian(), theirs, seed)


def known(theirs: Any, seed: int, jobs: int = 20) -> Engine:
    """With the starts that are known for the algorithm, if the space is recognised as that of one: as a
    tuning job of so many training jobs has them."""
    space = space_of(theirs)
    found = recognised(TuningSpec(**NAMELESS), space, None, known_set())
    fit = [] if found is None else fitted(found, space, {}, min(MOST, jobs // SHARE))
    starts = [Start(one, KNOWN, "known") for one in fit]
    return Engine(Bayesian(), theirs, seed, starts=starts)


NAMELESS: Final[Mapping[str, Any]] = {
    "objective": {"metric_name": "loss"},
    "continuous": [{"name": "x", "min_value": 0.0, "max_value": 1.0}],
    "limits": {"max_number_of_training_jobs": 20},
    "training_job": {"command": ["train"]},
}
"""A spec that says nothing of an algorithm: only the benchmark's space does."""


def random(theirs: Any, seed: int) -> Engine:
    return Engine(Random(), theirs, seed)


def quasi_random(theirs: Any, seed: int) -> Engine:
    return Engine(QuasiRandom(), theirs, seed)
