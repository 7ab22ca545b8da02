"""Which configurations are taken, and how to find one that isn't.

Every strategy keeps the same two promises: never a configuration that a row of the history has, and
None only when there is none left. This file is where both are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set

import numpy as np

from amt_flows.space.space import Space, Value, configuration_key

# Draws that may hit a taken configuration before the search becomes systematic.
DRAWS = 64

# A space of up to this many configurations is listed to pick fairly among the free ones (about 20 ms);
# a larger one is walked from a random place.
LISTED = 4_096


def is_exhausted(space: Space, used: Set[str]) -> bool:
    """Whether no configuration of ``space`` is left."""
    return space.size is not None and len(used) >= space.size


def first_unused(configurations: Iterable[dict[str, Value]], used: Set[str]) -> dict[str, Value] | None:
    """The first of ``configurations`` that is not taken, or None."""
    return next((c for c in configurations if configuration_key(c) not in used), None)


def _first_allowed(
    space: Space, configurations: Iterable[dict[str, Value]], used: Set[str]
) -> dict[str, Value] | None:
    return first_unused((c for c in configurations if space.allows(c)), used)


def draw_unused(
    space: Space,
    used: Set[str],
    draw: Callable[[], dict[str, Value]],
    rng: np.random.Generator,
) -> dict[str, Value] | None:
    """A free configuration from up to ``DRAWS`` calls of ``draw``; if all of them are taken or break a
    constraint, any free one.

    None when the space is exhausted.
    """
    if is_exhausted(space, used):
        return None
    drawn = _first_allowed(space, (draw() for _ in range(DRAWS)), used)
    return pick_unused(space, used, rng) if drawn is None else drawn


def pick_unused(space: Space, used: Set[str], rng: np.random.Generator) -> dict[str, Value] | None:
    """A free configuration, uniformly where the space is small enough to list; None if there is none.

    A larger finite space is walked from a random index up to the first free one. That takes at most
    ``len(used) + 1`` steps and is not quite uniform: one behind a long run of taken ones is likelier.
    """
    size = space.size
    if size is None:
        drawn = (space.draw(rng) for _ in range(DRAWS))
        return first_unused((c for c in drawn if c is not None), used)
    if is_exhausted(space, used):
        return None
    if size <= LISTED:
        free = [c for c in space.grid() if configuration_key(c) not in used]
        return free[int(rng.integers(len(free)))]
    start = _uniform_below(size, rng)
    return first_unused((space.grid_at((start + k) % size) for k in range(len(used) + 1)), used)


def _uniform_below(size: int, rng: np.random.Generator) -> int:
    # A product of 30 sizes has no 64-bit bound, which numpy's generator asks for. Eight bytes more
    # than needed leave a bias of 2**-64.
    return int.from_bytes(rng.bytes(size.bit_length() // 8 + 9), "big") % size
