"""The shipped deployments, deployed and served; their forms; and a real process worker that runs them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import State
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import PrefectHTTPStatusError
from prefect.flow_engine import run_flow
from prefect.flows import load_flow_from_entrypoint
from prefect.states import Cancelling
from prefect.utilities.callables import parameter_schema

from amt_flows.backends.local import LocalBackend
from amt_flows.backends.places import open_journal
from amt_flows.deploy import Target
from amt_flows.deploy.target import check_target
from amt_flows.events import TuningStatus
from amt_flows.flows import load_result, tune
from amt_flows.ledger.record import load_ledger
from amt_flows.spec import TuningSpec
from flows.deployed import BIN, DEPLOYMENTS, ROOT, TABLES, created, prefect, script, start
from flows.flow_runs import read, scheduled_runs, state_of
from flows.forms import resolved
from flows.local_jobs import ENDLESS, SHORT, eventually, local_spec, workers

NAMES = [table["name"] for table in TABLES]


# -- the forms ------------------------------------------------------------------------------------


@pytest.fixture(params=TABLES, ids=NAMES)
def schema(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The parameters' schema of each deployment, from which the form is drawn."""
    flow: Any = load_flow_from_entrypoint(request.param["entrypoint"])
    return parameter_schema(flow).model_dump_for_openapi()


def test_every_field_of_a_form_says_what_it_is(schema: dict[str, Any]) -> None:
    models = {one: model for one, model in schema.get("definitions", {}).items() if "properties" in model}
    for title, model in {"the flow": schema, **models}.items():
        fields = list(model["properties"].items())
        for name, field in fields:
            assert resolved(field, schema.get("definitions", {})).get("title"), (title, name)
            assert field.get("description", "").strip().endswith("."), (title, name)
        # Of the order of its keys a database keeps nothing; the form goes by these.
        assert [field["position"] for _, field in fields] == list(range(len(fields))), title


def test_a_form_has_no_alternatives_that_it_can_not_edit(schema: dict[str, Any]) -> None:
    """Tabs are for what may be left out only: "nothing" or one kind of value. A text or a number of the spec
    has no tabs at all; there is one box for it, which may be left empty."""
    assert "discriminator" not in str(schema)
    assert "oneOf" not in str(schema)
    models = schema.get("definitions", {})
    for model in (schema, *(one for one in models.values() if "properties" in one)):
        for name, field in model["properties"].items():
            kinds = field.get("anyOf", [])
            assert not kinds or (len(kinds) == 2 and kinds[1] == {"type": "null"}), name
            if kinds:
                assert model is not schema
                assert "$ref" in kinds[0] or kinds[0]["type"] == "boolean", name


def test_what_a_person_needs_comes_first() -> None:
    flow: Any = load_flow_from_entrypoint("amt_flows.flows.tuning.tune.tune")
    fields = parameter_schema(flow).definitions["TuningSpec"]["properties"]
    first = ["name", "objective", "continuous", "integer", "categorical"]
    order = sorted(fields, key=lambda name: fields[name]["position"])
    assert order[: len(first)] == first
    assert set(order[len(first) : 8]) == {"constraints", "training_job", "limits"}
    job = parameter_schema(flow).definitions["TrainingJobTemplate"]["properties"]
    assert job["command"]["position"] == 0
    assert job["sagemaker"]["position"] == len(job) - 1


# -- the files ------------------------------------------------------------------------------------


def test_what_the_schedules_tune_can_be_tuned(home: Path) -> None:
    scheduled = [
        (deployment.name, {**deployment.parameters, **schedule.parameters}, schedule.active)
        for deployment in script("serve").deployments()
        for schedule in deployment.schedules
    ]
    assert [name for name, _, _ in scheduled] == ["tune", "tune-then-deploy", "retune"]
    for _, parameters, active in scheduled:
        assert not active, "nothing is launched on somebody's machine at night that did not ask for it"
        spec = TuningSpec.parse(parameters["spec"])
        assert spec.name is None, "each run is a tuning job of its own"
        assert LocalBackend(home).check(spec) == []
        assert (Path(str(spec.training_job.working_directory)) / "digits_network.py").is_file()
        if "target" in parameters:
            check_target(Target(**parameters["target"]))


