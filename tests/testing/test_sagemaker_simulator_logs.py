"""How the simulated service hands over what training jobs print: in batches, with pages that may be empty."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from amt_flows.testing.sagemaker import JobScript, Lags, SimulatedSageMaker
from amt_flows.testing.sagemaker.log_agent import BATCH_BYTES, BATCH_EVENTS, BYTES_OF_AN_EVENT, batches
from testing.sagemaker_requests import client, training

GROUP = "/aws/sagemaker/TrainingJobs"
SCRIPT = JobScript(
    [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
    seconds_per_epoch=2.1,
    starting_seconds=0.0,
    downloading_seconds=0.0,
    uploading_seconds=0.0,
)


def events(**asked: Any) -> list[dict[str, Any]]:
    """All events of the only stream, read as the reference says: until the token is the same again."""
    logs = client("logs")
    (stream,) = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    asked = {"logGroupName": GROUP, "logStreamName": stream["logStreamName"], "startFromHead": True, **asked}
    found: list[dict[str, Any]] = []
    while True:
        page = logs.get_log_events(**asked)
        found += page["events"]
        if page["nextForwardToken"] == asked.get("nextToken"):
            return found
        asked["nextToken"] = page["nextForwardToken"]


@given(st.lists(st.sampled_from([0, 1, 4000, 262_118]), max_size=40), st.sampled_from(["x", "\u00e9"]))
def test_a_batch_is_as_large_as_a_call_of_the_service_takes_and_no_larger(
    lengths: list[int], letter: str
) -> None:
    given = [(float(number), letter * length) for number, length in enumerate(lengths)]
    made = list(batches(given))

    def size(batch: Any) -> int:
        return sum(len(text.encode()) + BYTES_OF_AN_EVENT for _, text in batch)

    assert [event for batch in made for event in batch] == given
    assert all(batch and (size(batch) <= BATCH_BYTES or len(batch) == 1) for batch in made)
    for one, other in itertools.pairwise(made):
        assert size(one) + size(other[:1]) > BATCH_BYTES, "the next one would not have fitted"


def test_a_batch_has_ten_thousand_events_at_most() -> None:
    assert [len(batch) for batch in batches([(0.0, "x")] * (2 * BATCH_EVENTS + 1))] == [10_000, 10_000, 1]


def test_lines_come_in_batches_with_the_times_of_their_printing_and_after_the_jobs_end() -> None:
    with SimulatedSageMaker(SCRIPT, lags=Lags(log_batch_seconds=5)) as world:
        client().create_training_job(**training())
        began = world.clock.now()
        seen = []
        for _ in range(16):
            seen.append(len(events()))
            world.advance(1)
        assert seen == [0] * 5 + [2] * 5 + [4] * 5 + [6]
        assert client().describe_training_job(TrainingJobName="job-1")["TrainingJobStatus"] == "Completed"
        found = events()
    assert [round(event["timestamp"] / 1000 - began, 3) for event in found] == [
        2.1,
        4.2,
        6.3,
        8.4,
        10.5,
        12.6,
    ]
    assert [event["ingestionTime"] / 1000 - began for event in found] == [5, 5, 10, 10, 15, 15]


def test_an_empty_page_is_not_the_end() -> None:
    with SimulatedSageMaker(SCRIPT, lags=Lags(empty_log_pages=2)) as world:
        client().create_training_job(**training())
        world.run()
        assert [len(events(limit=limit)) for limit in (1, 2, 10_000)] == [6, 6, 6]
        logs = client("logs")
        (stream,) = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
        asked = {"logGroupName": GROUP, "logStreamName": stream["logStreamName"], "startFromHead": True}
        first = logs.get_log_events(**asked)
        assert first["events"] == []
        second = logs.get_log_events(**asked, nextToken=first["nextForwardToken"])
        assert second["events"] == []
        assert second["nextForwardToken"] != first["nextForwardToken"]
        assert len(logs.get_log_events(**{**asked, "startFromHead": False})["events"]) == 6
