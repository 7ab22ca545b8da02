"""Processes: what names one for good, and whether it is alive."""

# No pathlib: its import would cost every training job milliseconds.
# ruff: noqa: PTH110, PTH123

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict

    class Identity(TypedDict):
        """What names a process. Numbers are used again: only with the start time, on one boot of the
        machine, do they name one."""

        pid: int
        start: str
        boot: str


def boot_id() -> str:
    """Names this boot of the machine; empty where the system doesn't tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
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
    return {"pid": pid, "start": state[1] if state else "", "boot": boot_id()}


def is_alive(process: Identity) -> bool:
    """Whether exactly this process runs on this machine now."""
    if process["boot"] != boot_id():
        return False
    state = process_state(process["pid"])
    return state is not None and state[0] not in "ZX" and state[1] == process["start"]
