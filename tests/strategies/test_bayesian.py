"""The default strategy learns, says why, and has an answer when its model has none."""

from __future__ import annotations

import math
import re
import time
from dataclasses import replace

import numpy as np
import pytest

from amt_flows.ledger.history import TrialRow, TrialState
from amt_flows.space.space import Categorical, Condition, Configuration, Continuous, Integer, Scaling, Space
from amt_flows.strategies import Strategy, bayesian
from amt_flows.strategies.bayesian import Bayesian
from amt_flows.strategies.gaussian_process import NotPositiveDefinite
from amt_flows.strategies.quasirandom import QuasiRandom
from amt_flows.strategies.random import Random
from amt_flows.testing.strategy_conformance import Objective, play, rows_at_random

BOX = Space(tuple(Continuous(name, 0.0, 1.0) for name in "abcd"))
TRAINING = Space(
    (
        Continuous("learning_rate", 1e-5, 1.0, Scaling.LOGARITHMIC),
        Integer("layers", 1, 8),
        Categorical("optimizer", ("sgd", "adam", "rmsprop")),
    )
)


def bowl(configuration: Configuration) -> float:
    """Smooth, curved differently along each axis, 0 at its lowest point."""
    place = np.array([float(configuration[name]) for name in "abcd"])
    return float(np.array([4.0, 2.0, 1.0, 0.5]) @ (place - [0.2, 0.7, 0.5, 0.9]) ** 2)


def training(configuration: Configuration) -> float | None:
    """What tuning is mostly like: a valley in the learning rate, divergence beyond it, a better optimizer."""
    exponent = np.log10(float(configuration["learning_rate"]))
    if exponent > -0.7:
        return None
    if exponent > -1.2:
        return 1e8
    worse = {"sgd": 0.1, "adam": 0.0, "rmsprop": 0.05}[str(configuration["optimizer"])]
    return float(0.05 * (exponent + 2.2) ** 2 + 0.01 * (int(configuration["layers"]) - 4) ** 2 + worse)


def mean_best(strategy: Strategy, space: Space, objective: Objective, *, trials: int, seeds: int) -> float:
    best = []
    for seed in range(seeds):
        history = play(strategy, space, objective, trials=trials, workers=4, seed=seed)
        best.append(min(row.loss for row in history if row.loss is not None))
    return float(np.mean(best))


def test_it_beats_random_search_by_far_on_a_smooth_function() -> None:
    ours = mean_best(Bayesian(), BOX, bowl, trials=25, seeds=4)
    theirs = mean_best(Random(), BOX, bowl, trials=25, seeds=20)
    assert ours < 0.1 * theirs


def test_it_beats_random_search_on_a_mixed_space_with_divergence_and_failures() -> None:
    ours = mean_best(Bayesian(), TRAINING, training, trials=25, seeds=4)
    theirs = mean_best(Random(), TRAINING, training, trials=25, seeds=20)
    assert ours < 0.3 * theirs


def test_it_learns_from_a_space_where_most_of_it_fails() -> None:
    def objective(configuration: Configuration) -> float | None:
        return bowl(configuration) if float(configuration["a"]) < 0.3 else None

    history = play(Bayesian(), BOX, objective, trials=40, workers=4)
    ended = [row.state is TrialState.COMPLETED for row in history]
    assert sum(ended[20:]) >= 12
    assert min(row.loss for row in history if row.loss is not None) < 0.05


def test_it_waits_for_results_and_not_for_proposals() -> None:
    states = [TrialState.PENDING] * 30 + [TrialState.COMPLETED] * 3
    waiting = Bayesian().propose(BOX, rows_at_random(BOX, states, float), number=33, seed=0)
    states.append(TrialState.COMPLETED)
    ready = Bayesian().propose(BOX, rows_at_random(BOX, states, float), number=34, seed=0)
    assert waiting is not None
    assert ready is not None
    assert (waiting.source, ready.source) == ("bayesian/initial", "bayesian/gp")
    assert waiting.reason == "initial design: 3 results with a loss so far, 4 wanted"


def test_its_initial_design_is_quasi_random() -> None:
    ours = Bayesian().propose(BOX, [], number=5, seed=3)
    sobol = QuasiRandom().propose(BOX, [], number=5, seed=3)
    assert ours is not None
    assert sobol is not None
    assert ours.configuration == sobol.configuration


