"""The agent on the instances that hands a container's output to CloudWatch Logs: in batches, not by line.

What a batch may have is PutLogEvents' reference
(https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html): 1 MiB, reckoned
as the messages in UTF-8 and 26 bytes for each, and 10,000 events, in the order of their times. That an agent
waits for some seconds is how CloudWatch's own (``buffer_duration``, 5 s) and Docker's driver (``awslogs``,
5 s) work; which one SageMaker has, nobody says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

BATCH_BYTES: Final = 1024 * 1024
BYTES_OF_AN_EVENT: Final = 26
"""Beside those of its message."""
BATCH_EVENTS: Final = 10_000

Event = tuple[float, str]
"""When it was printed, in seconds since the epoch, and its message."""


@dataclass(eq=False)
class LogAgent:
    """Of one log stream. ``put`` is one call of PutLogEvents, at a time; ``later`` has something done at a
    time. It looks every ``seconds`` from ``began`` on, or at once where that is 0."""

    put: Callable[[Sequence[Event], float], None]
    later: Callable[[float, Callable[[float], None]], None]
    began: float
    seconds: float
    _gathered: list[Event] = field(default_factory=list)

    def take(self, events: Sequence[Event], at: float) -> None:
        """What was printed by ``at``. What fills a batch goes at once, the rest when it is time to."""
        waits = bool(self._gathered)
        self._gathered += events
        if self.seconds <= 0:
            self._hand_over(at)
            return
        *full, rest = batches(self._gathered)
        self._gathered = list(rest)
        for batch in full:
            self.put(batch, at)
        if not waits:
            rounds = (at - self.began) // self.seconds + 1
            self.later(self.began + rounds * self.seconds, self._hand_over)

    def _hand_over(self, at: float) -> None:
        gathered, self._gathered = self._gathered, []
        for batch in batches(gathered):
            self.put(batch, at)


def batches(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    """Events in as few calls of PutLogEvents as take them; the last one may still have room."""
    batch: list[Event] = []
    size = 0
    for at, message in events:
        more = len(message.encode("utf-8", "replace")) + BYTES_OF_AN_EVENT
        if batch and (size + more > BATCH_BYTES or len(batch) == BATCH_EVENTS):
            yield batch
            batch, size = [], 0
        batch.append((at, message))
        size += more
    if batch:
        yield batch
