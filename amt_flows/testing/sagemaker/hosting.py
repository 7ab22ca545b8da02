"""The models behind the endpoints of a world, and InvokeEndpoint."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from amt_flows.testing.sagemaker import publishing
from amt_flows.testing.sagemaker.artifacts import Storage
from amt_flows.testing.sagemaker.calls import Place
from amt_flows.testing.sagemaker.endpoint_operations import MODEL, EndpointOperations, Kept
from amt_flows.testing.sagemaker.endpoints import SimulatedEndpoint
from amt_flows.testing.sagemaker.inference import Inference, Invocation, NoScript, Server, made_up
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

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        if self.runs:
            self.shared.watchers.append(self._let_go)

    def invoke(self, place: Place, name: str, asked: Invocation, target: str | None) -> Inference:
        """Without the world's lock: a model takes its time. Raises Refusal."""
        with self.shared.lock:
            self.shared.settle()
            endpoint = self._serving(place, name)
            variant = target or self._drawn(endpoint)
            if not self.runs:
                return made_up(variant, SCRIPTED)
            server = self._server(place, endpoint, variant)
        try:
            body, kind = server.answer(asked)
        except NoScript as error:
            return made_up(variant, str(error))
        return Inference(body, kind, variant)

    def _serving(self, place: Place, name: str) -> SimulatedEndpoint:
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
        for asked in self.endpoints.variants_of(place, endpoint.configuration):
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
                publishing.put_lines(*place, variant, [(now, line or " ")], now, group)

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
        for server in servers:
            server.close()
