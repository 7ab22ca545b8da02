"""Waking the controllers that wait for something to happen."""

# No pathlib: its import would cost every training job milliseconds.
# ruff: noqa: PTH108, PTH118, PTH120, PTH204, PTH208

from __future__ import annotations

import errno
import math
import os
import time

SECONDS_BETWEEN = 0.02
ABANDONED_SECONDS = 60.0


class Bell:
    """Each waiting controller has a FIFO in the tuning job's ``wake`` directory; ringing puts a byte in each.

    Nothing here raises: a wake-up that gets lost costs the controller half a second.
    """

    def __init__(self, job_directory: str) -> None:
        self._directory = os.path.join(os.path.dirname(os.path.dirname(job_directory)), "wake")
        self._rung_at = -math.inf
        self.due = math.inf

    def soon(self) -> None:
        """Set ``due``, at which to ring, so late that a stream of values doesn't keep a controller busy."""
        self.due = min(self.due, max(time.monotonic(), self._rung_at + SECONDS_BETWEEN))

    def ring(self) -> None:
        self.due, self._rung_at = math.inf, time.monotonic()
        try:
            names = os.listdir(self._directory)
        except OSError:
            return
        for name in names:
            self._ring(os.path.join(self._directory, name))

    def _ring(self, path: str) -> None:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno == errno.ENXIO:
                _remove_if_abandoned(path)
            return
        try:
            os.write(fd, b"!")
        except OSError:
            pass  # it is full: its reader has reason enough to wake up
        finally:
            os.close(fd)


def _remove_if_abandoned(path: str) -> None:
    """Nobody reads this FIFO: its controller died, unless it is just about to open it."""
    try:
        if time.time() - os.path.getmtime(path) > ABANDONED_SECONDS:
            os.unlink(path)
    except OSError:
        return
