"""Scenes of the chaos suite, played in surroundings of which more than one test has a part."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from amt_flows.testing.chaos.kills import play_scene
from amt_flows.testing.chaos.surroundings import Surroundings

SOME = ("an-entry-is-deleted", "stop-kill-is-asked-for", "the-controller-is-killed")


def play_some(around: Surroundings) -> None:
    """Three at once, of those in which surroundings matter most. Raises AssertionError."""
    with ThreadPoolExecutor() as pool:
        every = list(pool.map(lambda scene: play_scene(scene, 0, around=around), SOME))
    assert [told.violations for told in every] == [()] * len(SOME)
    assert all(sum(told.faults.values()) > 0 for told in every)
