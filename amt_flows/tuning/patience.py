"""When to try a launch again for which the backend had no room."""

from __future__ import annotations

from dataclasses import dataclass

from amt_flows.errors import CapacityUnavailable

FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 60.0


@dataclass
class Patience:
    """``held_up_by``: why there is no room; None when there is. ``until``: not before then is it tried again,
    in seconds since the epoch."""

    held_up_by: str | None = None
    until: float = 0.0
    _delay: float = FIRST_RETRY_SECONDS
    _ends_with_a_job: bool = False

    def refused(self, error: CapacityUnavailable, now: float) -> None:
        self.held_up_by = error.happened
        self._ends_with_a_job = error.look_again_seconds is not None
        self.until = now + self._delay
        self._delay = min(2 * self._delay, error.look_again_seconds or LAST_RETRY_SECONDS)

    def granted(self) -> None:
        self.held_up_by, self._delay = None, FIRST_RETRY_SECONDS

    def a_job_ended(self) -> None:
        """What it waits for may be what that job had."""
        if self._ends_with_a_job:
            self.until = 0.0
