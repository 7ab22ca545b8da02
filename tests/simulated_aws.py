"""The simulated SageMaker behind a URL, found as users have theirs found: through the environment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import boto3
import pytest

from amt_flows.backends.places import POLL_SECONDS
from amt_flows.testing.sagemaker import AcceleratedClock, JobScript, SimulatedSageMaker

BUCKET = "records"
REGION = "eu-west-1"


@contextmanager
def aws(
    environment: pytest.MonkeyPatch, values: Sequence[float], *, speed: float
) -> Iterator[SimulatedSageMaker]:
    """Training jobs that show ``values``, one every ten seconds of a clock that runs ``speed`` times as fast
    as ours; with AMT itself, and a bucket ``records``."""
    environment.setenv("AWS_DEFAULT_REGION", REGION)
    environment.setenv(POLL_SECONDS, "0.2")
    script = JobScript(list(values), 10, starting_seconds=5, downloading_seconds=0, uploading_seconds=0)
    with SimulatedSageMaker(script, clock=AcceleratedClock(speed), tunes=True) as world, world.serve():
        for name, value in world.environment.items():
            environment.setenv(name, value)
        place = {"LocationConstraint": REGION}
        boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
        yield world
