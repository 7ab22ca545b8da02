"""The ``tune`` flow on real processes: its result, its end by cancel, signal and kill."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import CancelledRun
from prefect.settings import get_current_settings
from prefect.states import Cancelling, Crashed, State

from amt_flows.errors import SpecError, TuningJobFailed
from amt_flows.events import TuningStatus
from amt_flows.flows import cancel as cancel_module
from amt_flows.flows import load_result, tune
from amt_flows.flows.hooks import stop_after_crash, stop_on_cancellation
from amt_flows.results import TuningResult
from flows.local_jobs import ENDLESS, SHORT, eventually, local_spec, workers
from flows.simulated import flow_run_id


def recorded(run_id: UUID) -> FlowRun:
    """A flow run as the server tells of it to anybody."""
    with get_client(sync_client=True) as client:
        return client.read_flow_run(run_id)


def run_called(name: str) -> FlowRun | None:
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=[name])))
    return runs[0] if runs else None


def test_the_result_can_be_had_from_the_server(home: Path) -> None:
    state = tune(local_spec(None, SHORT), str(home), return_state=True)
    result = state.result()
    run = recorded(flow_run_id(state))
    assert run.state is not None
    assert run.state.result() == result == load_result(result.name)
    assert run.name == result.name == f"tune-{run.id.hex[-12:]}"
    assert result.status is TuningStatus.COMPLETED
    assert len(result.jobs) == 4
    assert result.best is not None
    assert not workers(home)


def test_a_bad_spec_is_told_in_our_words_before_anything_runs(home: Path) -> None:
    bad = {**local_spec("bad", SHORT).to_json(), "limits": {"max_parallel_training_jobs": 0}}
    state = tune(bad, str(home), return_state=True)  # type: ignore[arg-type]
    run = recorded(flow_run_id(state))
    assert run.state is not None
    assert run.state.is_failed()
    assert "limits.max_parallel_training_jobs: must be at least 1 (given: 0)" in str(run.state.message)
    with pytest.raises(SpecError) as raised:
        run.state.result()
    assert [problem.field for problem in raised.value.problems] == ["limits.max_parallel_training_jobs"]
    assert not home.exists()


def test_the_error_of_a_failed_tuning_can_be_had_from_the_server(home: Path) -> None:
    state = tune(local_spec("fails", "echo broken >&2; exit 3", jobs=9), str(home), return_state=True)
    run = recorded(flow_run_id(state))
    assert run.state is not None
    with pytest.raises(TuningJobFailed) as raised:
        run.state.result()
    assert isinstance(raised.value.result, TuningResult)
    assert raised.value.result.status is TuningStatus.FAILED
    assert len(raised.value.result.jobs) >= 5


@contextmanager
def tuning_in_a_thread(name: str, home: Path) -> Iterator[list[State[Any]]]:
    """A flow run as a script would have it, with its final state at the end."""
    states: list[State[Any]] = []

    def run() -> None:
        states.append(tune(local_spec(name, ENDLESS), str(home), return_state=True))

    thread = threading.Thread(target=run)
    thread.start()
    yield states
    thread.join(30)


def test_cancel_stops_the_training_jobs_and_ends_cancelled(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancel_module, "LOOK_SECONDS", 0.3)
    with tuning_in_a_thread("cancelled", home) as states:
        assert eventually(lambda: len(workers(home)) >= 2)
        run = run_called("cancelled")
        assert run is not None
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(run.id, Cancelling())
    (state,) = states
    assert state.is_cancelled()
    end = recorded(run.id).state
    assert end is not None
    assert end.is_cancelled()
    assert "cancelled in Prefect" in str(end.message)
    assert eventually(lambda: not workers(home), 5)
    result = load_result("cancelled")
    assert result.status is TuningStatus.STOPPED
    assert {job.outcome for job in result.jobs} == {"stopped with the tuning job"}
    with pytest.raises(CancelledRun):
        state.result()


@contextmanager
def tuning_in_a_process(name: str, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A script that runs the flow, started once two training jobs live."""
    spec = json.dumps(local_spec(name, ENDLESS).to_json())
    script = f"from amt_flows.flows import tune\ntune({spec}, {str(home)!r})"
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    process = subprocess.Popen(
        [sys.executable, "-c", script], env={**settings, "PATH": "/usr/bin:/bin"}, stderr=subprocess.DEVNULL
    )
    try:
        assert eventually(lambda: len(workers(home)) >= 2, 60)
        yield process
    finally:
        process.kill()
        process.wait()


def test_sigterm_stops_the_training_jobs_and_ends_cancelled(home: Path) -> None:
    with tuning_in_a_process("terminated", home) as process:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert eventually(lambda: not workers(home), 5)
    run = run_called("terminated")
    assert run is not None
    assert run.state is not None
    assert run.state.is_cancelled()
    assert "SIGTERM" in str(run.state.message)
    assert load_result("terminated").status is TuningStatus.STOPPED


def test_after_a_kill_the_hooks_stop_what_was_left_and_a_retry_goes_on(home: Path) -> None:
    with tuning_in_a_process("killed", home) as process:
        process.kill()
        process.wait()
        assert len(workers(home)) >= 2
        run = run_called("killed")
        assert run is not None
        stop_after_crash(flow=tune, flow_run=run, state=Crashed())
    assert not workers(home)

    # The crash did not end the tuning job; a cancel does.
    stop_on_cancellation(flow=tune, flow_run=run, state=Cancelling())
    state = tune(local_spec("killed", ENDLESS), str(home), return_state=True)
    result = state.result()
    assert result.status is TuningStatus.STOPPED
    assert result.reasons[0].message == "cancelled in Prefect"
    assert len(result.jobs) == 2
