"""Workers as a controller sees them: started, reaped, alive or not, and ended when they are gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amt_flows.backends.local.paths import JobPaths
from amt_flows.backends.local.request import this_python
from amt_flows.backends.local_worker.claims import is_locked
from amt_flows.backends.local_worker.endings import signal_group
from amt_flows.backends.local_worker.processes import boot_id, identity, is_alive
from amt_flows.backends.marked_processes import kill_marked

if TYPE_CHECKING:
    from amt_flows.backends.local_worker.processes import Identity

WORKER = Path(__file__).parent.parent / "local_worker" / "__main__.py"
CLEAR_SECONDS = 0.5

# Children belong to the process, not to the backend object that started them: whichever object is used next
# reaps them all.
_children: set[int] = set()
_children_lock = threading.Lock()


def start_worker(paths: JobPaths) -> Identity:
    """Start the worker of a prepared job directory. Raises OSError."""
    # Its own session, no open files of ours: it must outlive us, and nobody may wait for its output.
    with paths.worker_log.open("ab") as log:
        process = subprocess.Popen(
            [this_python(), "-I", "-S", str(WORKER), str(paths.directory)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    # It is reaped by number; without a return code Popen would complain that it is let go.
    process.returncode = 0
    with _children_lock:
        _children.add(process.pid)
    return identity(process.pid)


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
    power cut."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def as_identity(content: Mapping[str, Any]) -> Identity:
    return {"pid": int(content["pid"]), "start": str(content["start"]), "boot": str(content["boot"])}


def worker_lives(paths: JobPaths, claim: Mapping[str, Any]) -> bool:
    """Whether the worker that made a claim (empty: a torn one) is there still: it runs on this machine, or
    wherever it runs it holds its lock."""
    return (bool(claim) and is_alive(as_identity(claim))) or is_locked(str(paths.claim))


def mark_of(claim: Mapping[str, Any]) -> str:
    """The entry in the environment of everything that the training job of a claim started."""
    return f"AMT_FLOWS_WORKER={claim['pid']}.{claim['start']}"


def signal_worker(paths: JobPaths, claim: Mapping[str, Any]) -> None:
    """Make the worker look at what is wished of it now, if it is alive."""
    # Before it writes process.json it has no handler, and looks by itself when it is written.
    if paths.process.exists() and is_alive(as_identity(claim)):
        try:
            os.kill(int(claim["pid"]), signal.SIGTERM)
        except OSError:
            return  # just gone, or somebody else's: it looks for itself every second


def kill_training(paths: JobPaths) -> None:
    """Kill the group of a job's training process, if exactly that process is alive."""
    process = read_json(paths.process)
    if process is not None and is_alive(as_identity(process)):
        signal_group(int(process["pid"]), signal.SIGKILL)


def end_orphans(paths: JobPaths, claim: Mapping[str, Any]) -> None:
    """Kill whatever a dead worker's training job left running, and see it dead, for at most half a second.

    The group is found by its recorded leader; where there is ``/proc``, so is every process with the mark of
    that worker in its environment, whatever session it moved to.
    """
    if claim.get("boot", boot_id()) != boot_id():
        return
    kill_training(paths)
    # A torn claim does not tell the worker; but what the training started has the job's directory about it.
    mark = mark_of(claim) if claim else f"SAGEMAKER_BASE_DIR={paths.directory}"
    kill_marked(mark, CLEAR_SECONDS)
