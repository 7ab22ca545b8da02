"""The fork servers of a controller: one for each kind of training job that is a function, or a script that
names modules, so that these are imported once and not by every job (see
:mod:`amt_flows.backends.function_job.fork_server`).

They are a way to start workers and nothing else: jobs that one did not begin, because it was killed or
because its import can't be shared, are started the usual way, and the claim sees to it that none is run
twice.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from amt_flows.backends.local import early_imports
from amt_flows.backends.local.imported import Environment, Imported, Started, imported_by, start
from amt_flows.backends.local.paths import JobPaths
from amt_flows.backends.local_worker.processes import identity
from amt_flows.backends.local_worker.records import write_json

if TYPE_CHECKING:
    from amt_flows.backends.local_worker.processes import Identity

logger = logging.getLogger("amt_flows")

LOG = "fork-server.log"
LONGEST_MESSAGE = 64 * 1024
EXIT_DONE, EXIT_UNFIT, EXIT_STALE = 0, 64, 65
MOST_FAILURES = 3
"""After so many that ended without having begun a job, jobs of their kind are started the usual way."""


@dataclass(frozen=True)
class Kind:
    """Jobs that may share an import. ``home`` is the directory of their tuning job."""

    home: Path
    imported: Imported


@dataclass
class _Server:
    started: Started
    environment: Environment
    waiting: dict[bytes, JobPaths] = field(default_factory=dict)
    """Jobs that it was told of and did not answer yet."""
    has_begun: bool = False


class ForkServers:
    """Not for several threads at once."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._servers: dict[Kind, _Server] = {}
        self._failures: dict[Kind, int] = {}
        self._begun: list[tuple[JobPaths, Identity]] = []
        self._left: list[JobPaths] = []

    def start(self, paths: JobPaths) -> Identity | None:
        """Have a prepared job begun. The process to look at until its worker is known, which is the fork
        server; None where no import is shared."""
        wanted = imported_by(paths)
        if wanted is None:
            return None
        imported, environment = wanted
        kind = Kind(paths.directory.parent.parent, imported)
        self._take_note()
        server = self._servers.get(kind)
        if server is not None and server.environment != environment:
            if server.waiting:
                return None  # two environments in turn would end each other's before a job is begun
            self._end(kind)
            server = None
        if server is None:
            if self._failures.get(kind, 0) >= MOST_FAILURES:
                return None
            server = self._servers[kind] = _Server(_started(kind, environment), environment)
        place = os.fsencode(paths.directory)
        try:
            # For other controllers: if this process has gone, nobody comes any more.
            write_json(str(paths.starter), server.started.process)
            server.started.control.send(place)
        except OSError:  # just dead, or it stands still
            paths.starter.unlink(missing_ok=True)
            return None
        server.waiting[place] = paths
        return server.started.process

    def was_told_of(self, paths: JobPaths) -> bool:
        """Whether this job waits for a fork server of which nobody knows yet that it won't begin it."""
        return paths in self._left or any(paths in one.waiting.values() for one in self._servers.values())

    def begun(self) -> list[tuple[JobPaths, Identity]]:
        """Jobs that have a process now which is to be their worker, or its guard."""
        self._take_note()
        found, self._begun = self._begun, []
        return found

    def left(self) -> list[JobPaths]:
        """Jobs that were not begun, as far as is known, and won't be by any fork server that was told."""
        self._take_note()
        found, self._left = self._left, []
        return found

    def end(self, home: Path | None = None) -> None:
        """End those of a tuning job, or all. Jobs that they have begun go on."""
        if os.getpid() != self._owner:
            return
        for kind in [kind for kind in self._servers if home in (None, kind.home)]:
            self._end(kind)

    def _end(self, kind: Kind) -> None:
        server = self._servers.pop(kind)
        self._hear(server)
        server.started.kill()
        self._hear(server)
        server.started.control.close()
        self._left += server.waiting.values()

    def _take_note(self) -> None:
        for kind, server in list(self._servers.items()):
            code = _exit_code(server.started.pid)
            # After its end, so that nothing of what it said is missed.
            self._hear(server)
            if code is None:
                _keep_waiting(server)
                continue
            del self._servers[kind]
            server.started.control.close()
            self._left += server.waiting.values()
            if code == EXIT_UNFIT:
                self._failures[kind] = MOST_FAILURES
                logger.info("%s", _last_words(kind))
            elif code != EXIT_DONE and not server.has_begun:
                # Stale too: what changes during each import would be imported for ever.
                self._failures[kind] = self._failures.get(kind, 0) + 1

    def _hear(self, server: _Server) -> None:
        while True:
            try:
                message = server.started.control.recv(LONGEST_MESSAGE, socket.MSG_DONTWAIT)
            except OSError:
                return
            if not message:
                return
            pid, start, place = message.split(b" ", 2)
            paths = server.waiting.pop(place, None)
            server.has_begun = True
            if paths is not None:
                process = identity(os.getpid())
                process["pid"], process["start"] = int(pid), start.decode()
                self._begun.append((paths, process))


def _started(kind: Kind, environment: Environment) -> Started:
    """The process of a fork server: the one that was begun early, or a new one. Raises OSError."""
    log = kind.home / LOG
    early = early_imports.taken(kind.imported, environment, log)
    if early is not None:
        return early
    with log.open("wb") as file:
        return start(kind.imported, environment, file)


def _exit_code(pid: int) -> int | None:
    """None as long as it runs."""
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:  # somebody else in this process asked
        return EXIT_DONE
    return os.waitstatus_to_exitcode(status) if ended else None


def _keep_waiting(server: _Server) -> None:
    """Others who look at these jobs must not take them for abandoned while the import takes its time."""
    for paths in server.waiting.values():
        with contextlib.suppress(OSError):
            os.utime(paths.request)


def _last_words(kind: Kind) -> str:
    try:
        lines = (kind.home / LOG).read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "Each training job imports for itself."


def not_begun(left: list[JobPaths]) -> Iterator[JobPaths]:
    """Those that nobody has claimed or ended meanwhile."""
    return (paths for paths in left if not paths.claim.exists() and not paths.end.exists())
