"""The events of a tuning job, as the server has them: what automations can act on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest
from prefect.client.orchestration import get_client

from amt_flows.backends.simulated import Script
from amt_flows.errors import TuningJobFailed
from amt_flows.events import TuningStatus
from amt_flows.flows.tuning.announcements import resource_id
from amt_flows.ports import JobState
from flows.local_jobs import eventually
from flows.simulated import World
from worlds import spec

AUTO = {"type": "Auto", "min_jobs": 1, "grace_epochs": 0}


def told(name: str, last: str) -> list[dict[str, Any]]:
    """The events about a tuning job that the server has, the oldest first, once the last is among them."""
    found: list[dict[str, Any]] = []

    def complete() -> bool:
        body = {"filter": {"resource": {"id": [resource_id(name)]}}, "limit": 50}
        with get_client(sync_client=True) as client:
            answer = client._client.post("/events/filter", json=body)
        answer.raise_for_status()
        found[:] = sorted(answer.json()["events"], key=lambda event: event["occurred"])
        return any(event["event"] == last for event in found)

    assert eventually(complete), [event["event"] for event in found]
    return found


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in events]


def test_a_tuning_job_tells_of_its_start_its_bests_and_its_end() -> None:
    result = World().tune(spec(name="Told", early_stopping=AUTO)).result()
    events = told("Told", "amt.tuning.completed")
    assert kinds(events)[0] == "amt.tuning.started"
    assert kinds(events)[-1] == "amt.tuning.completed"
    bests = [event["payload"] for event in events if event["event"] == "amt.tuning.new-best"]
    values = [best["objective_value"] for best in bests]
    assert values == sorted(values)
    assert bests[0]["previous"] is None
    assert [best["previous"] for best in bests[1:]] == values[:-1]
    assert bests[-1]["training_job"] == result.best.name
    assert bests[-1]["hyperparameters"] == result.best.hyperparameters
    stopped = [event["payload"] for event in events if event["event"] == "amt.training-job.stopped-early"]
    assert len(stopped) == sum(job.outcome == "stopped early" for job in result.jobs) > 0
    assert all(stop["value"] < stop["median"] for stop in stopped)
    end = events[-1]["payload"]
    assert end["reason"] == "MaxNumberOfTrainingJobs"
    assert end["best"]["artifact"] == result.best.artifact
    assert end["training_jobs"] == 10
    related = {entry["prefect.resource.role"]: entry for entry in events[-1]["related"]}
    assert related["flow-run"]["prefect.resource.id"].startswith("prefect.flow-run.")


def broken(hyperparameters: Mapping[str, str]) -> Script:
    return Script([math.nan, -math.inf], end=JobState.FAILED, failure="first line\nsecond line")


def test_failures_are_told_and_everything_is_plain_json() -> None:
    state = World(train=broken).tune(spec(name="all-fail"))
    with pytest.raises(TuningJobFailed):
        state.result()
    events = told("all-fail", "amt.tuning.failed")
    failures = [event["payload"] for event in events if event["event"] == "amt.training-job.failed"]
    assert len(failures) >= 5
    assert failures[0]["reason"] == "first line"
    assert events[-1]["payload"]["best"] is None
    json.dumps(events, allow_nan=False)


def test_a_tuning_job_that_had_ended_is_not_told_of_again() -> None:
    world = World()
    first = world.tune(spec(name="once")).result()
    assert first.status is TuningStatus.COMPLETED
    before = told("once", "amt.tuning.completed")
    assert world.tune(spec(name="once")).result() == first
    World().tune(spec(name="later"))
    told("later", "amt.tuning.completed")
    assert kinds(told("once", "amt.tuning.completed")) == kinds(before)