@pytest.mark.parametrize(("dimension", "wanted"), [(1, 4), (7, 7), (30, 10)])
def test_the_initial_design_grows_with_the_dimension_within_limits(dimension: int, wanted: int) -> None:
    space = Space(tuple(Continuous(f"x{i}", 0.0, 1.0) for i in range(dimension)))
    for rows in (wanted - 1, wanted):
        history = rows_at_random(space, [TrialState.COMPLETED] * rows, float)
        proposal = Bayesian().propose(space, history, number=rows, seed=0)
        assert proposal is not None
        ahead = rows % 2 == 0 and rows > 4
        assert (proposal.source == "bayesian/initial") == (rows < wanted and not ahead)


def test_the_model_has_every_other_proposal_of_a_long_initial_design_unless_something_is_known() -> None:
    space = Space(tuple(Continuous(f"x{i}", 0.0, 1.0) for i in range(10)))
    rows = rows_at_random(space, [TrialState.COMPLETED] * 9, float)

    def sources(history: list[TrialRow]) -> list[str]:
        proposals = [Bayesian().propose(space, history[:n], number=2 * n, seed=0) for n in range(3, 10)]
        return [one.source.removeprefix("bayesian/") for one in proposals if one is not None]

    turns = ["initial", "gp", "initial", "gp", "initial", "gp", "initial"]
    assert sources(rows) == turns
    assert sources([replace(rows[0], state=TrialState.FAILED, loss=None), *rows[1:]])[1] == "initial"
    starts = [replace(row, is_start=True) for row in rows]
    assert sources([*starts[:1], *rows[1:]]) == turns, "a first guess isn't much to know"
    assert set(sources([*starts[:2], *rows[2:]])) == {"initial"}
    whole = Bayesian(shares_design=False).propose(space, rows[:6], number=6, seed=0)
    assert whole is not None
    assert whole.source == "bayesian/initial"


def test_failures_end_the_initial_design_once_there_is_something_to_compare() -> None:
    failed, lost = [TrialState.FAILED] * 20, [TrialState.COMPLETED] * 2
    early = Bayesian().propose(BOX, rows_at_random(BOX, failed + lost, float), number=22, seed=0)
    later = Bayesian().propose(
        BOX, rows_at_random(BOX, [*failed, *lost, TrialState.STOPPED], float), number=23, seed=0
    )
    assert early is not None
    assert later is not None
    assert early.source == "bayesian/initial"
    assert later.source == "bayesian/gp-results"


def test_what_a_parent_with_the_same_data_found_is_as_good_as_own_results() -> None:
    own = play(Bayesian(), BOX, bowl, trials=20)
    inherited = [replace(row, number=row.number - 20, parent="earlier") for row in own]
    first = Bayesian().propose(BOX, inherited, number=0, seed=0)
    assert first is not None
    assert first.source == "bayesian/gp"
    best = min(row.loss for row in own if row.loss is not None)
    history: list[TrialRow] = list(inherited)
    for number in range(8):
        proposal = Bayesian().propose(BOX, history, number=number, seed=0)
        assert proposal is not None
        loss = bowl(proposal.configuration)
        history.append(TrialRow(number, proposal.configuration, TrialState.COMPLETED, loss))
    assert min(row.loss for row in history if row.loss is not None) < best


def test_workers_are_sent_to_different_places() -> None:
    history = play(Bayesian(), BOX, bowl, trials=12)
    sent = []
    for number in range(12, 18):
        proposal = Bayesian().propose(BOX, history, number=number, seed=1)
        assert proposal is not None
        history.append(TrialRow(number, proposal.configuration, TrialState.PENDING))
        sent.append(BOX.encode(proposal.configuration))
    gaps = [np.linalg.norm(a - b) for i, a in enumerate(sent) for b in sent[:i]]
    assert min(gaps) > 0.02


@pytest.mark.parametrize(("number", "view"), [(22, "Gaussian process"), (23, "Gaussian process with noise")])
def test_the_reason_says_which_model_expects_what_in_units_of_the_objective(number: int, view: str) -> None:
    history = play(Bayesian(), BOX, lambda c: 1000.0 + 100.0 * bowl(c), trials=number)
    proposal = Bayesian().propose(BOX, history, number=number, seed=0)
    assert proposal is not None
    pattern = r"expected (\S+) (better|worse) than the best so far, sd (\S+), expected improvement (\S+)"
    found = re.fullmatch(f"{view}: {pattern}", proposal.reason)
    assert found is not None, proposal.reason
    gain, sd, improvement = (float(found[k]) for k in (1, 3, 4))
    assert 0.0 <= gain < 400.0
    assert 0.0 < sd < 400.0
    assert 0.0 < improvement < 400.0


