"""Our strategies in the tuning benchmark: an ask/tell engine around the pure call.

The benchmark simulates a tuning with several workers on a virtual clock, and asks an *engine* whenever a
worker frees up. In its folder, with the root of this repository on ``PYTHONPATH``:

    python run_quality.py --engine import:benchmarks.quality_engine:bayesian --tasks public \
        --workers 4 --jobs 50 --seeds 0,1 --out bayesian.jsonl
    python report_quality.py bayesian.jsonl

Also ``random`` and ``quasi_random``; run those with ``--workers 1``, since they ignore what happened.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from amt_flows.history import TrialRow, TrialState
from amt_flows.space import Categorical, Continuous, Integer, Parameter, Scaling, Space
from amt_flows.strategies import Strategy
from amt_flows.strategies.choose import strategy_for


def space_of(theirs: Any) -> Space:
    """Our space for the benchmark's. It has conditional parameters and ours doesn't: they are always there,
    and the benchmark leaves out those without a meaning."""
    return Space(tuple(_parameter(p) for p in theirs.params))


def _parameter(p: Any) -> Parameter:
    if p.kind == "cat":
        return Categorical(p.name, tuple(str(choice) for choice in p.choices))
    scaling = Scaling.LOGARITHMIC if p.log else Scaling.LINEAR
    if p.kind == "int":
        return Integer(p.name, int(p.lo), int(p.hi), scaling)
    return Continuous(p.name, float(p.lo), float(p.hi), scaling)


@dataclass
class Engine:
    """``ask`` and ``tell`` as the benchmark wants them; the whole state is the history."""

    strategy: Strategy
    theirs: Any
    seed: int
    history: list[TrialRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.space = space_of(self.theirs)
        self.choices = {p.name: {str(c): c for c in p.choices} for p in self.theirs.params if p.kind == "cat"}

    def ask(self) -> tuple[int, dict[str, Any]]:
        number = len(self.history)
        proposal = self.strategy.propose(self.space, self.history, number=number, seed=self.seed)
        if proposal is None:
            raise RuntimeError("the space is exhausted")
        self.history.append(TrialRow(number, proposal.configuration, TrialState.PENDING))
        shown: dict[str, Any] = dict(proposal.configuration)
        shown |= {name: original[shown[name]] for name, original in self.choices.items()}
        return number, self.theirs.prune(shown)

    def tell(self, number: int, _configuration: dict[str, Any], loss: float | None) -> None:
        ended = loss is not None and math.isfinite(loss)
        state = TrialState.COMPLETED if ended else TrialState.FAILED
        self.history[number] = replace(self.history[number], state=state, loss=loss if ended else None)


def bayesian(theirs: Any, seed: int) -> Engine:
    return Engine(strategy_for("Bayesian"), theirs, seed)


def random(theirs: Any, seed: int) -> Engine:
    return Engine(strategy_for("Random"), theirs, seed)


def quasi_random(theirs: Any, seed: int) -> Engine:
    return Engine(strategy_for("QuasiRandom"), theirs, seed)
