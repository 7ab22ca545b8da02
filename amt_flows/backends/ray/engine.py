"""A Ray cluster as an engine: https://docs.ray.io/en/latest/cluster/running-applications/job-submission/

A training job is a Ray job whose ``submission_id`` is its name. Ray's own stop kills after three seconds, so
a job that runs is stopped through its directory, with its own grace time; Ray is only asked to drop what
waits.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from amt_flows.backends.attended.engine import EngineJob, EngineState, Order
from amt_flows.backends.attended.http import Api, Refused
from amt_flows.backends.home import expanded
from amt_flows.errors import BackendError, CapacityUnavailable, LaunchRejected, NameTaken, Problem
from amt_flows.ports import JobRequest, Room
from amt_flows.spec import Resources, TuningSpec

KIND: Final = "ray"
PREFIX: Final = "amt_flows."
LOOK_AGAIN_SECONDS: Final = 5.0
CPUS: Final = 1.0
"""Of a job that doesn't say: Ray's own default for a task."""
GB: Final = 1_000_000_000
PENDING: Final = "AMT_FLOWS_RAY_PENDING"
TOKEN_PATH: Final = "~/.ray/auth_token"  # noqa: S105 - where Ray keeps it

STATES: Final[Mapping[str, EngineState]] = {
    "PENDING": EngineState.WAITING,
    "RUNNING": EngineState.RUNNING,
    "STOPPED": EngineState.OVER,
    "SUCCEEDED": EngineState.OVER,
    "FAILED": EngineState.OVER,
}


class RayEngine:
    """``url``: of the head, e.g. ``http://head:8265``."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self._url = url.rstrip("/")
        self._api = Api(self._url, "The Ray cluster", {**_token(), **(headers or {})})

    @property
    def address(self) -> str:
        return f"{KIND}:{self._url}"

    def check(self, spec: TuningSpec) -> Sequence[Problem]:
        need = spec.training_job.resources
        nodes = self._nodes()
        if any(_fits(_amounts(need), totals) for totals in _totals(nodes)):
            return []
        has = "; ".join(_in_words(total) for total in _totals(nodes))
        wants = _in_words(_amounts(need))
        message = f"no node of the cluster would ever have room for a job's {wants}; they have: {has}"
        return [Problem("training_job.resources", need.amounts() or None, message)]

    def room(self, need: Resources) -> Room:
        totals = list(_totals(self._nodes()))
        wanted = _amounts(need)
        at_once = sum(
            min((int(total.get(name, 0.0) / amount + 1e-9) for name, amount in wanted.items()), default=0)
            for total in totals
        )
        return Room(at_once, f"the cluster's nodes have {'; '.join(map(_in_words, totals))}")

    def must_have_room(self, request: JobRequest) -> None:
        """A Ray job that waits for longer than the cluster allows (a quarter of an hour) fails, so it had
        better wait here; but a cluster that grows on demand has to see some that wait."""
        wanted = _amounts(request.template.resources)
        waiting = [_needs(job) for job in self._listed() if _is_ours(job) and job.get("status") == "PENDING"]
        free = list(_free(self._nodes()))
        # What has been submitted and not begun is in no node's account yet.
        beyond = sum(not _place(needs, free) for needs in [*waiting, wanted])
        if beyond > most_pending():
            raise CapacityUnavailable(
                f"Training job {request.name} waits for {_in_words(wanted)} on the Ray cluster.",
                because=f"its nodes have no more free, or {len(waiting)} that wait there will take it",
                remedy=f"nothing: it is tried again; for a cluster that grows on demand set ${PENDING}=1",
                look_again_seconds=LOOK_AGAIN_SECONDS,
            )

    def start(self, order: Order) -> None:
        request, need = order.request, order.request.template.resources
        metadata = {
            f"{PREFIX}fingerprint": request.fingerprint,
            f"{PREFIX}tuning_job": request.tuning_job,
            f"{PREFIX}launch": order.launch,
            f"{PREFIX}needs": json.dumps(_amounts(need)),
            **{name: text for name, text in request.tags.items() if not name.startswith(PREFIX)},
        }
        body: dict[str, Any] = {
            "submission_id": request.name.lower(),
            # `exec`: the attendant is then the child of what Ray looks after, and sees it go.
            "entrypoint": f"exec {shlex.join(order.program)}",
            "metadata": metadata,
            "runtime_env": dict(request.template.runtime_env),
            "entrypoint_num_cpus": CPUS if need.cpus is None else need.cpus,
        }
        if need.gpus:
            body["entrypoint_num_gpus"] = need.gpus
        if need.memory_gb:
            body["entrypoint_memory"] = int(need.memory_gb * GB)
        if need.custom:
            body["entrypoint_resources"] = dict(need.custom)
        try:
            self._api.call("POST", "/api/jobs/", body)
        except Refused as error:
            existing = self._described(request.name)
            if existing is not None:
                _must_be_same(request.name, existing.get("metadata") or {}, metadata)
            elif error.status >= 500:
                raise CapacityUnavailable(
                    f"The Ray cluster did not take training job {request.name}: {error.said[-500:]}",
                    because="its head is busy or being restarted, or the runtime environment can't be made",
                    remedy="nothing while it passes: it is tried again",
                    look_again_seconds=LOOK_AGAIN_SECONDS,
                ) from None
            else:
                raise LaunchRejected(
                    f"The Ray cluster refused training job {request.name}: {error.said[-500:]}",
                    remedy="correct training_job.runtime_env or training_job.resources",
                ) from None

    def jobs(self, tuning_job: str, names: Sequence[str]) -> Mapping[str, EngineJob]:
        return {
            str(job["submission_id"]): EngineJob(
                STATES.get(str(job.get("status")), EngineState.RUNNING), _why(job)
            )
            for job in self._listed()
            if (job.get("metadata") or {}).get(f"{PREFIX}tuning_job", "").lower() == tuning_job.lower()
        }

    def drop(self, tuning_job: str, name: str, *, lost: bool = False) -> None:
        try:
            self._api.call("POST", f"/api/jobs/{name.lower()}/stop")
        except Refused as error:
            if error.status != 404:
                raise

    # -- the cluster -------------------------------------------------------------------------------

    def _listed(self) -> list[Mapping[str, Any]]:
        answer = self._api.call("GET", "/api/jobs/")
        return [job for job in answer or () if job.get("submission_id")]

    def _described(self, name: str) -> Mapping[str, Any] | None:
        try:
            answer: Mapping[str, Any] = self._api.call("GET", f"/api/jobs/{name.lower()}")
        except Refused as error:
            if error.status == 404:
                return None
            raise
        return answer

    def _nodes(self) -> list[Mapping[str, Sequence[float]]]:
        """For each node what of each resource is used, and how much there is."""
        answer = self._api.call("GET", "/api/cluster_status") or {}
        status = (answer.get("data") or {}).get("clusterStatus") or {}
        usage = (status.get("loadMetricsReport") or {}).get("usageByNode") or {}
        if not usage:
            raise CapacityUnavailable(
                f"{self.address} does not say what its nodes have.",
                because="the cluster has only just been started, or its head is no Ray head",
                remedy="wait a moment, or check the address",
                look_again_seconds=LOOK_AGAIN_SECONDS,
            )
        return list(usage.values())


