"""Grid search: every configuration of a finite space, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from amt_flows.ledger.history import Proposal, TrialRow
from amt_flows.space.space import Space
from amt_flows.strategies.unused import first_unused, is_exhausted, used_keys


@dataclass(frozen=True)
class Grid:
    """AMT's ``Grid``, also over integers and stepped ranges: the first configuration of ``space.grid()``
    that no row has. The last parameter turns fastest.

    Raises ValueError for a space with a continuum: it has no grid. (The spec says so before the tuning
    job starts, in words of its own.)
    """

    ignores_results: ClassVar[bool] = True

    def propose(
        self, space: Space, history: Sequence[TrialRow], *, number: int, seed: int
    ) -> Proposal | None:
        size = space.size
        if size is None:
            raise ValueError("a grid needs a finite space: give each continuous range a step")
        used = used_keys(space, history)
        if is_exhausted(space, used):
            return None
        # Among any len(used) + 1 configurations one is free, so the walk is bounded by the history.
        chosen = first_unused((space.grid_at(index) for index in range(len(used) + 1)), used)
        return None if chosen is None else Proposal(chosen, "grid", f"{len(used) + 1} of {size}")
