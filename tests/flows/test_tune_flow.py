"""The ``tune`` flow on real processes: its result, its end by cancel, signal and kill."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import State, flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import CancelledRun
from prefect.states import Cancelling, Crashed

import amt_flows as amt
from amt_flows.backends.local import early_imports
from amt_flows.backends.places import open_journal
from amt_flows.errors import SpecError, TuningJobFailed
from amt_flows.events import TuningStatus
from amt_flows.flows import load_result, tune
from amt_flows.flows.tuning import artifacts, cancel
from amt_flows.flows.tuning.bar_states import TASK_KEY
from amt_flows.flows.tuning.hooks import stop_after_crash, stop_on_cancellation
from amt_flows.ledger.record import load_ledger
from amt_flows.results import TuningResult
from amt_flows.spec import TuningSpec
from flows.flow_runs import read, run_called, tuning_in_a_process
from flows.local_jobs import ENDLESS, SHORT, eventually, local_spec, workers
from flows.simulated import artifact, flow_run_id, task_runs


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancel, "LOOK_SECONDS", 0.3)


def test_the_result_can_be_had_from_the_server(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "PUBLISH_SECONDS", 0.1)
    state = tune(local_spec(None, SHORT), home=str(home), return_state=True)
    result = state.result()
    run = read(flow_run_id(state))
    assert run.state is not None
    assert run.state.result() == result == load_result(result.name)
    assert run.name == result.name == f"tune-{run.id.hex[-12:]}"
    assert result.status is TuningStatus.COMPLETED
    assert len(result.jobs) == 4
    assert result.best is not None
    assert not workers(home)
    # Published several times, and renewed in place each time.
    assert artifact("progress", result.name).data == 100


def test_a_bad_spec_is_told_in_our_words_before_anything_runs(home: Path) -> None:
    bad = {**local_spec("bad", SHORT).to_json(), "limits": {"max_parallel_training_jobs": 0}}
    state = tune(bad, home=str(home), return_state=True)
    run = read(flow_run_id(state))
    assert run.state is not None
    assert run.state.is_failed()
    assert "limits.max_parallel_training_jobs: must be at least 1 (given: 0)" in str(run.state.message)
    with pytest.raises(SpecError) as raised:
        run.state.result()
    assert [problem.field for problem in raised.value.problems] == ["limits.max_parallel_training_jobs"]
    assert not home.exists()


def test_the_error_of_a_failed_tuning_can_be_had_from_the_server(home: Path) -> None:
    state = tune(local_spec("fails", "echo broken >&2; exit 3", jobs=9), home=str(home), return_state=True)
    run = read(flow_run_id(state))
    assert run.state is not None
    with pytest.raises(TuningJobFailed) as raised:
        run.state.result()
    assert isinstance(raised.value.result, TuningResult)
    assert raised.value.result.status is TuningStatus.FAILED
    assert len(raised.value.result.jobs) >= 5


@contextmanager
def tuning_in_a_thread(tuning_flow: Callable[..., Any], name: str, home: Path) -> Iterator[list[State[Any]]]:
    """A flow run as a script would have it, with its final state at the end."""
    states: list[State[Any]] = []

    def run() -> None:
        states.append(tuning_flow(local_spec(name, ENDLESS), home=str(home), return_state=True))

    thread = threading.Thread(target=run)
    thread.start()
    yield states
    thread.join(30)


def test_cancel_stops_the_training_jobs_and_ends_cancelled(home: Path) -> None:
    with tuning_in_a_thread(tune, "cancelled", home) as states:
        assert eventually(lambda: len(workers(home)) >= 2)
        run = run_called("cancelled")
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(run.id, Cancelling())
    (state,) = states
    assert state.is_cancelled()
    end = read(run.id).state
    assert end is not None
    assert end.is_cancelled()
    assert "cancelled in Prefect" in str(end.message)
    assert eventually(lambda: not workers(home))
    result = load_result("cancelled")
    assert result.status is TuningStatus.STOPPED
    assert {job.outcome for job in result.jobs} == {"stopped with the tuning job"}
    with pytest.raises(CancelledRun):
        state.result()


@flow(persist_result=False)
def pipeline(spec: TuningSpec, home: str) -> str:
    result = tune(spec, home=home)
    return f"deployed {result.name}"


def test_cancel_of_the_pipeline_is_a_cancel_of_its_tuning(home: Path) -> None:
    with tuning_in_a_thread(pipeline, "step", home) as states:
        assert eventually(lambda: len(workers(home)) >= 2)
        step = run_called("step")
        with get_client(sync_client=True) as client:
            (above,) = [run_id for run_id in cancel.lineage(client, step) if run_id != step.id]
            client.set_flow_run_state(above, Cancelling())
    end = read(step.id).state
    assert end is not None
    assert end.is_cancelled()
    assert not states[0].is_completed()
    assert eventually(lambda: not workers(home))


def test_sigterm_stops_the_training_jobs_and_ends_cancelled(home: Path) -> None:
    with tuning_in_a_process("terminated", home) as process:
        process.send_signal(signal.SIGTERM)
        process.wait(120)
    assert eventually(lambda: not workers(home))
    run = run_called("terminated")
    assert run.state is not None
    assert run.state.is_cancelled()
    assert "SIGTERM" in str(run.state.message)
    assert load_result("terminated").status is TuningStatus.STOPPED


def test_what_a_killed_flow_left_is_stopped_by_the_hooks(home: Path) -> None:
    with tuning_in_a_process("killed", home) as process:
        process.kill()
        process.wait()
        assert len(workers(home)) >= 2
        run = run_called("killed")
        stop_after_crash(flow=tune, flow_run=run, state=Crashed())
    assert not workers(home)
    # A crash does not end the tuning job: a retry may take it up. A cancel does.
    assert not load_ledger(open_journal("killed", home), "killed").concluding

    stop_on_cancellation(flow=tune, flow_run=run, state=Cancelling())
    ledger = load_ledger(open_journal("killed", home), "killed")
    assert ledger.status is TuningStatus.STOPPED
    assert ledger.reasons[0].message == "cancelled in Prefect"
    assert len(ledger.ended) == len(ledger.jobs) == 2
    assert eventually(lambda: not open_bars(run.id)), "its graph shows training jobs that run for ever"


def open_bars(run: UUID) -> list[str]:
    """The training jobs that the graph of a flow run shows as running, or not at all."""
    bars = [bar for bar in task_runs(run, 0) if bar.task_key == TASK_KEY]
    return [bar.name for bar in bars if bar.state is None or not bar.state.is_final()]


def test_a_run_that_was_cancelled_before_it_began_leaves_the_hooks_nothing_to_do(home: Path) -> None:
    run = FlowRun(flow_id=uuid4(), parameters={"spec": {"objective": {}}, "home": str(home)})
    stop_on_cancellation(flow=tune, flow_run=run, state=Cancelling())
    stop_after_crash(flow=tune, flow_run=run, state=Crashed())
    assert not home.exists()


def test_it_is_called_with_a_function_and_shows_the_spec_that_this_makes(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[bool] = []

    def taken(*wanted: Any, usual: Callable[..., object] = early_imports.taken) -> object:
        process = usual(*wanted)
        begun.append(process is not None)
        return process

    monkeypatch.setattr(early_imports, "taken", taken)

    def halved(depth: int) -> float:
        return depth / 2

    space = {"depth": amt.Integer(1, 3)}
    state = tune(
        halved, space, maximize="accuracy", jobs=2, parallel=2, seed=1, home=str(home), return_state=True
    )
    result = state.result()
    assert begun == [sys.platform == "linux"], "what the jobs import was begun before the flow run"
    shown = read(flow_run_id(state)).parameters["spec"]
    spec = amt.spec_of(halved, space, maximize="accuracy", jobs=2, parallel=2, seed=1, home=home)
    assert TuningSpec(**shown) == spec
    assert result.best is not None
    assert result.best.objective_value == max(float(one.hyperparameters["depth"]) / 2 for one in result.jobs)
    with pytest.raises(SpecError, match=r"write `jobs`"):
        tune(halved, space, maximize="accuracy", n_jobs_total=2, job=2)  # type: ignore[call-overload]
    with pytest.raises(SpecError, match="can't travel to SageMaker"):
        tune(halved, space, maximize="accuracy", jobs=2, backend="sagemaker")
