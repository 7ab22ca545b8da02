"""Flow runs of a served deployment and of a process worker, cancelled and killed, and a server that dies.

Beside ``test_tune_flow``, which does the same to flow runs of a script.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import State
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectAlreadyExists
from prefect.settings.context import get_current_settings
from prefect.states import Cancelling
from prefect.types.entrypoint import EntrypointType

from amt_flows.backends.local_worker.endings import children_of
from amt_flows.backends.local_worker.processes import process_state
from amt_flows.backends.places import open_journal
from amt_flows.events import TuningStatus
from amt_flows.flows import tune
from amt_flows.ledger.ledger import Ledger
from flows.local_jobs import ENDLESS, eventually, local_spec, workers

pytestmark = [pytest.mark.slow, pytest.mark.long]

Way = Callable[[str], "AbstractContextManager[subprocess.Popen[bytes]]"]

START_SECONDS, END_SECONDS = 120.0, 90.0
POOL = "chaos"
SERVE = "from amt_flows.flows import tune\ntune.serve(name={name!r}, pause_on_shutdown=False)"
WORKER = ["-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"]


def plain_environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}


def environment() -> dict[str, str]:
    """That of the tests' own server."""
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    return {**settings, **plain_environment(), "PREFECT_WORKER_QUERY_SECONDS": "2"}


@contextmanager
def started(
    arguments: list[str], variables: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with all that it started."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env=variables or environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        for pid in [*flow_processes(process.pid), process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


@contextmanager
def serving(name: str) -> Iterator[subprocess.Popen[bytes]]:
    with started(["-c", SERVE.format(name=name)]) as process:
        yield process


@contextmanager
def working(name: str) -> Iterator[subprocess.Popen[bytes]]:
    with get_client(sync_client=True) as client, contextlib.suppress(ObjectAlreadyExists):
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
    made = tune.to_deployment(name, work_pool_name=POOL, entrypoint_type=EntrypointType.MODULE_PATH)
    assert isinstance(made, RunnerDeployment)
    made.apply()
    with started(WORKER) as process:
        yield process


def start_flow_run(deployment: str, script: str, home: Path) -> UUID:
    """A flow run of a deployment, as the UI or the API would start it."""
    with get_client(sync_client=True) as client:

        def there() -> bool:
            return any(one.name == deployment for one in client.read_deployments())

        assert eventually(there)
        found = client.read_deployment_by_name(f"tune/{deployment}")
        parameters = {"spec": local_spec(deployment, script).to_json(), "home": str(home)}
        return client.create_flow_run_from_deployment(found.id, parameters=parameters).id


def state_of(flow_run: UUID) -> State[object]:
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(flow_run).state
    assert state is not None
    return state


def ledger_of(name: str, home: Path) -> Ledger:
    return Ledger.replay(open_journal(name, home).read())


def flow_processes(runner: int) -> list[int]:
    """The processes below a runner or worker that are not of training jobs: those have a session of their
    own, and another parent when theirs is gone."""
    return [pid for pid in children_of(runner) if (process_state(pid) or "Z")[0] not in "ZX"]


@pytest.mark.parametrize("way", [serving, working], ids=["served", "worker"])
def test_a_cancelled_run_leaves_no_training_job_and_a_closed_record(way: Way, home: Path) -> None:
    name = f"cancel-{way.__name__}"
    with way(name):
        flow_run = start_flow_run(name, ENDLESS, home)
        assert eventually(lambda: len(workers(home)) >= 2, START_SECONDS)
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(flow_run, Cancelling())
        assert eventually(lambda: state_of(flow_run).is_cancelled(), END_SECONDS)
        assert eventually(lambda: not workers(home))
        assert eventually(lambda: ledger_of(name, home).finished)
    ledger = ledger_of(name, home)
    assert ledger.status is TuningStatus.STOPPED
    assert len(ledger.ended) == len(ledger.jobs) == 2


@pytest.mark.parametrize("way", [serving, working], ids=["served", "worker"])
def test_a_killed_run_leaves_no_training_job_and_another_goes_on_with_it(way: Way, home: Path) -> None:
    name = f"kill-{way.__name__}"
    script = f'while [ ! -e {home}/go ]; do echo "accuracy=0.5;"; sleep 0.1; done; echo "accuracy=0.9;"'
    with way(name) as runner:
        flow_run = start_flow_run(name, script, home)
        assert eventually(lambda: len(workers(home)) >= 2, START_SECONDS)
        for pid in flow_processes(runner.pid):
            os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: state_of(flow_run).is_crashed(), END_SECONDS)
        assert eventually(lambda: not workers(home))
    before = ledger_of(name, home)
    assert not before.concluding
    (home / "go").touch()
    result = tune(local_spec(name, script), home=str(home))
    ledger = ledger_of(name, home)
    assert set(before.jobs) < set(ledger.jobs)
    assert len(ledger.jobs) == len(result.jobs) == 4, "what was stopped counts: four were asked for"
    assert ledger.opened_at == before.opened_at
    assert not workers(home)


# -- the server dies in mid-tuning ----------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def server(port: int, place: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A Prefect server of its own, with its database in a directory."""
    arguments = ["-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    own = {"PREFECT_HOME": str(place), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    with started([*arguments, "--no-ui"], {**plain_environment(), **own}) as process:
        assert eventually(lambda: answers(port), START_SECONDS)
        yield process


def answers(port: int) -> bool:
    try:
        return bool(httpx.get(f"http://127.0.0.1:{port}/api/health", timeout=2).status_code == 200)
    except httpx.HTTPError:
        return False


def asked(port: int, what: str, **filters: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.post(
        f"http://127.0.0.1:{port}/api/{what}/filter", json=filters, timeout=10
    ).json()
    return found


def test_a_tuning_outlives_its_server_and_tells_the_next_one_everything_once(home: Path) -> None:
    port, place = free_port(), home.parent / "server"
    script = 'for i in 1 2 3 4 5; do echo "accuracy=0.$i$2;"; sleep 0.3; done'
    spec = local_spec("outlives", script, jobs=12)
    code = f"from amt_flows.flows import tune\ntune({spec.to_json()}, home={str(home)!r})"
    url = {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_HOME": str(place)}

    def ended() -> int:
        return len(ledger_of("outlives", home).ended)

    with server(port, place) as first, started(["-c", code], {**plain_environment(), **url}) as script_run:
        assert eventually(lambda: ended() >= 2, START_SECONDS)
        os.killpg(first.pid, signal.SIGKILL)
        at_kill = ended()
        assert eventually(lambda: ended() >= at_kill + 3), "the tuning goes on without the server"
        with server(port, place):
            assert script_run.wait(END_SECONDS) == 0
            assert ledger_of("outlives", home).status is TuningStatus.COMPLETED
            assert eventually(lambda: asked(port, "flow_runs")[0]["state_type"] == "COMPLETED")
            keys = [one["key"] for one in asked(port, "artifacts")]
    assert len(keys) == len(set(keys)), "nothing is published twice"
    assert {"amt-result-outlives", "amt-leaderboard-outlives", "amt-report-outlives"} <= set(keys)
    assert len(ledger_of("outlives", home).jobs) == 12
    assert not workers(home)
