"""The pipeline: tune, compare, ask, promote; and again after a crash, an answer or a change of the world. On
a real Prefect server, with training jobs that are real processes."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterId
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, get_current_settings

from amt_flows.deploy import Place, Target, current_version, promote_local, roll_back_local, versions
from amt_flows.errors import BackendError, DeployFailed, DeployRejected, NotComparable
from amt_flows.flows.promotion import deploy
from amt_flows.flows.promotion.outcome import Decision
from amt_flows.flows.promotion.promote import Terms
from amt_flows.flows.promotion.promotion_page import headline, page
from amt_flows.flows.promotion.tune_then_deploy import check_pipeline, tune_then_deploy
from amt_flows.spec import TuningSpec
from backends.sagemaker_world import spec as sagemaker_spec
from deploy.candidates import candidate, model_directory
from flows.flow_runs import deployed_run, outcome_of, read, respond, started, state_of
from flows.local_jobs import eventually, local_spec

JOBS = 3


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "served"


def counting_spec(name: str | None, tmp_path: Path) -> TuningSpec:
    """Every training job leaves a line in a file, and a model."""
    script = (
        f'echo "accuracy=0.$2;"; echo trained >> {tmp_path}/count; echo "$2" > "$SM_MODEL_DIR/weights.txt"'
    )
    return local_spec(name, script, jobs=JOBS)


def trained(tmp_path: Path) -> int:
    return len((tmp_path / "count").read_text().splitlines())


def parameters(tmp_path: Path, shelf: Path, **changes: Any) -> dict[str, Any]:
    """As the UI sends them: plain JSON."""
    return {
        "spec": counting_spec(None, tmp_path).to_json(),
        "target": {"place": "local", "directory": str(shelf)},
        **changes,
    }


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What flow runs and task runs say."""
    loggers = [logging.getLogger(f"prefect.{kind}") for kind in ("flow_runs", "task_runs")]
    for one in loggers:
        one.addHandler(caplog.handler)
    yield caplog
    for one in loggers:
        one.removeHandler(caplog.handler)


def test_what_cant_be_compared_is_said_before_it_is_tuned_and_promoted_where_that_decides_nothing(
    tmp_path: Path, shelf: Path
) -> None:
    first = candidate(model_directory(tmp_path / "first"), objective_type="Minimize")
    promote_local(first, shelf)
    spec = counting_spec("other", tmp_path)
    with pytest.raises(NotComparable, match="tuned to maximize accuracy"):
        tune_then_deploy(spec, Target(directory=str(shelf)))
    assert not (tmp_path / "count").exists(), "nothing was trained for it"
    outcome = tune_then_deploy(spec, Target(directory=str(shelf)), only_if_better=False)
    assert outcome.promoted
    assert "compared with nothing" in outcome.sentence


