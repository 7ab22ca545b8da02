"""A promotion to SageMaker that is killed after each of its calls and done again: nothing is there twice, and
a failure leaves what was there before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from amt_flows.deploy.endpoints import roll_back_endpoint
from amt_flows.deploy.hosting import Hosting
from amt_flows.deploy.promotion import Promotion, promote
from amt_flows.deploy.target import Target
from amt_flows.errors import AmtFlowsError, DeployFailed
from amt_flows.testing.sagemaker import SimulatedSageMaker
from amt_flows.testing.sagemaker.endpoints import EndpointEnd, EndpointScript
from backends.sagemaker_world import client
from deploy.hosting_world import ENDPOINT, candidate, hosting, live, packages, target, there, world


class Killed(BaseException):
    """As SIGKILL: no ``except Exception`` and no clean-up of ours sees it."""


class _Deadly:
    """A client after whose n-th call the caller is dead; the call itself has taken effect."""

    def __init__(self, lives: int) -> None:
        self._lives = lives
        self.calls = 0

    def __getattr__(self, operation: str) -> Any:
        method = getattr(client("sagemaker"), operation)

        def call(**asked: Any) -> Any:
            self.calls += 1
            try:
                return method(**asked)
            finally:
                if self.calls == self._lives:
                    raise Killed

        return call


class _Session:
    region_name = "eu-west-1"

    def __init__(self, deadly: _Deadly) -> None:
        self._deadly = deadly

    def client(self, service: str, **options: Any) -> _Deadly:
        return self._deadly


def mortal(world: SimulatedSageMaker, lives: int) -> tuple[Hosting, _Deadly]:
    deadly = _Deadly(lives)
    return Hosting(_Session(deadly), now=world.clock.now, sleep=world.sleep), deadly


def bad(job: int, end: EndpointEnd) -> Any:
    """All goes well but for the configurations of one job."""

    def deploy(endpoint: str, configuration: Mapping[str, Any]) -> EndpointScript:
        models = [v["ModelName"] for v in configuration.get("ProductionVariants", ())]
        return EndpointScript(end if f"demo-{job:03d}-0a1b2c3d" in models else EndpointEnd.IN_SERVICE)

    return deploy


def quick() -> Target:
    """With few looks, since the promotion is done again for each of its calls."""
    return target(poll_seconds=200)


def begun(world: SimulatedSageMaker, updating: bool) -> None:
    """The world before the promotion: job 1 is live, or nothing."""
    if updating:
        promote(candidate(1), quick(), hosting=hosting(world))


def outcome(world: SimulatedSageMaker, one: Hosting) -> Promotion | AmtFlowsError:
    try:
        return promote(candidate(2, 0.95), quick(), hosting=one)
    except DeployFailed as error:
        return error


def state(world: SimulatedSageMaker) -> dict[str, Any]:
    endpoint = live(world)
    return {
        **there(world),
        "serving": None if endpoint is None else (endpoint.status, endpoint.configuration),
        "packages": [(p["ModelPackageVersion"], p["ModelApprovalStatus"]) for p in packages(world)],
    }


ENDS = [
    (False, EndpointEnd.IN_SERVICE),
    (True, EndpointEnd.IN_SERVICE),
    (False, EndpointEnd.FAIL),
    (True, EndpointEnd.FAIL),
    (True, EndpointEnd.FAIL_FOR_GOOD),
    (True, EndpointEnd.FAIL_BETWEEN),
]


@pytest.mark.parametrize(
    ("updating", "end"), ENDS, ids=lambda value: getattr(value, "value", None) or f"{value}"
)
def test_killed_after_any_call_and_done_again_it_ends_the_same(updating: bool, end: EndpointEnd) -> None:
    with world() as whole:
        begun(whole, updating)
        whole.endpoints.deploy = bad(2, end)
        one, counter = mortal(whole, -1)
        expected, expected_state = outcome(whole, one), state(whole)
        calls = counter.calls
    assert calls > 10
    good = end is EndpointEnd.IN_SERVICE
    assert isinstance(expected, Promotion) is good
    assert expected_state["serving"] == (
        ("InService", there_configuration(2, expected_state))
        if good
        else ("InService", there_configuration(1, expected_state))
        if updating
        else None
    )
    for n in range(1, calls + 1):
        with world() as killed:
            begun(killed, updating)
            killed.endpoints.deploy = bad(2, end)
            one, _ = mortal(killed, n)
            with pytest.raises(Killed):
                outcome(killed, one)
            again = outcome(killed, hosting(killed))
            assert state(killed) == expected_state, f"killed after call {n}"
            assert isinstance(again, Promotion) is good
            if good:
                assert again == expected, f"killed after call {n}"
                made = killed.endpoints.created
                assert len(made) == len(set(made)), "something was made twice"


def there_configuration(job: int, state: dict[str, Any]) -> str:
    (found,) = [name for name in state["endpoint-config"] if name.startswith(f"demo-{job:03d}-")]
    return str(found)


def test_killed_more_than_once_it_still_arrives() -> None:
    with world() as one:
        begun(one, True)
        one.endpoints.deploy = bad(2, EndpointEnd.FAIL_FOR_GOOD)
        deaths = 0
        for n in range(6, 90):
            mortal_hosting, _ = mortal(one, n)
            try:
                found = outcome(one, mortal_hosting)
                break
            except Killed:
                deaths += 1
        assert deaths > 5
        assert isinstance(found, DeployFailed)
        endpoint = live(one)
        assert endpoint is not None
        assert (endpoint.status, endpoint.configuration[:8]) == ("InService", "demo-001")
        assert there(one) == {
            "endpoint": [ENDPOINT],
            "endpoint-config": [endpoint.configuration],
            "model": ["demo-001-0a1b2c3d"],
        }


def test_a_roll_back_that_is_killed_arrives_too() -> None:
    def prepared(one: SimulatedSageMaker) -> None:
        begun(one, True)
        promote(candidate(2, 0.95), quick(), hosting=hosting(one))

    with world() as whole:
        prepared(whole)
        one, counter = mortal(whole, -1)
        expected = roll_back_endpoint(ENDPOINT, hosting=one)
    assert expected.configuration.startswith("demo-001-")
    for n in range(1, counter.calls + 1):
        with world() as killed:
            prepared(killed)
            one, _ = mortal(killed, n)
            with pytest.raises(Killed):
                roll_back_endpoint(ENDPOINT, hosting=one)
            endpoint = live(killed)
            assert endpoint is not None
            again = roll_back_endpoint(ENDPOINT, expected.configuration, hosting=hosting(killed))
            assert (again.configuration, again.previous) == (expected.configuration, expected.previous)
