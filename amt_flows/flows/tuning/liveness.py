"""Whether a flow run that seems dead is dead, and whether somebody else drives its tuning job.

What Prefect says of a flow run can be wrong in both ways: a run whose machine died stays Running, and after a
while without a server every run looks silent. Its training jobs are stopped on the evidence found here only.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.events.filters import (
    EventFilter,
    EventNameFilter,
    EventOccurredFilter,
    EventOrder,
    EventResourceFilter,
)
from prefect.exceptions import ObjectNotFound

from amt_flows.backends.local.controller import Controller
from amt_flows.flows.tuning.cancel import lineage
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import Journal

HEARTBEAT = "prefect.flow-run.heartbeat"
# Prefect's server keeps events for a week unless told otherwise.
REMEMBERED = timedelta(days=7)


def driver_of(journal: Journal) -> Controller | None:
    """The last controller; None of a tuning job that was not opened. Raises JournalError."""
    ledger = Ledger.replay(journal.read())
    return Controller(ledger.controller) if ledger.opened else None


def is_driven_by(client: SyncPrefectClient, driver: Controller, flow_run: FlowRun) -> bool:
    """Whether it is this flow run that drives, or one that it has called."""
    if driver.flow_run_id is None:
        return False
    try:
        return flow_run.id in lineage(client, client.read_flow_run(driver.flow_run_id))
    except ObjectNotFound:
        return False


def silent_since(client: SyncPrefectClient, flow_run: FlowRun, seconds: float) -> datetime | None:
    """Since when a flow run gives no sign of life: since its end, or its last heartbeat if that is longer ago
    than ``seconds``. None if it gives one, or never sent a heartbeat that could be missed."""
    state = flow_run.state
    if state is None or not (state.is_running() or state.is_cancelling() or state.is_final()):
        return None  # it waits, for its start or for an answer
    if state.is_final():
        return state.timestamp
    last = last_heartbeat(client, flow_run)
    if last is None or datetime.now(timezone.utc) - last < timedelta(seconds=seconds):
        return None
    return last


def last_heartbeat(client: SyncPrefectClient, flow_run: FlowRun) -> datetime | None:
    """When Prefect's server last heard of a flow run that was running."""
    wanted = EventFilter(
        event=EventNameFilter(name=[HEARTBEAT]),
        resource=EventResourceFilter(id=[f"prefect.flow-run.{flow_run.id}"]),
        occurred=EventOccurredFilter.model_validate({"since": datetime.now(timezone.utc) - REMEMBERED}),
        order=EventOrder.DESC,
    )
    found = client.read_events(wanted, limit=1).events
    return found[0].occurred if found else None
