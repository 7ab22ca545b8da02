"""SageMaker's hosting on the simulated service: nothing here sleeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amt_flows.backends.simulated import VirtualClock
from amt_flows.deploy import Candidate
from amt_flows.deploy.hosting import Hosting
from amt_flows.deploy.target import Place, Target
from amt_flows.testing.sagemaker import SimulatedSageMaker
from amt_flows.testing.sagemaker.endpoints import SimulatedEndpoint
from backends.sagemaker_world import SharedClients
from deploy.candidates import candidate as any_candidate

IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mine:1"
ROLE = "arn:aws:iam::123456789012:role/models"
ENDPOINT = "live"
GROUP = "digits"


def hosting(world: SimulatedSageMaker) -> Hosting:
    return Hosting(SharedClients(), now=world.clock.now, sleep=world.sleep)


def world(**options: Any) -> SimulatedSageMaker:
    return SimulatedSageMaker(clock=VirtualClock(), **options)


def candidate(job: int = 1, value: float = 0.9, **changes: Any) -> Candidate:
    members: dict[str, Any] = {"image": IMAGE, "role": ROLE, **changes}
    place = members.pop("artifact", f"s3://bucket/models/{job}/model.tar.gz")
    return any_candidate(place, job, value, **members)


def target(**changes: Any) -> Target:
    members: dict[str, Any] = {
        "place": Place.SAGEMAKER,
        "model_package_group": GROUP,
        "endpoint": ENDPOINT,
        "instance_type": "ml.m5.large",
        **changes,
    }
    return Target(**members)


def live(world: SimulatedSageMaker, name: str = ENDPOINT) -> SimulatedEndpoint | None:
    """The endpoint as it is, without a call."""
    found = [
        thing
        for (kind, _, key), thing in world.endpoints.existing.items()
        if (kind, key) == ("endpoint", name)
    ]
    assert all(isinstance(one, SimulatedEndpoint) for one in found)
    return found[0] if found else None  # type: ignore[return-value]


def there(world: SimulatedSageMaker) -> dict[str, list[str]]:
    """The names of everything that exists, by its kind."""
    found: dict[str, list[str]] = {}
    for kind, _, name in world.endpoints.existing:
        found.setdefault(kind, []).append(name)
    return {kind: sorted(names) for kind, names in found.items()}


def packages(world: SimulatedSageMaker) -> list[Mapping[str, Any]]:
    return [p.answer for group in world._service.registry.groups.values() for p in group.packages]
