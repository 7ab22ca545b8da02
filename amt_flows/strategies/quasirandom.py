"""Quasi-random search: a scrambled Sobol sequence, which leaves smaller holes than random draws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.stats import qmc

from amt_flows.ledger.history import Proposal, TrialRow, used_keys
from amt_flows.space.space import Point, Space
from amt_flows.strategies.unused import draw_unused

# A trial whose own point is taken jumps this far ahead, beyond the points of all other trials:
# taking the next point instead would take another trial's, and shift every trial after it.
JUMP = 2**14


def sobol_points(dimension: int, *, number: int, seed: int) -> Iterator[Point]:
    """The point of trial ``number`` (shape ``(dimension,)``, in [0, 1)), then the ones it may jump to.

    The scrambling depends on ``seed`` alone, so the points of all trials of a tuning job belong to one
    sequence. Source: Owen 1998, "Scrambling Sobol' and Niederreiter-Xing Points"; in the variant
    of Matousek that scipy has.
    """
    sequence = qmc.Sobol(dimension, scramble=True, seed=np.random.default_rng(seed))
    if number > 0:
        sequence.fast_forward(number)
    while True:
        yield np.asarray(sequence.random(1)[0], dtype=np.float64)
        sequence.fast_forward(JUMP - 1)


@dataclass(frozen=True)
class QuasiRandom:
    """Trial ``number`` gets the point of that index, whatever the trials before it did."""

    ignores_results: ClassVar[bool] = True

    def propose(
        self, space: Space, history: Sequence[TrialRow], *, number: int, seed: int
    ) -> Proposal | None:
        points = sobol_points(space.dimension, number=number, seed=seed)
        chosen = draw_unused(
            space,
            used_keys(space, history),
            lambda: space.decode(next(points)),
            np.random.default_rng([seed, number]),
        )
        return None if chosen is None else Proposal(chosen, "quasi-random", f"point {number} of the sequence")
