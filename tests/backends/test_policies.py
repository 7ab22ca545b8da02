"""The policies of those who only look, and of training jobs: what they need, and no more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from amt_flows.backends.sagemaker.policy import actions_of, main
from amt_flows.ledger.journals.s3 import S3Journal, folders
from amt_flows.testing.sagemaker import SimulatedSageMaker
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from backends.sagemaker_world import REGION, backend, client, early, own_level


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    main(words)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_whoever_looks_may_read_what_looking_reads(capsys: pytest.CaptureFixture[str]) -> None:
    document = printed(capsys, "--for", "viewer", "--journal", "s3://journals/tunings")
    with SimulatedSageMaker(own_level) as world:
        place = {"LocationConstraint": REGION}
        client("s3").create_bucket(Bucket="journals", CreateBucketConfiguration=place)
        journal = S3Journal("s3://journals/tunings/demo/journal", client("s3"))
        drive(Tuning.open(early(), backend(world), journal, clock=world.clock))
        world.actions.clear()
        assert folders("s3://journals/tunings", client("s3")) == ["demo"]
        assert S3Journal("s3://journals/tunings/demo/journal", client("s3")).read()
        called = {action for action, count in world.actions.items() if count}
    assert called <= actions_of(document)
    assert actions_of(document) - called == {"logs:DescribeLogStreams", "logs:GetLogEvents"}
    # The prefix that is asked for is within what may be listed.
    [listing] = [one for one in document["Statement"] if one["Sid"] == "ListJournal"]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": "tunings/*"}}


def test_a_training_job_reads_its_data_and_writes_its_models(capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "--for",
        "training-job",
        "--data",
        "s3://b/data",
        "--data",
        "s3://c",
        "--models",
        "s3://b/models/",
    ]
    document = printed(capsys, *words)
    by_id = {one["Sid"]: one for one in document["Statement"]}
    assert by_id["Data1"]["Resource"] == ["arn:aws:s3:::b/data/*"]
    assert by_id["Data1"]["Action"] == ["s3:GetObject"]
    assert by_id["Data2"]["Resource"] == ["arn:aws:s3:::c/*"]
    assert by_id["Models1"]["Resource"] == ["arn:aws:s3:::b/models/*"]
    assert not {action for action in actions_of(document) if action.startswith(("sagemaker:", "iam:"))}
