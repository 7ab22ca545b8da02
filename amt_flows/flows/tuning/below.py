"""Flow runs of a work pool below the bars of their training jobs: from the tuning's flow run one click leads
to a training job's run, its log and its infrastructure."""

from __future__ import annotations

from uuid import UUID

from amt_flows.backends.work_pool.engine import WorkPoolEngine
from amt_flows.flows.tuning.bar_states import TAG, TASK_KEY, task_run_id
from amt_flows.ports import Backend


def show_below(backend: Backend, flow_run_id: UUID) -> None:
    """Of a backend that makes flow runs; with any other nothing is done."""
    engine = getattr(backend, "engine", None)
    if not isinstance(engine, WorkPoolEngine):
        return

    def bar_of(training_job: str) -> dict[str, object]:
        return {
            "id": str(task_run_id(flow_run_id, training_job)),
            "flow_run_id": str(flow_run_id),
            "task_key": TASK_KEY,
            "dynamic_key": training_job,
            "name": training_job,
            "tags": [TAG],
            "state": {"type": "PENDING"},
        }

    engine.bar_of = bar_of
