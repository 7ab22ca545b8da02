"""Models that go to S3 from the machine that trained them."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import boto3
import pytest

from amt_flows.backends.local_worker import upload
from amt_flows.errors import SpecError
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ports import JobState
from amt_flows.spec import TuningSpec
from amt_flows.testing.sagemaker import SimulatedSageMaker
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from backends.conftest import Site

SCRIPT = 'mkdir -p "$SM_MODEL_DIR/deep"; echo weights > "$SM_MODEL_DIR/deep/w"; echo "amt-report score=0.5;"'


@pytest.mark.slow
def test_a_model_is_where_the_result_says_and_one_that_cannot_go_there_stays(site: Site) -> None:
    with SimulatedSageMaker() as world, world.serve():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="models")
        asked = TuningSpec.parse(
            {
                "name": "uploads",
                "objective": {"metric_name": "score"},
                "continuous": [{"name": "x", "min_value": 0, "max_value": 1}],
                "limits": {"max_number_of_training_jobs": 1},
                "training_job": {
                    "command": ["sh", "-c", SCRIPT],
                    "hyperparameters_as_arguments": False,
                    "environment": dict(world.environment),
                    "output_path": "s3://models/ours",
                },
            }
        )
        tuning = Tuning.open(asked, site.backend, MemoryJournal())
        drive(tuning)
        (job,) = tuning.ledger.jobs.values()
        assert job.artifact == f"s3://models/ours/{job.name}/output/model.tar.gz"
        assert job.failure is None
        body = s3.get_object(Bucket="models", Key=f"ours/{job.name}/output/model.tar.gz")["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(body)) as archive:
            assert archive.extractfile("deep/w").read() == b"weights\n"  # type: ignore[union-attr]

        elsewhere = site.sh(SCRIPT, environment=dict(world.environment), output_path="s3://nobodys/ours")
        report = site.run(elsewhere)
    # It trained, and what it trained is there.
    assert report.state is JobState.COMPLETED
    assert report.artifact == (site.directory(report.name) / "model").as_uri()
    assert "could not be uploaded to s3://nobodys/ours" in (report.unsaved or "")
    assert "NoSuchBucket" in (report.unsaved or "")


@pytest.mark.parametrize(
    ("program", "asked", "expected"),
    [
        ("import time; time.sleep(60)", "the job was asked to stop meanwhile", "asked to stop"),
        ("import sys; sys.exit('no')", "", "ended with 1: no"),
    ],
)
def test_what_uploads_is_never_waited_for_without_end(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, program: str, asked: str, expected: str
) -> None:
    file = tmp_path / "program.py"
    file.write_text(program)
    monkeypatch.setattr(upload, "__file__", str(file))
    answer = upload.uploaded(str(tmp_path), "s3://b", {}, lambda: asked)
    assert expected in answer["problem"]


def test_a_place_that_is_not_in_s3_is_refused() -> None:
    with pytest.raises(SpecError, match="output_path"):
        TuningSpec.parse(
            {
                "objective": {"metric_name": "score"},
                "continuous": [{"name": "x", "min_value": 0, "max_value": 1}],
                "training_job": {"command": ["true"], "output_path": "/models"},
            }
        )
