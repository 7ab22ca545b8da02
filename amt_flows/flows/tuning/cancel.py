"""Cancel, seen from inside the flow.

Prefect tells a flow that runs in a script nothing when it is cancelled: it stays Cancelling and runs on. So
the loop looks at its own flow run now and then, and at the flow runs that called it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar, cast
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import CancelledRun, ObjectNotFound
from prefect.states import Cancelled

from amt_flows.errors import TuningInterrupted
from amt_flows.flows.api import Api, Recurrence
from amt_flows.ledger.running_tuning_job import RunningTuningJob

LOOK_SECONDS = 3.0
WHO_SECONDS = 3.0
REASON = "cancelled in Prefect"

T = TypeVar("T")


def or_cancelled(run: Callable[[], T]) -> T:
    """What ``run`` returns, for a flow to return; and a state if it was cancelled, or its process was told to
    end: only a returned state makes the server show a flow run as Cancelled, an exception would fail it."""
    try:
        return run()
    except (CancelledRun, TuningInterrupted) as stopped:
        return cast(T, Cancelled(message=str(stopped)))


class CancelWatch:
    """Asks the tuning job to stop once the flow run, or one that called it, is cancelled."""

    def __init__(self, api: Api, flow_run: FlowRun, again: Recurrence | None = None) -> None:
        self._api = api
        self._flow_run = flow_run
        self._again = again or Recurrence(LOOK_SECONDS)
        self._watched: list[UUID] | None = None
        self._asked: Future[bool] | None = None
        self._signalled = False
        self.cancelled = False

    def signalled(self) -> None:
        """The process was told to end; by whom, Prefect may know. Safe in a signal handler."""
        self._signalled = True

    def say_who(self, tuning: RunningTuningJob) -> None:
        """If the process was told to end, see whether that is how Prefect cancels: then it is said so, and
        not which signal it was. To be called before the reason is recorded; waits a moment for the
        server."""
        if not self._signalled or self.cancelled:
            return
        self._signalled = False
        try:
            self.cancelled = self._api.soon(self._is_cancelled).result(WHO_SECONDS)
        except Exception:
            return  # then it is not known
        if self.cancelled:
            tuning.request_stop(REASON)

    def look(self, tuning: RunningTuningJob) -> None:
        """Ask the server if it is time to, or act on its answer. Neither waits for it nor minds that it can't
        be reached: the tuning job goes on without it."""
        if self._asked is None:
            if not self.cancelled and self._again.due():
                self._asked = self._api.soon(self._is_cancelled)
        elif self._asked.done():
            answer, self._asked = self._asked, None
            if answer.exception() is not None:
                self._again.failed()
                return
            self._again.done()
            self.cancelled = answer.result()
            if self.cancelled:
                tuning.request_stop(REASON)

    def _is_cancelled(self, client: SyncPrefectClient) -> bool:
        if self._watched is None:
            self._watched = lineage(client, self._flow_run)
        runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=self._watched)))
        states = [run.state for run in runs if run.state is not None]
        return any(state.is_cancelling() or state.is_cancelled() for state in states)


def lineage(client: SyncPrefectClient, flow_run: FlowRun) -> list[UUID]:
    """The ids of a flow run and of those above it: whoever cancels the pipeline means its steps too."""
    ids = [flow_run.id]
    parent_task = flow_run.parent_task_run_id
    try:
        while parent_task is not None:
            parent = client.read_task_run(parent_task).flow_run_id
            if parent is None:
                break
            ids.append(parent)
            parent_task = client.read_flow_run(parent).parent_task_run_id
    except ObjectNotFound:
        pass
    return ids
