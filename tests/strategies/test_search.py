"""The search for the highest expected improvement: in mixed spaces, among what is free."""

from __future__ import annotations

import numpy as np
import pytest

from amt_flows.space.space import Categorical, Continuous, Integer, Scaling, Space, configuration_key
from amt_flows.strategies import search
from amt_flows.strategies.expected_improvement import log_expected_improvement
from amt_flows.strategies.gaussian_process import Hyperparameters, Posterior, condition
from amt_flows.strategies.search import LISTED, best_unused, snap

MIXED = Space(
    (
        Continuous("x", 1e-4, 1.0, Scaling.LOGARITHMIC),
        Continuous("s", 0.0, 1.0, step=0.1),
        Integer("few", 1, 5),
        Integer("many", 1, 500, Scaling.LOGARITHMIC),
        Categorical("c", ("a", "b", "d", "e")),
    )
)
SMALL = Space((Integer("n", 0, 29), Categorical("c", ("a", "b", "d"))))


def posterior(space: Space, rows: int = 25, seed: int = 0) -> Posterior:
    rng = np.random.default_rng(seed)
    points = snap(space, rng.random((rows, space.dimension)))
    targets = ((points - 0.4) ** 2).sum(axis=1)
    categorical = np.array([isinstance(p, Categorical) for p in space.parameters])
    settings = Hyperparameters(np.full(space.dimension, 0.7), signal=1.0, noise=1e-4)
    return condition(points, targets, points[:0], categorical=categorical, hyperparameters=settings)


def test_a_small_space_is_searched_completely() -> None:
    process = posterior(SMALL)
    every = list(SMALL.grid())
    values = log_expected_improvement(process, np.array([SMALL.encode(c) for c in every]))
    found = best_unused(process, SMALL, frozenset(), np.random.default_rng(0))
    assert found is not None
    assert found[0] == every[int(np.argmax(values))]
    assert found[1] == pytest.approx(float(values.max()))


def test_taken_configurations_are_passed_over_one_by_one() -> None:
    process = posterior(SMALL)
    used: frozenset[str] = frozenset()
    values = []
    while found := best_unused(process, SMALL, used, np.random.default_rng(0)):
        used |= {configuration_key(found[0])}
        values.append(found[1])
    assert len(values) == SMALL.size
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("seed", range(4))
def test_in_a_large_mixed_space_the_climb_is_as_good_as_very_many_random_places(seed: int) -> None:
    process = posterior(MIXED, seed=seed)
    random = snap(MIXED, np.random.default_rng(99).random((20_000, MIXED.dimension)))
    found = best_unused(process, MIXED, frozenset(), np.random.default_rng(seed))
    assert found is not None
    assert found[1] >= log_expected_improvement(process, random).max() - 0.05
    assert found[1] >= log_expected_improvement(process, random[:500]).max()


@pytest.mark.parametrize("seed", range(4))
def test_no_single_change_of_a_category_would_have_been_better(seed: int) -> None:
    space = Space(tuple(Categorical(f"c{i}", tuple("abcdefgh")) for i in range(6)))
    process = posterior(space, seed=seed)
    found = best_unused(process, space, frozenset(), np.random.default_rng(seed))
    assert found is not None
    changed = [{**found[0], name: choice} for name in space.names for choice in "abcdefgh"]
    values = log_expected_improvement(process, np.array([space.encode(c) for c in changed]))
    assert found[1] >= values.max() - 1e-9


def test_half_of_the_search_starts_around_the_best_rows() -> None:
    space = Space(tuple(Continuous(f"x{i}", 0.0, 1.0) for i in range(6)))
    process = posterior(space, rows=60)
    order = np.argsort(process.predict(process.points)[0])
    near = search._around(process, space, np.random.default_rng(0))
    gaps = np.linalg.norm(near[:, None] - process.points[None, order], axis=2)
    best, others = gaps[:, :5].min(axis=1), gaps[:, 5:].min(axis=1)
    assert np.median(best) < 0.3 * np.median(others)


@pytest.mark.parametrize("seed", range(4))
def test_what_was_valued_is_what_is_proposed(seed: int) -> None:
    process = posterior(MIXED, seed=seed)
    found = best_unused(process, MIXED, frozenset(), np.random.default_rng(seed))
    assert found is not None
    configuration, value = found
    place = MIXED.encode(configuration)
    assert MIXED.contains(configuration)
    assert float(log_expected_improvement(process, place[None, :])[0]) == pytest.approx(value, abs=1e-6)


def test_snapped_places_are_those_of_configurations() -> None:
    places = snap(MIXED, np.random.default_rng(0).random((200, MIXED.dimension)))
    again = np.array([MIXED.encode(MIXED.decode(place)) for place in places])
    np.testing.assert_allclose(places, again, atol=1e-9)


def test_nothing_is_found_where_all_that_was_compared_is_taken() -> None:
    space = Space((Integer("n", 0, LISTED + 100),))
    used = frozenset(configuration_key(c) for c in space.grid())
    assert best_unused(posterior(space), space, used, np.random.default_rng(0)) is None
