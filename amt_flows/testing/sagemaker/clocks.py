"""Clocks that a world can run on, beside :class:`amt_flows.backends.simulated.VirtualClock`."""

from __future__ import annotations

import time
from datetime import datetime, timezone


class AcceleratedClock:
    """The real time, ``speed`` times as fast from now on: with 60, a second lasts a minute in the world."""

    def __init__(self, speed: float = 1.0) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be above 0, not {speed}")
        self.speed = speed
        self._wall = time.time()
        self._began = time.monotonic()

    def now(self) -> float:
        return self._wall + (time.monotonic() - self._began) * self.speed


def naive(seconds: float) -> datetime:
    """Seconds since the epoch as moto wants times: UTC without saying so. Milliseconds, as the service."""
    exact = datetime.fromtimestamp(round(seconds, 3), tz=timezone.utc)
    return exact.replace(tzinfo=None)
