"""Waiting for something to happen to local jobs, without polling files."""

from __future__ import annotations

import os
import secrets
import select
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from amt_flows.backends.local_worker.processes import is_alive

if TYPE_CHECKING:
    from amt_flows.backends.local_worker.processes import Identity


class Watch:
    """Wakes up when a worker rings (see :mod:`amt_flows.backends.local_worker.bell`) or dies.

    Each object has a FIFO of its own in every tuning job's ``wake`` directory that it listens to: with one
    for all, a second reader would take the first one's wake-ups. On Linux a worker that is killed wakes it
    too, through its process descriptor. Not for several threads at once.
    """

    def __init__(self) -> None:
        self._fifos: dict[Path, tuple[int, int, Path]] = {}
        self._processes: dict[tuple[int, str], int] = {}
        self._gone: set[tuple[int, str]] = set()
        self._close = weakref.finalize(self, _close, self._fifos, self._processes)

    def close(self) -> None:
        self._close()

    def listen(self, directories: Iterable[Path]) -> bool:
        """Listen to exactly these ``wake`` directories. Whether one is new: what was before isn't heard."""
        wanted = set(directories)
        for gone in self._fifos.keys() - wanted:
            _close_fifo(*self._fifos.pop(gone))
        new = False
        for directory in wanted - self._fifos.keys():
            fifo = _open_fifo(directory)
            if fifo is not None:
                self._fifos[directory] = fifo
                new = True
        return new

    def follow(self, processes: Iterable[Identity]) -> bool:
        """Be woken by the end of exactly these processes, as far as the system can tell. Whether one has
        ended before it could be followed; that is told once."""
        new = False
        wanted = {(p["pid"], p["start"]): p for p in processes}
        for gone in self._processes.keys() - wanted.keys():
            os.close(self._processes.pop(gone))
        self._gone &= wanted.keys()
        if hasattr(os, "pidfd_open"):
            for key in wanted.keys() - self._processes.keys() - self._gone:
                try:
                    fd = os.pidfd_open(key[0])
                except ProcessLookupError:
                    fd = None
                except OSError:
                    continue
                # The number may have passed to another process before it was opened, but not since.
                if fd is not None and is_alive(wanted[key]):
                    self._processes[key] = fd
                    continue
                self._gone.add(key)
                new = True
                if fd is not None:
                    os.close(fd)
        return new

    def wait(self, seconds: float) -> bool:
        """Whether something happened within so many seconds."""
        poll = select.poll()
        readers = [reader for reader, _, _ in self._fifos.values()]
        for fd in (*readers, *self._processes.values()):
            poll.register(fd, select.POLLIN)
        if not poll.poll(max(0.0, seconds) * 1000):
            return False
        for fd in readers:
            _drain(fd)
        return True


def _open_fifo(directory: Path) -> tuple[int, int, Path] | None:
    """A new FIFO in a directory: reading end, a writing end that keeps it from ending, path. None where that
    isn't possible."""
    path = directory / f"{os.getpid()}-{secrets.token_hex(4)}"
    try:
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        return reader, os.open(path, os.O_WRONLY | os.O_NONBLOCK), path
    except OSError:
        return None


def _drain(fd: int) -> None:
    try:
        while os.read(fd, 4096):
            continue
    except BlockingIOError:
        return


def _close(fifos: dict[Path, tuple[int, int, Path]], processes: dict[tuple[int, str], int]) -> None:
    for fifo in fifos.values():
        _close_fifo(*fifo)
    for fd in processes.values():
        os.close(fd)
    fifos.clear()
    processes.clear()


def _close_fifo(reader: int, writer: int, path: Path) -> None:
    # The name goes first: a worker that still finds it must find a reader.
    path.unlink(missing_ok=True)
    os.close(writer)
    os.close(reader)
