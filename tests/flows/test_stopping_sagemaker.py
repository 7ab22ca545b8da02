"""Cancel and kill, with training jobs on SageMaker: the simulator's own list says what is left running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.settings import get_current_settings
from prefect.states import Cancelling, Crashed

from amt_flows.backends.places import open_journal
from amt_flows.errors import TuningJobNotFound
from amt_flows.events import TuningStatus
from amt_flows.flows import tune
from amt_flows.flows.tuning.clean_up import Remedy, clean_up
from amt_flows.flows.tuning.hooks import stop_after_crash, stop_on_cancellation
from amt_flows.flows.tuning.manage import stop_task
from amt_flows.ledger.record import load_ledger
from amt_flows.testing.sagemaker import SimulatedSageMaker
from backends.sagemaker_world import spec as sagemaker_spec
from flows.flow_runs import run_called
from flows.local_jobs import eventually
from simulated_aws import aws

pytestmark = [pytest.mark.slow, pytest.mark.long]

HOME = "s3://records/tunings"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedSageMaker]:
    """Half a minute in each second; a training job takes an hour if nobody stops it."""
    with aws(monkeypatch, [0.5] * 360, speed=30) as world:
        yield world


@contextmanager
def flow_in_a_process(
    name: str, backend: str, world: SimulatedSageMaker
) -> Iterator[subprocess.Popen[bytes]]:
    """A script that runs the flow, once two training jobs live and the record says so."""
    spec = json.dumps(sagemaker_spec(name=name).to_json())
    script = f"from amt_flows.flows import tune\ntune({spec}, backend={backend!r}, home={HOME!r})"
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    process = subprocess.Popen(
        [sys.executable, "-c", script], env={**os.environ, **settings}, stderr=subprocess.DEVNULL
    )
    try:
        assert eventually(lambda: len(running(world)) == 2)
        assert eventually(lambda: recorded(name) == 2)
        yield process
    finally:
        process.kill()
        process.wait()


def running(world: SimulatedSageMaker) -> list[str]:
    return [job.name for job in world.jobs if job.status not in ("Completed", "Stopped", "Failed")]


def recorded(name: str) -> int:
    """How many live training jobs the record knows."""
    try:
        return len(load_ledger(open_journal(name, HOME), name).live)
    except TuningJobNotFound:
        return 0


@pytest.mark.parametrize("backend", ["sagemaker", "amt"])
def test_a_cancel_after_the_process_is_gone_leaves_nothing_running(
    backend: str, world: SimulatedSageMaker
) -> None:
    name = f"killed-on-{backend}"
    with flow_in_a_process(name, backend, world) as process:
        process.kill()
        process.wait()
        assert len(running(world)) == 2
        run = run_called(name)
        stop_after_crash(flow=tune, flow_run=run, state=Crashed())
        # AMT drives its training jobs itself, and a retry follows it again; ours nobody would watch.
        assert (running(world) == []) == (backend == "sagemaker")
        stop_on_cancellation(flow=tune, flow_run=run, state=Cancelling())
    assert running(world) == []
    assert len(world.jobs) == 2, "nothing was launched meanwhile"
    assert load_ledger(open_journal(name, HOME), name).status is TuningStatus.STOPPED


def test_what_amt_drives_for_a_dead_flow_run_is_left_to_amt_or_ended(world: SimulatedSageMaker) -> None:
    with flow_in_a_process("followed", "amt", world) as process:
        process.kill()
        process.wait()
        run = run_called("followed")
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(run.id, Crashed(message="the process is gone"))
        left = clean_up(str(run.id))
        assert "goes on by AMT" in left.done
        assert len(running(world)) == 2
        ended = clean_up(str(run.id), remedy=Remedy.END)
        assert ended.tuning_job == "followed"
    assert running(world) == []
    assert load_ledger(open_journal("followed", HOME), "followed").status is TuningStatus.STOPPED


@pytest.mark.parametrize("backend", ["sagemaker", "amt"])
def test_a_cancel_reaches_a_plain_script(backend: str, world: SimulatedSageMaker) -> None:
    name = f"cancelled-on-{backend}"
    with flow_in_a_process(name, backend, world) as process:
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(run_called(name).id, Cancelling())
        assert eventually(lambda: process.poll() is not None)
    assert running(world) == []
    state = run_called(name).state
    assert state is not None
    assert state.is_cancelled()


def test_the_stop_task_ends_it_from_another_flow(world: SimulatedSageMaker) -> None:
    @flow(persist_result=False)
    def watchdog() -> list[str]:
        return stop_task("watched", HOME)

    with flow_in_a_process("watched", "sagemaker", world) as process:
        watchdog()
        assert eventually(lambda: process.poll() is not None)
    assert running(world) == []
    assert len(world.jobs) == 2, "no job was launched in place of those that were stopped"
    assert load_ledger(open_journal("watched", HOME), "watched").status is TuningStatus.STOPPED


def test_sigterm_stops_the_jobs_of_a_script(world: SimulatedSageMaker) -> None:
    with flow_in_a_process("terminated", "sagemaker", world) as process:
        process.send_signal(signal.SIGTERM)
        assert eventually(lambda: process.poll() is not None)
    assert running(world) == []
