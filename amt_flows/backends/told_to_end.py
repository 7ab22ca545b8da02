"""Ctrl-C, SIGTERM and a closed terminal while something runs in the foreground."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ONE_REQUEST_SECONDS = 0.1
"""``timeout`` sends its signal twice at once, to the process and to its group: no second request."""


class ToldToEnd:
    """How often we were told to end. A closed terminal is often told twice, so SIGHUP is never a second
    request."""

    def __init__(self) -> None:
        self.times = 0
        self._raises = False
        self._last = -math.inf

    @contextlib.contextmanager
    def noting(self) -> Iterator[None]:
        """Note SIGINT, SIGTERM and SIGHUP instead of ending by them; under nohup, SIGHUP stays ignored.
        Outside the main thread, where Python delivers no signals, nothing is changed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        handled = [number for number in SIGNALS if not (nohup and number == signal.SIGHUP)]
        previous = {number: signal.signal(number, self._on_signal) for number in handled}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def raising(self) -> Iterator[None]:
        """Meanwhile each of them raises KeyboardInterrupt, as Ctrl-C does in any function."""
        self._raises = True
        try:
            yield
        finally:
            self._raises = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # It may come at any time, so it takes no lock.
        now = time.monotonic()
        if now - self._last < ONE_REQUEST_SECONDS:
            return
        self._last = now
        if self._raises:
            raise KeyboardInterrupt
        if self.times == 0 or number != signal.SIGHUP:
            self.times += 1