def test_the_expected_value_is_right_about_the_sign() -> None:
    """Far down a slope that goes on, the next value is expected to be better than any before."""
    space = Space((Continuous("x", 0.0, 1.0),))
    history = [TrialRow(k, {"x": 0.02 * k}, TrialState.COMPLETED, -float(k)) for k in range(20)]
    proposal = Bayesian().propose(space, history, number=20, seed=0)
    assert proposal is not None
    assert " better than the best so far" in proposal.reason
    assert float(proposal.configuration["x"]) > 0.38


def test_equal_losses_have_a_reason_too() -> None:
    history = rows_at_random(BOX, [TrialState.COMPLETED] * 8, lambda _: 0.25)
    proposal = Bayesian().propose(BOX, history, number=8, seed=0)
    assert proposal is not None
    assert proposal.source == "bayesian/gp"
    assert proposal.reason == "Gaussian process: all results so far are about the same: where least is known"


def test_proposals_explore_at_first_and_then_take_turns_with_exploiting() -> None:
    history = play(Bayesian(), BOX, bowl, trials=20)
    sources: dict[int, list[str]] = {19: [], 20: []}
    for results, seen in sources.items():
        for number in range(20, 24):
            proposal = Bayesian().propose(BOX, history[:results], number=number, seed=1)
            assert proposal is not None
            seen.append(proposal.source)
    assert sources[19] == ["bayesian/gp"] * 4
    assert sources[20] == ["bayesian/gp", "bayesian/gp-results"] * 2


def test_a_draft_is_decided_with_what_has_come_in_since() -> None:
    space = Space(tuple(Continuous(f"x{i}", 0.0, 1.0) for i in range(3)))
    told = rows_at_random(space, [TrialState.COMPLETED] * 24, float)
    rows = [replace(r, loss=sum((float(x) - 0.3) ** 2 for x in r.configuration.values())) for r in told]
    running = TrialRow(25, {"x0": 0.5, "x1": 0.5, "x2": 0.5}, TrialState.PENDING)
    draft = Bayesian().draft(space, [*rows, running], number=26, seed=1)
    assert draft is not None

    def decided(loss: float) -> tuple[Configuration, str]:
        ended = replace(running, state=TrialState.COMPLETED, loss=loss)
        proposal = draft.proposal(space, [*rows, ended], number=26, seed=1)
        assert proposal is not None
        assert space.contains(proposal.configuration)
        return proposal.configuration, proposal.reason

    losses = [row.loss for row in rows if row.loss is not None]
    (good, why), (bad, _) = decided(min(losses) - 5.0), decided(max(losses) + 5.0)
    assert good != bad
    assert "drafted while jobs ran" in why
    assert why.endswith("1 result since")
    assert decided(min(losses) - 5.0)[0] == good


@pytest.mark.parametrize("rows", [200, 1000])
def test_a_proposal_takes_bounded_time_however_many_jobs_have_finished(rows: int) -> None:
    space = Space((*BOX.parameters, *TRAINING.parameters))
    history = rows_at_random(space, [TrialState.COMPLETED] * rows, lambda k: math.sin(k))
    Bayesian().propose(space, history, number=rows, seed=0)
    taken = []
    for number in range(rows, rows + 3):
        started = time.process_time()
        Bayesian().propose(space, history, number=number, seed=0)
        taken.append(time.process_time() - started)
    assert min(taken) < 1.0


def test_without_a_model_it_is_quasi_random_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise NotPositiveDefinite("a covariance of 9 rows can't be factorised")

    monkeypatch.setattr(bayesian, "fit", fails)
    history = rows_at_random(BOX, [TrialState.COMPLETED] * 9, float)
    proposal = Bayesian().propose(BOX, history, number=9, seed=0)
    assert proposal is not None
    assert proposal.source == "bayesian/quasi-random"
    assert proposal.reason == "no model: a covariance of 9 rows can't be factorised"


def test_starts_are_part_of_the_initial_design_only_where_nothing_is_conditional() -> None:
    """Starts are in few branches; a model that has seen no other would never leave them."""
    parameters = (Categorical("kind", ("a", "b")), Continuous("x", 0.0, 1.0), Continuous("y", 0.0, 1.0))
    plain = Space(parameters)
    forked = Space(parameters, (Condition("y", "kind", ("b",)),))
    rows = [
        TrialRow(k, {"kind": "a", "x": k / 10}, TrialState.COMPLETED, k / 10, is_start=True)
        for k in range(1, 7)
    ]
    whole = [replace(row, configuration={**row.configuration, "y": 0.5}) for row in rows]
    for space, history, source in ((plain, whole, "bayesian/gp"), (forked, rows, "bayesian/initial")):
        proposal = Bayesian().propose(space, history, number=7, seed=0)
        assert proposal is not None
        assert proposal.source == source
