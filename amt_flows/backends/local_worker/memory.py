"""How much memory a training job uses, where the system tells (Linux)."""

# No pathlib: its import would cost every training job milliseconds.
# ruff: noqa: PTH123

from __future__ import annotations

import os
import time

from amt_flows.backends.local_worker.endings import children_of

GB = 1_000_000_000
LOOK_SECONDS = 0.5


class Memory:
    """The limit of a training job's processes together; ``limit_gb`` None: there is none."""

    def __init__(self, limit_gb: float | None) -> None:
        self.limit_gb = limit_gb
        self.seen_gb = 0.0
        self.due = time.monotonic() if limit_gb else float("inf")
        """When to look again, by the monotonic clock."""

    def is_exceeded(self) -> bool:
        """Whether what we started, and what that started, uses more now."""
        if self.limit_gb is None or time.monotonic() < self.due:
            return False
        self.due = time.monotonic() + LOOK_SECONDS
        below = _descendants(os.getpid())
        # Pages that several share count for each of them here, so this is too much rather than too little...
        if sum(map(_resident, below)) <= self.limit_gb * GB:
            return False
        # ...and here once, which takes the system longer to find out.
        self.seen_gb = sum(map(_proportional, below)) / GB
        return self.seen_gb > self.limit_gb

    @property
    def failure(self) -> str:
        return (
            f"it used {self.seen_gb:.3g} GB of memory, more than its {self.limit_gb:g} GB "
            "(training_job.resources.memory_gb)"
        )


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children_of(waiting.pop())
        found += below
        waiting += below
    return found


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _proportional(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return _resident(pid)
