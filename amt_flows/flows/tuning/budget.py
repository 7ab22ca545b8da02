"""How much of a tuning job becomes task runs.

A Prefect server on SQLite records some 14 states of task runs a second and silently drops what is queued
beyond 10,000 messages, so a stage or a training job is shown as a task run only while the server can keep
up. What is decided is in the journal either way: over budget, the same stage runs in plain Python.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

PER_JOB = 5
PER_SECOND = 2.0
BURST = 20
STATES_OF_A_STAGE: Final = 3
"""What the server records of one: Pending, Running, Completed. A training job's bar has one or two."""
MOST_BARS: Final = 1000
"""With the stages some 1,500 in all, which the older of Prefect's UIs draws in 20 s. Of 2,250 and more it
drew nothing within two minutes (docs/figures.md)."""


def most_stages(jobs: int) -> int:
    """Of so many training jobs, whatever there was time for: some 530 of 1,000, 560 of 10,000. It grows
    without end, so that there is always one to come."""
    return round(450 + 12 * math.log(max(jobs, 1)))


class TaskRunBudget:
    """At most ``per_job`` task runs for each training job that is looked after, and ``per_second`` on
    average over any time but a ``burst``: half of it for the stages, half for the training jobs' bars, and
    what one half leaves unused is the other's.

    A stage that decided nothing gets one only if there is plenty: half of what stages may have in a burst is
    left, and there were fewer of its kind than training jobs. The others need at most three a job (a
    proposal, a launch, an early stop) and a bar, so these never crowd them out.
    """

    def __init__(
        self,
        per_job: int = PER_JOB,
        per_second: float = PER_SECOND,
        burst: int = BURST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_job = per_job
        self._states_per_second = STATES_OF_A_STAGE * per_second
        self._half = STATES_OF_A_STAGE * burst / 2
        self._clock = clock
        # In states that the server has to record.
        self._for_stages = self._for_bars = self._half
        self._filled_at = clock()
        self._uneventful = 0
        self.has_bars = False
        """Whether each training job is to be a task run too."""
        self.stages: Counter[str] = Counter()
        """Stages that became task runs, by their kind."""
        self.beyond: Counter[str] = Counter()
        """Stages that ran in plain Python, by their kind."""
        self.bars = 0
        """Training jobs that became task runs."""

    @property
    def started(self) -> int:
        """Task runs in all."""
        return self.stages.total() + self.bars

    @property
    def inline(self) -> int:
        """Stages that ran in plain Python."""
        return self.beyond.total()

    def admit(self, jobs: int, *, decides: bool, kind: str = "", leaves: int = 0, ends: bool = False) -> bool:
        """Whether the next stage becomes a task run; it is counted either way. ``jobs`` is the number of
        training jobs looked after so far. A stage that may go without leaves room for some others; for one
        that ``ends`` the tuning job it does not matter how many there were in all."""
        self._refill()
        # Of the training jobs' bars also those that are yet to be told.
        bars = max(self.bars, jobs) if self.has_bars else self.bars
        most = self._per_job * max(jobs, 1) - bars
        most = most if ends else min(most, most_stages(jobs))
        room = self.stages.total() < most and self._for_stages >= STATES_OF_A_STAGE * (1 + leaves)
        if not decides:
            plenty = self._for_stages >= self._half / 2
            room = room and plenty and self._uneventful < jobs
        if not room:
            self.beyond[kind] += 1
            return False
        self._for_stages -= STATES_OF_A_STAGE
        self.stages[kind] += 1
        self._uneventful += not decides
        return True

    def bar_states(self) -> int:
        """How many states of training jobs may be told right now."""
        self._refill()
        return int(self._for_bars)

    def tell(self, *, states: int, bars: int) -> None:
        """So many states of training jobs are told, ``bars`` of them the first of their job."""
        self._for_bars = max(0.0, self._for_bars - states)
        self.bars += bars

    def _refill(self) -> None:
        now = self._clock()
        gained = (now - self._filled_at) * self._states_per_second
        self._filled_at = now
        to_stages = min(gained / 2, self._half - self._for_stages)
        to_bars = min(gained - to_stages, self._half - self._for_bars)
        self._for_bars += to_bars
        self._for_stages = min(self._half, self._for_stages + gained - to_bars)
