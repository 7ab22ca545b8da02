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
        self.moment: float | None = None
        """While things happen, the time at which they do."""

    def add(self, at: float, action: Action, *, late: bool = False) -> None:
        """``late`` puts an action behind all others of the same time: a job whose last epoch ends on its
        time limit has ended by itself."""
        heapq.heappush(self._heap, (at, int(late), next(self._numbers), action))

    def next_time(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def settle(self, now: float, watch: Callable[[], None] = lambda: None) -> None:
        """Do all that is due by ``now``, and what becomes due through it.

        ``watch`` is called at every time at which something was done, when all of it was, and at ``now`` in
        any case. What is asked to settle meanwhile is being settled already.
        """
        if self.moment is not None:
            return
        try:
            while True:
                while self._is_due(now):
                    self.moment = at = self._heap[0][0]
                    while self._is_due(at):
                        _, _, _, action = heapq.heappop(self._heap)
                        action(at)
                    watch()
                self.moment = now
                watch()
                if not self._is_due(now):
                    return
        finally:
            self.moment = None

    def _is_due(self, now: float) -> bool:
        return bool(self._heap) and self._heap[0][0] <= now + 1e-9

    def clear(self) -> None:
        self._heap.clear()
