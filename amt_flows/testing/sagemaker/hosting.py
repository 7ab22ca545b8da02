"""The models behind the endpoints of a world, InvokeEndpoint and InvokeEndpointAsync."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from amt_flows.metrics.lines import escaped
from amt_flows.testing.sagemaker import publishing
from amt_flows.testing.sagemaker.artifacts import Storage
from amt_flows.testing.sagemaker.async_inference import AsyncInvocation, Promised, keep_promise, promised
from amt_flows.testing.sagemaker.calls import Place
from amt_flows.testing.sagemaker.endpoint_operations import MODEL, EndpointOperations, Kept
from amt_flows.testing.sagemaker.endpoints import SimulatedEndpoint
from amt_flows.testing.sagemaker.inference import (
    ANSWER_SECONDS,
    Inference,
    Invocation,
    NoScript,
    Server,
    made_up,
)
from amt_flows.testing.sagemaker.refusals import Refusal
from amt_flows.testing.sagemaker.shared_state import SharedState

SERVING = ("InService", "Updating", "RollingBack", "UpdateRollbackFailed")
SCRIPTED = "programs don't run in this world, so no model does (start the server with --real)"

Key = tuple[Place, str, str, str]
"""Place, endpoint, configuration, variant."""


@dataclass
class Hosting:
    """Answers invocations. ``runs`` tells whether programs run in this world."""

    shared: SharedState
    endpoints: EndpointOperations
    runs: bool
    seed: int
    _servers: dict[Key, Server] = field(default_factory=dict)
    _random: random.Random = field(init=False)
    _promises: list[threading.Thread] = field(default_factory=list)
    _closed: bool = False

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        if self.runs:
            self.shared.watchers.append(self._let_go)

    def invoke(
        self,
        place: Place,
        name: str,
        asked: Invocation,
        target: str | None,
        seconds: float = ANSWER_SECONDS,
    ) -> Inference:
        """Without the world's lock: a model takes its time, ``seconds`` of it at most. Raises Refusal."""
        with self.shared.lock:
            self.shared.settle()
            endpoint = self._serving(place, name)
            variant = target or self._drawn(endpoint)
            if not self.runs:
                return made_up(variant, SCRIPTED)
            server = self._server(place, endpoint, variant)
        try:
            body, kind = server.answer(asked, seconds)
        except NoScript as error:
            return made_up(variant, str(error))
        return Inference(body, kind, variant)

    def invoke_async(self, place: Place, name: str, asked: AsyncInvocation) -> Promised:
        """Where the answer will be; a model that runs is asked in the background. Raises Refusal."""
        with self.shared.lock:
            self.shared.settle()
            endpoint = self._serving(place, name)
            promise = promised(name, self.endpoints.request_of(place, endpoint.configuration), asked)
        storage = Storage(*place, create_buckets=self.shared.create_buckets)

        def keep() -> None:
            with contextlib.suppress(Refusal):  # there is no bucket to say so in
                keep_promise(
                    promise, asked, storage, lambda one: self.invoke(place, name, one, None, asked.seconds)
                )

        if not self.runs:
            keep()
            return promise
        thread = threading.Thread(target=keep, name=f"async {name}", daemon=True)
        with self.shared.lock:
            self._promises = [one for one in self._promises if one.is_alive()] + [thread]
        thread.start()
        return promise

    def _serving(self, place: Place, name: str) -> SimulatedEndpoint:
        if self._closed:
            raise Refusal("ValidationError", "The simulated AWS: this world has ended.")
        found = next((e for e in self.endpoints.deployed(place) if e.name.lower() == name.lower()), None)
        if found is None or found.status not in SERVING or not found.variants:
            raise Refusal("ValidationError", f"Endpoint {name} of account {place[0]} not found.")
        return found

    def _drawn(self, endpoint: SimulatedEndpoint) -> str:
        """A variant, each as often as its weight says."""
        weights = [float(variant["CurrentWeight"]) for variant in endpoint.variants]
        names = [str(variant["VariantName"]) for variant in endpoint.variants]
        return self._random.choices(names, weights)[0] if sum(weights) > 0 else names[0]

    def _server(self, place: Place, endpoint: SimulatedEndpoint, variant: str) -> Server:
        key = (place, endpoint.name, endpoint.configuration, variant)
        if key not in self._servers:
            container = self._container(place, endpoint, variant)
            directory = self.shared.directory() / f"endpoint-{len(self._servers):05d}-{endpoint.name.lower()}"
            storage = Storage(*place, create_buckets=False)
            self._servers[key] = Server(
                container, storage, directory, self.shared.environment, self._log(place, endpoint, variant)
            )
        return self._servers[key]

    def _container(self, place: Place, endpoint: SimulatedEndpoint, variant: str) -> Mapping[str, Any]:
        for asked in self.endpoints.request_of(place, endpoint.configuration).get("ProductionVariants") or ():
            if asked["VariantName"] == variant:
                model = self.endpoints.existing.get((MODEL, place, str(asked.get("ModelName")).lower()))
                request = model.request if isinstance(model, Kept) else {}
                containers = request.get("Containers") or [request.get("PrimaryContainer") or {}]
                return dict(containers[0])
        raise Refusal("ValidationError", f"Variant {variant} was not found for endpoint {endpoint.name}.")

    def _log(self, place: Place, endpoint: SimulatedEndpoint, variant: str) -> Callable[[str], None]:
        group = publishing.ENDPOINTS + endpoint.name

        def log(line: str) -> None:
            with self.shared.lock:
                now = self.shared.now()
                publishing.open_stream(*place, variant, now, group)
                events = [
                    (now, text if text.strip() else " ") for text in publishing.events_of(escaped(line))
                ]
                publishing.put_lines(*place, variant, events, now, group)

        return log

    def _let_go(self) -> None:
        """End what serves nothing any more; it may still be at an answer, so somebody else waits for it."""
        live = {
            (place, endpoint.name, endpoint.configuration)
            for place in {key[0] for key in self._servers}
            for endpoint in self.endpoints.deployed(place)
        }
        for key in [key for key in self._servers if key[:3] not in live]:
            threading.Thread(target=self._servers.pop(key).close, daemon=True).start()

    def close(self) -> None:
        """End them all; without the world's lock."""
        with self.shared.lock:
            servers, self._servers = list(self._servers.values()), {}
            promises, self._promises = self._promises, []
            self._closed = True
        for server in servers:
            server.close()
        for thread in promises:
            thread.join()
