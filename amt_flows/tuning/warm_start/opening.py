"""The proposals that come before any strategy's: configurations given by the user, and the best of parents
whose values can't be compared with ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from amt_flows.ledger.history import Proposal, TrialRow, hints_of, used_keys
from amt_flows.space.space import Configuration, Space, configuration_key
from amt_flows.space.values import configuration_from
from amt_flows.spec import TuningSpec

GIVEN: Final = "given"
WARM_START: Final = "warm start"
LEARNT: Final = "learnt"

LEAST_TRANSFERRED: Final = 3
"""How many of the parents' best are tried, or one for each parent if those are more."""
MOST_LEARNT: Final = 5
"""The same with ``learn_from``; but never more than half of the training jobs."""
APART: Final = 0.1
"""No two of them are closer than this, in the mean over the parameters of the unit cube."""


def opening_proposal(spec: TuningSpec, space: Space, history: Sequence[TrialRow]) -> Proposal | None:
    """The next of them that no row of ``history`` has, or None when it is the strategy's turn."""
    used = used_keys(space, history)
    for i, given in enumerate(spec.first_configurations, start=1):
        configuration = configuration_from(space, given)
        if configuration_key(configuration) not in used:
            return Proposal(configuration, GIVEN, f"number {i} of the configurations to try first")
    parents = () if spec.warm_start is None else spec.warm_start.parents
    for row, rank in transferred(space, history, learnt=most_learnt(spec)):
        if configuration_key(row.configuration) not in used:
            source = LEARNT if spec.learn_from and row.parent not in parents else WARM_START
            return Proposal(dict(row.configuration), source, f"number {rank} of {row.parent}")
    return None


def most_learnt(spec: TuningSpec) -> int:
    """How many configurations of earlier tuning jobs are tried first."""
    jobs = spec.limits.max_number_of_training_jobs
    if not spec.learn_from:
        return 0
    return MOST_LEARNT if jobs is None else min(MOST_LEARNT, max(1, jobs // 2))


def transferred(space: Space, history: Sequence[TrialRow], *, learnt: int = 0) -> list[tuple[TrialRow, int]]:
    """The parents' best rows to try again here, each with its rank in its parent, in the order to try them;
    with ``learn_from`` as many as are ``learnt``.

    The best of each parent, then the second best of each, and so on; a row close to one that is taken already
    says nothing new and is passed over.
    """
    by_parent: dict[str, list[TrialRow]] = {}
    for row in hints_of(space, history):
        by_parent.setdefault(row.parent, []).append(row)
    ranked = [sorted(rows, key=lambda row: row.loss or 0.0) for rows in by_parent.values()]
    wanted = learnt or max(LEAST_TRANSFERRED, len(ranked))
    chosen: list[tuple[TrialRow, int]] = []
    for rank in range(max((len(rows) for rows in ranked), default=0)):
        for rows in ranked:
            # Only the better half of a parent is worth a job.
            if len(chosen) < wanted and 2 * rank < len(rows):
                row = rows[rank]
                if all(
                    _distance(space, row.configuration, other.configuration) >= APART for other, _ in chosen
                ):
                    chosen.append((row, rank + 1))
    return chosen


def _distance(space: Space, one: Configuration, other: Configuration) -> float:
    """The mean over the parameters; two categories are as far apart as the ends of a range."""
    gaps = np.abs(space.encode(one) - space.encode(other))
    return float(np.where(space.unordered, gaps > 0, gaps).mean())
