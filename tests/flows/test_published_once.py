"""An artifact is made once for a flow run, also by a publisher that doesn't know that it made it."""

from __future__ import annotations

from amt_flows.flows.api import open_api
from amt_flows.flows.tuning.artifacts import Publisher
from amt_flows.tuning.engine import Tuning
from flows.simulated import World, artifacts, flow_run_id
from worlds import spec


def test_a_retry_of_a_flow_run_renews_the_artifacts_of_the_first_try() -> None:
    world = World()
    first = flow_run_id(world.tune(spec(name="made-once")))
    (made,) = artifacts("result", "made-once")
    tuning = Tuning.open(spec(name="made-once"), world.backend, world.journal, clock=world.clock)
    with open_api() as api:
        Publisher(api, first, "made-once").conclude(tuning)
    (renewed,) = artifacts("result", "made-once")
    assert renewed.id == made.id
    assert len(artifacts("leaderboard", "made-once")) == 1


def test_another_flow_run_has_artifacts_of_its_own() -> None:
    world = World()
    for _ in range(2):
        world.tune(spec(name="made-twice"))
    runs = {artifact.flow_run_id for artifact in artifacts("result", "made-twice")}
    assert len(runs) == 2
