"""A tuning job that SageMaker's own tuner drives, in a flow: shown, told of and returned as any other."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from amt_flows.backends.local.controller import Controller
from amt_flows.backends.places import open_journal
from amt_flows.events import TuningStatus
from amt_flows.flows import load_result, tune
from amt_flows.ledger.record import load_ledger
from amt_flows.testing.sagemaker import SimulatedSageMaker
from backends.sagemaker_world import spec as sagemaker_spec
from flows.simulated import artifact
from simulated_aws import aws

pytestmark = pytest.mark.slow


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedSageMaker]:
    """A minute in each second."""
    with aws(monkeypatch, [0.4, 0.6, 0.8], speed=60) as world:
        yield world


def test_what_amt_tunes_is_shown_as_any_tuning_job(world: SimulatedSageMaker) -> None:
    limits = {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 4}
    spec = sagemaker_spec(name="by-amt-in-a-flow", limits=limits)
    state = tune(spec, backend="amt", home="s3://records/tunings", return_state=True)
    result = state.result()
    assert result.status is TuningStatus.COMPLETED
    assert {job.name for job in result.jobs} == {job.name for job in world.jobs}
    assert len(world.tuning_jobs) == 1
    assert load_result(result.name) == result
    assert artifact("progress", result.name).data == 100
    rows = json.loads(str(artifact("leaderboard", result.name).data))
    assert len(rows) == 4
    assert str(artifact("report", result.name).data).startswith(f"# {result.name}: completed")
    # By its flow run, whoever cleans up after one that died knows whose tuning job it is.
    ledger = load_ledger(open_journal(result.name, "s3://records/tunings"), result.name)
    assert Controller(ledger.controller).flow_run_id == state.state_details.flow_run_id
    # Once more, it is its result, and AMT is asked for nothing new.
    assert tune(spec, backend="amt", home="s3://records/tunings") == result
    assert len(world.tuning_jobs) == 1
