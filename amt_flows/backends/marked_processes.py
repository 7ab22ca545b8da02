"""The processes of this machine that have a mark about them, whatever session they moved to: those that a
training job started have one in their environment. Where there is no ``/proc``, none is found."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LOOK_AGAIN_SECONDS = 0.005


@dataclass(frozen=True)
class RunningProcess:
    """One that we may look into. ``command`` and ``environment`` are as the system has them, with a NUL
    character behind each entry."""

    pid: int
    command: bytes
    environment: bytes

    def mentions(self, text: str) -> bool:
        return text.encode() in self.command or text.encode() in self.environment


def running_processes() -> Iterator[RunningProcess]:
    """All but this one, those that are dead, and those that are not ours."""
    for directory in Path("/proc").glob("[0-9]*"):
        if int(directory.name) == os.getpid():
            continue
        try:
            command, environment = ((directory / file).read_bytes() for file in ("cmdline", "environ"))
        except OSError:  # gone, or not ours
            continue
        if command or environment:
            yield RunningProcess(int(directory.name), command, environment)


def marked_processes(mark: str) -> list[int]:
    """Those with an entry ``NAME=value`` in their environment, by their numbers."""
    entry = mark.encode()
    return [one.pid for one in running_processes() if entry in one.environment.split(b"\0")]


def kill_marked(mark: str, seconds: float) -> None:
    """Kill them, and see them dead, for at most so many seconds."""
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        left = marked_processes(mark)
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        if not left:
            return
        time.sleep(LOOK_AGAIN_SECONDS)
