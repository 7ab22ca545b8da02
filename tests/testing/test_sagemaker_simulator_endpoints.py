"""The simulated endpoints and registry: they live, and answer as the service's own model says."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from amt_flows.testing.sagemaker import SimulatedSageMaker
from amt_flows.testing.sagemaker.endpoints import EndpointEnd, EndpointScript
from backends.sagemaker_world import client
from deploy.hosting_world import ROLE, live, world
from testing.sagemaker_requests import check_shape

VARIANT = {"VariantName": "a", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}


def refused(call: Any, **asked: Any) -> str:
    with pytest.raises(ClientError) as told:
        call(**asked)
    assert told.value.response["Error"]["Code"] == "ValidationException"
    return str(told.value.response["Error"]["Message"])


def prepared() -> Any:
    """A model and two configurations of it."""
    one = client("sagemaker")
    container = {"Image": "image:1", "ModelDataUrl": "s3://b/m.tar.gz"}
    one.create_model(ModelName="m", PrimaryContainer=container, ExecutionRoleArn=ROLE)
    for name in ("c1", "c2"):
        one.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[VARIANT])
    return one


def test_an_endpoint_is_created_updated_and_deleted_in_time() -> None:
    with world() as simulated:
        one = prepared()
        one.create_endpoint(EndpointName="e", EndpointConfigName="c1")
        told = one.describe_endpoint(EndpointName="e")
        check_shape("DescribeEndpoint", told)
        assert (told["EndpointStatus"], told["PendingDeploymentSummary"]["EndpointConfigName"]) == (
            "Creating",
            "c1",
        )
        busy = "Cannot update in-progress endpoint"
        assert busy in refused(one.delete_endpoint, EndpointName="e")
        simulated.advance(300)
        one.update_endpoint(EndpointName="e", EndpointConfigName="c2")
        told = one.describe_endpoint(EndpointName="e")
        assert (told["EndpointStatus"], told["EndpointConfigName"]) == ("Updating", "c1")
        assert busy in refused(one.update_endpoint, EndpointName="e", EndpointConfigName="c1")
        simulated.advance(300)
        told = one.describe_endpoint(EndpointName="e")
        assert (told["EndpointStatus"], told["EndpointConfigName"]) == ("InService", "c2")
        assert "PendingDeploymentSummary" not in told
        one.delete_endpoint(EndpointName="e")
        assert one.describe_endpoint(EndpointName="e")["EndpointStatus"] == "Deleting"
        simulated.advance(60)
        assert "Could not find endpoint" in refused(one.describe_endpoint, EndpointName="e")


@pytest.mark.parametrize(
    ("end", "history"),
    [
        (EndpointEnd.FAIL, ["Updating", "RollingBack", "InService"]),
        (EndpointEnd.FAIL_FOR_GOOD, ["Updating", "Failed"]),
        (EndpointEnd.FAIL_BETWEEN, ["Updating", "UpdateRollbackFailed"]),
        (EndpointEnd.HANG, ["Updating"]),
    ],
)
def test_an_update_fails_in_each_way(end: EndpointEnd, history: list[str]) -> None:
    with world() as simulated:
        one = prepared()
        one.create_endpoint(EndpointName="e", EndpointConfigName="c1")
        simulated.advance(300)
        simulated.endpoints.deploy = lambda name, configuration: EndpointScript(end, failure="bad luck")
        one.update_endpoint(EndpointName="e", EndpointConfigName="c2")
        simulated.advance(1000)
        endpoint = live(simulated, "e")
        assert endpoint is not None
        assert [status for status, _ in endpoint.history] == ["Creating", "InService", *history]
        told = one.describe_endpoint(EndpointName="e")
        assert told["EndpointConfigName"] == "c1"
        assert told.get("FailureReason") == (None if end is EndpointEnd.HANG else "bad luck")


@pytest.mark.parametrize("deleted", ["model", "configuration"])
def test_what_an_endpoint_needs_must_stay_until_it_is_there(deleted: str) -> None:
    with world() as simulated:
        one = prepared()
        one.create_endpoint(EndpointName="e", EndpointConfigName="c1")
        if deleted == "model":
            one.delete_model(ModelName="m")
        else:
            one.delete_endpoint_config(EndpointConfigName="c1")
        simulated.advance(300)
        told = one.describe_endpoint(EndpointName="e")
        assert (told["EndpointStatus"], "was deleted" in told["FailureReason"]) == ("Failed", True)


def test_an_update_needs_the_old_configuration() -> None:
    with world() as simulated:
        one = prepared()
        one.create_endpoint(EndpointName="e", EndpointConfigName="c1")
        simulated.advance(300)
        one.delete_endpoint_config(EndpointConfigName="c1")
        message = refused(one.update_endpoint, EndpointName="e", EndpointConfigName="c2")
        assert 'Could not find endpoint configuration "arn:aws:sagemaker:eu-west-1' in message


def test_names_are_taken_once_and_missing_things_are_missed() -> None:
    with world():
        one = prepared()
        assert "already existing model" in refused(one.create_model, ModelName="M", ExecutionRoleArn=ROLE)
        again = {"EndpointConfigName": "c1", "ProductionVariants": [VARIANT]}
        assert "already existing endpoint configuration" in refused(one.create_endpoint_config, **again)
        other = {"EndpointConfigName": "c3", "ProductionVariants": [{**VARIANT, "ModelName": "no"}]}
        assert "Could not find model" in refused(one.create_endpoint_config, **other)
        missing = {"EndpointName": "e", "EndpointConfigName": "no"}
        assert "Could not find endpoint configuration" in refused(one.create_endpoint, **missing)
        for call, asked in (
            (one.describe_model, {"ModelName": "no"}),
            (one.delete_model, {"ModelName": "no"}),
            (one.delete_endpoint_config, {"EndpointConfigName": "no"}),
        ):
            assert "Could not find" in refused(call, **asked)


def test_answers_have_the_services_shapes() -> None:
    with world():
        one = prepared()
        one.create_endpoint(EndpointName="e", EndpointConfigName="c1")
        check_shape("DescribeModel", one.describe_model(ModelName="m"))
        check_shape("DescribeEndpointConfig", one.describe_endpoint_config(EndpointConfigName="c1"))
        for operation, call in (
            ("ListModels", one.list_models),
            ("ListEndpointConfigs", one.list_endpoint_configs),
            ("ListEndpoints", one.list_endpoints),
        ):
            check_shape(operation, call())
        assert [
            c["EndpointConfigName"] for c in one.list_endpoint_configs(MaxResults=1)["EndpointConfigs"]
        ] == ["c2"]
        group = one.create_model_package_group(ModelPackageGroupName="g", Tags=[{"Key": "a", "Value": "b"}])
        assert "already exists" in refused(one.create_model_package_group, ModelPackageGroupName="g")
        assert one.list_tags(ResourceArn=group["ModelPackageGroupArn"])["Tags"] == [
            {"Key": "a", "Value": "b"}
        ]
        asked = {"ModelPackageGroupName": "g", "CustomerMetadataProperties": {"k": "v"}}
        arn = one.create_model_package(**asked)["ModelPackageArn"]
        assert arn.endswith(":model-package/g/1")
        one.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"l": "w"})
        told = one.describe_model_package(ModelPackageName=arn)
        check_shape("DescribeModelPackage", told)
        assert told["CustomerMetadataProperties"] == {"k": "v", "l": "w"}
        check_shape("DescribeModelPackageGroup", one.describe_model_package_group(ModelPackageGroupName="g"))
        check_shape("ListModelPackages", one.list_model_packages(ModelPackageGroupName="g"))
        assert "Tags are not supported" in refused(
            one.create_model_package, **asked, Tags=[{"Key": "a", "Value": ""}]
        )
        one.delete_model_package(ModelPackageName=arn)
        # A number is not given again.
        assert one.create_model_package(**asked)["ModelPackageArn"].endswith("/2")


def test_requests_are_checked_as_strictly_as_by_the_service() -> None:
    with SimulatedSageMaker():
        one = client("sagemaker")
        assert "regular expression pattern" in refused(
            one.create_model, ModelName="a b", ExecutionRoleArn=ROLE
        )
        metadata = {"k": "{}"}
        one.create_model_package_group(ModelPackageGroupName="g")
        assert "Map value must satisfy" in refused(
            one.create_model_package, ModelPackageGroupName="g", CustomerMetadataProperties=metadata
        )
