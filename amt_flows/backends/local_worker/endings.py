"""Ending what a training job leaves behind."""

# No pathlib: its import would cost every training job milliseconds.
# ruff: noqa: PTH110, PTH123, PTH208

from __future__ import annotations

import os
import signal
import time

from amt_flows.backends.local_worker.processes import parent_of

PAUSE_SECONDS = 0.001


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group. Whether there was a process in it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def clear_descendants(seconds: float, spared: int = 0) -> None:
    """Kill and reap every process that is still below this one, for at most ``seconds``; but for the child
    ``spared``."""
    give_up_at = time.monotonic() + seconds
    # Twice: one that ends while the system makes the list may hide the next one in it.
    while left := _children_but(spared) or _children_but(spared):
        for child in left:
            try:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, os.WNOHANG)
            except OSError:
                continue
        if time.monotonic() > give_up_at:
            return
        if _children_but(spared):
            time.sleep(PAUSE_SECONDS)


def _children_but(spared: int) -> list[int]:
    return [child for child in children_of(os.getpid()) if child != spared]


def children_of(parent: int) -> list[int]:
    """The processes whose parent is ``parent``; none where there is no ``/proc``."""
    if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        return _children_by_their_own_word(parent)  # a kernel may have been built without these lists
    found: list[int] = []
    for thread in _listed(f"/proc/{parent}/task"):
        try:
            with open(f"/proc/{parent}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
        except OSError:
            continue  # the thread has ended
    return found


def _children_by_their_own_word(parent: int) -> list[int]:
    numbers = (int(name) for name in _listed("/proc") if name.isdigit())
    return [number for number in numbers if parent_of(number) == parent]


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
