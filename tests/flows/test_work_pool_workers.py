"""A tuning job on real workers of a process pool: killed, replaced, and its record gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import get_current_settings
from prefect.states import Cancelling

from amt_flows.backends.local.process import read_json
from amt_flows.backends.local_worker.processes import parent_of
from amt_flows.backends.marked_processes import running_processes
from amt_flows.backends.places import open_journal
from amt_flows.backends.work_pool.engine import WorkPoolEngine
from amt_flows.events import Outcome, TuningStatus
from amt_flows.ledger.ledger import Ledger
from flows.flow_runs import run_called, state_of

POOL = "pool-of-workers"
SCRIPT = """
import sys, time
for epoch in range(6):
    print(f"amt-report acc={epoch / 10};", flush=True)
    time.sleep(1)
"""
SPEC = """
[objective]
metric_name = "acc"
[[continuous]]
name = "x"
min_value = 0.0
max_value = 1.0
[training_job]
command = ["python3", "train.py"]
[limits]
max_number_of_training_jobs = 4
max_parallel_training_jobs = 2
"""
pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def environment(home: Path) -> dict[str, str]:
    url = str(get_current_settings().api.url)
    return {
        **os.environ,
        "PREFECT_API_URL": url,
        "AMT_FLOWS_HOME": str(home),
        "AMT_FLOWS_LEASE_SECONDS": "10",
    }


def until(condition: Callable[[], bool], seconds: float = 240.0) -> None:
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, "in vain waited for a condition"
        time.sleep(0.1)


@pytest.fixture
def workers(prefect_server: None, tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Starts workers of the pool."""
    engine = WorkPoolEngine(POOL)
    subprocess.run(
        [sys.executable, "-m", "prefect", "work-pool", "create", POOL, "--type", "process", "--overwrite"],
        env=environment(tmp_path),
        check=True,
        capture_output=True,
    )
    engine.register()
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--name", name]
        with (tmp_path / f"{name}.log").open("wb") as log:
            started.append(
                subprocess.Popen(
                    [*command, "--limit", "2"], env=environment(tmp_path), stdout=log, stderr=log
                )
            )
        return started[-1]

    yield start
    for worker in started:
        worker.kill()  # at a first SIGTERM, on a busy machine, Prefect's may go on
        worker.wait()


def test_killed_workers_flow_runs_and_controllers_lose_no_tuning_job(
    workers: Callable[[str], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    (tmp_path / "spec.toml").write_text(SPEC)
    jobs = tmp_path / "on-workers" / "jobs"
    first = workers("first")
    run = [sys.executable, "-m", "amt_flows", "run", str(tmp_path / "spec.toml"), "--name", "on-workers"]
    command = [*run, "--backend", f"work-pool:{POOL}", "--quiet"]
    controller = subprocess.Popen(command, env=environment(tmp_path), cwd=tmp_path)
    until(lambda: len(list(jobs.glob("*/metrics.jsonl"))) >= 1)

    killed = next(jobs.glob("*/metrics.jsonl")).parent
    guard = int((read_json(killed / "claim") or {})["guard"])
    os.kill(parent_of(parent_of(guard)), signal.SIGKILL)  # the flow run, with its attendant's eyes on it
    first.kill()
    workers("second")
    controller.kill()
    controller.wait()

    name = [sys.executable, "-m", "amt_flows", "resume", "on-workers", "--quiet"]
    done = subprocess.run(name, env=environment(tmp_path), cwd=tmp_path, timeout=600, check=False)
    assert done.returncode == 0
    ledger = Ledger.replay(open_journal("on-workers", tmp_path).read())
    outcomes = {job.name: str(job.outcome and job.outcome.value) for job in ledger.jobs.values()}
    assert outcomes[killed.name] == "lost", outcomes
    # What the dead worker's other run came to is Prefect's affair; that nothing was given up is ours.
    assert set(outcomes.values()) <= {"lost", "failed in infrastructure", "completed"}, outcomes
    assert "completed" in outcomes.values()
    until(lambda: not [one for one in running_processes() if f"{jobs}/".encode() in one.command], 30)


ENDLESS = """
import pathlib, os, signal, sys, time

def goodbye(*_):
    pathlib.Path(os.environ["SM_MODEL_DIR"], "saved").touch()
    sys.exit(0)

signal.signal(signal.SIGTERM, goodbye)
for epoch in range(600):
    print(f"amt-report acc={epoch / 1000};", flush=True)
    time.sleep(0.5)
"""


def cancel(flow_run: UUID) -> None:
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run, Cancelling())


def test_a_cancel_of_one_child_stops_that_one_and_a_cancel_of_the_parent_stops_all(
    workers: Callable[[str], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    name = "cancelled-on-workers"
    (tmp_path / "train.py").write_text(ENDLESS)
    (tmp_path / "spec.toml").write_text(SPEC)
    jobs = tmp_path / name / "jobs"
    run = [sys.executable, "-m", "amt_flows", "run", str(tmp_path / "spec.toml"), "--name", name, "--prefect"]
    workers("only")
    with (tmp_path / "controller.log").open("wb") as log:
        command = [*run, "--backend", f"work-pool:{POOL}", "--quiet"]
        controller = subprocess.Popen(
            command, env=environment(tmp_path), cwd=tmp_path, stdout=log, stderr=log
        )

    def ledger() -> Ledger:
        return Ledger.replay(open_journal(name, tmp_path).read())

    try:
        until(lambda: len(list(jobs.glob("*/metrics.jsonl"))) == 2)
        (first, *_) = sorted(jobs.glob("*/metrics.jsonl"))
        child = first.parent.name
        cancel(run_called(child).id)
        until(lambda: ledger().jobs[child].outcome is Outcome.STOPPED_OUTSIDE)
        assert (first.parent / "model" / "saved").exists(), "it had its grace time"
        until(lambda: len(list(jobs.glob("*/metrics.jsonl"))) == 3)
        assert not ledger().concluding
        until(lambda: state_of(run_called(child).id) in ("Cancelled", "Stopped"))

        cancel(run_called(name).id)
        assert controller.wait(120) != 0
    finally:
        controller.kill()
    end = ledger()
    assert (end.status, end.reasons[0].message) == (TuningStatus.STOPPED, "cancelled in Prefect")
    assert {job.outcome for job in end.jobs.values()} == {Outcome.STOPPED_OUTSIDE, Outcome.STOPPED}
    until(lambda: not [one for one in running_processes() if f"{jobs}/".encode() in one.command], 60)
    until(lambda: {state_of(run_called(job).id) for job in end.jobs} <= {"Cancelled", "Stopped"}, 60)
    assert state_of(run_called(name).id) == "Cancelled"