def test_the_container_file_copies_what_there_is() -> None:
    text = (DEPLOYMENTS / "Dockerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.M) for word in line.split()[:-1]]
    assert "amt_flows" in " ".join(copied)
    for name in copied:
        assert (ROOT / name).exists(), name
    project = (ROOT / "pyproject.toml").read_text()
    (extras,) = re.findall(r"\[([a-z,]+)\]", text)
    for extra in extras.split(","):
        assert re.search(rf"^{extra} = \[", project, re.M), extra
    users = re.findall(r"^USER (.+)$", text, re.M)
    assert users[-1:] not in ([], ["root"])
    assert "PYTHONDONTWRITEBYTECODE" not in text


# -- deployed and served --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tuning jobs of the deployments are kept."""
    return tmp_path_factory.mktemp("deployed")


@pytest.fixture(scope="module")
def deployed(prefect_server: None, place: Path) -> dict[str, DeploymentResponse]:
    """The deployments on the server, by name, after the two commands of the file's head."""
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="amt-flows", type="process"))
    prefect("--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml", home=place)
    with get_client(sync_client=True) as client:
        # Other files' tests deploy to pools of their own.
        return {one.name: one for one in client.read_deployments() if one.work_pool_name == "amt-flows"}


def test_the_deployments_are_there_with_their_limits_and_schedules(
    deployed: dict[str, DeploymentResponse],
) -> None:
    assert set(deployed) == set(NAMES)
    for table in TABLES:
        one = deployed[table["name"]]
        assert one.entrypoint == table["entrypoint"]
        assert one.work_pool_name == "amt-flows"
        assert not one.pull_steps, "a worker needs no clone"
        limit = table.get("concurrency_limit")
        strategy = one.concurrency_options.collision_strategy if one.concurrency_options else None
        assert (strategy is None) == (limit is None)
        if limit is not None:
            assert one.global_concurrency_limit is not None
            assert one.global_concurrency_limit.limit == limit["limit"]
            assert str(strategy.value if strategy else "") == limit["collision_strategy"]
    assert deployed["tune-then-deploy"].parameters["ask_for_approval"] is True
    (nightly,) = deployed["retune"].schedules
    assert (nightly.slug, nightly.active) == ("nightly", False)
    assert deployed["retune"].parameters["series"] == "digits"
    for name in ("tune", "tune-then-deploy", "retune"):
        spec = deployed[name].parameters["spec"]
        assert spec["training_job"]["working_directory"] == str(ROOT / "examples"), "and it fills in the form"


def test_a_schedule_that_is_switched_on_makes_a_new_tuning_job_each_time(
    deployed: dict[str, DeploymentResponse], place: Path, home: Path, fresh_seeds: None
) -> None:
    """Switching one on empties the schedule's own parameters; the deployment's are what its runs get."""
    one = deployed["tune"]
    (nightly,) = one.schedules
    prefect("deployment", "schedule", "resume", "tune/tune", str(nightly.id), home=place)
    with get_client(sync_client=True) as client:
        (schedule,) = client.read_deployment(one.id).schedules
        assert schedule.active
        runs = [client.read_flow_run(run) for run in scheduled_runs(one.id, 2)]
    specs = []
    for run in runs:
        given = TuningSpec.parse(run.parameters["spec"])
        assert given.training_job.working_directory == str(ROOT / "examples")
        small = local_spec(None, SHORT, jobs=2).to_json()
        state = run_flow(
            tune, flow_run=run, parameters={**run.parameters, "spec": small}, return_type="state"
        )
        assert isinstance(state, State)
        assert state.is_completed(), state.message
        specs.append(load_ledger(open_journal(read(run.id).name, home), read(run.id).name))
    with get_client(sync_client=True) as client:
        client._client.patch(f"/deployments/{one.id}/schedules/{nightly.id}", json={"active": False})
    assert len({ledger.name for ledger in specs}) == 2
    assert len({ledger.seed for ledger in specs}) == 2


def test_what_is_served_is_what_is_deployed(deployed: dict[str, DeploymentResponse]) -> None:
    for served in script("serve").deployments():
        one = deployed[served.name]
        assert served.entrypoint == one.entrypoint
        assert served.parameters == one.parameters
        assert served.tags == one.tags
        assert served.description == one.description
        limit = one.global_concurrency_limit
        assert served.concurrency_limit == (None if limit is None else limit.limit)
        assert [(s.slug, s.active, s.parameters, s.schedule) for s in served.schedules] == [
            (s.slug, s.active, s.parameters, s.schedule) for s in one.schedules
        ]


