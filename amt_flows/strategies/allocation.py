"""Which of several algorithms gets the next trial.

AMT doesn't publish its rule. Where results don't matter to the strategy (Random, QuasiRandom, Grid)
algorithms take turns. Else this is a bandit whose arms pay by their best result, MaxUCB (Balef, Vernade and
Eggensperger 2025, "Put CASH on Bandits: A Max K-Armed Problem for Automated Machine Learning",
arXiv:2505.05226): the next trial goes to the algorithm with the largest

    best result of the algorithm + (ALPHA * ln(t) / n)^2

of its ``n`` trials among all ``t``, running ones too. The first term sends trials to who has the best result,
the second to who had few.

Three things are ours. Results are put on a scale that needs no bounds and that a diverged job can't bend: 1
is the best of all, 0 the median and whatever is worse; a failed job pays 0. Each algorithm has its first
``FIRST_TRIALS`` before any is judged. And each keeps at least ``SHARE`` of an equal share: an algorithm's
results get better as its own search learns (the rising bandits of Li et al. 2020, "Efficient Automatic CASH
via Rising Bandits"), and one with a large space, which begins badly, would be given up before that. Only one
that has done nothing but fail loses it. How it does next to taking turns is in ``docs/optimiser.md``.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from amt_flows.ledger.history import TrialRow, TrialState

FIRST_TRIALS: Final = 3
ALPHA: Final = 0.5
"""That of the paper."""
SHARE: Final = 0.5


@dataclass(frozen=True)
class Turn:
    """Whose the next trial is, by its place among the algorithms, and why, in a few words."""

    index: int
    why: str


def next_algorithm(
    rows: Sequence[Sequence[TrialRow]], *, passed_over: Collection[int] = (), takes_turns: bool = False
) -> Turn | None:
    """Whose turn it is, from the trials of each algorithm so far; None when all are ``passed_over``, by their
    places (they have no configuration left).

    Depends on its arguments alone. Of equals the one with fewer trials is chosen, then the first.
    """
    open_to = [i for i in range(len(rows)) if i not in passed_over]
    if not open_to:
        return None
    fewest = min(open_to, key=lambda i: (len(rows[i]), i))
    if len(open_to) == 1:
        return Turn(fewest, "the only algorithm with configurations left" if len(rows) > 1 else "")
    if takes_turns:
        return Turn(fewest, "algorithms take turns")
    scale = _scale(rows)
    rewards = [_rewards(each, scale) for each in rows]
    if not any(map(any, rewards)):
        return Turn(fewest, "algorithms take turns")
    if len(rows[fewest]) < FIRST_TRIALS:
        return Turn(fewest, f"each algorithm has {FIRST_TRIALS} trials first")
    total = sum(len(rows[i]) for i in open_to)
    entitled = [i for i in open_to if not _only_fails(rows[i])]
    least = min(entitled, key=lambda i: (len(rows[i]), i), default=fewest)
    if entitled and len(rows[least]) < SHARE * (total + 1) / len(open_to):
        return Turn(least, f"each algorithm keeps {SHARE:.0%} of an equal share")
    bonus = {i: (ALPHA * math.log(total) / len(rows[i])) ** 2 for i in open_to}
    best = {i: max(rewards[i], default=0.0) for i in open_to}
    index = max(open_to, key=lambda i: (best[i] + bonus[i], -len(rows[i]), -i))
    why = f"its best is {best[index]:.2f} of the way from the median to the best of all, +{bonus[index]:.2f} "
    return Turn(index, f"{why}for {len(rows[index])} of {total} trials")


def _only_fails(rows: Sequence[TrialRow]) -> bool:
    ended = [row for row in rows if row.state is not TrialState.PENDING]
    return len(ended) >= FIRST_TRIALS and all(row.loss is None for row in ended)


def _scale(rows: Sequence[Sequence[TrialRow]]) -> tuple[float, float]:
    """The best loss and the median."""
    losses = [row.loss for each in rows for row in each if row.loss is not None]
    return (min(losses), statistics.median(losses)) if losses else (math.nan, math.nan)


def _rewards(rows: Sequence[TrialRow], scale: tuple[float, float]) -> list[float]:
    """What ended trials pay: 1 for the best loss of all, 0 for the median and beyond."""
    best, median = scale
    paid = []
    for row in rows:
        if row.loss is None:
            continue
        if median > best:
            paid.append(min(max((median - row.loss) / (median - best), 0.0), 1.0))
        else:
            paid.append(1.0 if row.loss <= best else 0.0)
    return paid
