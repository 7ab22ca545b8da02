"""How many of the loop's stages become task runs.

A Prefect server on SQLite records some 14 task runs a second and silently drops what is queued beyond 10,000
messages, so a stage is shown as a task run only while the server can keep up. What is decided is in the
journal either way: over budget, the same stage runs in plain Python.
"""

from __future__ import annotations

import time
from collections.abc import Callable

PER_JOB = 5
PER_SECOND = 2.0
BURST = 20


class TaskRunBudget:
    """At most ``per_job`` task runs for each training job that is looked after, and ``per_second`` on
    average over any time but a ``burst``.

    A stage that decided nothing gets one only if there is plenty: half of the burst is left, and there
    were fewer of its kind than training jobs. The others need at most four a job (a proposal, a launch, an
    early stop, a completion check), so these never crowd them out.
    """

    def __init__(
        self,
        per_job: int = PER_JOB,
        per_second: float = PER_SECOND,
        burst: int = BURST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_job, self._per_second, self._burst = per_job, per_second, burst
        self._clock = clock
        self._tokens = float(burst)
        self._filled_at = clock()
        self._uneventful = 0
        self.started = 0
        """Stages that became task runs."""
        self.inline = 0
        """Stages that ran in plain Python."""

    def admit(self, jobs: int, *, decides: bool) -> bool:
        """Whether the next stage becomes a task run; it is counted either way. ``jobs`` is the number of
        training jobs looked after so far."""
        self._refill()
        room = self.started < self._per_job * max(jobs, 1) and self._tokens >= 1
        if not decides:
            room = room and self._tokens >= self._burst / 2 and self._uneventful < jobs
        if not room:
            self.inline += 1
            return False
        self._tokens -= 1
        self.started += 1
        self._uneventful += not decides
        return True

    def _refill(self) -> None:
        now = self._clock()
        gained = (now - self._filled_at) * self._per_second
        self._tokens = min(float(self._burst), self._tokens + gained)
        self._filled_at = now
