"""How late the simulated service tells what it knows."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Lags:
    """All zero by default: everything is seen at once. A test of a client should also pass with some."""

    log_seconds: float = 0.0
    """From the moment that a line is handed over until CloudWatch Logs shows it."""
    log_batch_seconds: float = 0.0
    """How often the agent on the instances hands over what was printed. AWS's own agents take 5 s; that of
    SageMaker is unknown."""
    empty_log_pages: int = 0
    """GetLogEvents answers so many empty pages, each with a new token, before one with events. Its reference
    says that it may: "This operation can return empty results while there are more log events available"."""
    metric_seconds: float = 0.0
    """From a value's printing until CloudWatch metrics show it."""
    describe_polls: int = 0
    """DescribeTrainingJob answers as it would have this many calls earlier."""
    final_metric_polls: int = 0
    """This many calls of DescribeTrainingJob show an ended job without its final metrics."""
    search_seconds: float = 0.0
    """From a job's creation until Search and ListTrainingJobs find it."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value >= 0:
                raise ValueError(f"{name} must not be negative: {value}")


class Delayed:
    """Hands out what it was given ``polls`` turns ago, or the first if there were not that many."""

    def __init__(self, polls: int) -> None:
        self._kept: deque[dict[str, Any]] = deque(maxlen=polls + 1)

    def swap(self, answer: dict[str, Any]) -> dict[str, Any]:
        self._kept.append(answer)
        return self._kept[0]
