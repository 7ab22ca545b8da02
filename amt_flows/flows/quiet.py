"""What a flow run's log need not say: that something has finished well, of which its state says so too."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from uuid import UUID

FINISHED: Final = "Finished in state Completed"
_FLOW_RUNS: Final = "prefect.flow_runs"
_TASK_RUNS: Final = "prefect.task_runs"


@contextmanager
def quiet_task_runs(names: Sequence[str]) -> Iterator[None]:
    """Meanwhile Prefect says it of no task of these names."""
    log = logging.getLogger(_TASK_RUNS)

    def says_something(record: logging.LogRecord) -> bool:
        ours = getattr(record, "task_name", None) in names
        return not (ours and record.getMessage().startswith(FINISHED))

    log.addFilter(says_something)
    try:
        yield
    finally:
        log.removeFilter(says_something)


def quiet_end_of(flow_run_id: UUID) -> None:
    """Prefect does not say it of this flow run when it ends, which is soon."""
    log = logging.getLogger(_FLOW_RUNS)

    def says_something(record: logging.LogRecord) -> bool:
        finished = record.getMessage().startswith("Finished in state")
        if not finished or str(getattr(record, "flow_run_id", None)) != str(flow_run_id):
            return True
        log.removeFilter(says_something)
        return not record.getMessage().startswith(FINISHED)

    log.addFilter(says_something)
