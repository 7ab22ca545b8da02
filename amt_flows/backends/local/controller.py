"""Who drives a tuning job: how its record names a controller, and what that name tells whoever reads it."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from uuid import UUID

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NAME = re.compile(rf"process (?P<pid>\d+) on (?P<host>.+?)(?:, flow run (?P<run>{_UUID}))?")


def this_controller(flow_run_id: UUID | None = None) -> str:
    """This process as a controller, and the flow run that it drives the tuning job for."""
    name = process_here(os.getpid())
    return name if flow_run_id is None else f"{name}, flow run {flow_run_id}"


def process_here(pid: int) -> str:
    """A process of this machine, as its name begins that is a controller."""
    return f"process {pid} on {socket.gethostname()}"


@dataclass(frozen=True)
class Controller:
    """The last controller of a tuning job, as its record names it. Of a name in other words nothing is
    known."""

    name: str

    @property
    def flow_run_id(self) -> UUID | None:
        """The flow run that it is; None of the command line."""
        match = _NAME.fullmatch(self.name)
        return None if match is None or match["run"] is None else UUID(match["run"])

    @property
    def lives_here(self) -> bool:
        """Whether its process runs on this machine now. False for one on another machine."""
        return self._exists_here() is True

    @property
    def is_gone(self) -> bool:
        """Whether it is certain that it drives nothing any more: its process was one of this machine, and
        there is none of that number. False when that can't be known from here."""
        return self._exists_here() is False

    def _exists_here(self) -> bool | None:
        """None when that can't be known."""
        match = _NAME.fullmatch(self.name)
        if match is None or match["host"] != socket.gethostname():
            return None
        return _exists(int(match["pid"]))


def _exists(pid: int) -> bool | None:
    # Late, because it stands above this file.
    from amt_flows.backends.local_worker.processes import process_state

    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OverflowError:
        return None  # no number of a process
    except PermissionError:
        pass  # another user's
    state = process_state(pid)
    # One that waits for its parent to ask how it ended has ended. Of another user's there may be no telling.
    return state is None or state[0] not in "ZX"
