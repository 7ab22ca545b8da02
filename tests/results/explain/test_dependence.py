"""Partial dependence, best regions, and the functions that both are computed from."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from amt_flows.errors import AmtFlowsError
from amt_flows.ledger.ledger import Ledger
from amt_flows.results.explain import NothingToExplain, best_region, dependence
from amt_flows.results.explain.surface import surface_of
from results.explain.known import known, minimised, numbers
from worlds import spec

MIXED = minimised(
    continuous=[*numbers("rate", low=1e-4, high=1.0, scaling="Logarithmic"), *numbers("idle")],
    integer=[{"name": "layers", "min_value": 1, "max_value": 4}],
    categorical=[{"name": "kind", "values": ["u", "v", "w"]}],
)
KINDS = {"u": 1.0, "v": 0.0, "w": 2.0}


def mixed(amount: int = 80) -> Ledger:
    return known(
        MIXED,
        lambda c: (math.log10(c["rate"]) + 2) ** 2 + c["layers"] + KINDS[c["kind"]],
        amount,
    )


def test_the_curve_is_the_function_with_the_others_averaged_out() -> None:
    points = dependence(mixed(), "rate")
    assert len(points) == 21
    assert [point.value for point in points] == sorted(point.value for point in points)
    assert (points[0].value, points[-1].value) == (1e-4, 1.0)
    # The mean of layers is 2.5, that of the kinds 1.
    for point in points:
        expected = (math.log10(float(point.value)) + 2) ** 2 + 3.5
        assert point.mean == pytest.approx(expected, abs=0.15)
        assert 0.0 < point.sd < 0.2


def test_what_is_maximised_keeps_its_sign() -> None:
    points = dependence(known(spec(continuous=numbers("a")), lambda c: 100 + c["a"], 20), "a")
    assert points[0].mean == pytest.approx(100, abs=0.05)
    assert points[-1].mean == pytest.approx(101, abs=0.05)


def test_choices_and_few_whole_numbers_are_all_there() -> None:
    assert {p.value: round(p.mean, 1) for p in dependence(mixed(), "kind")} == {
        kind: pytest.approx(3.83 + offset, abs=0.2) for kind, offset in KINDS.items()
    }
    layers = dependence(mixed(), "layers")
    assert [point.value for point in layers] == [1, 2, 3, 4]
    assert layers[3].mean - layers[0].mean == pytest.approx(3.0, abs=0.1)


def test_the_band_is_wider_where_less_is_known() -> None:
    rng = random.Random(5)
    few = dependence(known(MIXED, lambda c: c["layers"] + rng.gauss(0, 1), 15), "layers")
    many = dependence(known(MIXED, lambda c: c["layers"] + rng.gauss(0, 1), 150), "layers")
    assert np.mean([p.sd for p in few]) > 1.5 * np.mean([p.sd for p in many])


def test_the_best_region_is_narrow_where_it_is_known_and_wide_where_nothing_matters() -> None:
    ledger = mixed()
    rate = best_region(ledger, "rate")
    assert 1e-3 < float(rate.low) <= 1e-2 <= float(rate.high) < 1e-1
    assert best_region(ledger, "kind").choices == ("v",)
    layers = best_region(ledger, "layers")
    assert (layers.low, layers.high) == (1, 1)
    idle = best_region(ledger, "idle")
    assert (idle.low, idle.high) == (0.0, 1.0)


def test_of_what_is_maximised_the_largest_is_best() -> None:
    found = best_region(known(spec(continuous=numbers("a")), lambda c: c["a"], 20), "a")
    assert found.high == 1.0
    assert float(found.low) > 0.8


def test_a_name_that_is_not_tuned_is_refused() -> None:
    with pytest.raises(AmtFlowsError, match="did you mean 'layers'"):
        dependence(mixed(), "layer")
    with pytest.raises(AmtFlowsError, match="one of rate, idle, layers, kind"):
        best_region(mixed(), "xyzzy")
    with pytest.raises(NothingToExplain):
        dependence(mixed(5), "rate")


def test_plausible_functions_are_distributed_as_the_process_says() -> None:
    """Mean and spread over the functions, against the process's own prediction, at places of all kinds."""
    rng = random.Random(7)
    surface = surface_of(known(MIXED, lambda c: c["layers"] + KINDS[c["kind"]] + rng.gauss(0, 1), 40))
    space = surface.space
    draws = np.random.default_rng(11).uniform(size=(400, space.dimension))
    places = np.array([space.encode(space.decode(draw)) for draw in draws])
    means, sds = surface.functions.posterior.predict(places)
    values = surface.functions(places)
    # 64 functions: the error of a mean is sd / 8, that of an sd about a tenth of it.
    errors = (values.mean(axis=1) - means) / sds
    assert np.sqrt(np.mean(errors**2)) < 0.3
    assert np.median(values.std(axis=1) / sds) == pytest.approx(1.0, abs=0.15)
    # And close to what was seen they agree: each as close as the noise leaves it.
    seen = surface.functions.posterior.points
    means, sds = surface.functions.posterior.predict(seen)
    assert np.sqrt(np.mean(((surface.functions(seen).mean(axis=1) - means) / sds) ** 2)) < 0.3
