"""The local backend: a small training service on this machine.

A training job is a directory and a worker process in a session of its own, so it outlives the controller,
and every controller, at once or one after another, reads the same files. This object keeps nothing that can't
be found again, except which metric values it has told already.

A job ends as in a container: with its main process ends whatever that started, daemons too (on Linux; on
other systems, whatever stayed in its process group).
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import secrets
import shutil
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from amt_flows.backends.home import home_directory
from amt_flows.backends.local.check import missing, problems_of
from amt_flows.backends.local.fork_servers import ForkServers, not_begun
from amt_flows.backends.local.holds import Holds
from amt_flows.backends.local.machine import this_machine
from amt_flows.backends.local.paths import JobPaths, TuningPaths, tuning_paths
from amt_flows.backends.local.process import (
    has_worker,
    kill_training,
    read_json,
    reap_workers,
    remains_of,
    signal_worker,
    start_worker,
    workers_below,
)
from amt_flows.backends.local.request import VERSION, build
from amt_flows.backends.local.share import share_variables
from amt_flows.backends.local.state import Leases, Standing, abandon, kill_worker, look
from amt_flows.backends.local.values_file import read_values_file, told_instead
from amt_flows.backends.local.watch import Watch
from amt_flows.backends.local_worker.lease import USUAL_SECONDS, lease_text
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
from amt_flows.ledger.journals.plain_files import what_stands_at
from amt_flows.ledger.names import parse_training_job_name
from amt_flows.ports import FoundJob, JobReport, JobRequest, JobState, Launch, MetricPoint, Room, Unread
from amt_flows.spec import Resources, TuningSpec

if TYPE_CHECKING:
    from amt_flows.backends.local_worker.processes import Identity

logger = logging.getLogger("amt_flows")

LIVENESS_SECONDS = 0.5
LOOK_AGAIN_SECONDS = 0.01
MISSING_SECONDS = 5.0
"""How often it is looked whether a script or a function that has vanished is back."""
KILL_SECONDS = 3.0
"""How long a worker that is to kill its training may take, before it is killed itself."""

PASSING_ERRORS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM}
)
"""What keeps a job from starting and may pass."""


class LocalBackend:
    """Runs training jobs as processes of this machine, below one directory.

    ``root`` is that directory; without it, ``AMT_FLOWS_HOME`` or ``~/.amt-flows``. It must be on a file
    system with hard links and FIFOs, which local disks have. Several objects, in one process or many,
    may use the same root, and several threads the same object.

    ``lease_seconds`` is for a root that several machines or containers share: how long a training job whose
    worker can't be seen from here may give no sign of life before it counts as lost; after as long, a worker
    that can't give one ends its training.
    """

    def __init__(self, root: Path | str | None = None, *, lease_seconds: float = USUAL_SECONDS) -> None:
        if not 1 <= lease_seconds <= 86_400:
            raise ValueError(f"lease_seconds is {lease_seconds!r}: a lease lasts from 1 to 86400 seconds")
        self.lease_seconds = float(lease_seconds)
        self.root = home_directory(root).absolute()
        self._lock = threading.RLock()
        self._told: dict[Path, int] = {}  # how much of a job's metrics.jsonl, in bytes
        self._own: dict[Path, Identity] = {}  # workers that this object started
        self._live: dict[JobPaths, Identity | None] = {}  # jobs to watch, and their workers as far as known
        self._leases = Leases()
        self._strays: dict[Path, set[JobPaths]] = {}  # jobs that ran without their files when we came
        self._watch = Watch()
        self._fork_servers = ForkServers()
        weakref.finalize(self, self._fork_servers.end)
        self._waiting = threading.Lock()
        self._holds = Holds()

    def __repr__(self) -> str:
        return f"LocalBackend({str(self.root)!r})"

    @property
    def address(self) -> str:
        return "local"

    def check(self, spec: TuningSpec) -> Sequence[Problem]:
        return problems_of(spec, self.root)

    def room(self, need: Resources) -> Room:
        machine = this_machine()
        return Room(machine.most_at_once(need), f"this machine has {machine}")

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
            self._refuse_what_runs_without_files(tuning, paths)
            try:
                if not paths.directory.exists():
                    share = self._take_share(paths, request)
                    try:
                        created = self._create(tuning, paths, request)
                    except BaseException:
                        self._give_back(paths, share)
                        raise
                    if created:
                        self._start(paths, request, share)
                        return Launch.STARTED
                return self._attach(paths, request)
            except OSError as error:
                raise _cannot_launch(request, error) from error

    def _create(self, tuning: TuningPaths, paths: JobPaths, request: JobRequest) -> bool:
        """Prepare a job's directory; it appears complete or not at all. False when somebody else was quicker.

        Raises LaunchRejected, OSError.
        """
        make_home(tuning.directory.parent)
        tuning.jobs.mkdir(parents=True, exist_ok=True)
        tuning.wake.mkdir(exist_ok=True)
        scratch = tuning.jobs / f".{paths.directory.name}.{os.getpid()}.{secrets.token_hex(4)}"
        scratch.mkdir()
        try:
            self._fill(request, paths, scratch)
            (scratch / paths.lease.name).write_bytes(lease_text(0, self.lease_seconds))
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

    def _fill(self, request: JobRequest, paths: JobPaths, scratch: Path) -> None:
        self._refuse_what_is_missing(request, paths)
        build(request, paths, scratch)

    def _refuse_what_is_missing(self, request: JobRequest, paths: JobPaths) -> None:
        """One by one all that is left to try would fail, and never be tried again. What runs goes on. Raises
        CapacityUnavailable until that has ended, and BackendError then."""
        gone = missing(request.template, self.root)
        if gone is None:
            return
        happened = f"Training job {request.name} can't be started: {gone}."
        because = "it was moved, removed or changed while the tuning job ran"
        if any(one.directory.parent == paths.directory.parent for one in self._live):
            remedy = "put it back; it is tried again until those that run have ended"
            raise CapacityUnavailable(
                happened, because=because, remedy=remedy, look_again_seconds=MISSING_SECONDS
            )
        remedy = "put it back, then run the same tuning job again: it goes on from its record"
        raise BackendError(happened, because=because, remedy=remedy)

    def _refuse_what_runs_without_files(self, tuning: TuningPaths, paths: JobPaths) -> None:
        """Whoever has just come can't know a job whose directory was removed while it ran."""
        if tuning.jobs not in self._strays:
            self._strays[tuning.jobs] = {JobPaths(place) for place in self._workers_without_files(tuning)}
        if paths in self._strays[tuning.jobs] and (remains := remains_of(paths)):
            remains.signal(kill=False)
            raise CapacityUnavailable(
                f"Training job {paths.directory.name} still runs, although its directory is gone.",
                because="the directory was moved or removed while it ran",
                remedy="nothing: it is stopped, and then launched anew",
            )

    def _take_share(self, paths: JobPaths, request: JobRequest) -> Mapping[str, str] | None:
        """Hold what the job needs of this machine, if it says so: what it is told of it. Raises
        CapacityUnavailable."""
        template = request.template
        if not template.resources.is_asked:
            return None
        machine = this_machine()
        gpus = self._holds.take(paths, machine, template.resources)
        return share_variables(template, list(gpus), machine.variable)

    def _give_back(self, paths: JobPaths, share: Mapping[str, str] | None) -> None:
        if share is not None:
            self._holds.give_back(paths)

    def _start(self, paths: JobPaths, request: JobRequest, share: Mapping[str, str] | None) -> None:
        try:
            if share:
                texts = [f"{name}={value}\0" for name, value in share.items()]
                paths.share.write_bytes(os.fsencode("".join(texts)))
            worker = self._fork_servers.start(paths) or start_worker(paths)
        except BaseException:
            self._give_back(paths, share)
            raise
        self._own[paths.directory] = self._live[paths] = worker
        if share is not None:
            self._holds.belongs_to(paths, worker)

    def _follow_fork_servers(self) -> None:
        """Take note of the jobs that they have begun. What one left is started once more."""
        for paths, worker in self._fork_servers.begun():
            self._is_run_by(paths, worker)
        for paths in not_begun(self._fork_servers.left()):
            # If that can't be done now, its worker never came.
            with contextlib.suppress(OSError):
                os.utime(paths.request)
                paths.starter.unlink(missing_ok=True)
                self._is_run_by(paths, self._fork_servers.start(paths) or start_worker(paths))

    def _is_run_by(self, paths: JobPaths, worker: Identity) -> None:
        """In place of the process that was to start it."""
        self._own[paths.directory] = worker
        if paths in self._live:
            self._live[paths] = worker
        if paths.share.exists():
            # Where that can't be written, the job's claim tells it too.
            with contextlib.suppress(BackendError):
                self._holds.belongs_to(paths, worker)

    def rest(self, tuning_job: str) -> None:
        tuning = tuning_paths(self.root, tuning_job)
        if tuning is not None:
            with self._lock:
                self._fork_servers.end(tuning.directory)

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
        comes = self._fork_servers.was_told_of(paths) or (own is not None and is_alive(own))
        if not paths.claim.exists() and not paths.end.exists() and not comes:
            # Whoever prepared it died before its worker came, or that one is about to: the claim decides.
            os.utime(paths.request)
            paths.starter.unlink(missing_ok=True)
            self._start(paths, request, self._take_share(paths, request))
        self._live.setdefault(paths, None)
        return Launch.ATTACHED

    # -- observing -------------------------------------------------------------------------------

    def poll(self, tuning_job: str, names: Sequence[str]) -> Sequence[JobReport]:
        reap_workers()
        tuning = tuning_paths(self.root, tuning_job)
        with self._lock:
            self._follow_fork_servers()
            return [self._report(tuning, name) for name in names]

    def _report(self, tuning: TuningPaths | None, name: str) -> JobReport:
        paths = tuning.job(name) if tuning else None
        if paths is None:
            return JobReport(name, JobState.LOST, failure="no training job can have this name")
        # First the state, then the values: what was written before the end is then told with it.
        standing = self._gone(paths) or self._look(paths)
        points, unread = self._new_points(paths)
        if standing.state.terminal:
            self._live.pop(paths, None)
            self._own.pop(paths.directory, None)
            self._leases.forget(paths)
            for note in filter(None, (*standing.notes, _unsaved(paths, standing))):
                logger.warning("Training job %s: %s.", name, note)
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
            artifact=standing.artifact or _artifact(paths, standing),
            unsaved=_unsaved(paths, standing),
            checkpoints=_checkpoints(paths) if standing.state.terminal else None,
            log=paths.log.as_uri() if paths.log.exists() else None,
            unread=unread,
            names=names,
            notes=standing.notes,
        )

    def _look(self, paths: JobPaths) -> Standing:
        # What a fork server was told of may begin yet, or is started once its end was noticed.
        if self._fork_servers.was_told_of(paths):
            return look(paths, None, self._leases, comes=True)
        return look(paths, self._own.get(paths.directory), self._leases)

    def _gone(self, paths: JobPaths) -> Standing | None:
        """Where a job stands whose files are gone; None for one whose files are there, or that never had
        any. It does not end before all that runs for it has.

        Raises BackendError when it is not the job's directory alone that has gone.
        """
        if paths.request.exists():
            return None
        remains, known = remains_of(paths), paths in self._live
        if not remains and not known:
            return None
        if not paths.directory.parent.exists():
            raise BackendError(
                f"The directory of the training jobs, {_nearest_gone(paths.directory)}, has vanished while "
                "they ran; they are stopped.",
                because="it was moved or removed, or its disk was unmounted",
                remedy="put it back, then run the same tuning job again: it goes on from its record",
            )
        if remains:
            remains.signal(kill=False)
            return Standing(JobState.STOPPING)
        failure = f"its directory {paths.directory} was removed or renamed while it ran"
        return Standing(JobState.FAILED, ended_at=time.time(), failure=failure)

    def _new_points(self, paths: JobPaths) -> tuple[tuple[MetricPoint, ...], tuple[Unread, ...]]:
        start = self._told.get(paths.directory, 0)
        try:
            if what_stands_at(paths.values):
                return (), ()
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
        if tuning is None:
            return ()
        with self._lock:
            strays = self._workers_without_files(tuning)
            if not strays and not tuning.jobs.is_dir():
                return ()
            found = [self._found(JobPaths(directory)) for directory in _directories(tuning.jobs)]
            found += [_without_files(place) for place in strays]
        return sorted((job for job in found if job), key=lambda job: (job.trial, job.attempt, job.name))

    def _workers_without_files(self, tuning: TuningPaths) -> list[Path]:
        return [place for place in workers_below(tuning.jobs) if not JobPaths(place).request.exists()]

    def _found(self, paths: JobPaths) -> FoundJob | None:
        request = read_json(paths.request)
        if request is None or request.get("v") != VERSION:
            return None  # what a power cut left, or another version's
        if str(request["name"]).lower() != paths.directory.name:
            return None  # it was renamed, by its script perhaps
        return FoundJob(
            request["name"],
            request["trial"],
            request["attempt"],
            request["fingerprint"],
            request["hyperparameters"],
            self._look(paths).state,
            request.get("seed"),
        )

    # -- stopping --------------------------------------------------------------------------------

    def stop(self, tuning_job: str, names: Sequence[str], *, kill: bool = False) -> None:
        tuning = tuning_paths(self.root, tuning_job)
        stopped: list[JobPaths] = []
        unstopped: BackendError | None = None
        for name in names:
            paths = tuning.job(name) if tuning else None
            if paths is None:
                continue
            if not paths.request.exists():
                remains_of(paths).signal(kill=kill)
            elif not paths.end.exists():
                stopped.append(paths)
                try:
                    self._stop(paths, kill=kill)
                except BackendError as error:
                    unstopped = error
        if kill:
            self._see_killed(stopped)
        if unstopped is not None:
            raise unstopped

    def _stop(self, paths: JobPaths, *, kill: bool) -> None:
        # The wish first, then the signal: a worker that is woken must find it. But whoever can't write may
        # signal all the same.
        try:
            (paths.kill if kill else paths.stop).touch()
        except OSError as error:
            unwritten: OSError | None = error
        else:
            unwritten = None
        if read_json(paths.claim) is None:
            abandon(paths, JobState.STOPPED, None)
        claim = read_json(paths.claim)
        if claim is None or "abandoned" in claim:
            if unwritten is not None:
                remains_of(paths).signal(kill=kill)
            return
        signalled = signal_worker(paths, claim)
        if kill:
            # Directly too: a worker that stands still would come to it late.
            kill_training(paths)
        if unwritten is not None and not signalled:
            raise BackendError(
                f"Training job {paths.directory.name} can't be asked to stop: {unwritten.strerror} "
                f"({paths.directory}), and its worker can't be signalled from here.",
                because="the directory's permissions or its disk",
                remedy="grant access or make room; or stop it where it was started, as the user who did",
            )
        self._look(paths)  # ends what a dead worker left behind

    def _see_killed(self, killed: Sequence[JobPaths]) -> None:
        """Kill the workers that don't come to kill their trainings soon, as one does that is suspended. Their
        guards end the rest."""
        give_up_at = time.monotonic() + KILL_SECONDS
        while left := [paths for paths in killed if not paths.end.exists() and has_worker(paths)]:
            if time.monotonic() >= give_up_at:
                break
            time.sleep(LOOK_AGAIN_SECONDS)
        for paths in left:
            kill_worker(paths)

    # -- waiting ---------------------------------------------------------------------------------

    def wait(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while True:
            reap_workers()
            with self._lock:
                self._follow_fork_servers()
                live = dict(self._live)
            with self._waiting:
                if self._watch.listen({paths.directory.parent.parent / "wake" for paths in live}):
                    return
                if self._watch.follow([worker for worker in live.values() if worker is not None]):
                    return
                left = deadline - time.monotonic()
                if self._watch.wait(min(left, LIVENESS_SECONDS)):
                    return
            # Should a wake-up have been lost, the files tell.
            if left <= LIVENESS_SECONDS or any(self._has_changed(paths) for paths in live):
                return

    def _has_changed(self, paths: JobPaths) -> bool:
        with self._lock:
            standing = self._look(paths)
            return standing.state.terminal or _size(paths.values) > self._told.get(paths.directory, 0)


def _directories(jobs: Path) -> list[Path]:
    try:
        return [directory for directory in jobs.iterdir() if not directory.name.startswith(".")]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BackendError(
            f"The directory of the training jobs, {jobs}, can't be read: {error.strerror}.",
            remedy="grant access to it, or give another --home",
        ) from None


def _without_files(place: Path) -> FoundJob | None:
    """A job that runs although its files are gone, and with them what it was asked for."""
    parts = parse_training_job_name(place.name)
    return (
        None if parts is None else FoundJob(place.name, parts.trial, parts.attempt, "", {}, JobState.RUNNING)
    )


def _nearest_gone(directory: Path) -> Path:
    """The uppermost directory of a path that is not there."""
    return next(path for path in reversed((directory, *directory.parents)) if not path.exists())


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


def _unsaved(paths: JobPaths, standing: Standing) -> str | None:
    if standing.unsaved is None:
        return None
    place = (read_json(paths.request) or {}).get("output_path")
    return (
        f"its model could not be uploaded to {place}, and is in {paths.container.model}: {standing.unsaved}"
    )


def _checkpoints(paths: JobPaths) -> str | None:
    """The directory of the trial's checkpoints, if there is something in it."""
    try:
        place = paths.container.checkpoints.resolve()
        return place.as_uri() if any(place.iterdir()) else None
    except (OSError, RuntimeError):  # gone, or a link that leads to itself
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
