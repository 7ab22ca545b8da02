"""Training jobs as flow runs of a work pool: what the server is asked, and what a flow run does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import prefect
import pytest
from prefect import flow, runtime

from amt_flows.backends.attended.backend import AttendedBackend
from amt_flows.backends.places import place_at
from amt_flows.backends.work_pool.engine import WorkPoolEngine
from amt_flows.backends.work_pool.job_variables import from_resources
from amt_flows.errors import NameTaken
from amt_flows.flows.training_job import training_job
from amt_flows.flows.tuning.bar_states import task_run_id
from amt_flows.flows.tuning.below import show_below
from amt_flows.ports import JobRequest, JobState, Launch
from amt_flows.spec import Resources, TrainingJobTemplate, TuningSpec

POOL = "pool-of-tests"
SUCCEEDS = "echo 'amt-report acc=0.5;'; echo 'amt-report acc=0.75;'; echo weights > $SM_MODEL_DIR/w"


@pytest.fixture(scope="module")
def pool(prefect_server: None) -> WorkPoolEngine:
    engine = WorkPoolEngine(POOL)
    template = {
        "job_configuration": {"env": "{{ env }}"},
        "variables": {"type": "object", "properties": {"env": {"type": "object"}}},
    }
    api = engine._api
    api.call("POST", "/work_pools/", {"name": POOL, "type": "process", "base_job_template": template})
    return engine


@pytest.fixture
def backend(pool: WorkPoolEngine, tmp_path: Path) -> AttendedBackend:
    pool.register()
    return AttendedBackend(pool, tmp_path / "shared", lease_seconds=5)


def request(tuning_job: str, script: str = SUCCEEDS, **changes: Any) -> JobRequest:
    template = TrainingJobTemplate(
        command=("/bin/sh", "-c", script), stop_grace_seconds=5, hyperparameters_as_arguments=False
    )
    one = JobRequest(
        name=f"{tuning_job}-001-00000000",
        tuning_job=tuning_job,
        trial=1,
        attempt=1,
        hyperparameters={"rate": "0.1"},
        fingerprint="f" * 64,
        template=template,
        objective_metric="acc",
        tags={"team": "vision"},
    )
    return replace(one, **changes)


def runs_of(pool: WorkPoolEngine, tuning_job: str) -> list[dict[str, Any]]:
    wanted = {"tags": {"all_": [f"tuning-job:{tuning_job}"]}}
    found: list[dict[str, Any]] = pool._api.call("POST", "/flow_runs/filter", {"flow_runs": wanted})
    return found


def test_a_pool_that_was_not_registered_is_told_the_command(prefect_server: None, tmp_path: Path) -> None:
    spec = TuningSpec.parse(
        {
            "objective": {"metric_name": "acc"},
            "continuous": [{"name": "x", "min_value": 0, "max_value": 1}],
            "limits": {"max_number_of_training_jobs": 1},
            "training_job": {"command": ["true"], "job_variables": {"image": "a:1"}},
        }
    )
    engine = WorkPoolEngine("pool-of-nobody")
    (problem,) = engine.check(spec)
    assert "prefect work-pool create pool-of-nobody" in problem.message
    engine._api.call("POST", "/work_pools/", {"name": "pool-of-nobody", "type": "process"})
    (problem,) = engine.check(spec)
    assert "amt-flows register-work-pool pool-of-nobody" in problem.message
    engine.register()
    (problem,) = engine.check(spec)
    assert problem.field == "training_job.job_variables.image"


def test_a_launch_that_is_repeated_is_one_flow_run(backend: AttendedBackend, pool: WorkPoolEngine) -> None:
    one = request("repeated")
    assert backend.launch(one) is Launch.STARTED
    assert backend.launch(one) is Launch.ATTACHED
    assert AttendedBackend(WorkPoolEngine(POOL), backend.root).launch(one) is Launch.ATTACHED
    (run,) = runs_of(pool, "repeated")
    assert run["name"] == one.name
    assert {"amt-flows", "tuning-job:repeated", "team:vision"} <= set(run["tags"])
    assert backend.poll("repeated", [one.name])[0].state is JobState.STARTING
    elsewhere = AttendedBackend(WorkPoolEngine(POOL), backend.root / "elsewhere")
    with pytest.raises(NameTaken, match="another flow run with the name"):
        elsewhere.launch(one)


def test_it_is_shown_below_the_bar_of_its_training_job(
    backend: AttendedBackend, pool: WorkPoolEngine
) -> None:
    one = request("below")

    @flow
    def tuning() -> UUID:
        run_id = UUID(str(runtime.flow_run.id))
        show_below(backend, run_id)
        backend.launch(one)
        return task_run_id(run_id, one.name)

    bar = tuning()
    (run,) = runs_of(pool, "below")
    assert run["parent_task_run_id"] == str(bar)


def test_a_job_that_waits_is_cancelled_and_never_begins(
    backend: AttendedBackend, pool: WorkPoolEngine
) -> None:
    one = request("waits")
    backend.launch(one)
    backend.stop("waits", [one.name])
    assert backend.poll("waits", [one.name])[0].state is JobState.STOPPED
    (run,) = runs_of(pool, "waits")
    assert run["state_type"] == "CANCELLED"


def test_a_run_whose_infrastructure_failed_before_it_began_is_lost(
    backend: AttendedBackend, pool: WorkPoolEngine
) -> None:
    one = request("crashes")
    backend.launch(one)
    (run,) = runs_of(pool, "crashes")
    state = {"type": "CRASHED", "message": "the image can't be pulled"}
    pool._api.call("POST", f"/flow_runs/{run['id']}/set_state", {"state": state, "force": True})
    (report,) = backend.poll("crashes", [one.name])
    assert report.state is JobState.LOST
    assert "the image can't be pulled" in str(report.failure)


def test_a_flow_run_trains_logs_and_ends_as_its_job(
    backend: AttendedBackend, pool: WorkPoolEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With its part of a machine that a process pool does not share out."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("AMT_FLOWS_MACHINE", str(tmp_path / "machine"))
    script = f"echo sees $CUDA_VISIBLE_DEVICES; {SUCCEEDS}"
    template = replace(request("trains"), template=request("trains", script).template)
    one = replace(template, template=template.template.model_copy(update={"resources": Resources(gpus=1)}))
    backend.launch(one)
    (run,) = runs_of(pool, "trains")
    state = training_job(**run["parameters"], return_state=True)
    assert state.type.value == "COMPLETED"
    (report,) = backend.poll("trains", [one.name])
    assert report.state is JobState.COMPLETED
    assert [point.value for point in report.points] == [0.5, 0.75]
    assert str(report.artifact).startswith("file:///")
    assert "sees 0\n" in (backend.root / "trains/jobs" / one.name / "output.log").read_text()


def test_a_failed_training_fails_its_flow_run_with_its_reason(
    backend: AttendedBackend, pool: WorkPoolEngine
) -> None:
    one = request("fails", "echo 'the loss exploded'; exit 3")
    backend.launch(one)
    (run,) = runs_of(pool, "fails")
    state = training_job(**run["parameters"], return_state=True)
    assert state.type.value == "FAILED"
    assert "the loss exploded" in str(state.message)
    assert backend.poll("fails", [one.name])[0].state is JobState.FAILED


def test_a_record_leads_back_to_the_pool(tmp_path: Path) -> None:
    assert place_at(f"work-pool:{POOL}", tmp_path).address == f"work-pool:{POOL}"


def test_without_a_server_one_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = "from amt_flows.backends.work_pool.server import prefect_server; prefect_server('This')"
    there = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**there, "PREFECT_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "This needs a Prefect server, and none is set." in done.stderr


TEMPLATES = Path(prefect.__file__).parent / "server/api/collections_data/views/aggregate-worker-metadata.json"
NEED = Resources(gpus=0.5, cpus=0.5, memory_gb=2.5)


@pytest.mark.parametrize(
    ("kind", "told", "untold"),
    [
        ("docker", {"mem_limit": "2500000000b"}, {"cpus", "gpus"}),
        (
            "kubernetes",
            {
                **dict.fromkeys(("cpu_request", "cpu_limit"), "500m"),
                **dict.fromkeys(("memory_request", "memory_limit"), "2500M"),
            },
            {"gpus"},
        ),
        ("ecs", {"cpu": 512, "memory": 2385}, {"gpus"}),
        ("azure-container-instance", {"cpu": 0.5, "memory": 2.5, "gpu_count": 1}, set()),
        ("cloud-run-v2", {"cpu": "500m", "memory": "2500M"}, {"gpus"}),
        ("vertex-ai", {"accelerator_count": 1}, {"cpus", "memory_gb"}),
    ],
)
def test_a_pool_is_told_what_its_type_s_template_has_in_the_units_of_that_type(
    kind: str, told: dict[str, Any], untold: set[str]
) -> None:
    published = json.loads(TEMPLATES.read_text())
    (worker,) = (workers[kind] for workers in published.values() if kind in workers)
    pool = {"type": f"{kind}:push", "base_job_template": worker["default_base_job_configuration"]}
    found, lacking = from_resources(pool, NEED, {})
    assert (found, set(lacking)) == (told, untold)
    variables = worker["default_base_job_configuration"]["variables"]["properties"]
    for name, value in found.items():
        kinds = [variables[name], *variables[name].get("anyOf", ())]
        written = {"string": str, "integer": int, "number": float}
        assert any(isinstance(value, written[one["type"]]) for one in kinds if one.get("type") in written)


@pytest.mark.parametrize(
    ("given", "untold"),
    [
        ({"image": "train:gpu"}, {"cpus", "gpus"}),
        ({"container_create_kwargs": {"device_requests": [{"count": 1}]}}, {"cpus"}),
        ({"container_create_kwargs": {"device_requests": [{"count": 1}], "nano_cpus": 5e8}}, set()),
    ],
)
def test_a_variable_that_says_something_else_says_nothing_of_gpus(
    given: dict[str, Any], untold: set[str]
) -> None:
    properties: dict[str, Any] = {name: {} for name in ("image", "mem_limit", "container_create_kwargs")}
    pool = {"type": "docker", "base_job_template": {"variables": {"properties": properties}}}
    assert set(from_resources(pool, NEED, given)[1]) == untold
