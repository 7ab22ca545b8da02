"""Ctrl-C and SIGTERM while a tuning job runs: first a graceful stop, then a hard one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from amt_flows.errors import TuningInterrupted
from amt_flows.followed import Followed


@contextmanager
def graceful_interrupts(tuning: Followed) -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into a request to stop the tuning job as AMT does: running jobs are
    stopped, the best so far is kept, the result is published. The second one ends the wait:
    TuningInterrupted is raised, and whoever drives kills what still runs. Outside the main thread, where
    Python delivers no signals, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise TuningInterrupted(
                "Interrupted a second time: running training jobs were killed.",
                remedy="run the same tuning job again to go on from its record",
            )
        asked = True
        tuning.request_stop(f"stopped by {signal.Signals(number).name}")

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
