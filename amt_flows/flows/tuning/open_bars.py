"""The bars that a flow run left open which died: its graph would show their training jobs as running for
ever."""

from __future__ import annotations

import contextlib
import time
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
    TaskRunFilter,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import StateType, TaskRun
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from amt_flows.flows.api import TIMEOUT_SECONDS
from amt_flows.flows.tuning.bar_states import TASK_KEY, BarState, ended, unfollowed
from amt_flows.flows.tuning.bars import put
from amt_flows.ledger.ledger import Ledger

PAGE = 200


def close_bars(flow_run_id: UUID, ledger: Ledger | None) -> None:
    """End the bars of a dead flow run, and of those that it called, as the ledger knows of their training
    jobs: how they ended, or that nobody follows them here any more.

    Never raises, and doesn't wait for a server that is away: there are training jobs to be stopped.
    """
    if ledger is None:
        return
    with (
        contextlib.suppress(Exception),
        temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
        get_client(sync_client=True, httpx_settings={"timeout": TIMEOUT_SECONDS}) as client,
    ):
        called = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[flow_run_id]))
        for run_id in (flow_run_id, *(run.id for run in client.read_flow_runs(flow_run_filter=called))):
            states = [
                _end(ledger, run_id, bar)
                for bar in _running(client, run_id)
                if bar.task_key == TASK_KEY and bar.dynamic_key in ledger.jobs
            ]
            if states:
                put(client, states)


def _running(client: SyncPrefectClient, flow_run_id: UUID) -> list[TaskRun]:
    return client.read_task_runs(
        flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id])),
        task_run_filter=TaskRunFilter.model_validate(
            {"state": {"type": TaskRunFilterStateType(any_=[StateType.RUNNING])}}
        ),
        limit=PAGE,
    )


def _end(ledger: Ledger, flow_run_id: UUID, bar: TaskRun) -> BarState:
    job = ledger.jobs[bar.dynamic_key]
    return unfollowed(ledger, job, flow_run_id, time.time()) if job.live else ended(ledger, job, flow_run_id)
