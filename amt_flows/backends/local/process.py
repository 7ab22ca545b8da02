"""Workers as a controller sees them: started, reaped, alive or not, and ended when they are gone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amt_flows.backends.local.paths import JobPaths
from amt_flows.backends.local.request import this_python
from amt_flows.backends.local.starter import Starters
from amt_flows.backends.local_worker.claims import is_locked
from amt_flows.backends.local_worker.endings import signal_group
from amt_flows.backends.local_worker.processes import (
    can_be_seen,
    identity,
    is_alive,
    parent_of,
    process_state,
)
from amt_flows.backends.marked_processes import kill_marked, marked_processes, running_processes
from amt_flows.ledger.journals.plain_files import read_plain

if TYPE_CHECKING:
    from amt_flows.backends.local_worker.processes import Identity

WORKER = Path(__file__).parent.parent / "local_worker" / "__main__.py"
CLEAR_SECONDS = 0.5
LOOK_AGAIN_SECONDS = 0.005

# Children belong to the process, not to the backend object that started them: whichever object is used next
# reaps them all.
_children: set[int] = set()
_children_lock = threading.Lock()


def start_worker(paths: JobPaths) -> Identity:
    """Start the worker of a prepared job directory. Raises OSError."""
    with paths.worker_log.open("ab") as log:
        forked = _starters.fork(paths.directory, log.fileno())
        if forked is not None:
            return forked
        pid = _start_program(str(paths.directory), stdin=subprocess.DEVNULL, output=log.fileno())
    return identity(pid)


def _start_program(*arguments: str, stdin: int, output: int) -> int:
    # Its own session, no open files of ours: it must outlive us, and nobody may wait for its output.
    process = subprocess.Popen(
        [this_python(), "-I", "-S", str(WORKER), *arguments],
        stdin=stdin,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    # It is reaped by number; without a return code Popen would complain that it is let go.
    process.returncode = 0
    with _children_lock:
        _children.add(process.pid)
    return process.pid


_starters = Starters(_start_program)


def reap_workers() -> None:
    """Take note of workers that ended, so that none stays as a zombie."""
    with _children_lock:
        for pid in tuple(_children):
            try:
                ended, _ = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:  # somebody else in this process did it
                ended = pid
            if ended:
                _children.discard(pid)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file that is written as a whole; None when there is none, or none any more after a
    power cut, or something that is no file."""
    try:
        content = json.loads(read_plain(path))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def as_identity(content: Mapping[str, Any]) -> Identity:
    return {
        "pid": int(content["pid"]),
        "start": str(content["start"]),
        "boot": str(content["boot"]),
        "space": str(content.get("space", "")),
    }


def worker_lives(paths: JobPaths, claim: Mapping[str, Any]) -> bool:
    """Whether the worker that made a claim (empty: a torn one) is there still: it runs on this machine, or
    wherever it runs it holds its lock."""
    return (bool(claim) and is_alive(as_identity(claim))) or is_locked(str(paths.claim))


def has_worker(paths: JobPaths) -> bool:
    """Whether the worker of a job runs and can be seen from here."""
    claim = read_json(paths.claim)
    return claim is not None and "pid" in claim and is_alive(as_identity(claim))


def mark_of(claim: Mapping[str, Any]) -> str:
    """The entry in the environment of everything that the training job of a claim started."""
    return f"AMT_FLOWS_WORKER={claim['pid']}.{claim['start']}"


def signal_worker(paths: JobPaths, claim: Mapping[str, Any]) -> bool:
    """Make the worker look at what is wished of it now, if it is alive. Whether it is, and hears."""
    # Before it writes process.json it has no handler, and looks by itself when it is written.
    if paths.process.exists() and is_alive(as_identity(claim)):
        try:
            os.kill(int(claim["pid"]), signal.SIGTERM)
        except OSError:
            return False  # just gone, or somebody else's: it looks for itself every second
        return True
    return False


def kill_training(paths: JobPaths) -> None:
    """Kill the group of a job's training process, if exactly that process is alive here."""
    process = read_json(paths.process)
    if process is not None and is_alive(as_identity(process)):
        signal_group(int(process["pid"]), signal.SIGKILL)


def end_orphans(paths: JobPaths, claim: Mapping[str, Any]) -> None:
    """Kill whatever a dead worker's training job left running, and see it dead, for at most half a second.

    The group is found by its recorded leader; where there is ``/proc``, so is every process with the mark of
    that worker in its environment, whatever session it moved to.
    """
    if claim and not can_be_seen(as_identity(claim)):
        return
    kill_training(paths)
    # A torn claim does not tell the worker; but what the training started has the job's directory about it.
    mark = mark_of(claim) if claim else f"SAGEMAKER_BASE_DIR={paths.directory}"
    kill_marked(mark, CLEAR_SECONDS)
    # Its guard finds what has no mark any more, and ends when all of that has.
    give_up_at = time.monotonic() + CLEAR_SECONDS
    while _runs(int(claim.get("guard", 0))) and time.monotonic() < give_up_at:
        time.sleep(LOOK_AGAIN_SECONDS)


def workers_below(directory: Path) -> dict[Path, list[int]]:
    """The job directories right below ``directory`` that have workers, with the numbers of these and of their
    guards; whatever became of the directories. Empty without ``/proc``."""
    found: dict[Path, list[int]] = {}
    for one in running_processes():
        arguments = one.command.rstrip(b"\0").split(b"\0")
        if any(word.endswith(b"local_worker/__main__.py") for word in arguments[:-1]):
            place = Path(os.fsdecode(arguments[-1]))
            if place.parent == directory:
                found.setdefault(place, []).append(one.pid)
    return found


@dataclass(frozen=True)
class Remains:
    """The processes of a job, found without its files."""

    workers: tuple[int, ...]
    others: tuple[int, ...]

    def __bool__(self) -> bool:
        return bool(self.workers or self.others)

    def signal(self, *, kill: bool) -> None:
        """Ask the workers to end the job, or kill them, so that their guards kill what they had started. What
        has no worker any more is killed."""
        if self.workers and not kill:
            for pid in self.workers:
                _signal(pid, signal.SIGTERM)
            return
        guarded = [pid for pid in self.workers if parent_of(pid) in self.workers]
        for pid in (*(guarded or self.workers), *self.others):
            _signal(pid, signal.SIGKILL)


def remains_of(paths: JobPaths) -> Remains:
    """What runs for a job whose directory is gone."""
    workers = workers_below(paths.directory.parent).get(paths.directory, [])
    mark = f"SAGEMAKER_BASE_DIR={paths.directory}"
    return Remains(tuple(workers), tuple(pid for pid in marked_processes(mark) if pid not in workers))


def _runs(pid: int) -> bool:
    state = process_state(pid) if pid else None
    return state is not None and state[0] not in "ZX"


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, number)
