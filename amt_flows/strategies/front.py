"""Which of many points no other one beats in every respect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def front(losses: Sequence[Sequence[float]] | npt.NDArray[np.float64]) -> list[int]:
    """Which rows of ``losses`` (shape ``(n, k)``, smaller is better) no other one is at least as good as in
    all columns and better than in one. In their order; equal ones are all in it."""
    points = np.asarray(losses, dtype=np.float64)
    kept = []
    for i, point in enumerate(points):
        no_worse = (points <= point).all(axis=1)
        better = (points < point).any(axis=1)
        if not (no_worse & better).any():
            kept.append(i)
    return kept
