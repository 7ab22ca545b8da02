"""Processes: what names one for good, and whether it is alive."""

# No pathlib: its import would cost every training job milliseconds.
# ruff: noqa: PTH110, PTH115, PTH123

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict

    class Identity(TypedDict):
        """What names a process. Numbers are used again: only with the start time, on one boot of the
        machine and in one space of numbers (each container has its own), do they name one."""

        pid: int
        start: str
        boot: str
        space: str


def boot_id() -> str:
    """Names this boot of the machine; empty where the system doesn't tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def pid_space() -> str:
    """Names the space that numbers of processes are of; empty where there is but one."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def process_state(pid: int) -> tuple[str, str] | None:
    """A process's state letter (Z: dead, but not yet reaped) and its start time; None if there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = after_name(file.read())
        return fields[0].decode(), fields[19].decode()
    except (OSError, IndexError):
        return None if os.path.exists("/proc/self/stat") else _process_state_by_ps(pid)


def parent_of(pid: int) -> int:
    """The number of a process's parent; 0 if it can't be known."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(after_name(file.read())[1])
    except (OSError, IndexError):
        return 0


def after_name(stat: bytes) -> list[bytes]:
    """The fields of a ``stat`` file from the state on. The name before it may hold spaces and brackets."""
    return stat.rpartition(b")")[2].split()


def _process_state_by_ps(pid: int) -> tuple[str, str] | None:
    import subprocess

    ps = ["/bin/ps", "-o", "state=,lstart=", "-p", str(pid)]
    words = subprocess.run(ps, capture_output=True, text=True, check=False).stdout.split(maxsplit=1)
    return (words[0][0], words[1].strip()) if len(words) == 2 else None


def identity(pid: int) -> Identity:
    """What names the running process ``pid``."""
    state = process_state(pid)
    return {"pid": pid, "start": state[1] if state else "", "boot": boot_id(), "space": pid_space()}


def can_be_seen(process: Identity) -> bool:
    """Whether this process, if it is alive, is one of those that can be seen from here: not one in another
    container or on another machine."""
    return process["boot"] == boot_id() and process["space"] == pid_space()


def is_alive(process: Identity) -> bool:
    """Whether exactly this process runs now, as far as can be seen from here."""
    if not can_be_seen(process):
        return False
    state = process_state(process["pid"])
    return state is not None and state[0] not in "ZX" and state[1] == process["start"]
