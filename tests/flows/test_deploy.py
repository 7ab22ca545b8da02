"""Promotion as tasks and as a flow, on a real Prefect server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from prefect import State, flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import Artifact

from amt_flows.backends.sagemaker import clients
from amt_flows.deploy import Target, current_version, promote_local, versions
from amt_flows.errors import (
    CapacityUnavailable,
    DeployFailed,
    DeployRejected,
    NotComparable,
    TuningJobNotFound,
)
from amt_flows.flows import tune
from amt_flows.flows.promotion import deploy
from amt_flows.flows.promotion.outcome import Decision, Outcome
from amt_flows.flows.promotion.promote import Terms, promote, promote_on_terms
from amt_flows.results import TuningResult
from amt_flows.run import tune as tune_plainly
from amt_flows.testing.sagemaker import SimulatedSageMaker, refusals
from amt_flows.testing.sagemaker.endpoints import EndpointEnd, EndpointScript
from backends.sagemaker_world import REGION
from deploy.candidates import candidate as local_candidate
from deploy.candidates import model_directory
from deploy.hosting_world import ENDPOINT, candidate, live, packages, target, there
from flows.local_jobs import local_spec
from flows.simulated import flow_run_id, task_runs

SAVES = 'echo "accuracy=0.$2;"; echo "$2" > "$SM_MODEL_DIR/weights.txt"'


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    for task in (deploy.create_model, deploy.deploy_endpoint, deploy.register_model):
        monkeypatch.setattr(task, "retry_delay_seconds", 0.1)


def tuned(name: str) -> TuningResult:
    """A finished tuning job whose training jobs were real processes, on this machine."""
    return tune_plainly(local_spec(name, SAVES, jobs=2), progress=False)


# -- local -------------------------------------------------------------------------------------------------


def test_a_finished_tuning_job_is_promoted_by_its_name(home: Path, tmp_path: Path) -> None:
    result = tuned("digits-by-name")
    shelf = tmp_path / "served"
    state = promote("digits-by-name", Target(directory=str(shelf)), return_state=True)
    outcome = state.result()
    assert isinstance(outcome, Outcome)
    assert (outcome.decision, outcome.promoted) == (Decision.PROMOTED, True)
    assert result.best is not None
    assert (shelf / "current/model/weights.txt").read_text() == f"{result.best.hyperparameters['x']}\n"
    version = current_version(shelf)
    assert version is not None
    assert version.candidate.training_job == result.best.name
    # The server gives the same to whoever asks.
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(flow_run_id(state))
    assert run.name == "promote-digits-by-name"
    assert run.state is not None
    assert run.state.result() == outcome
    names = {run.name for run in task_runs(flow_run_id(state), 3)}
    job = result.best.name
    assert names == {f"compare-{job}", f"promote-{job}", f"record-{job}"}
    page = page_of(state)
    assert page.key == "amt-promotion-digits-by-name"
    assert page.description == f"Promoted: {outcome.sentence}"
    assert "there is no champion yet" in str(page.data)
    assert f"At work now: `{shelf}/versions/{version.name}/model`" in str(page.data)
    # And again: nothing is changed.
    again = promote("digits-by-name", Target(directory=str(shelf)))
    assert again.decision is Decision.CHAMPION_ALREADY
    assert len(versions(shelf)) == 1


def test_one_with_its_record_in_s3_is_promoted_by_a_worker_with_another_home(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by an automation, which knows no more than the name."""
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="promoted")
        spec = local_spec("kept-in-a-bucket", SAVES, jobs=2)
        assert tune(spec, home="s3://promoted/tunings").best is not None
        monkeypatch.setenv("AMT_FLOWS_HOME", str(tmp_path / "of another worker"))
        assert promote("kept-in-a-bucket", Target(directory=str(tmp_path / "served"))).promoted


def shelf_with(tmp_path: Path, value: float, **changes: Any) -> Path:
    """A directory with a champion of this value."""
    source = model_directory(tmp_path / f"champion-{value}")
    promote_local(local_candidate(source, 9, value, tuning_job="old", **changes), tmp_path / "served")
    return tmp_path / "served"


def page_of(state: State[Any]) -> Artifact:
    """The page that a flow run has published."""
    which = ArtifactFilterFlowRunId(any_=[flow_run_id(state)])
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=which))
    (only,) = [one for one in found if str(one.key).startswith("amt-promotion-")]
    return only


@flow(name="own pipeline", persist_result=False)
def own_pipeline(value: float, source: str, where: str, terms: Terms) -> Outcome:
    return promote_on_terms(local_candidate(source, 1, value), Target(directory=where), terms)


