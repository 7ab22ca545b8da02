"""The worker's own parent: it ends what a worker leaves behind that was killed, or that stands still.

A killed worker can't end its training, and nobody else might look for hours. Its parent gets all that it had
started (Linux: it adopts orphans), whatever session or environment that is in; elsewhere it knows the process
group. The worker tells it by the lifeline, a pipe, which group that is, and again and again that it is at
work: one that can't tell for as long as its lease lasts can't renew that either (a machine that shares the
directory may take its job over then), so it is ended.
"""

# ruff: noqa: PTH112

from __future__ import annotations

import os

from amt_flows.backends.local_worker.lease import USUAL_SECONDS
from amt_flows.backends.local_worker.start import adopt_orphans, heed_no_request_to_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SIGKILL = 9
CLEAR_SECONDS = 60.0
EXIT_KILLED = 70
LOOK_SECONDS = 1.0


def guarded(work: Callable[[int], int], parent: int = 0) -> int:
    """Do the work of a worker in a child, which gets the writing end of its lifeline, and see to its end. The
    exit status of the work; 70 if it was killed. ``parent``: the number of the process that we were started
    by, where the worker is to end with it."""
    adopt_orphans()
    lifeline, writer = os.pipe()
    worker = os.fork()
    if worker == 0:
        os.close(lifeline)
        return work(writer)
    os.close(writer)
    return see_to_its_end(worker, lifeline, parent)


def see_to_its_end(worker: int, lifeline: int, parent: int = 0) -> int:
    """Wait for the end of our child, the worker, and end all that it leaves behind. Its exit status; 70 if it
    was killed."""
    heed_no_request_to_end()
    group = _accompany(worker, lifeline, parent)
    _, status = os.waitpid(worker, 0)
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    # Late: seldom needed, and what it imports would hold up every training.
    from amt_flows.backends.local_worker.endings import clear_descendants, signal_group

    if group and not os.path.isdir("/proc/self"):
        signal_group(group, SIGKILL)
    clear_descendants(CLEAR_SECONDS)
    return EXIT_KILLED


def _accompany(worker: int, lifeline: int, parent: int) -> int:
    """Wait for the worker's end, and bring it about if it stands still or its parent has gone. The process
    group of its training; 0 if there is none."""
    import select
    import time

    # Until it tells how long its lease lasts: one that stands still before is never heard of.
    group, seconds, heard_at = 0, USUAL_SECONDS, time.monotonic()
    while True:
        ready, _, _ = select.select([lifeline], [], [], LOOK_SECONDS if parent else seconds)
        if parent and os.getppid() != parent:
            os.write(2, b"The process that had started the worker is gone; the training was ended.\n")
            os.kill(worker, SIGKILL)
            return group
        if not ready:
            if time.monotonic() - heard_at < seconds:
                continue
            os.write(2, f"The worker stood still for {seconds:g} s and was killed.\n".encode())
            os.kill(worker, SIGKILL)
            return group
        told = os.read(lifeline, 64 * 1024)
        if not told:
            return group
        first, second = told.split(b"\n")[-2].split()
        group, seconds, heard_at = int(first), float(second), time.monotonic()
