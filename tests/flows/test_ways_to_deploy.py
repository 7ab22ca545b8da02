"""From tuning to deployed by a schedule, from the UI and as a sub-flow, with the record in S3 and a person's
approval. Who begins it and who goes on with it are machines of their own: neither sees the other's home, nor
what the other's flow runs have kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import boto3
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, get_current_settings, temporary_settings
from prefect.states import Crashed, Scheduled

from amt_flows.deploy import current_version, versions
from amt_flows.flows import load_result
from amt_flows.flows.promotion.approval import wait_for_approval
from amt_flows.flows.promotion.outcome import Outcome
from amt_flows.flows.promotion.tune_then_deploy import tune_then_deploy
from amt_flows.testing.sagemaker import SimulatedSageMaker
from flows import ready_processes
from flows.flow_runs import (
    answerable,
    deployed_run,
    in_a_thread,
    outcome_of,
    read,
    respond,
    scheduled_runs,
    started,
    state_of,
)
from flows.local_jobs import local_spec
from flows.pipelines import pipeline

JOBS = 3
SLOWLY = wait_for_approval.__kwdefaults__ or {}
HOME = "s3://records/tunings"


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    """The variables by which any process finds a bucket ``records``."""
    with SimulatedSageMaker() as world, world.serve(), pytest.MonkeyPatch.context() as patch:
        found = {**world.environment, "AWS_DEFAULT_REGION": "us-east-1"}
        for name, value in found.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="records")
        yield found


@pytest.fixture
def given(tmp_path: Path, s3: dict[str, str]) -> dict[str, Any]:
    """The parameters, as the form sends them."""
    script = (
        f'echo "accuracy=0.$2;"; echo trained >> {tmp_path}/count; echo "$2" > "$SM_MODEL_DIR/weights.txt"'
    )
    return {
        "spec": local_spec(None, script, jobs=JOBS).to_json(),
        "target": {"place": "local", "directory": str(tmp_path / "served")},
        "home": HOME,
        "ask_for_approval": True,
    }


@contextmanager
def machine(place: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process, as if it were on another machine."""
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: place / "results"}), patch.context() as its_own:
        its_own.setenv("AMT_FLOWS_HOME", str(place / "home"))
        yield


def scheduled(given: dict[str, Any]) -> UUID:
    """A run that the server makes of a schedule that is switched on, of whose deployment these are the
    parameters."""
    made: Any = tune_then_deploy.to_deployment("weekly", parameters=given, interval=3600)
    deployment = made.apply()
    (run,) = scheduled_runs(deployment, 1)
    with get_client(sync_client=True) as client:
        client._client.patch(f"/deployments/{deployment}", json={"paused": True})
    return run


def from_the_ui(given: dict[str, Any]) -> UUID:
    """A run of a deployment, whose form was filled in and sent."""
    return deployed_run(tune_then_deploy, **given)


def deployed_once(tmp_path: Path, outcome: Outcome) -> None:
    """The model is at work, nothing was trained twice, and the record is in the bucket alone."""
    assert outcome.promoted
    assert outcome.sentence.endswith("Approved by anna.")
    version = current_version(tmp_path / "served")
    assert version is not None
    assert version.candidate.tuning_job == outcome.tuning_job
    assert len(versions(tmp_path / "served")) == 1
    assert len((tmp_path / "count").read_text().splitlines()) == JOBS
    assert load_result(outcome.tuning_job, HOME).journal.startswith(HOME)
    assert not list(tmp_path.glob("*/home/*/journal"))


@pytest.mark.parametrize("begun", [scheduled, from_the_ui])
def test_who_begins_a_pipeline_and_who_goes_on_with_it_share_the_bucket_alone(
    begun: Callable[[dict[str, Any]], UUID],
    given: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id = begun(given)
    with machine(tmp_path / "first", monkeypatch):
        assert started(tune_then_deploy, run_id).name == "Suspended"
    assert respond(read(run_id), decision="Approve", decided_by="anna")
    with machine(tmp_path / "second", monkeypatch):
        assert started(tune_then_deploy, run_id).is_completed()
        deployed_once(tmp_path, outcome_of(run_id))


ON_A_MACHINE = """
import os, sys
from pathlib import Path
from uuid import UUID
os.environ.update({variables})
sys.path.insert(0, {tests!r})
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings
from flows.flow_runs import started
from flows.pipelines import pipeline
with temporary_settings({{PREFECT_LOCAL_STORAGE_PATH: Path({results!r})}}):
    started(pipeline, UUID({run!r}))
"""


@contextmanager
def runs_on(place: Path, run_id: UUID, s3: dict[str, str]) -> Iterator[ready_processes.Forked]:
    """A process on a machine of its own that runs the pipeline."""
    variables = {**s3, "AMT_FLOWS_HOME": str(place / "home")}
    script = ON_A_MACHINE.format(
        variables=variables,
        tests=str(Path(__file__).parents[1]),
        results=str(place / "results"),
        run=str(run_id),
    )
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    process = ready_processes.start(script, {**settings, "PATH": "/usr/bin:/bin"})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_pipeline_whose_machine_dies_as_its_sub_flow_waits_is_deployed_by_another(
    given: dict[str, Any], s3: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wait_for_approval, "__kwdefaults__", {**SLOWLY, "poll_seconds": 1})
    run_id = deployed_run(pipeline, **given)
    with runs_on(tmp_path / "first", run_id, s3) as process:
        asked = answerable("tune-then-deploy", below=run_id)
        process.kill()
        process.wait()
    assert not (tmp_path / "served").exists()
    with get_client(sync_client=True) as client:
        # As its worker says, and a person who retries.
        client.set_flow_run_state(run_id, Crashed(), force=True)
        client.set_flow_run_state(run_id, Scheduled(name="AwaitingRetry"), force=True)
    with machine(tmp_path / "second", monkeypatch):
        with in_a_thread(lambda: started(pipeline, run_id)):
            again = answerable("tune-then-deploy", below=run_id, after=asked)
            assert respond(again, decision="Approve", decided_by="anna")
        assert state_of(run_id) == "Completed"
        deployed_once(tmp_path, outcome_of(again.id))