def test_a_champion_of_another_program_is_refused_before_too_and_one_that_cant_be_seen_yet_is_not(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(target: Target) -> None:
        raise error

    monkeypatch.setattr("amt_flows.flows.promotion.tune_then_deploy.champion_at", look)
    asked = (counting_spec("foreign", tmp_path), Target(directory=str(shelf)))
    error: Exception = NotComparable("Another program registered it.")
    check_pipeline(*asked, Terms(only_if_better=False), "local")
    with pytest.raises(NotComparable):
        check_pipeline(*asked, Terms(), "local")
    error = BackendError("Access was denied.")
    check_pipeline(*asked, Terms(), "local")


def test_a_better_model_is_promoted_and_a_second_run_finds_it_there(
    tmp_path: Path, shelf: Path, log: pytest.LogCaptureFixture
) -> None:
    spec = counting_spec("digits", tmp_path)
    outcome = tune_then_deploy(spec, Target(directory=str(shelf)))
    assert f"{outcome.training_job} is current; before it was none." in log.text
    assert "Finished in state" not in log.text, "that something went well its state says"
    assert outcome.promoted
    version = current_version(shelf)
    assert version is not None
    assert version.candidate.training_job == outcome.training_job
    assert version.candidate.tuning_job == "digits"
    assert trained(tmp_path) == JOBS
    # The same tuning job again, in another run: nothing is trained, nothing is changed.
    again = tune_then_deploy(spec, Target(directory=str(shelf)))
    assert again.decision is Decision.CHAMPION_ALREADY
    assert trained(tmp_path) == JOBS
    assert len(versions(shelf)) == 1


def test_an_approved_pipeline_does_not_tune_again(tmp_path: Path, shelf: Path) -> None:
    run_id = deployed_run(tune_then_deploy, **parameters(tmp_path, shelf, ask_for_approval=True))
    assert started(tune_then_deploy, run_id).name == "Suspended"
    assert trained(tmp_path) == JOBS
    assert not shelf.exists()
    run = read(run_id)
    keys = run.state.state_details.run_input_keyset if run.state else None
    assert keys is not None
    with get_client(sync_client=True) as client:
        shown = str(client.read_flow_run_input(run_id, keys["description"]))
    assert "there is no champion yet" in shown
    assert "| challenger |" in shown
    assert "Without an answer until" in shown
    linked = re.findall(r"\]\(\.\./\.\./artifacts/artifact/([0-9a-f-]+)\)", shown)
    with get_client(sync_client=True) as client:
        which = ArtifactFilter(id=ArtifactFilterId(any_=[UUID(one) for one in linked]))
        kinds = {str(one.key).split("-")[1] for one in client.read_artifacts(artifact_filter=which)}
    assert kinds == {"report", "leaderboard"}
    assert respond(run, decision="Approve", decided_by="anna", comment="looks good")
    assert started(tune_then_deploy, run_id).is_completed()
    outcome = outcome_of(run_id)
    assert outcome.promoted
    assert outcome.sentence.endswith("Approved by anna: looks good.")
    assert trained(tmp_path) == JOBS
    # The tuning job got its name from this run, under which a retry finds it.
    assert outcome.tuning_job == f"tune-then-deploy-{run_id.hex[-12:]}"
    assert len(versions(shelf)) == 1


def test_the_record_is_enough_for_not_tuning_again(tmp_path: Path, shelf: Path) -> None:
    """Also in a container that has lost all results."""
    run_id = deployed_run(tune_then_deploy, **parameters(tmp_path, shelf, ask_for_approval=True))
    started(tune_then_deploy, run_id)
    kept = list(PREFECT_LOCAL_STORAGE_PATH.value().glob("amt-flows-*"))
    assert len(kept) >= 2
    for path in kept:
        path.unlink()
    assert respond(read(run_id), decision="Approve")
    assert started(tune_then_deploy, run_id).is_completed()
    assert outcome_of(run_id).promoted
    assert trained(tmp_path) == JOBS


def test_a_rejection_is_an_outcome(tmp_path: Path, shelf: Path) -> None:
    run_id = deployed_run(tune_then_deploy, **parameters(tmp_path, shelf, ask_for_approval=True))
    started(tune_then_deploy, run_id)
    assert respond(read(run_id), decision="Reject", comment="too slow")
    assert started(tune_then_deploy, run_id).is_completed()
    outcome = outcome_of(run_id)
    assert (outcome.decision, outcome.sentence) == (Decision.REJECTED, "Rejected: too slow.")
    assert headline(outcome) == outcome.sentence, "the same word is not said twice"
    assert "Nothing was changed; no model is at work." in page(outcome, Target(directory=str(shelf)))
    assert outcome.promotion is None
    assert not shelf.exists()


def test_a_time_out_is_an_outcome(tmp_path: Path, shelf: Path) -> None:
    spec = counting_spec("nobody", tmp_path)
    outcome = tune_then_deploy(
        spec, Target(directory=str(shelf)), ask_for_approval=True, approval_timeout_seconds=1
    )
    assert (outcome.decision, outcome.promotion) == (Decision.TIMED_OUT, None)
    assert not shelf.exists()


def test_who_became_champion_meanwhile_stays(tmp_path: Path, shelf: Path) -> None:
    run_id = deployed_run(tune_then_deploy, **parameters(tmp_path, shelf, ask_for_approval=True))
    started(tune_then_deploy, run_id)
    better = candidate(model_directory(tmp_path / "better"), 5, 2.0, objective_metric="accuracy")
    promote_local(better, shelf)
    assert respond(read(run_id), decision="Approve")
    started(tune_then_deploy, run_id)
    outcome = outcome_of(run_id)
    assert outcome.decision is Decision.NOT_BETTER
    assert outcome.sentence.startswith("Meanwhile: ")
    assert len(versions(shelf)) == 1


def test_a_run_that_died_after_its_promotion_says_promoted(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from amt_flows.flows.promotion import promote

    def dies(*arguments: Any) -> None:
        raise RuntimeError("the machine is gone")

    run_id = deployed_run(tune_then_deploy, **parameters(tmp_path, shelf))
    with monkeypatch.context() as dying:
        dying.setattr(promote, "publish", dies)
        assert started(tune_then_deploy, run_id).is_failed()
    assert len(versions(shelf)) == 1
    with get_client(sync_client=True) as client:
        from prefect.states import Scheduled

        client.set_flow_run_state(run_id, Scheduled(name="AwaitingRetry"), force=True)
    assert started(tune_then_deploy, run_id).is_completed()
    assert outcome_of(run_id).promoted
    assert trained(tmp_path) == JOBS
    assert len(versions(shelf)) == 1


def test_a_promotion_that_fails_leaves_the_champion(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = candidate(model_directory(tmp_path / "old"), 5, 0.0, objective_metric="accuracy")
    before = promote_local(old, shelf)

    def fails(*arguments: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("amt_flows.deploy.local_artifact._write", fails)
    with pytest.raises(DeployFailed, match="the current version is still at work"):
        tune_then_deploy(counting_spec("full", tmp_path), Target(directory=str(shelf)))
    current = current_version(shelf)
    assert current is not None
    assert current.name == before.version
    monkeypatch.undo()


def test_going_back_is_one_call(tmp_path: Path, shelf: Path) -> None:
    old = candidate(model_directory(tmp_path / "old"), 5, 0.0, objective_metric="accuracy")
    before = promote_local(old, shelf)
    outcome = tune_then_deploy(counting_spec("new", tmp_path), Target(directory=str(shelf)))
    assert outcome.promotion is not None
    call = str(outcome.promotion.roll_back)
    assert eval(call, {"roll_back_local": roll_back_local}).version == before.version
    assert deploy.roll_back_local.fn is not roll_back_local


@pytest.mark.parametrize(
    ("spec", "target", "backend", "message"),
    [
        (None, Target(), "local", r"target\.directory: is needed"),
        (None, Target(place=Place.SAGEMAKER, model_package_group="g"), "local", "is not in S3"),
        (
            sagemaker_spec({"RoleArn": None}),
            Target(place=Place.SAGEMAKER, endpoint="e", instance_type="ml.m5.large"),
            "sagemaker",
            "name no role",
        ),
        (
            sagemaker_spec(),
            Target(place=Place.SAGEMAKER, endpoint="e", instance_type="ml.nothing"),
            "sagemaker",
            "InstanceType: is not among the choices",
        ),
    ],
)
def test_what_would_be_refused_at_the_end_is_refused_at_the_start(
    spec: TuningSpec | None, target: Target, backend: Any, message: str, tmp_path: Path, home: Path
) -> None:
    with pytest.raises(DeployRejected, match=message):
        tune_then_deploy(spec or counting_spec("early", tmp_path), target, backend)
    assert not home.exists()


def test_the_parameters_make_a_form_that_can_be_filled_in() -> None:
    """No list of alternatives, which Prefect's form can't edit, and every field described."""
    schema = tune_then_deploy.parameters.model_dump()
    target = schema["definitions"]["Target"]["properties"]
    assert all(field.get("description") for field in target.values())
    assert all(field.get("description") for field in schema["properties"].values())
    assert "discriminator" not in str(schema)
    assert set(schema["required"]) == {"spec", "target"}


SERVE = """
from amt_flows.flows.promotion.tune_then_deploy import tune_then_deploy
tune_then_deploy.serve("served", pause_on_shutdown=False)
"""


@pytest.mark.slow
@pytest.mark.long
def test_a_served_pipeline_ends_its_process_while_it_waits(tmp_path: Path, shelf: Path, home: Path) -> None:
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    environment = {**settings, "PATH": "/usr/bin:/bin", "AMT_FLOWS_HOME": str(home)}
    server = subprocess.Popen([sys.executable, "-c", SERVE], env=environment, cwd=tmp_path)
    try:
        run_id = served_run(parameters(tmp_path, shelf, ask_for_approval=True))
        assert eventually(lambda: bool(workers_of(server.pid)), timeout=60)
        assert eventually(lambda: state_of(run_id) == "Suspended", timeout=120), read(run_id).state
        assert trained(tmp_path) == JOBS
        assert eventually(lambda: not workers_of(server.pid), timeout=60), workers_of(server.pid)
        assert respond(read(run_id), decision="Approve")
        assert eventually(lambda: state_of(run_id) == "Completed", timeout=120), read(run_id).state
        # Prefect cancels every process that is there when a server ends, also one that has only to go out.
        assert eventually(lambda: not workers_of(server.pid), timeout=60), workers_of(server.pid)
    finally:
        server.terminate()
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    assert outcome_of(run_id).promoted
    assert trained(tmp_path) == JOBS
    assert len(versions(shelf)) == 1


def served_run(given: dict[str, Any]) -> UUID:
    from prefect.exceptions import ObjectNotFound

    with get_client(sync_client=True) as client:

        def is_there() -> bool:
            try:
                client.read_deployment_by_name("tune-then-deploy/served")
            except ObjectNotFound:
                return False
            return True

        assert eventually(is_there, timeout=60)
        deployment = client.read_deployment_by_name("tune-then-deploy/served")
        return client.create_flow_run_from_deployment(deployment.id, parameters=given).id


def workers_of(pid: int) -> list[str]:
    """The command lines of a runner's processes, without the helper that Python keeps beside them."""
    found = []
    for number in [n for f in Path(f"/proc/{pid}/task").glob("*/children") for n in f.read_text().split()]:
        try:
            command = Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has ended
            continue
        if command and "resource_tracker" not in command:
            found.append(command)
    return found
