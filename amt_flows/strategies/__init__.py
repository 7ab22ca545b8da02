"""Strategies: which configuration to try next.

A strategy is a frozen value with one pure call. All it knows is in its arguments, so a restarted
controller that replays the same journal asks the same question and gets the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol, runtime_checkable

from amt_flows.ledger.history import Proposal, TrialRow
from amt_flows.space.space import Space


class Strategy(Protocol):
    """``propose`` answers with a configuration that no row of ``history`` has, or None when the space is
    exhausted.

    ``history`` has one row per earlier trial, in the order of their numbers; ``number`` is that of the
    trial asked for; randomness comes from a generator keyed by ``(seed, number)`` and nothing else.

    ``ignores_results`` says that a proposal depends on the configurations in ``history`` alone, so that it
    may be asked for before the results are in, while all workers are busy.
    """

    ignores_results: ClassVar[bool]

    def propose(
        self, space: Space, history: Sequence[TrialRow], *, number: int, seed: int
    ) -> Proposal | None: ...


class Draft(Protocol):
    """A proposal made ahead, while training jobs run."""

    def proposal(
        self, space: Space, history: Sequence[TrialRow], *, number: int, seed: int
    ) -> Proposal | None:
        """It, or another where what has come in since changes it; its reason says so. In little time, and
        with all that ``history`` tells. None when it is to be asked for anew."""
        ...


@runtime_checkable
class Drafts(Protocol):
    """A strategy whose proposals take long, and can be made ahead for the most part."""

    def draft(self, space: Space, history: Sequence[TrialRow], *, number: int, seed: int) -> Draft | None:
        """For the proposal that comes next, as far as can be seen; None where there is nothing to gain.
        Arguments are those of :meth:`Strategy.propose`."""
        ...
