"""Flow runs: how the server, a runner and people bring them about, and what the server tells of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import Flow, State
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterName,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import Pause, PrefectHTTPStatusError
from prefect.flow_engine import run_flow
from prefect.settings import get_current_settings
from prefect.states import Scheduled

from amt_flows.flows.promotion.outcome import Outcome
from flows import ready_processes
from flows.local_jobs import ENDLESS, eventually, local_spec, workers
from flows.ready_processes import Forked


def read(run_id: UUID) -> FlowRun:
    """A flow run as the server tells of it to anybody."""
    with get_client(sync_client=True) as client:
        return client.read_flow_run(run_id)


def state_of(run_id: UUID) -> str:
    state = read(run_id).state
    return "" if state is None else state.name or ""


def outcome_of(run_id: UUID) -> Outcome:
    """What came of a run of a pipeline. The server gives it to anybody who asks."""
    state = read(run_id).state
    assert state is not None
    found = state.result()
    assert isinstance(found, Outcome)
    return found


def run_called(name: str) -> FlowRun:
    """The last flow run of this name."""
    named = FlowRunFilter(name=FlowRunFilterName(any_=[name]))
    with get_client(sync_client=True) as client:
        (run,) = client.read_flow_runs(
            flow_run_filter=named, sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=1
        )
    return run


def deployed_run(of: Flow[..., Any], **parameters: Any) -> UUID:
    """A flow run of a deployment, as a schedule or the UI makes it."""
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(client.create_flow(of), name="test")
        return client.create_flow_run_from_deployment(deployment, parameters=parameters).id


def scheduled_runs(deployment: UUID, amount: int) -> list[UUID]:
    """Runs that the server makes of the schedules of a deployment that are switched on, as its scheduler does
    which looks each minute; they are due at once."""
    with get_client(sync_client=True) as client:
        client._client.post(f"/deployments/{deployment}/schedule", json={"min_runs": amount})
        which = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
        made = [run.id for run in client.read_flow_runs(deployment_filter=which) if run.auto_scheduled]
        for run in made[:amount]:
            client.set_flow_run_state(run, Scheduled(), force=True)
    assert len(made) >= amount
    return made[:amount]


def started(of: Flow[..., Any], run_id: UUID) -> State[Any]:
    """What a runner's process does with a flow run, here. Returns how it ends."""
    run = read(run_id)
    try:
        state = run_flow(of, flow_run=run, parameters=run.parameters, return_type="state")
    except Pause as paused:  # with which a process ends that has suspended its flow run
        state = paused.state
    assert isinstance(state, State)
    return state


def respond(run: FlowRun, **given: str) -> bool:
    """Answer as the UI does; False if it is not taken."""
    with get_client(sync_client=True) as client:
        return client.resume_flow_run(run.id, run_input=given).status.value == "ACCEPT"


def newest_paused(name: str, below: UUID | None = None) -> FlowRun | None:
    """The paused run of a flow; that of a sub-flow of the flow run ``below``."""
    flows = FlowFilter(name=FlowFilterName(any_=[name]))
    paused = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED])),
        parent_flow_run_id=None if below is None else FlowRunFilterParentFlowRunId(any_=[below]),
    )
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(flow_filter=flows, flow_run_filter=paused)
    return found[0] if found else None


def answerable(name: str, below: UUID | None = None, after: FlowRun | None = None) -> FlowRun:
    """The paused run of a flow, once its form is there: that is saved after the state. ``after``: not as it
    was then, but when it has asked anew."""
    found: list[FlowRun] = []

    def has_its_form() -> bool:
        run = newest_paused(name, below)
        keys = run.state.state_details.run_input_keyset if run and run.state else None
        if run is None or keys is None or (after is not None and run.state_id == after.state_id):
            return False
        try:
            with get_client(sync_client=True) as client:
                for key in ("schema", "description"):
                    client.read_flow_run_input(run.id, keys[key])
        except PrefectHTTPStatusError:
            return False
        found.append(run)
        return True

    assert eventually(has_its_form)
    return found[-1]


@contextmanager
def in_a_thread(call: Callable[[], Any]) -> Iterator[list[Any]]:
    """A flow as a script would run it; its answer is there after the block."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    yield answers
    thread.join(180)
    assert not thread.is_alive()


@contextmanager
def tuning_in_a_process(name: str, home: Path, training: str = ENDLESS) -> Iterator[Forked]:
    """A script that runs the flow ``tune``, started once two training jobs live."""
    spec = json.dumps(local_spec(name, training).to_json())
    script = f"from amt_flows.flows import tune\ntune({spec}, home={str(home)!r})"
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    process = ready_processes.start(script, {**settings, "PATH": "/usr/bin:/bin"})
    try:
        assert eventually(lambda: len(workers(home)) >= 2)
        yield process
    finally:
        process.kill()
        process.wait()
