"""The real SageMaker SDK, 3 and 2, in an environment of its own: a spec asks for what the SDK asks for, and
the stand-ins that the other tests use are like the SDK's classes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import amt_flows
from amt_flows.errors import SpecError
from amt_flows.sagemaker_sdk import prepare, spec_from_tuner
from sagemaker_sdk import cases_v2, cases_v3, stand_ins_v2, stand_ins_v3
from sagemaker_sdk.case import JOB, Case, source_dir
from sagemaker_sdk.comparing import expected, same_meaning
from sagemaker_sdk.environment import environment, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

WORLDS: dict[str, Any] = {"3": (cases_v3, stand_ins_v3.kit), "2": (cases_v2, stand_ins_v2.kit)}
EVERY_CASE = [(version, name) for version, (cases, _) in WORLDS.items() for name in cases.CASES]
REFUSED = [(version, name) for version, (cases, _) in WORLDS.items() for name in cases.REFUSED]
EACH = pytest.mark.parametrize(("version", "name"), EVERY_CASE)

Outcomes = Callable[[str], Any]


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """What came of every case with the real SDK, by its version. Run when it is first asked for."""
    given = os.environ.get("AMT_FLOWS_TEST_SDK")
    assert request.config.cache is not None
    cache = Path(given) if given else request.config.cache.mkdir("sagemaker-sdk")
    known: dict[str, Any] = {}

    def of(version: str) -> Any:
        if version not in known:
            # A failure is remembered as None: dozens of tests must not wait for it again and again.
            known[version] = None
            packages = [Path(amt_flows.__file__).parent, Path(__file__).parent]
            room = tmp_path_factory.mktemp(f"sdk{version}")
            known[version] = json.loads(run(environment(cache), version, room=room, path=packages))
        assert known[version] is not None, "another test tells why the real SDK could not be run"
        return known[version]

    return of


def stood_in(version: str, name: str, directory: Path) -> Case:
    cases, kit = WORLDS[version]
    case: Case = {**cases.CASES, **cases.REFUSED}[name](kit(source_dir(directory)))
    return case


@EACH
def test_a_spec_asks_for_what_the_sdk_asks_for(
    version: str, name: str, outcomes: Outcomes, tmp_path: Path
) -> None:
    case, outcome = stood_in(version, name, tmp_path), outcomes(version)[name]
    if case.sdk_fails:
        # Should the SDK learn it, its request is one more to compare with.
        assert "failure" in outcome["theirs"]
        assert "request" in outcome["ours"]
    else:
        assert same_meaning(outcome["ours"]["request"]) == expected(case, outcome["theirs"]["request"])


@EACH
def test_a_tuner_is_not_changed_by_reading_it(version: str, name: str, outcomes: Outcomes) -> None:
    assert outcomes(version)[name]["again"] == outcomes(version)[name]["ours"]


@EACH
def test_the_stand_ins_are_like_the_sdk(version: str, name: str, outcomes: Outcomes, tmp_path: Path) -> None:
    """The same case with the stand-ins makes the same spec, from attributes that the SDK's objects have."""
    case, outcome = stood_in(version, name, tmp_path), outcomes(version)[name]
    trainer = "model_trainer" if version == "3" else "estimator"
    trainers = [getattr(case.tuner, trainer), *(getattr(case.tuner, f"{trainer}_dict") or {}).values()]
    assert vars(case.tuner).keys() <= set(outcome["attributes"]["tuner"])
    for one in trainers:
        assert one is None or vars(one).keys() <= set(outcome["attributes"]["trainer"])
    if case.prepared:
        assert "refused" in outcome["unprepared"]
        prepare(case.tuner, inputs=case.inputs, job_name=JOB)
    spec = spec_from_tuner(case.tuner, inputs=case.inputs, job_name=JOB)
    assert spec.to_json() == outcome["ours"]["spec"]


@pytest.mark.parametrize(("version", "name"), REFUSED)
def test_objects_of_the_sdk_are_refused_as_the_stand_ins_are(
    version: str, name: str, outcomes: Outcomes, tmp_path: Path
) -> None:
    case = stood_in(version, name, tmp_path)
    with pytest.raises(SpecError) as caught:
        spec_from_tuner(case.tuner, inputs=case.inputs, job_name=JOB)
    problems = [[problem.field, problem.message] for problem in caught.value.problems]
    assert outcomes(version)[name]["refused"] == problems