def test_what_is_served_can_be_served_where_nothing_is_deployed() -> None:
    """A deployment that is there already is only updated, which is checked less."""
    serving = script("serve")
    for one in serving.deployments():
        one.name = f"{one.name}-anew"
        with get_client(sync_client=True) as client:
            made = client.read_deployment(one.apply())
            # Other tests count what is deployed.
            client.delete_deployment(made.id)
        assert made.work_pool_name is None
    assert serving.environment() == {
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "AMT_FLOWS_SAVED": str(ROOT / "examples"),
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"limits": {"max_parallel_training_jobs": 0}}, "0 is less than the minimum of 1"),
        ({"strategy": "Bayes"}, "'Bayes' is not one of"),
        ({"objective": {}}, "'metric_name' is a required property"),
        ({"max_jobs": 3}, "'max_jobs' was unexpected"),
    ],
)
def test_a_bad_value_is_refused_before_there_is_a_run(
    deployed: dict[str, DeploymentResponse], change: dict[str, Any], message: str
) -> None:
    spec = {**local_spec("refused", SHORT).to_json(), **change}
    with get_client(sync_client=True) as client, pytest.raises(PrefectHTTPStatusError) as raised:
        client.create_flow_run_from_deployment(deployed["tune"].id, parameters={"spec": spec})
    assert raised.value.response.status_code == 409
    assert message in raised.value.response.json()["detail"]


def test_a_field_that_was_left_empty_is_no_error(deployed: dict[str, DeploymentResponse]) -> None:
    """The form sends ``null`` for it."""
    spec = local_spec("empty", SHORT).model_dump(mode="json")
    assert spec["limits"]["max_cost"] is None
    with get_client(sync_client=True) as client:
        run = client.create_flow_run_from_deployment(deployed["tune"].id, parameters={"spec": spec})
        client.delete_flow_run(run.id)
    assert TuningSpec.parse(spec) == local_spec("empty", SHORT)


# -- a worker -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def worker(deployed: dict[str, DeploymentResponse], place: Path) -> Iterator[Path]:
    """A process worker; its log."""
    log = place / "worker.log"
    process = start([str(BIN / "prefect"), "worker", "start", "--pool", "amt-flows"], place, log)
    try:
        yield log
    finally:
        process.terminate()
        try:
            process.wait(120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ends(run_id: UUID, log: Path, name: str = "Completed") -> bool:
    assert eventually(lambda: bool((state := read(run_id).state) and state.is_final()), 180), log.read_text()
    assert state_of(run_id) == name, log.read_text()
    return True


@pytest.mark.slow
@pytest.mark.long
def test_a_worker_tunes(worker: Path, place: Path) -> None:
    spec = {**local_spec(None, SHORT).to_json(), "name": "by-a-worker"}
    assert ends(created("tune/tune", spec=spec), worker)
    result = load_result("by-a-worker")
    assert result.status is TuningStatus.COMPLETED
    assert len(result.jobs) == 4
    assert (place / "by-a-worker/journal").is_dir()
    assert not workers(place)


@pytest.mark.slow
@pytest.mark.long
def test_another_flow_run_stops_a_tuning_job_whose_own_has_a_result(worker: Path, place: Path) -> None:
    tuning = created("tune/tune", spec=local_spec("to-be-stopped", ENDLESS).to_json())
    assert eventually(lambda: len(workers(place)) >= 2), worker.read_text()
    assert ends(created("stop-tuning/stop", name="to-be-stopped"), worker)
    # The flow run that tunes is not cancelled: it has a result, though no best training job to go on with.
    assert ends(tuning, worker, "Failed")
    assert load_result("to-be-stopped").status is TuningStatus.STOPPED
    assert not workers(place)


@pytest.mark.slow
@pytest.mark.long
def test_cancel_leaves_no_training_process(worker: Path, place: Path) -> None:
    tuning = created("tune/tune", spec=local_spec("to-be-cancelled", ENDLESS).to_json())
    assert eventually(lambda: len(workers(place)) >= 2), worker.read_text()
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(tuning, Cancelling())
    assert ends(tuning, worker, "Cancelled")
    assert eventually(lambda: not workers(place))
    name = "to-be-cancelled"
    assert eventually(lambda: load_ledger(open_journal(name, place), name).finished)
    assert load_ledger(open_journal(name, place), name).status is TuningStatus.STOPPED
