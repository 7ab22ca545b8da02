"""How often a display that renews itself is drawn."""

from __future__ import annotations

import math
import time

from amt_flows.followed import Followed


class Pace:
    """Once in so many seconds, and always at the end."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._drawn_at = -math.inf

    def is_due(self, tuning: Followed) -> bool:
        """Whether to draw; the caller then does."""
        now = time.monotonic()
        due = now - self._drawn_at >= self._seconds or tuning.ledger.finished
        if due:
            self._drawn_at = now
        return due
