"""The conformance suite notices a strategy that breaks the contract, each in one way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from amt_flows.ledger.history import Proposal, TrialRow, TrialState
from amt_flows.space.space import Continuous, Space, Value
from amt_flows.strategies import Strategy
from amt_flows.strategies.random import Random
from amt_flows.testing.strategy_conformance import TWELVE, StrategyConformance


class Altered:
    """Random search with something done to its answer."""

    def __init__(
        self, alter: Callable[[Proposal | None, Space, Sequence[TrialRow]], Proposal | None]
    ) -> None:
        self.alter = alter

    ignores_results: ClassVar[bool] = False

    def propose(
        self, space: Space, history: Sequence[TrialRow], *, number: int, seed: int
    ) -> Proposal | None:
        answer = Random().propose(space, history, number=number, seed=seed)
        return self.alter(answer, space, history)


def repeats(answer: Proposal | None, _: Space, history: Sequence[TrialRow]) -> Proposal | None:
    return Proposal(history[-1].configuration, "again") if history else answer


def gives_up_early(answer: Proposal | None, space: Space, history: Sequence[TrialRow]) -> Proposal | None:
    return None if space.size is not None and len(history) == space.size - 1 else answer


def goes_too_far(answer: Proposal | None, space: Space, _: Sequence[TrialRow]) -> Proposal | None:
    outside: dict[str, Value] = {
        p.name: p.high * 1.01 + 1.0 if isinstance(p, Continuous) else p.decode(0.5) for p in space.parameters
    }
    return Proposal(outside, "outside")


def writes_whole_numbers_as_floats(
    answer: Proposal | None, _: Space, __: Sequence[TrialRow]
) -> Proposal | None:
    if answer is None:
        return None
    changed = {k: float(v) if isinstance(v, int) else v for k, v in answer.configuration.items()}
    return replace(answer, configuration=changed)


def forgets_a_parameter(answer: Proposal | None, _: Space, __: Sequence[TrialRow]) -> Proposal | None:
    if answer is None:
        return None
    return replace(answer, configuration=dict(list(answer.configuration.items())[1:]))


def throws_dice(answer: Proposal | None, space: Space, _: Sequence[TrialRow]) -> Proposal | None:
    return Proposal(space.decode(np.random.default_rng().random(space.dimension)), "dice")


def stops_after_failures(answer: Proposal | None, _: Space, history: Sequence[TrialRow]) -> Proposal | None:
    return None if history and all(row.state is TrialState.FAILED for row in history) else answer


def edits_the_history(answer: Proposal | None, _: Space, history: Sequence[TrialRow]) -> Proposal | None:
    if isinstance(history, list):
        history.reverse()
    return answer


class OneSeed:
    ignores_results: ClassVar[bool] = False

    def propose(
        self, space: Space, history: Sequence[TrialRow], *, number: int, seed: int
    ) -> Proposal | None:
        return Random().propose(space, history, number=number, seed=0)


class LovesFailures:
    """Proposes where y is large, whatever happens there."""

    ignores_results: ClassVar[bool] = False

    def propose(
        self, space: Space, history: Sequence[TrialRow], *, number: int, seed: int
    ) -> Proposal | None:
        point = np.random.default_rng([seed, number]).random(space.dimension)
        point[-1] = 0.5 + 0.5 * point[-1]
        return Proposal(space.decode(point), "stubborn")


def suite(strategy: Strategy) -> StrategyConformance:
    class Suite(StrategyConformance):
        def make_strategy(self) -> Strategy:
            return strategy

    return Suite()


@pytest.mark.parametrize(
    ("strategy", "contract"),
    [
        (Altered(repeats), lambda s: s.test_proposals_belong_to_the_space_and_are_new("mixed")),
        (Altered(goes_too_far), lambda s: s.test_proposals_belong_to_the_space_and_are_new("mixed")),
        (
            Altered(writes_whole_numbers_as_floats),
            lambda s: s.test_proposals_belong_to_the_space_and_are_new("mixed"),
        ),
        (Altered(forgets_a_parameter), lambda s: s.test_proposals_belong_to_the_space_and_are_new("mixed")),
        (
            Altered(gives_up_early),
            lambda s: s.test_a_finite_space_is_tried_completely_and_then_nothing(TWELVE, None),
        ),
        (Altered(gives_up_early), lambda s: s.test_the_last_free_configuration_of_many_is_found()),
        (Altered(throws_dice), lambda s: s.test_the_answer_depends_on_the_arguments_alone(3)),
        (Altered(stops_after_failures), lambda s: s.test_a_history_of_one_kind_only(TrialState.FAILED)),
        (Altered(edits_the_history), lambda s: s.test_the_history_is_left_alone()),
        (OneSeed(), lambda s: s.test_seeds_matter_when_they_should(0)),
        (
            LovesFailures(),
            lambda s: s.test_failures_in_half_of_the_space_leave_the_other_half_to_be_tried(),
        ),
    ],
)
def test_a_broken_promise_is_noticed(
    strategy: Strategy, contract: Callable[[StrategyConformance], None]
) -> None:
    contract(suite(Random()))
    with pytest.raises(AssertionError):
        contract(suite(strategy))