def test_the_champion_stays_if_the_challenger_is_not_better(tmp_path: Path) -> None:
    shelf, source = shelf_with(tmp_path, 0.9), str(model_directory(tmp_path / "challenger"))
    state = own_pipeline(0.905, source, str(shelf), Terms(min_improvement=0.01), return_state=True)
    outcome = state.result()
    assert outcome.decision is Decision.NOT_BETTER
    assert "better by 0.005 only, of the 0.01 that is wanted, and the champion stays" in outcome.sentence
    assert len(versions(shelf)) == 1
    assert "Not better" in str(page_of(state).data)
    unasked = own_pipeline(0.5, source, str(shelf), Terms(only_if_better=False))
    assert unasked.promoted
    assert unasked.promotion is not None
    assert unasked.promotion.previous == "0001-demo-009-0a1b2c3d"
    assert f"roll_back_local('{shelf}', '0001-demo-009-0a1b2c3d')" in str(unasked.promotion.roll_back)


def test_what_can_not_be_compared_fails_the_flow_and_changes_nothing(tmp_path: Path) -> None:
    shelf = shelf_with(tmp_path, 0.9, objective_metric="f1")
    with pytest.raises(NotComparable):
        own_pipeline(0.95, str(model_directory(tmp_path / "challenger")), str(shelf), Terms())
    assert len(versions(shelf)) == 1


def test_bad_targets_and_unknown_tuning_jobs_are_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(DeployRejected, match=r"target\.directory: is needed"):
        promote("digits", Target())
    with pytest.raises(TuningJobNotFound):
        promote("never-tuned-anywhere", Target(directory=str(tmp_path / "served")), home=str(home))
    assert not (tmp_path / "served").exists()


@flow(name="roll back", persist_result=False)
def rolls_back(where: str) -> str:
    return deploy.roll_back_local(where).version


def test_rolling_back_is_a_task(tmp_path: Path) -> None:
    shelf = shelf_with(tmp_path, 0.9)
    promote_local(local_candidate(model_directory(tmp_path / "new"), 1), shelf)
    assert rolls_back(str(shelf)) == "0001-demo-009-0a1b2c3d"
    assert str((shelf / "current").readlink()) == "versions/0001-demo-009-0a1b2c3d"


# -- SageMaker ---------------------------------------------------------------------------------------------


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A SageMaker in which every call takes a minute: the flow's own waits are short and real."""
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", REGION),
    ):
        monkeypatch.setenv(name, value)
    with SimulatedSageMaker(tick_seconds=60) as world:
        yield world


@flow(name="own sagemaker pipeline", persist_result=False)
def sagemaker_pipeline(job: int, value: float) -> Outcome:
    return promote_on_terms(candidate(job, value), target(poll_seconds=0.01, region=REGION))


def test_a_model_is_registered_deployed_and_then_approved(simulated: SimulatedSageMaker) -> None:
    state = sagemaker_pipeline(1, 0.9, return_state=True)
    outcome = state.result()
    assert outcome.promotion is not None
    assert outcome.promotion.endpoint == ENDPOINT
    endpoint = live(simulated)
    assert endpoint is not None
    assert endpoint.status == "InService"
    assert [p["ModelApprovalStatus"] for p in packages(simulated)] == ["Approved"]
    names = [run.name for run in task_runs(flow_run_id(state), 7)]
    job = candidate(1).training_job
    expected = [
        f"compare-{job}",
        "register-in-digits",
        f"create-model-{job}",
        f"configure-{job}",
        "deploy-live",
        "set-to-Approved",
        f"record-{job}",
    ]
    assert sorted(names) == sorted(expected)
    page = str(page_of(state).data)
    assert f"At work now: `{endpoint.arn}`" in page
    assert "approve_model_package('arn:aws:sagemaker" in page
    assert not sagemaker_pipeline(2, 0.8).promoted


def test_a_deployment_that_fails_is_rolled_back_and_fails_the_flow(simulated: SimulatedSageMaker) -> None:
    sagemaker_pipeline(1, 0.9)
    before, endpoint = there(simulated), live(simulated)
    assert endpoint is not None
    simulated.endpoints.deploy = lambda name, configuration: EndpointScript(EndpointEnd.FAIL)
    with pytest.raises(DeployFailed, match="SageMaker returned it to its previous configuration"):
        sagemaker_pipeline(2, 0.95)
    assert (endpoint.status, endpoint.configuration) == ("InService", before["endpoint-config"][0])
    assert there(simulated) == before
    # Not approved: the champion is still the one that is in service. And not retried.
    assert [p["ModelApprovalStatus"] for p in packages(simulated)] == ["Approved", "PendingManualApproval"]
    assert simulated.calls["UpdateEndpoint"] == 1


def test_passing_trouble_is_waited_out_by_the_task(
    simulated: SimulatedSageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "MAX_ATTEMPTS", 1)  # boto3 itself does not try again
    simulated.inject("CreateModel", refusals.throttled(), times=2)
    outcome = sagemaker_pipeline(1, 0.9)
    assert outcome.promoted
    assert simulated.calls["CreateModel"] == 3
    simulated.inject("CreateModel", refusals.access_denied("sagemaker:CreateModel"))
    calls = simulated.calls["CreateModel"]
    with pytest.raises(Exception, match=r"amt_flows\.deploy\.policy") as told:
        sagemaker_pipeline(3, 0.99)
    assert not isinstance(told.value, CapacityUnavailable)
    assert simulated.calls["CreateModel"] == calls + 1
