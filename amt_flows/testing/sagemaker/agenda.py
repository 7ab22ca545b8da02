"""What is going to happen in a world, in order of time."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

Action = Callable[[float], None]


class Agenda:
    """Actions with a due time. Each is called with that time, so that what it records has the time at which
    it happened and not the one at which somebody looked.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, int, Action]] = []
        self._numbers = itertools.count()

    def add(self, at: float, action: Action, *, late: bool = False) -> None:
        """``late`` puts an action behind all others of the same time: a job whose last epoch ends on its
        time limit has ended by itself."""
        heapq.heappush(self._heap, (at, int(late), next(self._numbers), action))

    def next_time(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def settle(self, now: float) -> None:
        """Do all that is due by ``now``, and what becomes due through it."""
        while self._heap and self._heap[0][0] <= now + 1e-9:
            at, _, _, action = heapq.heappop(self._heap)
            action(at)

    def clear(self) -> None:
        self._heap.clear()
