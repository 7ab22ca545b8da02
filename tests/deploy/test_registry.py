"""Registered models: once each, with where they came from."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.backends.sagemaker.model_rules import violations
from amt_flows.deploy.metadata import MOST_PAIRS, champion_of, decoded, encoded, metadata_of
from amt_flows.deploy.registry import (
    APPROVED,
    REJECTED,
    approve_model_package,
    register_model,
    registry_champion,
)
from amt_flows.deploy.settings import PackageSettings
from amt_flows.errors import BackendError, DeployRejected, NotComparable
from amt_flows.testing.sagemaker import refusals
from backends.sagemaker_world import client
from deploy.hosting_world import GROUP, IMAGE, candidate, hosting, packages, world


def test_a_model_is_registered_with_where_it_came_from() -> None:
    settings = PackageSettings(instance_types=("ml.m5.large",), group_tags={"team": "x"})
    with world() as simulated:
        made = register_model(candidate(), GROUP, settings, hosting=hosting(simulated))
        told = client("sagemaker").describe_model_package(ModelPackageName=made.arn)
        group = client("sagemaker").describe_model_package_group(ModelPackageGroupName=GROUP)
        tags = client("sagemaker").list_tags(ResourceArn=group["ModelPackageGroupArn"])["Tags"]
    assert (made.group, made.version, made.status, made.created) == (GROUP, 1, "PendingManualApproval", True)
    specification = told["InferenceSpecification"]
    assert specification["Containers"][0]["Image"] == IMAGE
    assert specification["Containers"][0]["ModelDataUrl"] == candidate().artifact
    assert specification["SupportedRealtimeInferenceInstanceTypes"] == ["ml.m5.large"]
    metadata = told["CustomerMetadataProperties"]
    assert metadata["objective-metric"] == "validation:accuracy"
    assert metadata["hyperparameter:optimizer"] == "adam"
    assert metadata["training-job-arn"] == (
        "arn:aws:sagemaker:eu-west-1:123456789012:training-job/demo-001-0a1b2c3d"
    )
    assert tags == [{"Key": "team", "Value": "x"}]
    assert "validation:accuracy = 0.9, by training job demo-001-0a1b2c3d" in told["ModelPackageDescription"]


def test_a_model_is_registered_once() -> None:
    with world() as simulated:
        one = hosting(simulated)
        first = register_model(candidate(1), GROUP, hosting=one)
        approve_model_package(first.arn, hosting=one)
        for job in range(2, 130):  # more than a page
            register_model(candidate(job), GROUP, hosting=one)
        again = register_model(candidate(1), GROUP, hosting=one)
        assert (again.arn, again.created, again.status) == (first.arn, False, "Approved")
        other = register_model(candidate(1), GROUP, PackageSettings(image="other:1"), hosting=one)
        assert other.version == 130
        # In another group it is another version.
        assert register_model(candidate(1), "others", hosting=one).created


@pytest.mark.parametrize("operation", ["CreateModelPackageGroup", "CreateModelPackage", "ListModelPackages"])
def test_a_lost_answer_makes_no_second_version(operation: str) -> None:
    with world() as simulated:
        one = hosting(simulated)
        simulated.inject(operation, refusals.connection_lost(), times=1, after=True)
        with pytest.raises(BackendError):
            register_model(candidate(), GROUP, hosting=one)
        assert register_model(candidate(), GROUP, hosting=one).version == 1
        assert len(packages(simulated)) == 1


def test_a_listing_that_lags_makes_no_second_version_either() -> None:
    with world() as simulated:
        one = hosting(simulated)
        first = register_model(candidate(), GROUP, hosting=one)
        registry = simulated._service.registry
        (group,) = registry.groups.values()
        hidden, shown = group.packages, [dict(package.answer) for package in group.packages]
        for package in hidden:
            package.answer["ModelPackageDescription"] = "not yet"
        again = register_model(candidate(), GROUP, hosting=one)
        assert (again.arn, len(group.packages), len(shown)) == (first.arn, 1, 1)


def test_approval_is_set_and_told() -> None:
    with world() as simulated:
        one = hosting(simulated)
        made = register_model(candidate(), GROUP, approval=REJECTED, hosting=one)
        assert made.status == REJECTED
        found = approve_model_package(made.arn, comment="good enough", hosting=one)
        assert (found.status, found.version, found.group) == (APPROVED, 1, GROUP)
        told = client("sagemaker").describe_model_package(ModelPackageName=made.arn)
        assert (told["ModelApprovalStatus"], told["ApprovalDescription"]) == (APPROVED, "good enough")
        assert told["CustomerMetadataProperties"]["tuning-job"] == "demo"
        approve_model_package(made.arn, hosting=one)
        assert simulated.calls["UpdateModelPackage"] == 1
        with pytest.raises(DeployRejected, match="no such model package"):
            approve_model_package(made.arn.replace("/1", "/2"), hosting=one)
        calls = dict(simulated.calls)
        with pytest.raises(DeployRejected, match="write `Approved`"):
            approve_model_package(made.arn, "approved", hosting=one)
        assert dict(simulated.calls) == calls


def test_the_champion_is_the_latest_approved() -> None:
    with world() as simulated:
        one = hosting(simulated)
        assert registry_champion(GROUP, hosting=one) is None
        made = [register_model(candidate(job, 0.5 + job / 10), GROUP, hosting=one) for job in (1, 2, 3)]
        assert registry_champion(GROUP, hosting=one) is None
        for registered in made[:2]:
            approve_model_package(registered.arn, hosting=one)
        found = registry_champion(GROUP, hosting=one)
    assert found is not None
    assert (found.name, found.training_job, found.objective_value) == (made[1].arn, "demo-002-0a1b2c3d", 0.7)


def test_a_package_of_another_program_is_not_compared_with() -> None:
    with world() as simulated:
        one = hosting(simulated)
        made = register_model(candidate(), GROUP, approval=APPROVED, hosting=one)
        (told,) = packages(simulated)
        told["CustomerMetadataProperties"].pop("objective-value")
        with pytest.raises(NotComparable, match="doesn't say what its objective's value is"):
            registry_champion(GROUP, hosting=one)
    assert made.created


@pytest.mark.parametrize(
    ("changes", "group", "message"),
    [
        ({"image": None}, GROUP, "name no image"),
        ({"artifact": "/home/me/model"}, GROUP, "is not in S3"),
        ({}, "a group", "ModelPackageGroupName: doesn't have the form"),
    ],
)
def test_what_can_not_be_registered_is_refused_first(
    changes: dict[str, Any], group: str, message: str
) -> None:
    with world() as simulated:
        with pytest.raises(DeployRejected, match=message):
            register_model(candidate(**changes), group, hosting=hosting(simulated))
        assert not simulated.calls


# -- metadata ----------------------------------------------------------------------------------------------


@given(st.text(max_size=80))
def test_texts_survive_the_registrys_alphabet(text: str) -> None:
    if len(encoded(text)) < 256 and not encoded(text).endswith("..."):
        assert decoded(encoded(text)) == text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=200), st.one_of(st.text(max_size=2500), st.floats(), st.integers())
    ),
    st.dictionaries(st.text(min_size=1, max_size=300), st.floats(), max_size=60),
    st.text(min_size=1, max_size=255),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_any_candidates_metadata_is_taken_and_read_back(
    hyperparameters: dict[str, Any], metrics: dict[str, float], metric: str, value: float
) -> None:
    one = candidate(
        hyperparameters=hyperparameters, metrics=metrics, objective_metric=metric, objective_value=value
    )
    metadata = metadata_of(one, "arn:aws:sagemaker:eu-west-1:123456789012:training-job/x")
    assert len(metadata) <= MOST_PAIRS
    body = {"CustomerMetadataProperties": metadata, "ModelPackageGroupName": GROUP}
    assert violations("CreateModelPackage", body) == []
    champion = champion_of("package", metadata)
    assert champion.objective_value == value
    assert (champion.training_job, champion.tuning_job) == (one.training_job, one.tuning_job)


def test_what_does_not_fit_is_counted() -> None:
    one = candidate(hyperparameters={f"h{n}": n for n in range(100)}, metrics={"m": math.inf})
    metadata = metadata_of(one)
    assert len(metadata) == MOST_PAIRS
    named = sum(key.startswith("hyperparameter:") for key in metadata)
    assert named + int(metadata["left-out"]) == 101
    assert champion_of("package", metadata).objective_value == 0.9
