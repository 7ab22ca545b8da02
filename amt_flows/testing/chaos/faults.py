"""What can go wrong, in the words of the report."""

from __future__ import annotations

from enum import Enum


class Fault(str, Enum):
    KILLED = "controller killed"
    TORN = "power cut in a write"
    ANSWER_LOST = "answer lost"
    REFUSED = "backend failed"
    INTERRUPTED = "Ctrl-C"
    FROZEN = "controller frozen"
    RIVAL = "rival controller"
    USER_STOP = "stop asked by name"
    CLOCK_AHEAD = "clock set ahead"
    CLOCK_BACK = "clock set back"
    DISK_FULL = "journal can't be written"
    NO_CAPACITY = "no capacity"
    JOB_LOST = "training job's machine lost"
    INFRASTRUCTURE = "infrastructure failure"
    CRASHED = "training crashed"
    HUNG = "training hung"
    NOT_A_NUMBER = "NaN or no metric"
    POINTS = "metrics late, twice or out of order"
    LATE_END = "end told late"
    THROTTLED = "call throttled"
    EXPIRED = "credentials expired"
    CONFLICT = "conflicting write in S3"
    SPOT = "spot instance taken away"
    SERVER_AWAY = "engine's server away"
    FORGOTTEN = "engine forgot its jobs"
    WORKER_KILLED = "worker killed"
    TRAINING_KILLED = "training process killed"
    FORK_SERVER_KILLED = "fork server killed"
    POWER_CUT = "power cut"
    HOME_MOVED = "home moved away"
    DIRECTORY_GONE = "training job's directory removed"
    ENTRY_DELETED = "journal entry deleted"
    NO_FILE = "FIFO in place of an entry"
    HANG_UP = "terminal closed"
    SLOW_SEARCH = "regex that takes for ever"
    ELSEWHERE = "gone on with on another machine"
    MACHINE_LOST = "machine lost"


STRIKING = (
    Fault.KILLED,
    Fault.TORN,
    Fault.ANSWER_LOST,
    Fault.REFUSED,
    Fault.INTERRUPTED,
    Fault.FROZEN,
    Fault.RIVAL,
    Fault.USER_STOP,
    Fault.CLOCK_AHEAD,
    Fault.CLOCK_BACK,
    Fault.DISK_FULL,
    Fault.NO_CAPACITY,
    Fault.JOB_LOST,
    Fault.POINTS,
    Fault.LATE_END,
)
"""Those that strike at a moment; the others are in what a training job does."""


class Died(BaseException):
    """Stands for ``kill -9`` of a controller: no handler of the code under test may catch it."""
