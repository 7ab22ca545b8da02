"""The operations on models, endpoint configurations and endpoints.

SageMaker answers a ValidationException to whatever is missing, taken or busy; the words are those that people
quoted in public issues, e.g. https://github.com/hashicorp/terraform-provider-aws/issues/40048 and
https://github.com/astronomer/astronomer-providers/issues/1055.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from amt_flows.testing.sagemaker import tags
from amt_flows.testing.sagemaker.calls import Answer, Call, Place, arn_of, in_page
from amt_flows.testing.sagemaker.clocks import naive
from amt_flows.testing.sagemaker.endpoints import Deploy, EndpointScript, SimulatedEndpoint
from amt_flows.testing.sagemaker.paging import page
from amt_flows.testing.sagemaker.refusals import Refusal, validation
from amt_flows.testing.sagemaker.shared_state import SharedState

MODEL, CONFIGURATION, ENDPOINT = "model", "endpoint-config", "endpoint"
WORDS = {MODEL: "model", CONFIGURATION: "endpoint configuration", ENDPOINT: "endpoint"}
MEMBERS = {MODEL: "Model", CONFIGURATION: "EndpointConfig", ENDPOINT: "Endpoint"}


@dataclass
class Kept:
    """A model or an endpoint configuration: it is as it was asked for."""

    name: str
    arn: str
    request: Mapping[str, Any]
    created_at: float
    tags: list[dict[str, str]]


Key = tuple[str, Place, str]


@dataclass
class EndpointOperations:
    """Keeps what is deployed. Methods are called with the world's lock held."""

    shared: SharedState
    deploy: Deploy = lambda endpoint, configuration: EndpointScript()
    """What becomes of what is deployed; for tests to replace."""
    existing: dict[Key, Kept | SimulatedEndpoint] = field(default_factory=dict)
    created: list[str] = field(default_factory=list)
    """The ARN of everything that was ever created, in order: the proof that nothing was made twice."""

    def operations(self) -> dict[str, Callable[[Call], Answer]]:
        found: dict[str, Callable[[Call], Answer]] = {
            "CreateEndpoint": self._create_endpoint,
            "DescribeEndpoint": lambda call: self.endpoint(call).describe(),
            "UpdateEndpoint": self._update_endpoint,
            "DeleteEndpoint": self._delete_endpoint,
        }
        for kind in (MODEL, CONFIGURATION):
            name = MEMBERS[kind]
            found |= {
                f"Create{name}": lambda call, kind=kind: self._create(kind, call),  # type: ignore[misc]
                f"Describe{name}": lambda call, kind=kind: self._describe(kind, call),  # type: ignore[misc]
                f"Delete{name}": lambda call, kind=kind: self._delete(kind, call),  # type: ignore[misc]
            }
        for kind in MEMBERS:
            found[f"List{MEMBERS[kind]}s"] = lambda call, kind=kind: self._list(kind, call)  # type: ignore[misc]
        return found

    def endpoint(self, call: Call) -> SimulatedEndpoint:
        found = self._find(ENDPOINT, call.place, str(call.params["EndpointName"]))
        assert isinstance(found, SimulatedEndpoint)
        return found

    def _key(self, kind: str, place: Place, name: str) -> Key:
        return kind, place, name.lower()

    def _find(self, kind: str, place: Place, name: str) -> Kept | SimulatedEndpoint:
        found = self.existing.get(self._key(kind, place, name))
        if found is None:
            raise validation(f'Could not find {WORDS[kind]} "{arn_of(place, kind, name)}".')
        return found

    def _add(self, kind: str, place: Place, thing: Kept | SimulatedEndpoint) -> None:
        self.existing[self._key(kind, place, thing.name)] = thing
        self.created.append(thing.arn)

    def _must_be_new(self, kind: str, place: Place, name: str) -> None:
        if self._key(kind, place, name) in self.existing:
            raise validation(f'Cannot create already existing {WORDS[kind]} "{arn_of(place, kind, name)}".')

    # -- models and configurations -----------------------------------------------------------------

    def _create(self, kind: str, call: Call) -> Answer:
        member = MEMBERS[kind]
        name = str(call.params[f"{member}Name"])
        self._must_be_new(kind, call.place, name)
        for model in _models_of(call.params):
            self._find(MODEL, call.place, model)
        arn = arn_of(call.place, kind, name)
        own = tags.merged([], call.params.get("Tags") or [])
        self._add(kind, call.place, Kept(name, arn, call.params, self.shared.now(), own))
        return {f"{member}Arn": arn}

    def _describe(self, kind: str, call: Call) -> Answer:
        member = MEMBERS[kind]
        found = self._find(kind, call.place, str(call.params[f"{member}Name"]))
        assert isinstance(found, Kept)
        answer = {name: value for name, value in found.request.items() if name != "Tags"}
        if kind == MODEL:
            answer = {"EnableNetworkIsolation": False, **answer}
            if "PrimaryContainer" in answer:
                answer["PrimaryContainer"] = {
                    "Mode": "SingleModel",
                    "Environment": {},
                    **answer["PrimaryContainer"],
                }
        return {**answer, f"{member}Arn": found.arn, "CreationTime": naive(found.created_at)}

    def _delete(self, kind: str, call: Call) -> Answer:
        name = str(call.params[f"{MEMBERS[kind]}Name"])
        self._find(kind, call.place, name)
        del self.existing[self._key(kind, call.place, name)]
        return {}

    # -- endpoints -----------------------------------------------------------------------------------

    def _create_endpoint(self, call: Call) -> Answer:
        name, configuration = str(call.params["EndpointName"]), str(call.params["EndpointConfigName"])
        self._must_be_new(ENDPOINT, call.place, name)
        script = self._script(call, configuration)
        endpoint = SimulatedEndpoint(
            name=name,
            arn=arn_of(call.place, ENDPOINT, name),
            configuration=configuration,
            created_at=self.shared.now(),
            tags=tags.merged([], call.params.get("Tags") or []),
            shared=self.shared,
        )
        self._add(ENDPOINT, call.place, endpoint)
        endpoint.begin("Creating", configuration, script, lambda: self._is_there(call.place, configuration))
        return {"EndpointArn": endpoint.arn}

    def _update_endpoint(self, call: Call) -> Answer:
        endpoint, configuration = self.endpoint(call), str(call.params["EndpointConfigName"])
        if endpoint.busy:
            raise self._busy(endpoint)
        if endpoint.status == "Failed":
            raise validation(f'Cannot update failed endpoint "{endpoint.arn}".')
        script = self._script(call, configuration)
        self._find(CONFIGURATION, call.place, endpoint.configuration)  # it is read to know what changes
        endpoint.begin("Updating", configuration, script, lambda: self._is_there(call.place, configuration))
        return {"EndpointArn": endpoint.arn}

    def _delete_endpoint(self, call: Call) -> Answer:
        endpoint = self.endpoint(call)
        if endpoint.busy:
            raise self._busy(endpoint)
        key = self._key(ENDPOINT, call.place, endpoint.name)
        script = self.deploy(endpoint.name, {})

        def gone() -> None:
            self.existing.pop(key, None)

        endpoint.delete(script.deleting_seconds, gone)
        return {}

    def _busy(self, endpoint: SimulatedEndpoint) -> Refusal:
        return validation(f'Cannot update in-progress endpoint "{endpoint.arn}".')

    def _script(self, call: Call, configuration: str) -> EndpointScript:
        found = self._find(CONFIGURATION, call.place, configuration)
        assert isinstance(found, Kept)
        return self.deploy(str(call.params["EndpointName"]), found.request)

    def _is_there(self, place: Place, configuration: str) -> bool:
        found = self.existing.get(self._key(CONFIGURATION, place, configuration))
        return isinstance(found, Kept) and all(
            self._key(MODEL, place, model) in self.existing for model in _models_of(found.request)
        )

    # -- lists ---------------------------------------------------------------------------------------

    def _list(self, kind: str, call: Call) -> Answer:
        part, member = str(call.params.get("NameContains") or ""), MEMBERS[kind]
        things = [
            t for (k, at, _), t in self.existing.items() if k == kind and at == call.place and part in t.name
        ]
        descending = call.params.get("SortOrder") != "Ascending"
        found, token = page(things, lambda t: (t.created_at, t.name), call.params, descending=descending)
        entries = [self._summary(kind, thing) for thing in found]
        return in_page({f"{member}s": entries}, token)

    def _summary(self, kind: str, thing: Kept | SimulatedEndpoint) -> dict[str, Any]:
        member = MEMBERS[kind]
        answer: dict[str, Any] = {
            f"{member}Name": thing.name,
            f"{member}Arn": thing.arn,
            "CreationTime": naive(thing.created_at),
        }
        if isinstance(thing, SimulatedEndpoint):
            answer |= {"EndpointStatus": thing.status, "LastModifiedTime": naive(thing.last_modified_at)}
        return answer

    def forget(self, place: Place) -> None:
        for key in [key for key in self.existing if key[1] == place]:
            del self.existing[key]


def _models_of(configuration: Mapping[str, Any]) -> list[str]:
    variants = configuration.get("ProductionVariants") or ()
    return [str(variant["ModelName"]) for variant in variants if variant.get("ModelName")]
