"""The operations on models, endpoint configurations and endpoints.

SageMaker answers a ValidationException to whatever is missing, taken or busy; the words are those that people
quoted in public issues, e.g. https://github.com/hashicorp/terraform-provider-aws/issues/40048 and
https://github.com/astronomer/astronomer-providers/issues/1055.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from amt_flows.backends.sagemaker.service_model import service_model
from amt_flows.testing.sagemaker import tags
from amt_flows.testing.sagemaker.calls import Answer, Call, Place, arn_of
from amt_flows.testing.sagemaker.clocks import naive
from amt_flows.testing.sagemaker.endpoints import Deploy, Deployed, EndpointScript, SimulatedEndpoint
from amt_flows.testing.sagemaker.filters import Listing
from amt_flows.testing.sagemaker.refusals import Refusal, validation
from amt_flows.testing.sagemaker.shared_state import SharedState
from amt_flows.testing.sagemaker.twins import Shelf, told_by_moto
from amt_flows.testing.sagemaker.variants import as_configured, check_memory, desired

MODEL, CONFIGURATION, ENDPOINT = "model", "endpoint-config", "endpoint"
WORDS = {MODEL: "model", CONFIGURATION: "endpoint configuration", ENDPOINT: "endpoint"}
MEMBERS = {MODEL: "Model", CONFIGURATION: "EndpointConfig", ENDPOINT: "Endpoint"}
SHELVES = {
    MODEL: Shelf("_models"),
    CONFIGURATION: Shelf("endpoint_configs"),
    ENDPOINT: Shelf("endpoints"),
}
LISTINGS = {
    MODEL: Listing("Models", "ModelName"),
    CONFIGURATION: Listing("EndpointConfigs", "EndpointConfigName"),
    ENDPOINT: Listing("Endpoints", "EndpointName", "EndpointStatus"),
}
SUMMARY = ("CreationTime", "LastModifiedTime", "EndpointStatus")


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
            "UpdateEndpointWeightsAndCapacities": self._reweigh,
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
        SHELVES[kind].put(place, thing.name, thing, lambda: self._told(kind, thing))

    def _remove(self, kind: str, place: Place, name: str) -> None:
        thing = self.existing.pop(self._key(kind, place, name), None)
        if thing is not None:
            SHELVES[kind].remove(place, thing.name)

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
        check_memory(call.params)
        arn = arn_of(call.place, kind, name)
        own = tags.merged([], call.params.get("Tags") or [])
        self._add(kind, call.place, Kept(name, arn, call.params, self.shared.now(), own))
        return {f"{member}Arn": arn}

    def _describe(self, kind: str, call: Call) -> Answer:
        return self._told(kind, self._find(kind, call.place, str(call.params[f"{MEMBERS[kind]}Name"])))

    def _told(self, kind: str, found: Kept | SimulatedEndpoint) -> dict[str, Any]:
        """What Describe says of it."""
        if isinstance(found, SimulatedEndpoint):
            return found.describe()
        answer = {name: value for name, value in found.request.items() if name != "Tags"}
        if kind == MODEL:
            answer = {"EnableNetworkIsolation": False, **answer}
            if "PrimaryContainer" in answer:
                answer["PrimaryContainer"] = {
                    "Mode": "SingleModel",
                    "Environment": {},
                    **answer["PrimaryContainer"],
                }
        return {**answer, f"{MEMBERS[kind]}Arn": found.arn, "CreationTime": naive(found.created_at)}

    def _delete(self, kind: str, call: Call) -> Answer:
        name = str(call.params[f"{MEMBERS[kind]}Name"])
        self._find(kind, call.place, name)
        self._remove(kind, call.place, name)
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
        endpoint.begin("Creating", configuration, script, lambda: self._deployed(call.place, configuration))
        return {"EndpointArn": endpoint.arn}

    def _update_endpoint(self, call: Call) -> Answer:
        endpoint, configuration = self.endpoint(call), str(call.params["EndpointConfigName"])
        if endpoint.busy:
            raise self._busy(endpoint)
        if endpoint.status == "Failed":
            raise validation(f'Cannot update failed endpoint "{endpoint.arn}".')
        script = self._script(call, configuration)
        self._find(CONFIGURATION, call.place, endpoint.configuration)  # it is read to know what changes
        endpoint.begin("Updating", configuration, script, lambda: self._deployed(call.place, configuration))
        return {"EndpointArn": endpoint.arn}

    def _delete_endpoint(self, call: Call) -> Answer:
        endpoint = self.endpoint(call)
        if endpoint.busy:
            raise self._busy(endpoint)
        script = self.deploy(endpoint.name, {})
        endpoint.delete(script.deleting_seconds, lambda: self._remove(ENDPOINT, call.place, endpoint.name))
        return {}

    def _reweigh(self, call: Call) -> Answer:
        endpoint = self.endpoint(call)
        if endpoint.busy:
            raise self._busy(endpoint)
        asked = call.params["DesiredWeightsAndCapacities"]
        variants = desired(endpoint.variants, asked, endpoint.configuration)
        endpoint.reweigh(variants, self.deploy(endpoint.name, {}).seconds)
        return {"EndpointArn": endpoint.arn}

    def _busy(self, endpoint: SimulatedEndpoint) -> Refusal:
        return validation(f'Cannot update in-progress endpoint "{endpoint.arn}".')

    def _script(self, call: Call, configuration: str) -> EndpointScript:
        found = self._find(CONFIGURATION, call.place, configuration)
        assert isinstance(found, Kept)
        return self.deploy(str(call.params["EndpointName"]), found.request)

    def _deployed(self, place: Place, configuration: str) -> Deployed | None:
        found = self.existing.get(self._key(CONFIGURATION, place, configuration))
        if not isinstance(found, Kept):
            return None
        images = {}
        for name in _models_of(found.request):
            model = self.existing.get(self._key(MODEL, place, name))
            if not isinstance(model, Kept):
                return None
            container = model.request.get("PrimaryContainer") or {}
            images[name] = str(container.get("Image") or "")
        return as_configured(found.request, images), found.request.get("DataCaptureConfig")

    # -- lists ---------------------------------------------------------------------------------------

    def _of(self, kind: str, place: Place) -> list[Kept | SimulatedEndpoint]:
        return [thing for (k, at, _), thing in self.existing.items() if (k, at) == (kind, place)]

    def _list(self, kind: str, call: Call) -> Answer:
        members = (f"{MEMBERS[kind]}Name", f"{MEMBERS[kind]}Arn", *SUMMARY)
        told = [self._told(kind, thing) for thing in self._of(kind, call.place)]
        entries = [{name: one[name] for name in members if name in one} for one in told]
        return LISTINGS[kind].answer(entries, call.params)

    def records(self, kind: str, place: Place) -> list[dict[str, Any]]:
        """For Search."""
        return [{**self._told(kind, thing), "Tags": thing.tags} for thing in self._of(kind, place)]

    # -- for whoever serves ------------------------------------------------------------------------------

    def deployed(self, place: Place) -> list[SimulatedEndpoint]:
        """The endpoints that are there."""
        return [thing for thing in self._of(ENDPOINT, place) if isinstance(thing, SimulatedEndpoint)]

    def request_of(self, place: Place, configuration: str) -> Mapping[str, Any]:
        """What a configuration was made of; nothing, where there is none any more."""
        found = self.existing.get(self._key(CONFIGURATION, place, configuration))
        return found.request if isinstance(found, Kept) else {}

    # -- what moto makes by itself -----------------------------------------------------------------------

    def adopt(self, place: Place) -> None:
        """Take over what moto has made, and forget what it has removed."""
        for kind, shelf in SHELVES.items():
            for name, theirs in shelf.strangers(place):
                self._take_over(kind, place, name, told_by_moto(theirs))
            for thing in self._of(kind, place):
                if shelf.lacks(place, thing.name):
                    del self.existing[self._key(kind, place, thing.name)]

    def _take_over(self, kind: str, place: Place, name: str, told: Mapping[str, Any]) -> None:
        member, own = MEMBERS[kind], tags.merged([], told.get("Tags") or [])
        # Moto's ARN of a configuration is in a member of its own.
        arn, now = str(told.get(f"{member}Arn") or told["Arn"]), self.shared.now()
        if kind != ENDPOINT:
            known = service_model("sagemaker").operation_model(f"Create{member}").input_shape.members
            request = {one: value for one, value in told.items() if one in known}
            self._add(kind, place, Kept(name, arn, request, now, own))
            return
        configuration = str(told["EndpointConfigName"])
        endpoint = SimulatedEndpoint(name, arn, configuration, now, own, self.shared)
        self._add(kind, place, endpoint)
        # CloudFormation waits for an endpoint, and moto's takes no time.
        endpoint.serve(configuration, self._deployed(place, configuration) or ([], None), now)

    def forget(self, place: Place) -> None:
        for kind, at, name in [key for key in self.existing if key[1] == place]:
            self._remove(kind, at, name)


def _models_of(configuration: Mapping[str, Any]) -> list[str]:
    variants = configuration.get("ProductionVariants") or ()
    return [str(variant["ModelName"]) for variant in variants if variant.get("ModelName")]
