"""Importance: known shares of known functions, what doesn't count, and when there is nothing to explain."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping
from typing import Any

import pytest

from amt_flows.events import Outcome
from amt_flows.ledger.ledger import Ledger
from amt_flows.results.explain import Importance, NothingToExplain, importance, predictability
from amt_flows.results.explain.surface import results_wanted
from results.explain.known import job_events, known, minimised, numbers
from worlds import spec

THREE = minimised(continuous=numbers("a", "b", "c"))


def additive(c: Mapping[str, Any]) -> float:
    """Of uniform a and b: nine tenths of the variance are a's, one tenth is b's."""
    return float(3 * c["a"] + c["b"])


def by_name(ledger: Ledger) -> dict[str, Importance]:
    return {one.name: one for one in importance(ledger)}


def test_shares_of_a_sum_are_its_terms() -> None:
    found = importance(known(THREE, additive))
    assert [one.name for one in found] == ["a", "b", "c"], "the most important first"
    a, b, c = found
    assert a.alone == pytest.approx(0.9, abs=0.02)
    assert a.total == pytest.approx(0.9, abs=0.02)
    assert b.alone == pytest.approx(0.1, abs=0.02)
    assert b.total == pytest.approx(0.1, abs=0.02)
    assert c.total < 0.01
    assert c.alone < 0.01
    assert predictability(known(THREE, additive)) > 0.99


def test_what_is_maximised_is_explained_alike() -> None:
    tuned = spec(continuous=numbers("a", "b", "c"))
    assert tuned.maximize
    assert importance(known(tuned, lambda c: -additive(c))) == importance(known(THREE, additive))


def test_an_interaction_counts_for_both_and_for_neither_alone() -> None:
    found = by_name(known(THREE, lambda c: (c["a"] - 0.5) * (c["b"] - 0.5)))
    for name in ("a", "b"):
        assert found[name].alone < 0.05
        assert found[name].total > 0.95
        assert found[name].interactions == found[name].total - found[name].alone
    assert found["c"].total < 0.01


def test_ishigamis_function_has_its_known_shares() -> None:
    """Ishigami and Homma 1990: shares alone 0.314, 0.442 and 0; totals 0.558, 0.442 and 0.244."""
    tuned = minimised(continuous=numbers("x", "y", "z", low=-math.pi, high=math.pi))
    found = by_name(
        known(
            tuned,
            lambda c: math.sin(c["x"]) + 7 * math.sin(c["y"]) ** 2 + 0.1 * c["z"] ** 4 * math.sin(c["x"]),
            200,
        )
    )
    for name, alone, total in (("x", 0.314, 0.558), ("y", 0.442, 0.442), ("z", 0.0, 0.244)):
        # The model of 200 results errs by 0.043 in y's total; the rest is the sample's.
        assert found[name].alone == pytest.approx(alone, abs=0.06)
        assert found[name].total == pytest.approx(total, abs=0.07)


def test_categories_whole_numbers_and_log_scales() -> None:
    """In the log range's own scaling a third, of three categories a third, of two whole numbers a third."""
    tuned = minimised(
        continuous=numbers("rate", low=1e-4, high=1.0, scaling="Logarithmic"),
        integer=[{"name": "layers", "min_value": 1, "max_value": 2}],
        categorical=[{"name": "kind", "values": ["u", "v", "w"]}],
    )
    kinds = {"u": 0.0, "v": math.sqrt(1.5), "w": 0.0}  # variance 1/3

    def value(c: Mapping[str, Any]) -> float:
        # Uniform of width 2: variance 1/3; two values 2/√3 apart: variance 1/3.
        layers = float(c["layers"])
        return math.log10(c["rate"]) / 2 + 2 / math.sqrt(3) * (layers - 1) + kinds[c["kind"]]

    found = by_name(known(tuned, value, 80))
    for name in ("rate", "layers", "kind"):
        assert found[name].alone == pytest.approx(1 / 3, abs=0.04)
        assert found[name].total == pytest.approx(1 / 3, abs=0.04)


def test_one_hyperparameter_explains_everything() -> None:
    (only,) = importance(known(minimised(continuous=numbers("a")), lambda c: c["a"] ** 2, 10))
    assert only.alone == pytest.approx(1.0, abs=0.02)
    assert only.total == pytest.approx(1.0, abs=0.02)


def test_failures_and_nan_tell_nothing() -> None:
    ledger = known(THREE, additive, 40)
    before = importance(ledger)
    place = {"a": 0.0, "b": 0.0, "c": 0.99}
    for event in (
        *job_events(101, place, 1e9, Outcome.FAILED),
        *job_events(102, place, math.nan),
        *job_events(103, place, math.inf),
        *job_events(104, place, 0.0, Outcome.NO_METRIC),
    ):
        ledger.apply(event)
    assert importance(ledger) == before


def test_one_diverged_job_is_not_all_the_variance() -> None:
    ledger = known(THREE, additive, 60)
    for event in job_events(101, {"a": 0.5, "b": 0.5, "c": 0.5}, 1e300):
        ledger.apply(event)
    first, *_ = importance(ledger)
    assert first.name == "a"
    assert first.total > 0.5


def test_of_noise_the_shares_are_as_uncertain_as_they_should_be() -> None:
    rng = random.Random(3)
    noisy = known(THREE, lambda c: rng.gauss(0.0, 1.0))
    assert predictability(noisy) < 0.2
    assert max(one.total_sd for one in importance(noisy)) > 0.05
    assert max(one.total_sd for one in importance(known(THREE, additive))) < 0.01


def test_with_too_few_results_it_says_how_many_are_needed() -> None:
    wanted = results_wanted(THREE.space())
    assert wanted == 9
    assert len(importance(known(THREE, additive, wanted))) == 3
    ledger = known(THREE, additive, wanted - 1)
    for event in job_events(101, {"a": 0.5, "b": 0.5, "c": 0.5}, 1.0, Outcome.STOPPED_EARLY):
        ledger.apply(event)
    with pytest.raises(
        NothingToExplain, match="8 completed training jobs with a value, at least 9 are needed"
    ):
        importance(ledger)


def test_of_equal_results_there_is_nothing_to_explain() -> None:
    with pytest.raises(NothingToExplain, match="All 40 results are the same"):
        importance(known(THREE, lambda c: 0.25, 40))


def test_a_space_of_one_configuration_has_no_shares() -> None:
    tuned = minimised(categorical=[{"name": "kind", "values": ["only"]}])
    values = iter([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    (only,) = importance(known(tuned, lambda c: next(values), 6))
    assert (only.alone, only.total) == (0.0, 0.0)


def test_the_same_ledger_gives_the_same_figures() -> None:
    from amt_flows.results.explain import surface

    first = importance(known(THREE, additive))
    surface._fitted.cache_clear()
    assert importance(known(THREE, additive)) == first


def test_two_hundred_jobs_and_ten_parameters_take_less_than_a_second() -> None:
    names = "abcdefghij"
    ledger = known(
        minimised(continuous=numbers(*names)),
        lambda c: sum((i + 1) * math.sin(3 * c[name]) for i, name in enumerate("abcde")),
        200,
    )
    before = time.process_time()
    found = importance(ledger)
    assert time.process_time() - before < 1.0
    assert [one.name for one in found][:3] == ["e", "d", "c"]
