"""Starting workers by a process that forks them (:mod:`amt_flows.backends.local_worker.starter`), which takes
a millisecond or two where a new interpreter takes twenty.

Whatever is not as usual with it, the worker is started as a program. Should both have come about, the claim
decides between them, as between any two workers of a job.
"""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from amt_flows.backends.local_worker.processes import boot_id, pid_space
from amt_flows.backends.local_worker.starter import PACKET_BYTES, READY, ROOM

if TYPE_CHECKING:
    from amt_flows.backends.local_worker.processes import Identity

ANSWER_SECONDS = 5.0

Surroundings: TypeAlias = tuple[object, ...]


@dataclass
class _Starter:
    """One that runs. ``surroundings`` are those that it has from us, and gives to its workers."""

    requests: socket.socket
    surroundings: Surroundings
    ours: int
    """The number of the process that started it; one that was forked off that may not use it."""
    ready: bool = False

    def is_ready(self) -> bool:
        """Whether it has said so. Raises OSError when it is gone."""
        if not self.ready:
            try:
                said = self.requests.recv(PACKET_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            if said != READY:
                raise ConnectionResetError
            self.ready = True
        return True

    def fork(self, directory: bytes, log: int) -> bytes:
        """Its answer. Raises OSError when it is gone, or silent for too long."""
        socket.send_fds(self.requests, [directory], [log])
        return self.requests.recv(PACKET_BYTES)


class StartProgram(Protocol):
    """Starts the worker's program: its number. Raises OSError."""

    def __call__(self, *arguments: str, stdin: int, output: int) -> int: ...


class Starters:
    """That of this process. It is started with the second worker: often there is but one."""

    def __init__(self, start_program: StartProgram) -> None:
        self._start_program = start_program
        self._lock = threading.Lock()
        self._starter: _Starter | None = None
        self._last: Surroundings | None = None

    def fork(self, directory: Path, log: int) -> Identity | None:
        """A worker for a job's directory, whose word goes to the descriptor ``log``; None where it is to be
        started as a program. Raises OSError when the system has no room for another process."""
        name = os.fsencode(directory)
        if sys.platform != "linux" or len(name) >= ROOM:
            return None
        now = surroundings()
        with self._lock:
            starter, again = self._starter, now == self._last
            self._last = now
            if starter is None or starter.surroundings != now or starter.ours != os.getpid():
                self._end()
                if again:
                    self._begin(now)
                return None
            try:
                if not starter.is_ready():
                    return None
                answer = starter.fork(name, log).split()
            except OSError:
                self._end()
                return None
            if not answer:
                self._end()
                return None
            number = int(answer[0])
            if number < 0:
                raise OSError(-number, os.strerror(-number))
            start = answer[1].decode() if len(answer) > 1 else ""
            return {"pid": number, "start": start, "boot": boot_id(), "space": pid_space()}

    def _begin(self, now: Surroundings) -> None:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(ANSWER_SECONDS)
        with its:
            try:
                self._start_program("--starter", "/" * ROOM, stdin=its.fileno(), output=subprocess.DEVNULL)
            except OSError:
                ours.close()
                return
        self._starter = _Starter(ours, now, os.getpid())
        atexit.register(ours.close)

    def _end(self) -> None:
        if self._starter is not None:
            atexit.unregister(self._starter.requests.close)
            self._starter.requests.close()
            self._starter = None


def surroundings() -> Surroundings:
    """What a process gets from the one that starts it, as it is now."""
    import resource

    try:
        place: str | None = os.getcwd()  # noqa: PTH109
    except FileNotFoundError:
        place = None
    limits = [resource.getrlimit(which) for name, which in vars(resource).items() if name[:7] == "RLIMIT_"]
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    users = os.getuid(), os.geteuid(), os.getgid(), os.getegid()
    return place, dict(os.environb), limits, nice, os.sched_getaffinity(0), users, _mask()


def _mask() -> bytes:
    """Of the rights of new files. To ask for it otherwise is to set it, in all threads."""
    status = Path("/proc/self/status").read_bytes()
    return status.partition(b"Umask:")[2].partition(b"\n")[0]
