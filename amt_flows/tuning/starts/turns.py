"""Whose turn it is while starts are left: a start's, or already the strategy's.

The first ``UNSEEN`` starts are tried one after the other. From then on each needs two things, so that a set
that misleads costs those few jobs and no more:

- *Something to compare with.* Beside the fourth start there is one proposal of another kind, and two beside
  each later one. The strategy needs spread-out points anyway, so they cost nothing.
- *The lead.* No result of another kind is better than the best of the starts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from amt_flows.events import Start
from amt_flows.ledger.history import TrialRow, used_keys
from amt_flows.space.space import Space, configuration_key

UNSEEN: Final = 3
MOST_BESIDE: Final = 2


def next_start(starts: Sequence[Start], space: Space, history: Sequence[TrialRow]) -> Start | None:
    """The next of ``starts`` that no row of ``history`` has; None when it is the strategy's turn."""
    if not starts:
        return None
    used = used_keys(space, history)
    keys = [configuration_key(start.configuration) for start in starts]
    fresh = next((start for start, key in zip(starts, keys, strict=True) if key not in used), None)
    tried = len(used & set(keys))
    if fresh is None or tried < UNSEEN:
        return fresh
    others = [
        row for row in history if not row.is_hint and configuration_key(row.configuration) not in set(keys)
    ]
    if len(others) < min(tried - UNSEEN + 1, MOST_BESIDE):
        return None
    own = [row for row in history if not row.is_hint and configuration_key(row.configuration) in set(keys)]
    return fresh if _best(own) <= _best(others) else None


def _best(rows: Sequence[TrialRow]) -> float:
    return min((row.loss for row in rows if row.loss is not None), default=math.inf)
