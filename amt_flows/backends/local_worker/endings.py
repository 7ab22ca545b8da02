"""Ending what a training job leaves behind."""

# No pathlib: its import would cost every training job milliseconds.
# ruff: noqa: PTH112, PTH208

from __future__ import annotations

import os
import signal
import time

from amt_flows.backends.local_worker.processes import parent_of


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group. Whether there was a process in it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def clear_descendants(seconds: float) -> None:
    """Kill and reap every process that is still below this one, for at most ``seconds``."""
    give_up_at = time.monotonic() + seconds
    while True:
        try:
            reaped, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if reaped == 0:
            if time.monotonic() > give_up_at:
                return
            for child in children_of(os.getpid()):
                try:
                    os.kill(child, signal.SIGKILL)
                except OSError:
                    continue
            time.sleep(0.002)


def children_of(parent: int) -> list[int]:
    """The processes whose parent is ``parent``; none where there is no ``/proc``."""
    if not os.path.isdir("/proc/self"):
        return []
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and parent_of(int(name)) == parent]
