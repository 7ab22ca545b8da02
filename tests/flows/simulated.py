"""Flows around the simulated backend, and questions to the server about what they left there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from prefect import State, flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterKey,
    FlowRunFilter,
    FlowRunFilterId,
)
from prefect.client.schemas.objects import Artifact, TaskRun
from prefect.client.schemas.sorting import TaskRunSort

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.flows import run_tuning
from amt_flows.flows.tuning.budget import TaskRunBudget
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ports import Backend
from amt_flows.results import TuningResult
from amt_flows.spec import TuningSpec
from worlds import rising, spec

PAGE = 200


@dataclass
class World:
    """A simulated backend and a journal that outlive a flow run, and a flow in it."""

    train: Callable[[Mapping[str, str]], Script] = rising
    budget: TaskRunBudget = field(default_factory=TaskRunBudget)
    clock: VirtualClock = field(default_factory=VirtualClock)
    journal: MemoryJournal = field(default_factory=MemoryJournal)

    def __post_init__(self) -> None:
        self.backend = SimulatedBackend(self.clock, self.train)

    def tune(self, tuning_spec: TuningSpec | None = None, backend: Backend | None = None) -> State[Any]:
        """The final state of a flow run that tunes in this world."""
        asked = tuning_spec or spec()

        @flow(name="simulated", persist_result=False)
        def simulated() -> TuningResult:
            return run_tuning(
                asked,
                backend=backend or self.backend.view(),
                journal=self.journal,
                clock=self.clock,
                budget=self.budget,
            )

        state: State[Any] = simulated(return_state=True)
        return state


def flow_run_id(state: State[Any]) -> UUID:
    found = state.state_details.flow_run_id
    assert found is not None
    return found


def task_runs(of: UUID, expected: int, timeout: float = 60.0) -> list[TaskRun]:
    """The recorded task runs of a flow run in the order of their start, once ``expected`` have ended there
    (the recorder lags behind) or the time is up."""
    give_up_at = time.monotonic() + timeout
    while True:
        found = _all_task_runs(of)
        ended = [run for run in found if run.state is not None and run.state.is_final()]
        if len(ended) >= expected or time.monotonic() > give_up_at:
            return found
        time.sleep(0.5)


def _all_task_runs(of: UUID) -> list[TaskRun]:
    found: list[TaskRun] = []
    with get_client(sync_client=True) as client:
        while len(found) % PAGE == 0:
            page = client.read_task_runs(
                flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[of])),
                sort=TaskRunSort.EXPECTED_START_TIME_ASC,
                limit=PAGE,
                offset=len(found),
            )
            found += page
            if not page:
                break
    return found


def artifacts(kind: str, name: str) -> list[Artifact]:
    """All versions of an artifact of a tuning job."""
    with get_client(sync_client=True) as client:
        return client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[f"amt-{kind}-{name}"]))
        )


def artifact(kind: str, name: str) -> Artifact:
    (only,) = artifacts(kind, name)
    return only
