"""An artifact is made once for a flow run, also by a publisher that doesn't know that it made it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from prefect.logging import disable_run_logger

from amt_flows.flows.api import Api, open_api
from amt_flows.flows.tuning.artifacts import Publisher
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.interrupts import InterruptedAgain
from flows.simulated import World, artifacts, flow_run_id
from worlds import spec


class WithoutAnAnswer:
    """A server that makes the second artifact, and goes away before it says so."""

    def __init__(self) -> None:
        self.made: dict[str, Any] = {}
        self.asked = self.updated = 0

    def read_artifacts(self, artifact_filter: Any) -> list[Any]:
        self.asked += 1
        return [SimpleNamespace(key=key, id=one) for key, one in self.made.items()]

    def create_artifact(self, artifact: Any) -> Any:
        assert artifact.key not in self.made, "made twice"
        self.made[artifact.key] = uuid4()
        if len(self.made) == 2:
            raise ConnectionError("no answer")
        return SimpleNamespace(id=self.made[artifact.key])

    def update_artifact(self, known: Any, news: Any) -> None:
        assert known in self.made.values()
        self.updated += 1

    def read_deployments(self, **asked: Any) -> list[Any]:
        return []


class AtOnce(Api):
    """Asks a server of ours, in the caller's thread."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def soon(self, ask: Any) -> Any:
        return done(self.now(ask))

    def now(self, ask: Any) -> Any:
        return ask(self.server)


def done(value: object) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


def test_what_a_server_made_without_saying_so_is_renewed_and_not_made_again() -> None:
    world, server = World(), WithoutAnAnswer()
    tuning = Tuning.open(spec(), world.backend, world.journal, clock=world.clock)
    publisher = Publisher(AtOnce(server), uuid4(), "demo")
    with disable_run_logger():
        publisher.conclude(tuning)
        publisher.conclude(tuning)
    assert {"amt-result-demo", "amt-progress-demo", "amt-leaderboard-demo", "amt-report-demo"} <= set(
        server.made
    )
    assert server.asked == 2, "once at first, and once after what had no answer"
    assert server.updated == 2


def test_the_result_is_there_though_somebody_interrupts_while_the_rest_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*given: object) -> Iterator[None]:
        raise InterruptedAgain

    monkeypatch.setattr("amt_flows.flows.tuning.artifacts.pages", interrupted)
    world, server = World(), WithoutAnAnswer()
    tuning = Tuning.open(spec(), world.backend, world.journal, clock=world.clock)
    with disable_run_logger(), pytest.raises(InterruptedAgain):
        Publisher(AtOnce(server), uuid4(), "demo").conclude(tuning)
    assert set(server.made) == {"amt-result-demo"}


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
