"""A backend of training jobs that an engine starts, and that are otherwise looked after as on one machine."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from amt_flows.backends.attended.engine import Engine, EngineJob, EngineState, Order
from amt_flows.backends.attended.worker_files import ATTENDANT, FUNCTION, shared_package
from amt_flows.backends.local.backend import LocalBackend
from amt_flows.backends.local.check import shared_problems_of
from amt_flows.backends.local.paths import JobPaths, tuning_paths
from amt_flows.backends.local.process import read_json
from amt_flows.backends.local.request import build
from amt_flows.backends.local.share import share_variables
from amt_flows.backends.local.state import Standing, abandon
from amt_flows.errors import BackendError, CapacityUnavailable, Problem
from amt_flows.ports import JobRequest, JobState, Room
from amt_flows.spec import Resources, TuningSpec

logger = logging.getLogger("amt_flows")

LOOK_SECONDS: Final = 2.0
"""Between two looks at what the engine says; it is asked of jobs that no worker has claimed yet."""
UNSUBMITTED_SECONDS: Final = 60.0
"""How long a prepared job that the engine doesn't know may wait for the controller that prepared it."""
LEASE_SECONDS: Final = 30.0
PYTHON: Final = "python3"
"""Of the machines there, by their search path."""


class AttendedBackend(LocalBackend):
    """``root`` is a directory that the machines of the engine have at the same path."""

    def __init__(self, engine: Engine, root: Path | str, *, lease_seconds: float = LEASE_SECONDS) -> None:
        super().__init__(root, lease_seconds=lease_seconds)
        self.engine = engine
        self._jobs: dict[str, tuple[float, Mapping[str, EngineJob]]] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address!r}, {str(self.root)!r})"

    @property
    def address(self) -> str:
        return self.engine.address

    def check(self, spec: TuningSpec) -> Sequence[Problem]:
        return [*shared_problems_of(spec, self.root), *self._engine_problems(spec)]

    def _engine_problems(self, spec: TuningSpec) -> Sequence[Problem]:
        """Who goes on with a tuning job, or recovers it, need not wait for an engine that is just away."""
        try:
            return self.engine.check(spec)
        except BackendError as error:
            tuning = tuning_paths(self.root, spec.name or "")
            if isinstance(error, CapacityUnavailable) and tuning is not None and tuning.jobs.is_dir():
                logger.warning("%s", error.happened)
                return []
            return [Problem("backend", self.address, f"{error.happened} {error.remedy}".strip())]

    def room(self, need: Resources) -> Room:
        return self.engine.room(need)

    # -- launching -------------------------------------------------------------------------------

    def _take_share(self, paths: JobPaths, request: JobRequest) -> Mapping[str, str] | None:
        if not paths.directory.exists():
            self.engine.must_have_room(request)
        return None

    def _fill(self, request: JobRequest, paths: JobPaths, scratch: Path) -> None:
        package = shared_package(self.root)
        build(request, paths, scratch, python=PYTHON, function_runner=package / FUNCTION)
        # Which GPUs a job sees is the engine's business; how many threads follow from its CPUs is not.
        without_gpus = request.template.resources.model_copy(update={"gpus": None})
        template = request.template.model_copy(update={"resources": without_gpus})
        told = share_variables(template, (), "", inherited={})
        if told:
            texts = (f"{name}={value}\0" for name, value in told.items())
            (scratch / paths.share.name).write_bytes(os.fsencode("".join(texts)))
        (scratch / "launch").write_text(secrets.token_hex(8))

    def _start(self, paths: JobPaths, request: JobRequest, share: Mapping[str, str] | None) -> None:
        try:
            launch = (paths.directory / "launch").read_text()
        except OSError:
            launch = ""  # of a damaged directory; what its job comes to is found out as usual
        attendant = str(shared_package(self.root) / ATTENDANT)
        program = [PYTHON, "-I", "-S", attendant, str(paths.directory)]
        self.engine.start(Order(request, paths.directory, launch, program))
        self._live[paths] = None

    # -- observing -------------------------------------------------------------------------------

    def _look(self, paths: JobPaths) -> Standing:
        if not paths.directory.parent.is_dir() and self._is_kept_elsewhere(paths) is None:
            return Standing(JobState.STARTING)
        if paths.request.exists() and not paths.claim.exists() and not paths.end.exists():
            waits = self._look_at_the_engine(paths)
            if waits is not None:
                return waits
        had_ended = paths.end.exists() or not paths.request.exists()
        standing = super()._look(paths)
        if standing.state is JobState.LOST and not had_ended and paths.end.exists():
            # Its worker has ended, as its lease says; whatever still stands around it there is of no use.
            self._drop(paths, lost=True)
        return standing

    def _look_at_the_engine(self, paths: JobPaths) -> Standing | None:
        """Of a job that no worker has claimed; None when one has meanwhile, or never will."""
        name = paths.directory.name
        try:
            known = self._engine_job(paths)
        except BackendError as error:
            logger.debug("%s: %s", name, error.happened)
            known = EngineJob(EngineState.WAITING)
        # Whoever prepares it, or waits on its machine for a share of it, touches it.
        touched = paths.request.stat().st_mtime
        if known.state is EngineState.UNKNOWN and time.time() - touched < UNSUBMITTED_SECONDS:
            known = EngineJob(EngineState.WAITING)
        late = known.since is not None and time.time() - max(known.since, touched) > known.within
        if late:
            known = EngineJob(EngineState.OVER, f"it did not begin within {known.within:g} s: {known.why}")
        if known.state in (EngineState.WAITING, EngineState.RUNNING):
            stopping = paths.stop.exists() or paths.kill.exists()
            return Standing(JobState.STOPPING if stopping else JobState.STARTING)
        why = known.why or f"{self.engine.address} knows nothing of it any more"
        # From here on no worker can have it, however late one comes.
        if abandon(paths, JobState.LOST, f"it was never begun: {why}") and late:
            self._drop(paths, lost=True)
        return None

    def _is_kept_elsewhere(self, paths: JobPaths) -> bool | None:
        """False for a job that the engine doesn't know either; None while that can't be asked. Raises
        BackendError for one that it has: its files are somewhere else, and with them its end."""
        try:
            known = self._engine_job(paths)
        except CapacityUnavailable:
            return None
        if known.state is EngineState.UNKNOWN:
            return False
        raise BackendError(
            f"{self.engine.address} has the training job {paths.directory.name}, and its directory is not "
            f"below {self.root}.",
            because="its tuning job was begun with another home, or another $AMT_FLOWS_SHARED",
            remedy="set AMT_FLOWS_SHARED to the directory that the machines share, and do the same again",
        )

    def _engine_job(self, paths: JobPaths) -> EngineJob:
        tuning_job = paths.directory.parent.parent.name
        at, jobs = self._jobs.get(tuning_job, (0.0, {}))
        if time.monotonic() - at >= LOOK_SECONDS or not at:
            jobs = self.engine.jobs(tuning_job, self._unclaimed(paths))
            self._jobs[tuning_job] = time.monotonic(), jobs
        return jobs.get(paths.directory.name, EngineJob(EngineState.UNKNOWN))

    def _unclaimed(self, paths: JobPaths) -> list[str]:
        """The jobs of the same tuning job that may be waiting, beside this one."""
        of_its = [one for one in self._live if one.directory.parent == paths.directory.parent]
        return sorted({one.directory.name for one in (paths, *of_its) if not one.claim.exists()})

    # -- stopping --------------------------------------------------------------------------------

    def stop(self, tuning_job: str, names: Sequence[str], *, kill: bool = False) -> None:
        tuning = tuning_paths(self.root, tuning_job)
        if tuning is not None and not tuning.jobs.is_dir():
            for paths in filter(None, map(tuning.job, names)):
                self._is_kept_elsewhere(paths)
        super().stop(tuning_job, names, kill=kill)

    def _stop(self, paths: JobPaths, *, kill: bool) -> None:
        super()._stop(paths, kill=kill)
        if (read_json(paths.claim) or {}).get("abandoned"):
            self._drop(paths)

    def _drop(self, paths: JobPaths, *, lost: bool = False) -> None:
        try:
            self.engine.drop(paths.directory.parent.parent.name, paths.directory.name, lost=lost)
        except BackendError as error:
            # Should it be started after all, its worker finds that the job is taken.
            logger.debug("%s: %s", paths.directory.name, error.happened)