def _token() -> dict[str, str]:
    """Of a cluster that wants one (as a head of Ray 2.60 does), as Ray's own clients find it."""
    token, path = os.environ.get("RAY_AUTH_TOKEN"), os.environ.get("RAY_AUTH_TOKEN_PATH") or TOKEN_PATH
    if not token:
        with contextlib.suppress(OSError, RuntimeError):
            token = expanded(path).read_text().strip()
    return {"Authorization": f"Bearer {token}"} if token else {}


def most_pending() -> int:
    """How many may wait on the cluster beyond what it has room for. Raises BackendError."""
    text = os.environ.get(PENDING, "0")
    if not text.isdigit():
        raise BackendError(f"${PENDING} is {text!r}.", remedy="set it to a whole number, or unset it")
    return int(text)


def _needs(job: Mapping[str, Any]) -> dict[str, float]:
    with contextlib.suppress(ValueError, TypeError, KeyError):
        needs = json.loads(job["metadata"][f"{PREFIX}needs"])
        return {str(name): float(amount) for name, amount in needs.items()}
    return {"cpu": CPUS}


def _place(wanted: Mapping[str, float], free: Sequence[dict[str, float]]) -> bool:
    """Take it from the first node that has room. Whether one had."""
    for node in free:
        if _fits(wanted, node):
            for name, amount in wanted.items():
                node[name] -= amount
            return True
    return False


def _is_ours(job: Mapping[str, Any]) -> bool:
    return f"{PREFIX}tuning_job" in (job.get("metadata") or {})


def _why(job: Mapping[str, Any]) -> str:
    return f"Ray says {job.get('status')}: {str(job.get('message') or 'nothing more').strip()[-600:]}"


def _must_be_same(name: str, there: Mapping[str, str], ours: Mapping[str, str]) -> None:
    if all(there.get(f"{PREFIX}{key}") == ours[f"{PREFIX}{key}"] for key in ("fingerprint", "launch")):
        return
    raise NameTaken(
        f"The Ray cluster has another job with the name of training job {name}.",
        because="it is another spec's, or of an earlier tuning job whose directory was removed",
        remedy="give the tuning job another name, or delete that job: `ray job delete " + name.lower() + "`",
    )


def _amounts(need: Resources) -> dict[str, float]:
    amounts = {"cpu": CPUS if need.cpus is None else need.cpus, "gpu": need.gpus or 0.0}
    amounts["memory"] = (need.memory_gb or 0.0) * GB
    amounts |= {_plain(name): amount for name, amount in need.custom.items()}
    return {name: amount for name, amount in amounts.items() if amount}


def _plain(name: str) -> str:
    """The head writes names of resources in camel case."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _totals(nodes: Sequence[Mapping[str, Sequence[float]]]) -> Iterator[dict[str, float]]:
    for node in nodes:
        yield {_plain(name): total for name, (_, total) in node.items() if not name.startswith("node:")}


def _free(nodes: Sequence[Mapping[str, Sequence[float]]]) -> Iterator[dict[str, float]]:
    for node in nodes:
        yield {_plain(name): total - used for name, (used, total) in node.items()}


def _fits(wanted: Mapping[str, float], there: Mapping[str, float]) -> bool:
    return all(there.get(name, 0.0) >= amount - 1e-9 for name, amount in wanted.items())


def _in_words(amounts: Mapping[str, float]) -> str:
    words = []
    for name, amount in amounts.items():
        if name == "objectstorememory":
            continue
        words.append(f"{amount / GB:.3g} GB of memory" if name == "memory" else f"{amount:g} {name.upper()}")
    return ", ".join(words) or "nothing"
