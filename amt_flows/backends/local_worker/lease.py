"""The worker's lease on its job, for those who can't see its process: other containers and other machines
that share the directory.

The file ``lease`` holds a number and how long the lease lasts, in seconds: ``0000000000000007 120``. Now and
then the worker writes the next number. Whoever sees it change knows by his own
stop-watch that the job is looked after; no two clocks are compared. A worker that could not write for as long
as its lease lasts ends its training, and only then another may take the job to be lost. Should it have stood
still with its whole machine, it finds out at its next renewal that somebody did.
"""

# No pathlib: its import would cost every training job milliseconds.
# ruff: noqa: PTH110, PTH118, PTH123

from __future__ import annotations

import os
import time

RENEWALS = 8  # so many in the time that it lasts
DIGITS = 16  # always as many, so that a full disk takes it
USUAL_SECONDS = 120.0


def lease_text(count: int, seconds: float) -> bytes:
    return f"{count:0{DIGITS}d} {seconds!r}\n".encode()


def lease_of(text: bytes) -> tuple[bytes, float]:
    """The number and the seconds that a lease's file tells; an empty one, or none, is a usual lease."""
    count, _, seconds = text.partition(b" ")
    try:
        return count, float(seconds)
    except ValueError:
        return count, USUAL_SECONDS


class Lease:
    """``lifeline`` leads to the worker's guard, which is told too that ``group`` is looked after."""

    def __init__(self, directory: str, *, group: int, lifeline: int) -> None:
        self._path = os.path.join(directory, "lease")
        self._end = os.path.join(directory, "end.json")
        self._seconds = self._read()
        self._beat = f"{group} {self._seconds!r}\n".encode()
        self._lifeline = lifeline
        self._count = 0
        self._renewed_at = now()
        self.due = time.monotonic()
        """When to renew it, by the monotonic clock."""

    def _read(self) -> float:
        try:
            with open(self._path, "rb") as file:
                return lease_of(file.read())[1]
        except OSError:
            return USUAL_SECONDS

    def renew(self) -> None:
        began = now()
        self.due = time.monotonic() + self._seconds / RENEWALS
        self._tell_guard()
        self._count += 1
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o666)
            try:
                os.write(fd, lease_text(self._count, self._seconds))
            finally:
                os.close(fd)
        except OSError:
            return
        self._renewed_at = began

    def _tell_guard(self) -> None:
        try:
            os.write(self._lifeline, self._beat)
        except OSError:
            return  # it was killed

    @property
    def has_run_out(self) -> bool:
        return now() - self._renewed_at >= self._seconds

    @property
    def is_taken_over(self) -> bool:
        """Whether somebody has written down how this job ended, which is for its worker to do."""
        return os.path.exists(self._end)


def now() -> float:
    """A stop-watch that goes on while the machine sleeps, where there is one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)
