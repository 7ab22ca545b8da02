"""Imports that are begun before a tuning job is opened, while something else has to be waited for: what its
training jobs import is known from its spec.

Such a process does no more than import. It is taken by the tuning job whose training jobs would import just
that, in the same environment; else it is ended with the block that it was begun for, as it is with this
process. What it says is in a file without a name until then, so that a tuning job that is refused leaves
nothing.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from amt_flows.backends.home import Home, home_directory
from amt_flows.backends.local.imported import Environment, Imported, Started, imported_by_jobs_of, start
from amt_flows.backends.local.paths import tuning_paths
from amt_flows.errors import AmtFlowsError
from amt_flows.spec import TuningSpec

SET_MEANWHILE = b"KMP_DUPLICATE_LIB_OK"
"""By threadpoolctl, as soon as a strategy imports it. Jobs have it or not, as who started us wants it."""


@dataclass(frozen=True)
class _Early:
    started: Started
    imported: Imported
    environment: Environment
    log: IO[bytes]
    owner: int
    """The number of the process that began it."""

    def end(self) -> None:
        self.log.close()
        if os.getpid() == self.owner:
            self.started.kill()
        self.started.control.close()


_begun: dict[Imported, _Early] = {}
_lock = threading.Lock()


@contextlib.contextmanager
def importing(spec: TuningSpec, home: Home) -> Iterator[None]:
    """Within this block, import what the training jobs on this machine of a new tuning job will import, if
    it is something that they share. Raises nothing of its own: what is wrong is said by whoever opens the
    tuning job."""
    early = None
    with contextlib.suppress(OSError, ValueError, RuntimeError, AmtFlowsError):
        early = _begin(spec, home_directory(home).absolute())
    try:
        yield
    finally:
        if early is not None:
            with _lock:
                is_left = _begun.get(early.imported) is early
                if is_left:
                    del _begun[early.imported]
            if is_left:
                early.end()


def _begin(spec: TuningSpec, root: Path) -> _Early | None:
    # One that is there may have ended, and then nothing is to be imported.
    there = None if spec.name is None else tuning_paths(root, spec.name)
    wanted = None if there is not None and there.directory.exists() else imported_by_jobs_of(spec, root)
    if wanted is None:
        return None
    imported, environment = wanted
    with _lock:
        if imported in _begun:
            return None
        # Not on every file system.
        log = os.fdopen(os.open(_nearest_there(root), os.O_TMPFILE | os.O_RDWR, 0o666), "r+b")
        try:
            started = start(imported, environment, log)
        except BaseException:
            log.close()
            raise
        early = _begun[imported] = _Early(started, imported, environment, log, os.getpid())
    return early


def _nearest_there(directory: Path) -> Path:
    return next(one for one in (directory, *directory.parents) if one.is_dir())


def taken(imported: Imported, environment: Environment, log: Path) -> Started | None:
    """The process that imports just this, if one was begun; it is the caller's now, and what it says is in
    the file ``log``."""
    with _lock:
        early = _begun.pop(imported, None)
    if early is None:
        return None
    if _as_begun(early, environment) and early.owner == os.getpid():
        with contextlib.suppress(OSError):
            log.unlink(missing_ok=True)
            # Links are followed only where a directory to start from is given, which is of no account here.
            number = early.log.fileno()
            os.link(f"/proc/self/fd/{number}", log, src_dir_fd=number, follow_symlinks=True)
            early.log.close()
            return early.started
    early.end()
    return None


def _as_begun(early: _Early, environment: Environment) -> bool:
    now = dict(environment)
    if SET_MEANWHILE not in early.environment:
        now.pop(SET_MEANWHILE, None)
    return early.environment == now
