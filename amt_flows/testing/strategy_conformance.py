"""The contract of a :class:`amt_flows.strategies.Strategy`, as a test class to inherit from.

    class TestMyStrategy(StrategyConformance):
        def make_strategy(self): return MyStrategy()

A strategy that only takes finite spaces says so with ``finite_only = True``: every continuum is then
given a step. One that makes no use of the seed (a grid) says ``seeded = False``.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pytest

from amt_flows.ledger.history import Proposal, TrialRow, TrialState
from amt_flows.space.space import (
    Categorical,
    Condition,
    Configuration,
    Constraint,
    Continuous,
    Integer,
    Parameter,
    Scaling,
    Space,
    configuration_key,
)
from amt_flows.strategies import Strategy

# What a job of a configuration shows in the end: a loss, or None for a failure.
Objective: TypeAlias = Callable[[Configuration], float | None]

MIXED = Space(
    (
        Continuous("linear", -1.0, 3.0),
        Continuous("logarithmic", 1e-6, 1.0, Scaling.LOGARITHMIC),
        Continuous("reverse", 0.5, 0.9999, Scaling.REVERSE_LOGARITHMIC),
        Continuous("stepped", -0.3, 0.6, step=0.1),
        Continuous("stepped_logarithmic", 0.001, 1.0, Scaling.LOGARITHMIC, 0.001),
        Integer("whole", -3, 3),
        Integer("whole_logarithmic", 1, 1024, Scaling.LOGARITHMIC),
        Integer("whole_stepped", 10, 99, step=20),
        Categorical("category", ("a", "b", "c")),
    )
)
CONDITIONAL = Space(
    (
        Categorical("optimizer", ("sgd", "adam", "adagrad")),
        Continuous("momentum", 0.0, 0.99),
        Categorical("nesterov", ("true", "false")),
        Categorical("size", ("small", "medium", "large"), ordered=True),
        Integer("layers", 1, 4),
        Integer("second", 1, 8, Scaling.LOGARITHMIC),
        Integer("third", 1, 8, Scaling.LOGARITHMIC),
    ),
    conditions=(
        Condition("nesterov", "optimizer", ("sgd",)),
        Condition("momentum", "nesterov", ("true",)),
        Condition("second", "layers", (2, 3, 4)),
        Condition("third", "layers", (3, 4)),
    ),
)
CONSTRAINED = replace(
    CONDITIONAL,
    constraints=(
        Constraint("third <= second"),
        Constraint("size != 'small' or layers < 3"),
        Constraint("layers * momentum < 0.5"),
    ),
)
SPACES = {
    "mixed": MIXED,
    "conditional": CONDITIONAL,
    "constrained": CONSTRAINED,
    "one in a thousand": Space(
        (Continuous("x", 0.0, 1.0), Continuous("y", 0.0, 1.0)),
        constraints=(Constraint("abs(x - y) < 0.0005"),),
    ),
    "one continuous": Space((Continuous("x", 0.0, 1.0),)),
    "one logarithmic": Space((Continuous("x", 1e-300, 1e-290, Scaling.LOGARITHMIC),)),
    "one huge": Space((Continuous("x", -1e300, 1e300),)),
    "one narrow": Space((Continuous("x", 1.0, 1.0 + 1e-12),)),
    "one integer": Space((Integer("n", 0, 10**9),)),
    "a fixed parameter": Space((Continuous("x", 0.5, 0.5), Continuous("y", 0.0, 1.0))),
    "30 continuous": Space(tuple(Continuous(f"x{i}", 0.0, 1.0) for i in range(30))),
    "30 categorical": Space(tuple(Categorical(f"c{i}", tuple(str(k) for k in range(30))) for i in range(30))),
}
TWELVE = Space((Integer("n", 1, 3), Categorical("c", ("a", "b")), Continuous("x", 0.0, 1.0, step=1.0)))
# With a three of x and n, since one breaks the constraint; with b, which has no x, both of n.
FIVE = Space(
    (
        Categorical("c", ("a", "b")),
        Continuous("x", 0.0, 1.0, step=1.0),
        Integer("n", 1, 2),
    ),
    conditions=(Condition("x", "c", ("a",)),),
    constraints=(Constraint("x + n < 3"),),
)
SINGLE = Space((Continuous("x", 0.5, 0.5), Integer("n", 7, 7), Categorical("c", ("only",))))
UNIT = Space((Continuous("x", 0.0, 1.0), Continuous("y", 0.0, 1.0)))

LOSSES: dict[str, Callable[[int], float]] = {
    "constant": lambda _: 0.5,
    "all zero": lambda _: 0.0,
    "huge": lambda k: (-1) ** k * 1e300 * (1 + k),
    "largest": lambda k: (-1) ** k * 1.7e308,
    "tiny": lambda k: 1e-300 * k,
    "of all sizes": lambda k: (-1) ** k * 10.0 ** (20 * (k % 30) - 300),
    "one freak": lambda k: -1e300 if k == 5 else 0.1 * k,
}


def with_steps(space: Space) -> Space:
    """The same space with a step on every continuum."""
    return replace(space, parameters=tuple(_with_step(p) for p in space.parameters))


def _with_step(parameter: Parameter) -> Parameter:
    if isinstance(parameter, Continuous) and parameter.size is None:
        return replace(parameter, step=(parameter.high - parameter.low) / 16)
    return parameter


def rows_at_random(
    space: Space, states: Sequence[TrialState], loss: Callable[[int], float]
) -> list[TrialRow]:
    """One row per state, with distinct configurations."""
    rng = np.random.default_rng(len(states))
    rows: dict[str, TrialRow] = {}
    while len(rows) < len(states):
        number = len(rows)
        configuration = space.draw(rng)
        assert configuration is not None
        has_loss = states[number] in (TrialState.COMPLETED, TrialState.STOPPED)
        row = TrialRow(number, configuration, states[number], loss(number) if has_loss else None)
        rows.setdefault(configuration_key(configuration), row)
    return list(rows.values())


def ask(strategy: Strategy, space: Space, history: Sequence[TrialRow], *, seed: int = 1) -> Proposal | None:
    """The next proposal, after a look at everything that every proposal must be."""
    proposal = strategy.propose(space, history, number=len(history), seed=seed)
    if proposal is None:
        return None
    configuration = proposal.configuration
    assert tuple(configuration) == tuple(name for name in space.names if name in configuration)
    assert configuration.keys() == space.wanted(configuration)
    assert space.allows(configuration), f"breaks a constraint: {configuration}"
    for parameter in space.parameters:
        if parameter.name not in configuration:
            continue
        value = configuration[parameter.name]
        kinds = {Continuous: float, Integer: int, Categorical: str}
        assert type(value) is kinds[type(parameter)], f"{parameter.name} has the wrong type: {value!r}"
        assert parameter.contains(value), f"{parameter.name} is out of its range or off its step: {value!r}"
    taken = {configuration_key(row.configuration) for row in history}
    assert configuration_key(configuration) not in taken, f"tried already: {configuration}"
    assert proposal.source, "a proposal says which part of the strategy it comes from"
    return proposal


def play(
    strategy: Strategy, space: Space, objective: Objective, *, trials: int, workers: int = 3, seed: int = 1
) -> list[TrialRow]:
    """A tuning of up to ``trials`` trials, ``workers`` at a time, each ending in the order of its start.

    Ends early when the space is exhausted.
    """
    history: list[TrialRow] = []
    while len(history) < trials:
        if len(history) >= workers:
            _end(history, len(history) - workers, objective)
        proposal = ask(strategy, space, history, seed=seed)
        if proposal is None:
            break
        history.append(TrialRow(len(history), proposal.configuration, TrialState.PENDING))
    for number in range(max(0, len(history) - workers), len(history)):
        _end(history, number, objective)
    return history


def _end(history: list[TrialRow], number: int, objective: Objective) -> None:
    loss = objective(history[number].configuration)
    state = TrialState.FAILED if loss is None else TrialState.COMPLETED
    history[number] = replace(history[number], state=state, loss=loss)


def _sum_of_places(space: Space) -> Objective:
    return lambda configuration: float(space.encode(configuration).sum())


class StrategyConformance:
    """Inherit, and define ``make_strategy``. Each call must give a strategy of the same settings."""

    finite_only = False
    seeded = True

    def make_strategy(self) -> Strategy:
        raise NotImplementedError

    def suited(self, space: Space) -> Space:
        return with_steps(space) if self.finite_only else space

    @pytest.mark.parametrize("name", SPACES)
    def test_proposals_belong_to_the_space_and_are_new(self, name: str) -> None:
        space = self.suited(SPACES[name])
        history = play(self.make_strategy(), space, _sum_of_places(space), trials=12)
        assert len(history) == 12

    @pytest.mark.parametrize("space", [TWELVE, SINGLE, FIVE], ids=["twelve", "single", "five"])
    @pytest.mark.parametrize("ending", [*TrialState, None], ids=lambda e: "mixed" if e is None else e.value)
    def test_a_finite_space_is_tried_completely_and_then_nothing(
        self, space: Space, ending: TrialState | None
    ) -> None:
        history: list[TrialRow] = []
        states = itertools.cycle(TrialState if ending is None else [ending])
        while (proposal := ask(self.make_strategy(), space, history)) is not None:
            number, state = len(history), next(states)
            loss = float(number % 5) if state in (TrialState.COMPLETED, TrialState.STOPPED) else None
            history.append(TrialRow(number, proposal.configuration, state, loss))
        tried = {configuration_key(row.configuration) for row in history}
        assert tried == {configuration_key(c) for c in space.grid()}
        assert len(tried) == space.size

    def test_the_last_free_configuration_of_many_is_found(self) -> None:
        space = Space((Integer("n", 0, 19), Integer("m", 0, 19)))
        *taken, last = list(space.grid())[::-1]
        history = [TrialRow(k, c, TrialState.FAILED) for k, c in enumerate(taken)]
        proposal = ask(self.make_strategy(), space, history)
        assert proposal is not None
        assert proposal.configuration == last

    def test_rows_from_outside_the_space_take_no_place_in_it(self) -> None:
        outside: list[Configuration] = [
            {"n": 9, "c": "a", "x": 0.0},
            {"n": 1, "c": "gone", "x": 0.0},
            {"other": 1.0},
        ]
        history = [TrialRow(k, c, TrialState.COMPLETED, float(k)) for k, c in enumerate(outside * 4)]
        for configuration in list(TWELVE.grid())[:-1]:
            history.append(TrialRow(len(history), configuration, TrialState.COMPLETED, 1.0))
        proposal = ask(self.make_strategy(), TWELVE, history)
        assert proposal is not None
        assert proposal.configuration == list(TWELVE.grid())[-1]

    @pytest.mark.parametrize("rows", [0, 3, 25])
    def test_the_answer_depends_on_the_arguments_alone(self, rows: int) -> None:
        space = self.suited(MIXED)
        history = rows_at_random(space, [TrialState.COMPLETED] * rows, float)
        strategy = self.make_strategy()
        first = ask(strategy, space, history)
        play(strategy, UNIT if not self.finite_only else TWELVE, lambda _: 1.0, trials=3)
        np.random.default_rng().random()
        assert ask(strategy, space, tuple(history)) == first
        assert ask(self.make_strategy(), space, history) == first

    @pytest.mark.parametrize("rows", [0, 25])
    def test_seeds_matter_when_they_should(self, rows: int) -> None:
        space = self.suited(MIXED)
        history = rows_at_random(space, [TrialState.FAILED] * rows, float)
        answers = [ask(self.make_strategy(), space, history, seed=seed) for seed in range(4)]
        different = {configuration_key(p.configuration) for p in answers if p is not None}
        assert len(different) == 4 if self.seeded else len(different) == 1

    def test_one_that_ignores_results_gives_the_same_answer_whatever_they_are(self) -> None:
        strategy, space = self.make_strategy(), self.suited(MIXED)
        history = rows_at_random(space, [TrialState.COMPLETED] * 12, float)
        others = [replace(row, state=TrialState.PENDING, loss=None, curve=()) for row in history]
        same = ask(strategy, space, history) == ask(strategy, space, others)
        assert same or not strategy.ignores_results

    def test_the_history_is_left_alone(self) -> None:
        space = self.suited(MIXED)
        states = [TrialState.COMPLETED, TrialState.PENDING, TrialState.FAILED, TrialState.STOPPED] * 5
        history = rows_at_random(space, states, float)
        before = copy.deepcopy(history)
        ask(self.make_strategy(), space, history)
        assert history == before

    @pytest.mark.parametrize("state", [TrialState.FAILED, TrialState.STOPPED, TrialState.PENDING])
    def test_a_history_of_one_kind_only(self, state: TrialState) -> None:
        space = self.suited(MIXED)
        history = rows_at_random(space, [state] * 20, float)
        assert ask(self.make_strategy(), space, history) is not None

    @pytest.mark.parametrize("loss", LOSSES)
    def test_any_finite_loss_is_bearable(self, loss: str) -> None:
        space = self.suited(MIXED)
        states = [TrialState.COMPLETED] * 15 + [TrialState.STOPPED, TrialState.FAILED, TrialState.PENDING]
        history = rows_at_random(space, states, LOSSES[loss])
        assert ask(self.make_strategy(), space, history) is not None

    def test_a_failure_that_left_a_nan_is_a_failure(self) -> None:
        space = self.suited(UNIT)
        history = rows_at_random(space, [TrialState.COMPLETED] * 12, float)
        for state in (TrialState.FAILED, TrialState.COMPLETED, TrialState.STOPPED):
            spoilt = [replace(row, state=state, loss=math.nan) for row in history[:6]]
            assert ask(self.make_strategy(), space, spoilt + history[6:]) is not None

    def test_hundreds_of_pending_rows(self) -> None:
        space = self.suited(MIXED)
        states = [TrialState.COMPLETED] * 20 + [TrialState.PENDING] * 300
        assert ask(self.make_strategy(), space, rows_at_random(space, states, float)) is not None

    def test_repeated_places_in_the_history(self) -> None:
        space = self.suited(UNIT)
        (row,) = rows_at_random(space, [TrialState.COMPLETED], float)
        history = [replace(row, number=k, loss=float(k % 3)) for k in range(20)]
        assert ask(self.make_strategy(), space, history) is not None

    def test_failures_in_half_of_the_space_leave_the_other_half_to_be_tried(self) -> None:
        space = self.suited(UNIT)

        def objective(configuration: Configuration) -> float | None:
            x, y = float(configuration["x"]), float(configuration["y"])
            return None if y > 0.5 else (x - 0.3) ** 2 + (y - 0.45) ** 2

        history = play(self.make_strategy(), space, objective, trials=30)
        healthy = [row.state is TrialState.COMPLETED for row in history]
        assert sum(healthy[-16:]) >= 4
