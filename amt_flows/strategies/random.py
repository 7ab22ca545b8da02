"""Random search: independent, uniform draws from the scaled space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from amt_flows.ledger.history import Proposal, TrialRow, used_keys
from amt_flows.space.space import Space
from amt_flows.strategies.unused import draw_unused


@dataclass(frozen=True)
class Random:
    """AMT's ``Random``: what was seen so far has no influence, save that nothing is tried twice.

    Source: Bergstra and Bengio 2012, "Random Search for Hyper-Parameter Optimization".
    """

    ignores_results: ClassVar[bool] = True

    def propose(
        self, space: Space, history: Sequence[TrialRow], *, number: int, seed: int
    ) -> Proposal | None:
        rng = np.random.default_rng([seed, number])
        used = used_keys(space, history)
        chosen = draw_unused(space, used, lambda: space.decode(rng.random(space.dimension)), rng)
        return None if chosen is None else Proposal(chosen, "random", "drawn at random")
