"""What the system shows others of a process: its command line and its environment (``/proc/PID``).

They are those that it was started with, and by them the processes of a training job are found that nobody
looks after any more. A copy of a process shows what the first one was started with; so that one is given
room, in a last argument and a variable that nobody reads, and a copy writes there what its own start would
have said."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ROOM = b"AMT_FLOWS_ROOM"
ROOM_BYTES = 2 * 4096 + 512
ROOM_ARGUMENT = b"." * (4096 + 512)
MARKS = (b"AMT_FLOWS_WORKER", b"SAGEMAKER_BASE_DIR")


def with_room(environment: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """The environment to start a process with that is to be copied."""
    return {**environment, ROOM: b"." * ROOM_BYTES}


@dataclass(frozen=True)
class Shown:
    """Where in the memory of a process it stands: the address and the length of each."""

    command: tuple[int, int]
    room: tuple[int, int]

    def become(self, argv: Sequence[bytes], environment: Mapping[bytes, bytes]) -> bool:
        """Show this command, and the marks of its training job as the environment. False, and nothing is
        changed, if there is no room for them."""
        words = b"".join(word + b"\0" for word in argv)
        marks = b"".join(name + b"=" + environment[name] + b"\0" for name in MARKS if name in environment)
        if len(words) > self.command[1] or len(marks) > self.room[1]:
            return False
        for text, (address, length) in ((words, self.command), (marks, self.room)):
            ctypes.memmove(address, text.ljust(length, b"\0"), length)
        return True


def shown() -> Shown | None:
    """That of this process, which was started with room; None where it can't be written to. The variable is
    gone then."""
    os.environb.pop(ROOM, None)
    entry = ROOM + b"=" + b"." * ROOM_BYTES
    try:
        with open("/proc/self/stat", "rb") as file:  # noqa: PTH123
            addresses = map(int, file.read().rpartition(b")")[2].split()[45:49])
        with open("/proc/self/environ", "rb") as file:  # noqa: PTH123
            place = file.read().find(entry)
    except (OSError, ValueError):
        return None
    command, command_end, environment, environment_end = addresses
    if place < 0 or not command or environment + place + len(entry) > environment_end:
        return None
    return Shown((command, command_end - command), (environment + place, len(entry)))
