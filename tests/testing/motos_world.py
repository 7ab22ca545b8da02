"""A plugin for moto's own tests of SageMaker (``-p testing.motos_world``): each in a simulated SageMaker.

The simulated one is stricter than moto, as AWS is. Where a test of moto's trips over that, the strictness
that its reason names is taken away for this test, and then it must pass; what it would have been refused for
must be met, too, so that no test is listed for nothing. What moto does otherwise is expected to fail.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.core.base_backend import BackendDict

from amt_flows.backends.sagemaker.service_model import Breach, Rule, breaches
from amt_flows.testing.sagemaker import (
    JobScript,
    SimulatedSageMaker,
    algorithm_operations,
    endpoint_operations,
    registry_operations,
    request_check,
    tags,
    training_operations,
    tuning_operations,
)
from amt_flows.testing.sagemaker.calls import Place, arn_of
from testing.motos_differences import DIFFERENT, STRICTER, VERSION

CONSTRAINTS = (Rule.PATTERN, Rule.CHOICES, Rule.LEAST, Rule.MOST)
NAMING = (
    algorithm_operations,
    endpoint_operations,
    registry_operations,
    training_operations,
    tuning_operations,
)


class Now:
    """The time that a test may have frozen."""

    def now(self) -> float:
        return time.time()


def name_of(item: pytest.Item) -> str:
    """Of a parametrized test without the texts of its parameters."""
    return re.sub(r"-[^]]*]", "]", item.nodeid.rpartition("/")[2])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    import moto

    known = {name for tests in (*STRICTER.values(), *DIFFERENT.values()) for name in tests}
    if moto.__version__ == VERSION:
        gone = known - {name_of(item) for item in items}
        assert not gone, f"moto has no such tests any more: {sorted(gone)}"
    for item in items:
        for reason, tests in DIFFERENT.items():
            if name_of(item) in tests:
                item.add_marker(pytest.mark.xfail(reason=reason, strict=moto.__version__ == VERSION))


@pytest.fixture(scope="session", autouse=True)
def mocked_once() -> Iterator[None]:
    """Making clients, and having moto patch what it patches, takes a third of the time of these tests."""
    make = lru_cache(maxsize=None)(boto3.client)

    def client(service: str, region_name: str | None = None, **more: Any) -> Any:
        return boto3.Session().client(service, region_name, **more) if more else make(service, region_name)

    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setattr(boto3, "client", client)
        yield


@pytest.fixture(autouse=True)
def simulated(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    name, met = name_of(request.node), dict.fromkeys(STRICTER, 0)
    loosened = [reason for reason, tests in STRICTER.items() if name in tests]

    def meet(reason: str) -> None:
        met[reason] += 1

    for reason in loosened:
        LOOSEN[reason](monkeypatch, meet)
    BackendDict.reset()
    # No job and no endpoint takes any time, as none of moto's does.
    with SimulatedSageMaker(JobScript((), 0, 0, 0, 0), clock=Now(), endpoint_seconds=0):
        yield
    for reason in loosened:
        assert met[reason], f"{name} is listed as stricter ({reason}), and was not"


Meet = Callable[[str], None]


def any_values(monkeypatch: pytest.MonkeyPatch, meet: Meet) -> None:
    def lenient(operation: str, params: Any) -> Iterator[Breach]:
        for breach in breaches(operation, params):
            if breach.rule in CONSTRAINTS:
                meet("values")
            else:
                yield breach

    monkeypatch.setattr(request_check, "breaches", lenient)


def any_case(monkeypatch: pytest.MonkeyPatch, meet: Meet) -> None:
    def as_given(place: Place, kind: str, name: str) -> str:
        if name != name.lower():
            meet("case")
        lower = arn_of(place, kind, name)
        return lower[: len(lower) - len(name)] + name

    for module in NAMING:
        monkeypatch.setattr(module, "arn_of", as_given)


def any_number_of_tags(monkeypatch: pytest.MonkeyPatch, meet: Meet) -> None:
    really = tags.merged

    def merged(some: tags.Tags, added: tags.Tags) -> Sequence[Any]:
        if len([*some, *added]) > 50:
            meet("tags")
        return really(some, added)

    monkeypatch.setattr(tags, "MOST", 10**6)
    monkeypatch.setattr(tags, "merged", merged)


LOOSEN: dict[str, Callable[[pytest.MonkeyPatch, Meet], None]] = {
    "values": any_values,
    "case": any_case,
    "tags": any_number_of_tags,
}
