"""Promotion as a whole, its target, and what it may do on the account."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from amt_flows.backends.sagemaker.policy import actions_of
from amt_flows.deploy import (
    Place,
    Target,
    approve_model_package,
    champion_at,
    check_target,
    current_version,
    promote,
    promote_local,
    roll_back_endpoint,
    roll_back_local,
)
from amt_flows.deploy.policy import IMPLIED, main, policy
from amt_flows.deploy.s3_artifact import download
from amt_flows.errors import BackendError, DeployFailed, DeployRejected
from amt_flows.testing.sagemaker import SimulatedSageMaker, refusals
from amt_flows.testing.sagemaker.endpoints import EndpointEnd, EndpointScript
from backends.sagemaker_world import client
from deploy.candidates import archive, member, model_directory
from deploy.candidates import candidate as local_candidate
from deploy.hosting_world import ENDPOINT, GROUP, candidate, hosting, packages, target, there, world

# -- the target ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Target(), r"target\.directory: is needed for a local promotion"),
        (Target(directory="d", endpoint="e"), r"target\.endpoint: is for SageMaker"),
        (Target(place=Place.SAGEMAKER), r"give this, or model_package_group, or both"),
        (Target(place=Place.SAGEMAKER, endpoint="e"), "give either this or serverless_memory_mb"),
        (target(directory="d"), r"target\.directory: is for a local promotion"),
    ],
)
def test_a_target_must_make_sense_by_itself(asked: Target, message: str) -> None:
    with pytest.raises(DeployRejected, match=message):
        check_target(asked)
    with pytest.raises(DeployRejected, match=message):
        promote(candidate(), asked)


def test_all_that_sagemaker_would_refuse_is_told_at_once() -> None:
    bad = target(instance_type="ml.nothing", image="an image", role="me")
    with world() as simulated:
        with pytest.raises(DeployRejected) as told:
            promote(candidate(), bad, hosting=hosting(simulated))
        assert not simulated.calls
    fields = {problem.field for problem in told.value.problems}
    assert {"ExecutionRoleArn", "ProductionVariants[0].InstanceType"} <= fields
    isolated = candidate(network_isolation=True)
    with pytest.raises(DeployRejected, match="neither a VPC nor network isolation"):
        check_target(target(instance_type=None, serverless_memory_mb=2048), isolated)


def test_a_target_is_plain_json() -> None:
    asked = target(tags={"a": "b"}, capture_to="s3://b/c")
    assert Target.model_validate_json(asked.model_dump_json()) == asked
    assert asked.shown == "endpoint live and model package group digits"


# -- end to end --------------------------------------------------------------------------------------------


def test_the_way_back_is_told_and_works(tmp_path: Path) -> None:
    shelf = str(tmp_path / "served")
    one = local_candidate(model_directory(tmp_path / "1"), 1)
    two = local_candidate(model_directory(tmp_path / "2"), 2)
    first = promote(one, Target(directory=shelf))
    assert first.roll_back is None
    second = promote(two, Target(directory=shelf))
    assert second.previous == first.version
    assert second.roll_back == f"roll_back_local({shelf!r}, {first.version!r})"
    assert promote(two, Target(directory=shelf)) == second
    eval(second.roll_back, {"roll_back_local": roll_back_local})
    current = current_version(shelf)
    assert current is not None
    assert current.name == first.version


def test_only_what_is_in_service_is_approved() -> None:
    with world() as simulated:
        one = hosting(simulated)
        promote(candidate(1), target(), hosting=one)
        simulated.endpoints.deploy = lambda name, configuration: EndpointScript(EndpointEnd.FAIL)
        with pytest.raises(DeployFailed):
            promote(candidate(2, 0.95), target(), hosting=one)
        assert [p["ModelApprovalStatus"] for p in packages(simulated)] == [
            "Approved",
            "PendingManualApproval",
        ]
        champion = champion_at(target(), hosting=one)
        assert champion is not None
        assert champion.training_job == candidate(1).training_job
        # Once it works, the version that was registered then is the one that is approved.
        simulated.endpoints.deploy = lambda name, configuration: EndpointScript()
        made = promote(candidate(2, 0.95), target(), hosting=one)
        assert made.model_package == packages(simulated)[1]["ModelPackageArn"]
        assert [p["ModelApprovalStatus"] for p in packages(simulated)] == ["Approved", "Approved"]


def test_registry_and_endpoint_can_be_had_alone() -> None:
    with world() as simulated:
        one = hosting(simulated)
        made = promote(candidate(), target(endpoint=None), approve=False, hosting=one)
        assert made.live == made.model_package
        assert packages(simulated)[0]["ModelApprovalStatus"] == "PendingManualApproval"
        assert there(simulated) == {}
        made = promote(candidate(), target(model_package_group=None), hosting=one)
        assert (made.model_package, made.endpoint) == (None, ENDPOINT)
        assert champion_at(target(model_package_group=None), hosting=one) is None


# -- models in S3, promoted to this machine ------------------------------------------------------------------


def in_s3(simulated: SimulatedSageMaker, files: Mapping[str, bytes]) -> None:
    where = {"LocationConstraint": "eu-west-1"}
    client("s3").create_bucket(Bucket="bucket", CreateBucketConfiguration=where)
    for key, content in files.items():
        client("s3").put_object(Bucket="bucket", Key=key, Body=content)


def test_a_model_that_was_tuned_on_sagemaker_can_be_served_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amt_flows.deploy.s3_artifact._client", lambda: client("s3"))
    packed = archive(tmp_path / "model.tar.gz", member("weights.bin", b"1 2 3")).read_bytes()
    with world() as simulated:
        in_s3(simulated, {"a/model.tar.gz": packed, "b/model/weights.bin": b"4", "b/model/deep/x": b"5"})
        promote_local(local_candidate("s3://bucket/a/model.tar.gz", 1), tmp_path / "served")
        assert (tmp_path / "served/current/model/weights.bin").read_text() == "1 2 3"
        promote_local(local_candidate("s3://bucket/b/model/", 2), tmp_path / "served")
        model = tmp_path / "served/current/model"
        assert ((model / "weights.bin").read_text(), (model / "deep/x").read_text()) == ("4", "5")
        assert sorted(p.name for p in model.parent.iterdir()) == ["model", "model.json"]
        with pytest.raises(BackendError, match=r"downloading s3://bucket/nothing\.tar\.gz"):
            promote_local(local_candidate("s3://bucket/nothing.tar.gz", 3), tmp_path / "served")


def test_a_key_that_leads_out_is_refused(tmp_path: Path) -> None:
    with world() as simulated:
        in_s3(simulated, {"m/../../evil": b"x"})
        with (
            pytest.raises(DeployRejected, match="leads out of the model"),
            download("s3://bucket/m/", tmp_path, client("s3")),
        ):
            pass
    assert not list(tmp_path.iterdir())


# -- permissions ---------------------------------------------------------------------------------------------


def called(simulated: SimulatedSageMaker) -> set[str]:
    actions = {action for action, count in simulated.actions.items() if count > 0}
    return actions | {implied for action in actions for implied in IMPLIED.get(action, ())}


def test_the_policy_allows_what_is_called_and_nothing_else() -> None:
    with world() as simulated:
        one = hosting(simulated)
        promote(candidate(1), target(), hosting=one)
        promote(candidate(1), target(), hosting=one)
        promote(candidate(2, 0.95), target(), hosting=one)
        roll_back_endpoint(ENDPOINT, hosting=one)
        champion = champion_at(target(), hosting=one)
        assert champion is not None
        approve_model_package(champion.name, "Rejected", hosting=one)
        simulated.endpoints.deploy = lambda name, configuration: EndpointScript(EndpointEnd.FAIL)
        for endpoint in (ENDPOINT, "other"):
            with pytest.raises(DeployFailed):
                promote(candidate(3), target(endpoint=endpoint), hosting=one)
        assert called(simulated) == actions_of(policy())


def test_a_registry_without_an_endpoint_needs_less() -> None:
    with world() as simulated:
        one = hosting(simulated)
        promote(candidate(1), target(endpoint=None), hosting=one)
        champion_at(target(), hosting=one)
        allowed = actions_of(policy(endpoint=None)) - {"sagemaker:AddTags", "sagemaker:ListTags"}
        assert called(simulated) == allowed


def test_a_missing_permission_is_named() -> None:
    with world() as simulated:
        simulated.inject("CreateModelPackage", refusals.access_denied("sagemaker:CreateModelPackage"))
        with pytest.raises(BackendError, match="sagemaker:CreateModelPackage") as told:
            promote(candidate(), target(), hosting=hosting(simulated))
    assert "amt_flows.deploy.policy" in told.value.remedy


def test_the_policy_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    role = "arn:aws:iam::123456789012:role/models"
    main(["--role", role, "--names", "Demo-*", "--endpoint", "Live", "--group", GROUP])
    by_id: dict[str, Any] = {s["Sid"]: s for s in json.loads(capsys.readouterr().out)["Statement"]}
    assert by_id["PassRole"]["Resource"] == [role]
    assert by_id["Models"]["Resource"] == ["arn:aws:sagemaker:*:*:model/demo-*"]
    assert "arn:aws:sagemaker:*:*:endpoint/live" in by_id["Endpoints"]["Resource"]
    assert "arn:aws:sagemaker:*:*:model-package/digits/*" in by_id["Registry"]["Resource"]
