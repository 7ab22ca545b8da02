"""A tuning job that SageMaker's own tuner drives, in a flow: shown, told of and returned as any other."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest

from amt_flows.events import TuningStatus
from amt_flows.flows import load_result, tune
from amt_flows.places import POLL_SECONDS
from amt_flows.testing.sagemaker import AcceleratedClock, JobScript, SimulatedSageMaker
from backends.sagemaker_world import spec as sagemaker_spec
from flows.simulated import artifact

pytestmark = pytest.mark.slow


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedSageMaker]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv(POLL_SECONDS, "0.3")
    script = JobScript([0.4, 0.6, 0.8], 10, starting_seconds=5, downloading_seconds=0, uploading_seconds=0)
    with SimulatedSageMaker(script, clock=AcceleratedClock(60), tunes=True) as world, world.serve() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        place = {"LocationConstraint": "eu-west-1"}
        boto3.client("s3").create_bucket(Bucket="records", CreateBucketConfiguration=place)
        yield world


def test_what_amt_tunes_is_shown_as_any_tuning_job(world: SimulatedSageMaker) -> None:
    limits = {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 4}
    spec = sagemaker_spec(name="by-amt-in-a-flow", limits=limits)
    result = tune(spec, backend="amt", home="s3://records/tunings")
    assert result.status is TuningStatus.COMPLETED
    assert {job.name for job in result.jobs} == {job.name for job in world.jobs}
    assert len(world.tuning_jobs) == 1
    assert load_result(result.name) == result
    assert artifact("progress", result.name).data == 100
    rows = json.loads(str(artifact("leaderboard", result.name).data))
    assert len(rows) == 4
    assert str(artifact("report", result.name).data).startswith(f"# {result.name}: completed")
    # Once more, it is its result, and AMT is asked for nothing new.
    assert tune(spec, backend="amt", home="s3://records/tunings") == result
    assert len(world.tuning_jobs) == 1
