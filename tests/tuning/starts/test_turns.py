"""Starts go on while they lead, and a set that misleads costs three jobs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from amt_flows.events import Start
from amt_flows.ledger.history import TrialRow, TrialState
from amt_flows.space.space import Continuous, Space
from amt_flows.tuning.starts.turns import next_start

LINE = Space((Continuous("x", 0.0, 1.0),))
STARTS = [Start({"x": k / 8}, "known start", "") for k in range(6)]


def turns(loss: Callable[[float], float], jobs: int, workers: int, before: list[TrialRow]) -> str:
    """Whose each proposal is: ``k`` of a start, ``s`` of the strategy. Results come in the order of
    launches."""
    rows, written = list(before), ""
    for number in range(1, jobs + 1):
        start = next_start(STARTS, LINE, rows)
        written += "s" if start is None else "k"
        place = number / 1000 + 0.9 if start is None else float(start.configuration["x"])
        rows.append(TrialRow(number, {"x": place}, TrialState.PENDING))
        ended = len(rows) - workers
        if ended >= len(before) and workers < 99:
            value = loss(float(rows[ended].configuration["x"]))
            if math.isfinite(value):
                rows[ended] = replace(rows[ended], state=TrialState.COMPLETED, loss=value)
            else:
                rows[ended] = replace(rows[ended], state=TrialState.FAILED)
    return written


@pytest.mark.parametrize("workers", [1, 2, 4, 99])
def test_while_they_lead_all_are_tried_with_two_of_another_kind_between_them(workers: int) -> None:
    assert turns(lambda x: x, 10, workers, []) == "kkkskskkss"


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_set_that_misleads_ends_at_the_first_better_result(workers: int) -> None:
    written = turns(lambda x: 1 - x, 20, workers, [])
    assert written[:4] == "kkks"
    # So many more are proposed before the first result of another kind is in.
    assert written.count("k") == 3 + workers // 2


def test_one_whose_configurations_all_fail_ends_too() -> None:
    assert turns(lambda x: math.inf if x < 0.9 else x, 10, 1, []) == "kkks" + "s" * 6


@pytest.mark.parametrize(("loss", "known"), [(-1.0, 3), (2.0, 6)])
def test_what_an_identical_parent_knows_is_compared_with(loss: float, known: int) -> None:
    parent = TrialRow(0, {"x": 0.99}, TrialState.COMPLETED, loss, parent="old", identical=True)
    assert turns(lambda x: x, 12, 1, [parent]).count("k") == known
    hint = replace(parent, identical=False)
    assert turns(lambda x: x, 12, 1, [hint]).count("k") == 6, "whose losses say nothing here"
