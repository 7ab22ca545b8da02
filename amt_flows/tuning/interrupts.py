"""Ctrl-C, SIGTERM and a closed terminal while a tuning job runs: first a graceful stop, then a hard one."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from amt_flows.backends.told_to_end import ONE_REQUEST_SECONDS, requests_to_end
from amt_flows.errors import AmtFlowsError, Fenced, TuningInterrupted
from amt_flows.ledger.running_tuning_job import RunningTuningJob
from amt_flows.tuning.engine import Tuning

logger = logging.getLogger("amt_flows")

UNWINDING_SECONDS = 5.0
"""For so long after the one that ends the wait no further one is heard."""


class InterruptedAgain(KeyboardInterrupt):
    """A second Ctrl-C, on its way out of whatever it met. No Exception: a library that takes any for trouble
    that passes, as botocore does in the middle of a call, would swallow it."""


@contextmanager
def graceful_interrupts(
    tuning: RunningTuningJob, on_first: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Turn the first SIGINT, SIGTERM or SIGHUP (the terminal was closed) into a request to stop the tuning
    job as AMT does: running jobs are stopped, the best so far is kept, the result is published. The second
    one ends the wait: InterruptedAgain is raised where the program is, and TuningInterrupted from here;
    whoever drives kills what still runs, which no further one interrupts for five seconds. ``on_first`` is
    called in the handler of the first one. A closed terminal is often told twice, so SIGHUP is never a second
    one; under nohup it is none. Outside the main thread, where Python delivers no signals, nothing changes.
    """
    asked, raised, deaf_until = False, 0, 0.0
    terminals = [fd for fd in range(3) if os.isatty(fd)]

    def heard(number: int) -> None:
        nonlocal asked, raised, deaf_until
        if number == signal.SIGHUP:
            _write_nowhere(terminals)
        if not asked:
            asked, deaf_until = True, time.monotonic() + ONE_REQUEST_SECONDS
            tuning.request_stop(f"stopped by {signal.Signals(number).name}")
            on_first()
        elif number != signal.SIGHUP and time.monotonic() >= deaf_until:
            raised, deaf_until = raised + 1, time.monotonic() + UNWINDING_SECONDS
            raise InterruptedAgain

    with requests_to_end(heard):
        try:
            yield
        except InterruptedAgain:
            raise _interrupted(raised) from None


def _interrupted(times: int) -> TuningInterrupted:
    if times == 1:
        return TuningInterrupted(
            "Interrupted a second time: running training jobs were killed.",
            remedy="run the same tuning job again to go on from its record",
        )
    return TuningInterrupted(
        "Interrupted while running training jobs were being killed: some may still run.",
        remedy="`amt-flows stop NAME --kill` ends them; the same tuning job, run again, goes on",
    )


def _write_nowhere(terminals: list[int]) -> None:
    """A terminal that was closed takes no output, and the first line of progress would end us."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_RDWR)
        for fd in terminals:
            os.dup2(nowhere, fd)
        os.close(nowhere)


class stop_jobs_on_breakdown:  # noqa: N801 - reads as a phrase in a with statement
    """Leave no training job running behind an error that ends the loop (a full disk, say, or a second
    Ctrl-C). Only a fenced controller leaves them alone: they belong to its successor."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        tuning = self._tuning
        if error is None or isinstance(error, Fenced | GeneratorExit) or tuning.is_fenced:
            return
        kill = not isinstance(error, AmtFlowsError)
        # Straight to the backend: the journal may be what broke.
        try:
            tuning.backend.stop(tuning.ledger.name, tuning.job_names_that_may_live(), kill=kill)
        except AmtFlowsError as unstopped:
            # What broke first is what is to be told.
            logger.error("Training jobs may still run. %s", unstopped)
