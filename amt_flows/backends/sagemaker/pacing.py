"""When the next call may go out."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from amt_flows.ports import Clock


class Pace:
    """Turns at intervals of ``seconds``, a third more or less, so that tuning jobs that began together don't
    call together for ever."""

    SPREAD = 0.33

    def __init__(self, clock: Clock, seconds: float, chance: random.Random) -> None:
        self._clock, self._seconds, self._chance = clock, seconds, chance
        self._due: float | None = None
        self._began = -math.inf

    def left(self) -> float:
        """Seconds until the next turn; 0 when it has come."""
        if self._due is None:
            return 0.0
        # A clock that was set back must not put the next turn off by hours.
        longest = self._seconds * (1 + self.SPREAD)
        return min(max(0.0, self._due - self._clock.now()), longest)

    def took_turn(self) -> None:
        spread = self._chance.uniform(1 - self.SPREAD, 1 + self.SPREAD)
        self._began = self._clock.now()
        self._due = self._began + self._seconds * spread

    def is_over(self, share: float, since: float, least: float) -> bool:
        """Whether so much of this turn is over, if it is as short as one can be, and the share ``least`` of
        one ``since`` then: whatever the time before went into, there is progress in each turn. Turns of no
        length are somebody else's to pace, and never over."""
        if self._seconds == 0:
            return False
        now, turn = self._clock.now(), self._seconds * (1 - self.SPREAD)
        return now - self._began >= share * turn and now - since >= least * turn

    def hurry(self) -> None:
        """The next turn is now."""
        self._due = None


def wait_for_turn(pace: Pace, sleep: Callable[[float], None]) -> None:
    """Sleep until it is our turn, and take it."""
    left = pace.left()
    if left > 0:
        sleep(left)
    pace.took_turn()
