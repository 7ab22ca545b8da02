"""What amt-flows itself warns of, in the flow run's log: the rest of it knows no Prefect."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from prefect.context import FlowRunContext
from prefect.logging.handlers import APILogHandler

LOGGER: Final = logging.getLogger("amt_flows")


@contextmanager
def in_the_log_of(flow_run_id: UUID) -> Iterator[None]:
    """Meanwhile what the rest of amt-flows warns of (a match that is only a part of a number, an AWS that
    doesn't answer) stands in the flow run's log in Prefect too. The console has it anyway."""
    if any(isinstance(handler, APILogHandler) for handler in LOGGER.handlers if not _is_ours(handler)):
        yield  # PREFECT_LOGGING_EXTRA_LOGGERS names it
        return
    handler = APILogHandler(logging.WARNING)
    handler.addFilter(_Of(flow_run_id))
    LOGGER.addHandler(handler)
    try:
        yield
    finally:
        # Not closed: that would wait for all that is on its way to the server.
        LOGGER.removeHandler(handler)


class _Of(logging.Filter):
    """What belongs to one flow run: what was said in it, and by threads of which no flow run knows."""

    def __init__(self, flow_run_id: UUID) -> None:
        super().__init__()
        self._flow_run_id = flow_run_id

    def filter(self, record: logging.LogRecord) -> bool:
        around = FlowRunContext.get()
        if around is not None and around.flow_run is not None:
            return around.flow_run.id == self._flow_run_id
        record.flow_run_id = str(self._flow_run_id)
        return True


def _is_ours(handler: logging.Handler) -> bool:
    return any(isinstance(one, _Of) for one in handler.filters)
