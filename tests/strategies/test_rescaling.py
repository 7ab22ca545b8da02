"""A number whose scaling was left at Auto is seen on the scale that the results speak for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from amt_flows.ledger.history import TrialRow, TrialState
from amt_flows.space.parameters import Categorical, Continuous, Integer, Parameter, Scaling
from amt_flows.space.space import Condition, Configuration, Space, configuration_key
from amt_flows.spec.parts import ContinuousRange, IntegerRange
from amt_flows.strategies.bayesian import Bayesian
from amt_flows.strategies.gaussian_process import fit, log_evidence
from amt_flows.strategies.rescaling import COUNTS, changed, other_scalings, rescaled
from amt_flows.testing.strategy_conformance import rows_at_random

LINEAR, LOGARITHMIC, REVERSE = Scaling.LINEAR, Scaling.LOGARITHMIC, Scaling.REVERSE_LOGARITHMIC

# Thirty times from end to end: linear by the rule.
RATE = Continuous("rate", 0.01, 0.3, auto=True)
SPACE = Space((RATE, Continuous("other", -1.0, 1.0, auto=True)))


def humps(place: float, configuration: Configuration) -> float:
    """Good at one and at three quarters of a scale, bad at its ends and in its middle."""
    return math.cos(4 * math.pi * place) + 0.1 * float(configuration.get("other", 0.0)) ** 2


def on_a_logarithmic_scale(configuration: Configuration) -> float:
    return humps(math.log(float(configuration["rate"]) / 0.01) / math.log(30), configuration)


def on_a_linear_scale(configuration: Configuration) -> float:
    return humps((float(configuration["rate"]) - 0.01) / 0.29, configuration)


def history_of(
    space: Space, count: int, loss: Callable[[Configuration], float], *, seed: int = 0
) -> list[TrialRow]:
    rng = np.random.default_rng(seed)
    drawn = [space.decode(rng.random(space.dimension)) for _ in range(count)]
    return [TrialRow(k, one, TrialState.COMPLETED, loss(one)) for k, one in enumerate(drawn)]


def test_the_results_turn_a_linear_scale_into_a_logarithmic_one() -> None:
    history = history_of(SPACE, 40, on_a_logarithmic_scale)
    assert changed(SPACE, rescaled(SPACE, history)) == {"rate": LOGARITHMIC}


def test_a_range_of_many_orders_of_magnitude_stays_on_its_scale() -> None:
    space = Space((replace(RATE, scaling=LOGARITHMIC), SPACE.parameters[1]))
    history = history_of(space, 40, on_a_linear_scale)
    assert rescaled(space, history) is space


@pytest.mark.parametrize("seed", range(4))
def test_what_the_rule_got_right_stays(seed: int) -> None:
    history = history_of(SPACE, 40, on_a_linear_scale, seed=seed)
    assert rescaled(SPACE, history) == SPACE


def test_a_scaling_that_was_chosen_stays_whatever_the_results_say() -> None:
    space = Space((replace(RATE, auto=False), SPACE.parameters[1]))
    history = history_of(space, 40, on_a_logarithmic_scale)
    assert rescaled(space, history) is space


def test_it_is_decided_at_fixed_counts_of_results_and_kept_between_them() -> None:
    history = history_of(SPACE, 100, on_a_logarithmic_scale)
    assert rescaled(SPACE, history[: COUNTS[0] - 1]) is SPACE
    for count, following in zip(COUNTS, (*COUNTS[1:], 100), strict=True):
        decided = rescaled(SPACE, history[:count])
        for results in (count + 1, following - 1):
            assert rescaled(SPACE, history[:results]) == decided


def test_running_jobs_and_hints_of_parents_decide_nothing() -> None:
    history = history_of(SPACE, 40, on_a_logarithmic_scale)
    running = [replace(row, state=TrialState.PENDING, loss=None) for row in history]
    assert rescaled(SPACE, running) is SPACE
    hints = [replace(row, number=-row.number, parent="before", identical=False) for row in history]
    assert rescaled(SPACE, hints) is SPACE
    assert rescaled(SPACE, [*hints, *history]) == rescaled(SPACE, history)


def test_failures_alone_and_equal_losses_decide_nothing() -> None:
    history = history_of(SPACE, 40, lambda _: 1.0)
    assert rescaled(SPACE, history) == SPACE
    failed = [replace(row, state=TrialState.FAILED, loss=None) for row in history]
    assert rescaled(SPACE, failed) is SPACE


@pytest.mark.parametrize(
    ("parameter", "others"),
    [
        (Continuous("x", 0.01, 0.3, auto=True), (LOGARITHMIC,)),
        (Continuous("x", 0.01, 0.3), ()),
        (Continuous("x", 0.01, 0.03, auto=True), ()),
        (Continuous("x", 0.0, 1.0, auto=True), ()),
        (Continuous("x", -1.0, 1.0, auto=True), ()),
        (Continuous("x", 0.001, 1.0, LOGARITHMIC, auto=True), ()),
        (Continuous("x", 0.5, 0.95, auto=True), (REVERSE,)),
        (Continuous("x", 0.5, 0.9999, REVERSE, auto=True), ()),
        (Continuous("x", 0.5, 0.5, auto=True), ()),
        (Integer("x", 1, 64, auto=True), (LOGARITHMIC,)),
        (Integer("x", 1, 64), ()),
        (Integer("x", 0, 64, auto=True), ()),
        (Integer("x", 1, 1000, LOGARITHMIC, auto=True), ()),
        (Categorical("x", ("a", "b"), ordered=True), ()),
    ],
)
def test_a_range_has_the_other_scales_that_are_defined_and_differ_on_it(
    parameter: Parameter, others: tuple[Scaling, ...]
) -> None:
    assert other_scalings(parameter) == others


def test_the_configurations_are_the_same_and_an_unused_one_has_its_usual_place() -> None:
    kind = Categorical("kind", ("a", "b"))
    space = Space((kind, RATE, Integer("width", 1, 60, auto=True)), (Condition("rate", "kind", ("a",)),))

    def loss(configuration: Configuration) -> float:
        return on_a_logarithmic_scale({"rate": 0.3, **configuration})

    history = history_of(space, 60, loss)
    seen = rescaled(space, history)
    assert changed(space, seen)
    for row in history:
        assert seen.contains(row.configuration)
        again = seen.decode(seen.encode(row.configuration))
        assert again.keys() == row.configuration.keys()
        assert again["width"] == row.configuration["width"]
        if "rate" in again:
            assert float(again["rate"]) == pytest.approx(float(row.configuration["rate"]), rel=1e-9)
        else:
            assert seen.encode(row.configuration)[1] == space.encode(row.configuration)[1]


def test_a_proposal_says_on_which_scale_a_number_was_seen() -> None:
    history = history_of(SPACE, 40, on_a_logarithmic_scale)
    proposal = Bayesian().propose(SPACE, history, number=40, seed=0)
    assert proposal is not None
    assert proposal.reason.endswith("; rate seen on a logarithmic scale")
    as_chosen = Space((replace(RATE, auto=False), SPACE.parameters[1]))
    other = Bayesian().propose(as_chosen, history, number=40, seed=0)
    assert other is not None
    assert "scale" not in other.reason


def test_proposals_on_another_scale_are_new_in_range_and_reproducible() -> None:
    space = Space(
        (
            replace(RATE, step=0.01),
            Integer("width", 1, 60, auto=True),
            Continuous("momentum", 0.5, 0.97, auto=True),
        )
    )

    history = history_of(space, 40, on_a_logarithmic_scale)
    assert changed(space, rescaled(space, history))
    taken = {configuration_key(row.configuration) for row in history}
    for number in range(40, 44):
        first = Bayesian().propose(space, history, number=number, seed=3)
        assert first is not None
        assert space.contains(first.configuration)
        assert configuration_key(first.configuration) not in taken
        assert Bayesian().propose(space, history, number=number, seed=3) == first


def test_auto_in_a_spec_is_what_may_be_decided_anew() -> None:
    rate = ContinuousRange(name="rate", min_value=0.01, max_value=0.3)
    width = IntegerRange(name="width", min_value=1, max_value=64)
    assert rate.parameter() == RATE
    assert width.parameter() == Integer("width", 1, 64, auto=True)
    chosen = {"scaling_type": LINEAR}
    assert rate.model_copy(update=chosen).parameter() == replace(RATE, auto=False)
    assert width.model_copy(update=chosen).parameter() == Integer("width", 1, 64)


def test_the_evidence_is_found_near_known_hyperparameters_too() -> None:
    rng = np.random.default_rng(0)
    points = rng.random((30, 2))
    targets = np.sin(4 * points[:, 0]) + 0.1 * rng.standard_normal(30)
    unordered = np.zeros(2, dtype=bool)
    value, settings = log_evidence(points, targets, unordered)
    assert settings.length_scales == pytest.approx(fit(points, targets, unordered).length_scales)
    again, _ = log_evidence(points, targets, unordered, like=settings)
    assert again == pytest.approx(value, abs=1e-3)
    shuffled, _ = log_evidence(points, rng.permutation(targets), unordered)
    assert shuffled < value - 5


def test_a_decision_needs_no_more_results_than_the_last_count_however_many_there_are() -> None:
    space = Space(tuple(Continuous(f"x{k}", 0.01, 0.3, auto=True) for k in range(8)))
    history = rows_at_random(space, [TrialState.COMPLETED] * 1000, lambda k: math.sin(k))
    assert rescaled(space, history) == rescaled(space, history[: COUNTS[-1]])
