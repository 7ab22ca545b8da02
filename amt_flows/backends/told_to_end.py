"""Ctrl-C, SIGTERM and a closed terminal while something runs in the foreground."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ONE_REQUEST_SECONDS = 0.1
"""``timeout`` sends its signal twice at once, to the process and to its group: no second request."""


def hear_requests_to_end(heard: Callable[[int], None]) -> dict[signal.Signals, Any]:
    """Have SIGINT, SIGTERM and SIGHUP, by their numbers, told to ``heard``, in a signal's handler, instead of
    ending by them; under nohup, SIGHUP stays ignored. The handlers that were there before."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        heard(number)

    nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    handled = [number for number in SIGNALS if not (nohup and number == signal.SIGHUP)]
    return {number: signal.signal(number, on_signal) for number in handled}


@contextlib.contextmanager
def requests_to_end(heard: Callable[[int], None]) -> Iterator[None]:
    """The same (:func:`hear_requests_to_end`) for a while. Outside the main thread, where Python delivers no
    signals, nothing is changed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    previous = hear_requests_to_end(heard)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class ToldToEnd:
    """How often we were told to end. A closed terminal is often told twice, so SIGHUP is never a second
    request."""

    def __init__(self) -> None:
        self.times = 0
        self._raises = False
        self._last = -math.inf

    def noting(self) -> contextlib.AbstractContextManager[None]:
        """Note them meanwhile (:func:`requests_to_end`)."""
        return requests_to_end(self._heard)

    @contextlib.contextmanager
    def raising(self) -> Iterator[None]:
        """Meanwhile each of them raises KeyboardInterrupt, as Ctrl-C does in any function."""
        self._raises = True
        try:
            yield
        finally:
            self._raises = False

    def _heard(self, number: int) -> None:
        # It may come at any time, so it takes no lock.
        now = time.monotonic()
        if now - self._last < ONE_REQUEST_SECONDS:
            return
        self._last = now
        if self._raises:
            raise KeyboardInterrupt
        if self.times == 0 or number != signal.SIGHUP:
            self.times += 1
