"""The state of a local training job, derived from the files in its directory."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amt_flows.backends.local.paths import JobPaths
from amt_flows.backends.local.process import (
    as_identity,
    end_orphans,
    has_worker,
    read_json,
    remains_of,
    worker_lives,
)
from amt_flows.backends.local_worker.claims import claim as make_claim
from amt_flows.backends.local_worker.claims import wish
from amt_flows.backends.local_worker.lease import USUAL_SECONDS, lease_of
from amt_flows.backends.local_worker.processes import can_be_seen, is_alive
from amt_flows.backends.local_worker.records import write_json
from amt_flows.ledger.journals.plain_files import read_plain
from amt_flows.ports import JobState

if TYPE_CHECKING:
    from amt_flows.backends.local_worker.processes import Identity

UNCLAIMED_SECONDS = 30.0
"""How long a prepared job may wait for the worker of a controller that we don't know."""
LEASE_MARGIN_SECONDS = 10.0
"""Beyond the end of a lease, for its worker to end what it had started."""


class Leases:
    """What was last seen of the leases of workers that can't be seen themselves, and since when, by a
    stop-watch of our own."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: dict[Path, tuple[bytes, float]] = {}

    def has_run_out(self, paths: JobPaths) -> bool:
        """Whether a job's lease was not renewed for as long as it lasts, and some more, since we first saw
        it as it is."""
        try:
            count, seconds = lease_of(read_plain(paths.lease))
        except OSError:
            count, seconds = b"", USUAL_SECONDS
        now = self._monotonic()
        last, since = self._seen.get(paths.directory, (None, now))
        if count != last:
            since = now
            self._seen[paths.directory] = count, now
        return now - since >= seconds + LEASE_MARGIN_SECONDS

    def forget(self, paths: JobPaths) -> None:
        self._seen.pop(paths.directory, None)


@dataclass(frozen=True)
class Standing:
    """Where a job stands. ``worker`` is the living process that runs it, when it runs on this machine."""

    state: JobState
    started_at: float | None = None
    ended_at: float | None = None
    timed_out: bool = False
    infrastructure: bool = False
    failure: str | None = None
    worker: Identity | None = None
    notes: tuple[str, ...] = ()
    artifact: str | None = None
    """Where its model was uploaded to."""
    unsaved: str | None = None
    """Why that failed."""


def look(paths: JobPaths, own_worker: Identity | None, leases: Leases, *, comes: bool = False) -> Standing:
    """Where a job stands now. ``own_worker`` is the worker that the caller itself started for it; ``comes``:
    the caller has a process that starts it, or sees to it that another does.

    A job whose worker is gone is LOST; before that is said, its training process is ended, so that whoever
    tries again has the machine to himself. A worker that can't be seen from here counts as gone once its
    lease has run out. A job whose worker never came is claimed here, for nobody. So is one whose request a
    power cut has torn; a torn claim is that of a worker which died in it.
    """
    if not paths.request.exists():
        return Standing(JobState.LOST, failure="no training job of this name was ever launched here")
    end = read_json(paths.end)
    if end is not None:
        return _ended(end)
    claim = read_json(paths.claim)
    if claim is None and not paths.claim.exists():
        torn = read_json(paths.request) is None
        why = "a power cut tore its request" if torn else "its worker process never started"
        if not torn and (comes or not _never_came(paths, own_worker) or remains_of(paths).workers):
            return Standing(_unless_stopping(paths, JobState.STARTING))
        if not abandon(paths, JobState.LOST, why + _worker_says(paths)):
            return Standing(_unless_stopping(paths, JobState.STARTING))
        return look(paths, own_worker, leases)
    # It is there as a whole when it is there, so it is read again: it may have come in between.
    claim = claim or read_json(paths.claim) or {}
    if "abandoned" in claim:
        return _ended(claim["abandoned"])
    seen = not claim or can_be_seen(as_identity(claim))
    if worker_lives(paths, claim) or not (seen or leases.has_run_out(paths)):
        process = read_json(paths.process) or {}
        worker = as_identity(claim) if claim and seen else None
        state = _unless_stopping(paths, JobState.RUNNING)
        return Standing(state, started_at=process.get("started_at"), worker=worker)
    # It may have written its end after we looked for it, and died then.
    end = read_json(paths.end)
    return _ended(end) if end is not None else _lost(paths, claim, seen=seen)


def abandon(paths: JobPaths, state: JobState, failure: str | None) -> bool:
    """End a job that no worker has claimed, by claiming it, so that none can run it any more.

    Whether that could be done; somebody else may have been quicker, which the caller finds by looking again.
    """
    end = {"state": state.value, "ended_at": time.time(), "failure": failure}
    try:
        fd = make_claim(str(paths.directory), json.dumps({"abandoned": end}).encode())
    except OSError:
        return False
    if fd is not None:
        os.close(fd)
    return True


def kill_worker(paths: JobPaths) -> None:
    """Kill a job's worker with all that it had started, and write down in its place that it is stopped."""
    claim = read_json(paths.claim)
    if claim is None or not has_worker(paths):
        return
    started_at = (read_json(paths.process) or {}).get("started_at")
    with contextlib.suppress(OSError):
        os.kill(int(claim["pid"]), signal.SIGKILL)
    end_orphans(paths, claim)
    if not has_worker(paths) and not paths.end.exists():
        end = {"state": JobState.STOPPED.value, "started_at": started_at, "ended_at": time.time()}
        with contextlib.suppress(OSError):
            write_json(str(paths.end), end)


def _never_came(paths: JobPaths, own_worker: Identity | None) -> bool:
    if own_worker is not None:
        return not is_alive(own_worker)
    starter = read_json(paths.starter)
    if starter is not None and can_be_seen(as_identity(starter)) and not is_alive(as_identity(starter)):
        return True
    # Whoever starts a worker touches the request just before.
    return time.time() - paths.request.stat().st_mtime > UNCLAIMED_SECONDS


def _unless_stopping(paths: JobPaths, state: JobState) -> JobState:
    return JobState.STOPPING if wish(str(paths.directory)) else state


def _lost(paths: JobPaths, claim: Mapping[str, Any], *, seen: bool) -> Standing:
    why = "is gone" if seen else "can't be seen from here, did not renew its lease"
    process = read_json(paths.process) or {}
    end = {
        "state": JobState.LOST.value,
        "started_at": process.get("started_at"),
        "ended_at": time.time(),
        "failure": f"its worker process {why} and left no word of how it ended{_worker_says(paths)}",
    }
    end_orphans(paths, claim)
    try:
        write_json(str(paths.end), end)
    except OSError:
        return _ended(end)  # without the right to write here, each look finds out anew
    return _ended(end)


def _ended(end: Mapping[str, Any]) -> Standing:
    return Standing(
        JobState(end["state"]),
        started_at=end.get("started_at"),
        ended_at=end.get("ended_at"),
        timed_out=bool(end.get("timed_out")),
        infrastructure=bool(end.get("infrastructure")),
        failure=end.get("failure"),
        notes=tuple(map(str, end.get("notes", ()))),
        artifact=end.get("artifact"),
        unsaved=end.get("problem"),
    )


def _worker_says(paths: JobPaths) -> str:
    """The end of what the worker itself complained about, if it did."""
    try:
        text = read_plain(paths.worker_log).decode("utf-8", "replace").strip()
    except OSError:
        return ""
    return f":\n{text[-1000:]}" if text else ""
