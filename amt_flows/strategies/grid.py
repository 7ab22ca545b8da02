"""Grid search: every configuration of a finite space, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from amt_flows.ledger.history import Proposal, TrialRow, first_free, used_keys
from amt_flows.space.space import Space


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
        index = first_free(space, history)
        if index >= size:
            return None
        taken = len(used_keys(space, history))
        return Proposal(space.grid_at(index), "grid", f"{taken + 1} of {size}")
