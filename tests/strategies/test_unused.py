"""Finding a configuration that isn't taken, in small, large and endless spaces."""

from __future__ import annotations

import numpy as np
import pytest

from amt_flows.ledger.history import TrialRow, TrialState, used_keys
from amt_flows.space.space import Continuous, Integer, Space, configuration_key
from amt_flows.strategies.unused import LISTED, draw_unused, is_exhausted, pick_unused

SMALL = Space((Integer("n", 0, 9), Integer("m", 0, 9)))
LARGE = Space(tuple(Integer(f"n{i}", 0, 10**9) for i in range(30)))


def keys(space: Space, indices: range | list[int]) -> frozenset[str]:
    return frozenset(configuration_key(space.grid_at(k)) for k in indices)


def test_the_pick_is_uniform_among_the_free_configurations_of_a_small_space() -> None:
    used = keys(SMALL, range(95))
    rng = np.random.default_rng(0)
    picked = [configuration_key(pick_unused(SMALL, used, rng) or {}) for _ in range(400)]
    counts = [picked.count(key) for key in keys(SMALL, range(95, 100))]
    assert sum(counts) == 400
    assert min(counts) > 45


def test_an_almost_exhausted_space_too_large_to_list_is_walked() -> None:
    space = Space((Integer("n", 0, 2 * LISTED),))
    free = 1234
    used = keys(space, [k for k in range(2 * LISTED + 1) if k != free])
    for seed in range(5):
        assert pick_unused(space, used, np.random.default_rng(seed)) == {"n": free}


def test_a_space_of_more_configurations_than_an_integer_of_numpy_holds() -> None:
    assert LARGE.size is not None
    assert LARGE.size > 2**64
    picked = [pick_unused(LARGE, frozenset(), np.random.default_rng(seed)) for seed in range(20)]
    assert all(c is not None and LARGE.contains(c) for c in picked)
    assert max(int(c["n0"]) for c in picked if c) > 5 * 10**8 > min(int(c["n0"]) for c in picked if c)


def test_a_generator_that_repeats_itself_is_overruled() -> None:
    used = keys(SMALL, [0])
    chosen = draw_unused(SMALL, used, lambda: SMALL.grid_at(0), np.random.default_rng(0))
    assert chosen is not None
    assert configuration_key(chosen) not in used


def test_an_endless_space_of_one_floating_point_number_ends_too() -> None:
    space = Space((Continuous("x", 1.0, 1.0 + 1e-16 * 2.3),))
    used = frozenset(configuration_key({"x": x}) for x in (1.0, space.decode([1.0])["x"]))
    assert pick_unused(space, used, np.random.default_rng(0)) is None


@pytest.mark.parametrize("state", list(TrialState))
def test_a_row_takes_its_place_in_any_state(state: TrialState) -> None:
    row = TrialRow(0, {"n": 1, "m": 2}, state)
    assert used_keys(SMALL, [row]) == keys(SMALL, [12])


def test_exhaustion_counts_places_in_this_space_only() -> None:
    space = Space((Integer("n", 0, 1),))
    rows = [TrialRow(k, {"n": k}, TrialState.FAILED) for k in (1, 2, 3)]
    assert not is_exhausted(space, used_keys(space, rows))
    rows.append(TrialRow(3, {"n": 0}, TrialState.PENDING))
    assert is_exhausted(space, used_keys(space, rows))
    assert not is_exhausted(Space((Continuous("x", 0.0, 1.0),)), frozenset())
