"""Which few of many candidates to try first, and in which order.

Each time the one that, beside those chosen before, lowers the mean regret most over all rows (data sets,
metrics). So the first is the best alone, and each later one helps where those before it don't. A regret is 0
for the best candidate of a row, 1 for the median one and at most ``WORST``; for the first ``ROBUST`` the
worst rows are counted once more, so that none of them is a gamble."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

WORST: Final = 3.0
ROBUST: Final = 2
WORST_SHARE: Final = 0.25
LEAST_GAIN: Final = 1e-4


def greedy(regrets: Array, weights: Array, count: int) -> list[int]:
    """The indices of up to ``count`` candidates. ``regrets`` has the shape ``(rows, candidates)``,
    ``weights`` ``(rows,)``."""
    capped = np.minimum(regrets, WORST)
    so_far = np.full(len(capped), WORST)
    chosen: list[int] = []
    while len(chosen) < count:
        left = np.minimum(so_far[:, None], capped)
        if len(chosen) < ROBUST:
            worst = np.sort(left, axis=0)[-max(1, round(WORST_SHARE * len(left))) :].mean(axis=0)
            means = weights @ left + worst * weights.sum() * WORST_SHARE
            before = np.inf
        else:
            means, before = weights @ left, float(weights @ so_far)
        best = int(np.argmin(means))
        if before - float(means[best]) < LEAST_GAIN * weights.sum() and chosen:
            break
        chosen.append(best)
        so_far = left[:, best]
    return chosen
