"""A script with an odd output has the same curve here and on SageMaker, really run on both."""

from __future__ import annotations

import sys
from pathlib import Path

import boto3
import pytest

from amt_flows.backends.local import LocalBackend
from amt_flows.backends.sagemaker import SageMakerBackend
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import Backend
from amt_flows.spec import TuningSpec
from amt_flows.testing.sagemaker import Command, SimulatedSageMaker
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from backends.sagemaker_world import IMAGE, REGION, verbatim

ODD = r"""
out = open(1, "wb")  # complete, however often the system interrupts it
out.write(b"\x1b[32mloss\x1b[0m=\x1b[1m0.5\x1b[0m\n")
out.write(b"\r 10%|#   | loss=0.45" + b"\b" * 20 + b"\r100%|####| loss=0.4\n")
out.write("\ufeffloss=0.35\r\n".encode() + "loss=0.3\n".encode("utf-16"))
out.write(b"\0\xff\tloss=0.25\n" + b"x" * 300_000 + b"loss=9\n" + b"Trial #010 loss=0.2\n")
out.write(b"loss=1,234.5\nloss=nan\n{'loss': 0.15}\nloss=1e-05")
"""
CURVE = "[0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2, nan, 1e-05]"


def asked(directory: Path, regex: str) -> TuningSpec:
    script = directory / "odd.py"
    script.write_text(ODD, encoding="utf-8")
    return TuningSpec.parse(
        {
            "name": "odd",
            "objective": {"metric_name": "loss", "type": "Minimize"},
            "continuous": [{"name": "rate", "min_value": 0.1, "max_value": 0.9}],
            "limits": {"max_number_of_training_jobs": 1},
            "training_job": {
                "command": [sys.executable, str(script)],
                "metric_definitions": [{"name": "loss", "regex": regex}],
                "sagemaker": verbatim(),
                "max_retry_attempts": 0,
            },
            "seed": 1,
        }
    )


def curve(ledger: Ledger) -> str:
    (job,) = ledger.jobs.values()
    return str([job.curve.value(epoch) for epoch in range(1, job.curve.last_epoch + 1)])


def run(spec: TuningSpec, where: Backend) -> Ledger:
    tuning = Tuning.open(spec, where, MemoryJournal())
    drive(tuning)
    return tuning.ledger


@pytest.mark.slow
def test_an_odd_output_has_the_same_curve_here_and_on_sagemaker(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spec = asked(tmp_path, r"loss=(\S+)")
    here = curve(run(spec, LocalBackend(tmp_path / "root")))
    command = Command([sys.executable, str(tmp_path / "odd.py")])
    with SimulatedSageMaker(commands={IMAGE: command}):
        session = boto3.Session("test", "test", region_name=REGION)
        there = curve(run(spec, SageMakerBackend(session, poll_seconds=0.02, launch_seconds=0.0)))
    assert here == there == CURVE
    told = [record.message for record in caplog.records if "'1,234.5', which is no number" in record.message]
    assert len(told) == 2  # once in each of the two tuning jobs
