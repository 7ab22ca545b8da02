"""A Prefect work pool as an engine: a training job is a flow run of the deployment that the pool was given by
``amt-flows register-work-pool``. Its idempotency key is its name.

A flow run that has begun is stopped through the job's directory, with the job's own grace time: Prefect's
workers have another one, and kill after it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from amt_flows.backends.attended.engine import START_SECONDS, EngineJob, EngineState, Order
from amt_flows.backends.attended.http import Api, Refused
from amt_flows.backends.work_pool.job_variables import from_resources, unknown
from amt_flows.backends.work_pool.server import prefect_server
from amt_flows.errors import BackendError, CapacityUnavailable, LaunchRejected, NameTaken, Problem
from amt_flows.ports import JobRequest, Room
from amt_flows.spec import Resources, TuningSpec

KIND: Final = "work-pool"
FLOW: Final = "amt-training-job"
ENTRYPOINT: Final = "amt_flows.flows.training_job.training_job"
TAG: Final = "amt-flows"
PROCESS: Final = "process"
PROCESS_START_SECONDS: Final = 300.0
"""In which a process begins, or never will: it pulls no image. Its worker may have died meanwhile, and nobody
tells the server of that."""
logger = logging.getLogger("amt_flows")

STATES: Final[Mapping[str, EngineState]] = {
    "SCHEDULED": EngineState.WAITING,
    "PENDING": EngineState.WAITING,
    "RUNNING": EngineState.RUNNING,
    "PAUSED": EngineState.RUNNING,
    "CANCELLING": EngineState.RUNNING,
    "COMPLETED": EngineState.OVER,
    "FAILED": EngineState.OVER,
    "CRASHED": EngineState.OVER,
    "CANCELLED": EngineState.OVER,
}


class WorkPoolEngine:
    """``pool``: its name. The server is the one that Prefect itself would use here."""

    def __init__(self, pool: str) -> None:
        self.pool = pool
        self._deployment: str | None = None
        self._type: str | None = None
        self.bar_of: Callable[[str], Mapping[str, object]] | None = None
        """The task run that a training job's flow run is to be shown below, as the server makes one; None
        where no flow run drives the tuning job."""

    @property
    def address(self) -> str:
        return f"{KIND}:{self.pool}"

    @property
    def _api(self) -> Api:
        return prefect_server(f"The work pool {self.pool}")

    def check(self, spec: TuningSpec) -> Sequence[Problem]:
        try:
            pool = self._described_pool()
            self._deployment_id()
        except CapacityUnavailable:
            raise
        except BackendError as error:
            remedy = f"; {error.remedy}" if error.remedy else ""
            return [Problem("backend", self.address, f"{error.happened.rstrip('.')}{remedy}")]
        if pool.get("is_paused"):
            resume = f"`prefect work-pool resume {self.pool}`"
            logger.warning("The work pool %s is paused: its training jobs wait for %s.", self.pool, resume)
        job = spec.training_job
        found = [
            Problem(
                f"training_job.job_variables.{name}", None, f"the pool's base job template has no {name!r}"
            )
            for name in unknown(pool, job.job_variables)
        ]
        if pool["type"] != PROCESS:
            _, untold = from_resources(pool, job.resources, job.job_variables)
            found += [
                Problem(
                    f"training_job.resources.{name}",
                    job.resources.amounts()[name],
                    f"the base job template of {self.pool} ({pool['type']}) has no variable for it; add one "
                    f"to it ({' or '.join(names)}), or say it in training_job.job_variables",
                )
                for name, names in untold.items()
            ]
        return found

    def room(self, need: Resources) -> Room:
        pool = self._described_pool()
        limit = pool.get("concurrency_limit")
        why = f"the pool has {'no limit' if limit is None else f'a limit of {limit} flow runs'}"
        why += ", is paused" * bool(pool.get("is_paused"))
        online = self._api.call("POST", f"/work_pools/{self.pool}/workers/filter", {})
        alive = sum(worker.get("status") == "ONLINE" for worker in online)
        return Room(limit, f"{why}, and {alive} of its workers {'is' if alive == 1 else 'are'} online")

    def must_have_room(self, request: JobRequest) -> None:
        """A flow run may wait in its pool for as long as it takes."""

    def start(self, order: Order) -> None:
        request, pool = order.request, self._described_pool()
        parameters: dict[str, Any] = {
            "directory": str(order.directory),
            "fingerprint": request.fingerprint,
            "launch": order.launch,
        }
        if pool["type"] == PROCESS and request.template.resources.is_asked:
            # A process pool gives its flow runs no part of the machine, so it is taken as on one machine.
            parameters["resources"] = request.template.resources.model_dump(exclude_defaults=True)
        told, _ = from_resources(pool, request.template.resources, request.template.job_variables)
        body: dict[str, Any] = {
            "name": request.name.lower(),
            "idempotency_key": request.name.lower(),
            "parameters": parameters,
            "enforce_parameter_schema": False,
            "job_variables": {**told, **request.template.job_variables},
            "tags": [TAG, _tag(request.tuning_job), *_pairs(request.tags)],
        }
        if parent := self._parent(request.name):
            body["parent_task_run_id"] = parent
        try:
            run = self._api.call("POST", f"/deployments/{self._deployment_id()}/create_flow_run", body)
        except Refused as error:
            if error.status == 404:
                self._deployment = None
            raise LaunchRejected(
                f"The Prefect server refused training job {request.name}: {error.said[:500]}",
                because="its job variables don't fit the pool's base job template",
                remedy="correct training_job.job_variables, or register the work pool anew",
            ) from None
        there = run.get("parameters") or {}
        if any(there.get(key) != parameters[key] for key in ("fingerprint", "launch")):
            raise NameTaken(
                f"The Prefect server has another flow run with the name of training job {request.name}.",
                because="it is another spec's, or of an earlier tuning job whose directory was removed",
                remedy=f"give the tuning job another name, or delete that flow run ({run['id']})",
            )

    def _parent(self, training_job: str) -> str | None:
        """Where it is to be shown; nowhere, when the server is too busy to say: no launch waits for that."""
        if self.bar_of is None:
            return None
        try:
            return str(self._api.call("POST", "/task_runs/", self.bar_of(training_job))["id"])
        except BackendError:
            return None

    def jobs(self, tuning_job: str, names: Sequence[str]) -> Mapping[str, EngineJob]:
        runs = self._runs(tuning_job, names)
        if runs and self._type is None:
            self._described_pool()
        within = PROCESS_START_SECONDS if self._type == PROCESS else START_SECONDS
        return {run["name"]: _job(run, within) for run in runs}

    def drop(self, tuning_job: str, name: str, *, lost: bool = False) -> None:
        for run in self._runs(tuning_job, [name.lower()]):
            if STATES.get(run.get("state_type", "")) is EngineState.OVER:
                continue
            state = {"type": "CANCELLED", "name": "Cancelled", "message": "Stopped before it had begun."}
            if lost:
                why = "It gave no sign of life for as long as its lease lasts: its infrastructure died."
                state = {"type": "CRASHED", "name": "Crashed", "message": why}
            self._api.call("POST", f"/flow_runs/{run['id']}/set_state", {"state": state, "force": True})

    # -- the server --------------------------------------------------------------------------------

    def register(self) -> str:
        """Give the pool what its flow runs are runs of; again does no harm. The deployment's id."""
        pool = self._described_pool()
        api = self._api
        flow = api.call("POST", "/flows/", {"name": FLOW})
        deployment = api.call(
            "POST",
            "/deployments/",
            {
                "name": self.pool,
                "flow_id": flow["id"],
                "work_pool_name": pool["name"],
                "entrypoint": ENTRYPOINT,
                "enforce_parameter_schema": False,
                "parameter_openapi_schema": {"type": "object", "properties": {}},
                "description": "A training job of amt-flows. Its runs are made by tuning jobs.",
                "tags": [TAG],
            },
        )
        return str(deployment["id"])

    def _described_pool(self) -> Mapping[str, Any]:
        missing = BackendError(
            f"The Prefect server has no work pool {self.pool!r}.",
            remedy=f"make it: prefect work-pool create {self.pool} --type process",
        )
        pool = self._found(f"/work_pools/{self.pool}", missing)
        self._type = str(pool["type"])
        return pool

    def _deployment_id(self) -> str:
        if self._deployment is None:
            missing = LaunchRejected(
                f"The work pool {self.pool} was not registered for training jobs.",
                remedy=f"amt-flows register-work-pool {self.pool}",
            )
            found = self._found(f"/deployments/name/{FLOW}/{self.pool}", missing)
            self._deployment = str(found["id"])
        return self._deployment

    def _found(self, path: str, missing: BackendError) -> Mapping[str, Any]:
        """What the server has there. Raises ``missing`` when it has nothing."""
        try:
            found: Mapping[str, Any] = self._api.call("GET", path)
        except Refused as error:
            raise missing if error.status == 404 else error from None
        return found

    def _runs(self, tuning_job: str, names: Sequence[str]) -> list[dict[str, Any]]:
        if not names:
            return []
        wanted = {"name": {"any_": list(names)}, "tags": {"all_": [TAG, _tag(tuning_job)]}}
        runs: list[dict[str, Any]] = self._api.call(
            "POST", "/flow_runs/filter", {"flow_runs": wanted, "limit": 200}
        )
        return runs


def _tag(tuning_job: str) -> str:
    return f"tuning-job:{tuning_job.lower()}"


def _pairs(tags: Mapping[str, str]) -> list[str]:
    return [f"{name}:{text}" for name, text in tags.items()]


def _job(run: Mapping[str, Any], within: float) -> EngineJob:
    state = run.get("state") or {}
    kind = STATES.get(str(run.get("state_type")), EngineState.RUNNING)
    why = f"its flow run is {state.get('name')}: {str(state.get('message') or 'no more is known')[:600]}"
    # In a queue it may be for days; what was handed to a machine has to begin.
    begins = run.get("state_type") in ("PENDING", "RUNNING")
    return EngineJob(kind, why, _seconds(state.get("timestamp")) if begins else None, within)


def _seconds(timestamp: object) -> float | None:
    try:
        return datetime.fromisoformat(str(timestamp).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None
