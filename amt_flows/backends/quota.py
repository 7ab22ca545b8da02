"""A quota that pipelines share: each live training job holds slots of Prefect's global concurrency limits,
from before its launch to its end, wherever it runs.

Slots are held by leases of the server's, which are renewed here while the tuning job is driven. A controller
that dies stops renewing, and the server gives the slots back a few minutes later; one that takes the tuning
job up before that goes on with the same leases, which are kept in a file of its home. After that it takes new
ones: a training job that runs already is not ended for want of a slot.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from amt_flows.backends.attended.http import Api, Refused
from amt_flows.backends.home import home_directory
from amt_flows.backends.work_pool.server import prefect_server
from amt_flows.errors import BackendError, CapacityUnavailable, Problem
from amt_flows.names import count
from amt_flows.ports import (
    Backend,
    FoundJob,
    HasRoom,
    JobReport,
    JobRequest,
    Launch,
    Resting,
    Room,
)
from amt_flows.spec import Resources, TuningSpec
from amt_flows.spec.concurrency import slots_of

logger = logging.getLogger("amt_flows")

LEASE_SECONDS: Final = 300.0
RENEW_SECONDS: Final = 60.0
LOOK_AGAIN_SECONDS: Final = 10.0
LOCKED: Final = 423
FIELD: Final = "limits.concurrency_limits"


def with_quota(backend: Backend, spec: TuningSpec) -> Backend:
    """The backend, or one whose training jobs hold the slots that the spec asks for."""
    wanted = slots_of(spec.limits)
    return QuotaBackend(backend, wanted) if wanted else backend


class QuotaBackend:
    """``slots``: of each concurrency limit, how many a training job holds."""

    def __init__(
        self,
        backend: Backend,
        slots: Mapping[str, int],
        *,
        kept_in: Path | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend = backend
        self._slots = dict(slots)
        root = getattr(backend, "root", None)  # where its training jobs are kept, if that is a directory
        self._kept_in = kept_in or (root if isinstance(root, Path) else home_directory()) / ".leases"
        self._monotonic = monotonic
        self._leases: dict[str, list[str]] = {}
        self._known: set[str] = set()
        self._renewed_at = monotonic()
        self._overdrawn: dict[str, float] = {}

    def room(self, need: Resources) -> Room:
        return self._backend.room(need) if isinstance(self._backend, HasRoom) else Room(None, "")

    def rest(self, tuning_job: str) -> None:
        if isinstance(self._backend, Resting):
            self._backend.rest(tuning_job)

    @property
    def address(self) -> str:
        return self._backend.address

    @property
    def _api(self) -> Api:
        return prefect_server("A quota")

    def check(self, spec: TuningSpec) -> Sequence[Problem]:
        return [*self._backend.check(spec), *self._limit_problems(spec)]

    def _limit_problems(self, spec: TuningSpec) -> list[Problem]:
        found: list[Problem] = []
        for name, slots in self._slots.items():
            try:
                limit = self._api.call("GET", f"/v2/concurrency_limits/{name}")
            except Refused as error:
                if error.status != 404:
                    raise
                made = f"prefect gcl create {name} --limit 4"
                found.append(
                    Problem(FIELD, name, f"the server has no such concurrency limit; make it: {made}")
                )
                continue
            except BackendError as error:
                self._recall(spec.name or "")
                if isinstance(error, CapacityUnavailable) and self._leases:
                    return []  # it was checked when they were taken, and the server is just away
                return [Problem(FIELD, name, f"{error.happened} {error.remedy}".strip())]
            if slots > limit["limit"]:
                message = f"no job would ever get {count(slots, 'slot')}; the limit is {limit['limit']}"
                found.append(Problem(FIELD, name, message))
        return found

    # -- launching and ending --------------------------------------------------------------------

    def launch(self, request: JobRequest) -> Launch:
        name = request.name.lower()
        self._recall(request.tuning_job)
        if name not in self._leases:
            self._hold(request.tuning_job, name, self._take(name))
        try:
            return self._backend.launch(request)
        except CapacityUnavailable:
            # While it waits for a place to run, another may have its slots.
            self._let_go(request.tuning_job, name)
            raise

    def poll(self, tuning_job: str, names: Sequence[str]) -> Sequence[JobReport]:
        self._recall(tuning_job)
        reports = self._backend.poll(tuning_job, names)
        for report in reports:
            name = report.name.lower()
            if report.state.terminal:
                self._let_go(tuning_job, name)
            elif name not in self._leases:
                self._take_over(tuning_job, name)
        self._renew(tuning_job)
        return reports

    def stop(self, tuning_job: str, names: Sequence[str], *, kill: bool = False) -> None:
        self._backend.stop(tuning_job, names, kill=kill)

    def find(self, tuning_job: str) -> Sequence[FoundJob]:
        return self._backend.find(tuning_job)

    def wait(self, timeout: float) -> None:
        self._backend.wait(min(timeout, RENEW_SECONDS) if self._leases else timeout)

    # -- leases ----------------------------------------------------------------------------------

    def _take(self, job: str) -> list[str]:
        """A lease for each number of slots. Raises CapacityUnavailable when others hold them."""
        leases: list[str] = []
        for slots in sorted(set(self._slots.values())):
            names = sorted(name for name, one in self._slots.items() if one == slots)
            body = {"names": names, "slots": slots, "mode": "concurrency", "lease_duration": LEASE_SECONDS}
            try:
                answer = self._api.call("POST", "/v2/concurrency_limits/increment-with-lease", body)
            except BackendError as error:
                self._return(leases)
                if isinstance(error, Refused) and error.status == LOCKED:
                    raise CapacityUnavailable(
                        f"Training job {job} waits for a slot of the concurrency limit {', '.join(names)}.",
                        because="other training jobs, of any pipeline of this Prefect server, hold them all",
                        remedy="nothing: it is tried again; `prefect gcl ls` shows the limits",
                        look_again_seconds=LOOK_AGAIN_SECONDS,
                    ) from None
                raise
            leases.append(str(answer["lease_id"]))
        return leases

    def _take_over(self, tuning_job: str, job: str) -> None:
        """Of a job that runs although nobody holds its slots: as soon as there are some."""
        if self._monotonic() < self._overdrawn.get(job, 0.0):
            return
        try:
            self._hold(tuning_job, job, self._take(job))
            self._overdrawn.pop(job, None)
        except BackendError as error:
            if job not in self._overdrawn:
                logger.warning("Training job %s runs without its slots: %s", job, error.happened)
            self._overdrawn[job] = self._monotonic() + LOOK_AGAIN_SECONDS

    def _renew(self, tuning_job: str) -> None:
        now = self._monotonic()
        if now - self._renewed_at < RENEW_SECONDS:
            return
        self._renewed_at = now
        for job, leases in list(self._leases.items()):
            for lease in leases:
                try:
                    body = {"lease_duration": LEASE_SECONDS}
                    self._api.call("POST", f"/v2/concurrency_limits/leases/{lease}/renew", body)
                except Refused:
                    # It ran out while the server, or we, were away. At the next look it is taken anew.
                    self._forget(tuning_job, job)
                    break
                except BackendError as error:
                    logger.debug("The lease of %s was not renewed: %s", job, error.happened)
                    self._renewed_at = now - RENEW_SECONDS + LOOK_AGAIN_SECONDS
                    return

    def _let_go(self, tuning_job: str, job: str) -> None:
        self._overdrawn.pop(job, None)
        if leases := self._leases.get(job):
            self._return(leases)
            self._forget(tuning_job, job)

    def _return(self, leases: Sequence[str]) -> None:
        for lease in leases:
            # Should that fail, it runs out.
            with contextlib.suppress(BackendError):
                self._api.call("POST", "/v2/concurrency_limits/decrement-with-lease", {"lease_id": lease})

    # -- the file --------------------------------------------------------------------------------

    def _hold(self, tuning_job: str, job: str, leases: list[str]) -> None:
        self._leases[job] = leases
        self._write(tuning_job)

    def _forget(self, tuning_job: str, job: str) -> None:
        self._leases.pop(job, None)
        self._write(tuning_job)

    def _recall(self, tuning_job: str) -> None:
        """Once: the leases that an earlier controller of the tuning job held."""
        if tuning_job in self._known:
            return
        self._known.add(tuning_job)
        try:
            content = json.loads(self._file(tuning_job).read_text(encoding="utf-8"))
            found = {str(job): [str(lease) for lease in leases] for job, leases in content.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return
        self._leases = {**found, **self._leases}
        self._renewed_at = self._monotonic() - RENEW_SECONDS  # those that have run out are told now

    def _write(self, tuning_job: str) -> None:
        path = self._file(tuning_job)
        try:
            if not self._leases:
                path.unlink(missing_ok=True)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = path.with_name(f"{path.name}.{os.getpid()}")
            scratch.write_text(json.dumps(self._leases), encoding="utf-8")
            scratch.rename(path)
        except OSError as error:
            logger.debug("The leases of %s are kept nowhere: %s", tuning_job, error)

    def _file(self, tuning_job: str) -> Path:
        return self._kept_in / f"{tuning_job.lower()}.json"
