"""The local backend: a small training service on this machine.

A training job is a directory and a worker process in a session of its own, so it outlives the controller,
and every controller, at once or one after another, reads the same files. This object keeps nothing that can't
be found again, except which metric values it has told already.

A job ends as in a container: with its main process ends whatever that started, daemons too (on Linux; on
other systems, whatever stayed in its process group).
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from amt_flows.backends.home import home_directory
from amt_flows.backends.local.check import problems_of
from amt_flows.backends.local.paths import JobPaths, TuningPaths, tuning_paths
from amt_flows.backends.local.process import (
    kill_training,
    read_json,
    reap_workers,
    signal_worker,
    start_worker,
)
from amt_flows.backends.local.request import VERSION, build
from amt_flows.backends.local.state import Standing, abandon, look
from amt_flows.backends.local.values_file import read_values_file, told_instead
from amt_flows.backends.local.watch import Watch
from amt_flows.backends.local_worker.processes import is_alive
from amt_flows.errors import (
    BackendError,
    CapacityUnavailable,
    LaunchRejected,
    NameTaken,
    Problem,
    system_reason,
)
from amt_flows.ledger.journals.new_home import make_home
from amt_flows.ports import FoundJob, JobReport, JobRequest, JobState, Launch, MetricPoint, Unread
from amt_flows.spec import TuningSpec

if TYPE_CHECKING:
    from amt_flows.backends.local_worker.processes import Identity

LIVENESS_SECONDS = 0.5

PASSING_ERRORS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM}
)
"""What keeps a job from starting and may pass."""


class LocalBackend:
    """Runs training jobs as processes of this machine, below one directory.

    ``root`` is that directory; without it, ``AMT_FLOWS_HOME`` or ``~/.amt-flows``. It must be on a file
    system with hard links and FIFOs, which local disks have. Several objects, in one process or many,
    may use the same root, and several threads the same object.
    """

    def __init__(self, root: Path | str | None = None) -> None:
        self.root = home_directory(root).absolute()
        self._lock = threading.RLock()
        self._told: dict[Path, int] = {}  # how much of a job's metrics.jsonl, in bytes
        self._own: dict[Path, Identity] = {}  # workers that this object started
        self._live: dict[JobPaths, Identity | None] = {}  # jobs to watch, and their workers as far as known
        self._watch = Watch()
        self._waiting = threading.Lock()

    def __repr__(self) -> str:
        return f"LocalBackend({str(self.root)!r})"

    @property
    def address(self) -> str:
        return "local"

    def check(self, spec: TuningSpec) -> Sequence[Problem]:
        return problems_of(spec, self.root)

    # -- launching -------------------------------------------------------------------------------

    def launch(self, request: JobRequest) -> Launch:
        tuning = tuning_paths(self.root, request.tuning_job)
        paths = tuning.job(request.name) if tuning else None
        if tuning is None or paths is None:
            raise LaunchRejected(
                f"{request.tuning_job!r} and {request.name!r} can't name a tuning job and its training job.",
                remedy="use letters, digits and inner hyphens, at most 32 for the tuning job",
            )
        reap_workers()
        with self._lock:
            try:
                if not paths.directory.exists() and _create(tuning, paths, request):
                    self._start(paths)
                    return Launch.STARTED
                return self._attach(paths, request)
            except OSError as error:
                raise _cannot_launch(request, error) from error

    def _start(self, paths: JobPaths) -> None:
        self._own[paths.directory] = self._live[paths] = start_worker(paths)

    def _attach(self, paths: JobPaths, request: JobRequest) -> Launch:
        existing = read_json(paths.request)
        if existing is None:
            # A power cut tore it. Whose it was can't be told any more, but nobody else gives this name; it
            # counts as lost.
            self._live.setdefault(paths, None)
            return Launch.ATTACHED
        if existing.get("fingerprint") != request.fingerprint:
            raise NameTaken(
                f"The training job {request.name} exists already, for another spec.",
                because=f"{paths.directory} is from an earlier tuning job of this name",
                remedy="give the tuning job another name, or remove that directory",
            )
        if existing.get("hyperparameters") != dict(request.hyperparameters):
            raise NameTaken(
                f"The training job {request.name} exists already, with other hyperparameters.",
                remedy="give the tuning job another name",
            )
        own = self._own.get(paths.directory)
        if not paths.claim.exists() and not paths.end.exists() and not (own and is_alive(own)):
            # Whoever prepared it died before its worker came, or that one is about to: the claim decides.
            os.utime(paths.request)
            self._start(paths)
        self._live.setdefault(paths, None)
        return Launch.ATTACHED

    # -- observing -------------------------------------------------------------------------------

    def poll(self, tuning_job: str, names: Sequence[str]) -> Sequence[JobReport]:
        reap_workers()
        tuning = tuning_paths(self.root, tuning_job)
        with self._lock:
            return [self._report(tuning, name) for name in names]

    def _report(self, tuning: TuningPaths | None, name: str) -> JobReport:
        paths = tuning.job(name) if tuning else None
        if paths is None:
            return JobReport(name, JobState.LOST, failure="no training job can have this name")
        # First the state, then the values: what was written before the end is then told with it.
        standing = look(paths, self._own.get(paths.directory))
        points, unread = self._new_points(paths)
        if standing.state.terminal:
            self._live.pop(paths, None)
            self._own.pop(paths.directory, None)
        else:
            self._live[paths] = standing.worker or self._own.get(paths.directory)
        names, said = told_instead(paths) if standing.state is JobState.COMPLETED else ((), None)
        return JobReport(
            name,
            standing.state,
            points,
            started_at=standing.started_at,
            ended_at=standing.ended_at,
            timed_out=standing.timed_out,
            infrastructure=standing.infrastructure,
            failure=standing.failure or said,
            artifact=_artifact(paths, standing),
            log=paths.log.as_uri() if paths.log.exists() else None,
            unread=unread,
            names=names,
        )

    def _new_points(self, paths: JobPaths) -> tuple[tuple[MetricPoint, ...], tuple[Unread, ...]]:
        start = self._told.get(paths.directory, 0)
        try:
            with paths.values.open("rb") as file:
                file.seek(start)
                data = file.read()
        except OSError:
            return (), ()
        # The worker may be in the middle of a line.
        whole = data[: data.rfind(b"\n") + 1]
        self._told[paths.directory] = start + len(whole)
        return read_values_file(whole)

    def find(self, tuning_job: str) -> Sequence[FoundJob]:
        reap_workers()
        tuning = tuning_paths(self.root, tuning_job)
        if tuning is None or not tuning.jobs.is_dir():
            return ()
        with self._lock:
            found = [self._found(JobPaths(d)) for d in tuning.jobs.iterdir() if not d.name.startswith(".")]
        return sorted((job for job in found if job), key=lambda job: (job.trial, job.attempt, job.name))

    def _found(self, paths: JobPaths) -> FoundJob | None:
        request = read_json(paths.request)
        if request is None or request.get("v") != VERSION:
            return None  # what a power cut left, or another version's
        return FoundJob(
            request["name"],
            request["trial"],
            request["attempt"],
            request["fingerprint"],
            request["hyperparameters"],
            look(paths, self._own.get(paths.directory)).state,
        )

    # -- stopping --------------------------------------------------------------------------------

    def stop(self, tuning_job: str, names: Sequence[str], *, kill: bool = False) -> None:
        tuning = tuning_paths(self.root, tuning_job)
        for name in names:
            paths = tuning.job(name) if tuning else None
            if paths is not None and paths.request.exists() and not paths.end.exists():
                self._stop(paths, kill=kill)

    def _stop(self, paths: JobPaths, *, kill: bool) -> None:
        # The wish first, then the signal: a worker that is woken must find it.
        (paths.kill if kill else paths.stop).touch()
        if read_json(paths.claim) is None:
            abandon(paths, JobState.STOPPED, None)
        claim = read_json(paths.claim)
        if claim is None or "abandoned" in claim:
            return
        signal_worker(paths, claim)
        if kill:
            # Directly too: a worker that hangs in a bad regex would come to it late.
            kill_training(paths)
        look(paths)  # ends what a dead worker left behind

    # -- waiting ---------------------------------------------------------------------------------

    def wait(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while True:
            reap_workers()
            with self._lock:
                live = dict(self._live)
            with self._waiting:
                if self._watch.listen({paths.directory.parent.parent / "wake" for paths in live}):
                    return
                self._watch.follow([worker for worker in live.values() if worker is not None])
                left = deadline - time.monotonic()
                if self._watch.wait(min(left, LIVENESS_SECONDS)):
                    return
            # Should a wake-up have been lost, the files tell.
            if left <= LIVENESS_SECONDS or any(self._has_changed(paths) for paths in live):
                return

    def _has_changed(self, paths: JobPaths) -> bool:
        with self._lock:
            standing = look(paths, self._own.get(paths.directory))
            return standing.state.terminal or _size(paths.values) > self._told.get(paths.directory, 0)


def _create(tuning: TuningPaths, paths: JobPaths, request: JobRequest) -> bool:
    """Prepare a job's directory; it appears complete or not at all. False when somebody else was quicker.

    Raises LaunchRejected, OSError.
    """
    make_home(tuning.directory.parent)
    tuning.jobs.mkdir(parents=True, exist_ok=True)
    tuning.wake.mkdir(exist_ok=True)
    scratch = tuning.jobs / f".{paths.directory.name}.{os.getpid()}.{secrets.token_hex(4)}"
    scratch.mkdir()
    try:
        build(request, paths, scratch)
        scratch.rename(paths.directory)
    except OSError as error:
        shutil.rmtree(scratch, ignore_errors=True)
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return True


def _cannot_launch(request: JobRequest, error: OSError) -> BackendError:
    where = f" ({error.filename})" if error.filename else ""
    happened = f"Training job {request.name} can't be started: {error.strerror}{where}."
    if error.errno in PASSING_ERRORS:
        return CapacityUnavailable(
            happened, because=system_reason(error), remedy="make room; it is tried again"
        )
    return LaunchRejected(happened, remedy="give the backend a root that may be written to")


def _artifact(paths: JobPaths, standing: Standing) -> str | None:
    """The model directory of a job that was allowed to save one, if there is something in it."""
    if standing.state not in (JobState.COMPLETED, JobState.STOPPED):
        return None
    try:
        return paths.container.model.as_uri() if any(paths.container.model.iterdir()) else None
    except (FileNotFoundError, NotADirectoryError):  # somebody may be moving it away
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
