"""A proposal's linear algebra keeps to one thread, whatever its process allows."""

from __future__ import annotations

from typing import Any

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from amt_flows.ledger.history import TrialState
from amt_flows.strategies import gaussian_process
from amt_flows.strategies.bayesian import Bayesian
from amt_flows.testing.strategy_conformance import UNIT, rows_at_random


def threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_a_model_is_fitted_in_one_thread_and_the_others_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[int]] = []
    really = gaussian_process.cholesky

    def watched(*given: Any) -> Any:
        seen.append(threads())
        return really(*given)

    monkeypatch.setattr(gaussian_process, "cholesky", watched)
    history = rows_at_random(UNIT, [TrialState.COMPLETED] * 12, float)
    with threadpool_limits(2, user_api="blas"):
        assert threads() == {2}
        Bayesian().propose(UNIT, history, number=12, seed=1)
        assert threads() == {2}
    assert seen
    assert set().union(*seen) == {1}
