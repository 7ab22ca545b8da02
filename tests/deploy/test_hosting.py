"""Models, configurations and endpoints on the simulated service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from amt_flows.deploy.attempt import EndpointProgress
from amt_flows.deploy.endpoints import LiveEndpoint, deploy_endpoint, roll_back_endpoint
from amt_flows.deploy.hosting import Hosting
from amt_flows.deploy.models import create_endpoint_configuration, create_model
from amt_flows.deploy.promotion import promote
from amt_flows.deploy.settings import EndpointSettings, ModelSettings, Waiting
from amt_flows.errors import BackendError, CapacityUnavailable, DeployFailed, DeployRejected, NameTaken
from amt_flows.testing.sagemaker import SimulatedSageMaker, refusals
from amt_flows.testing.sagemaker.endpoints import EndpointEnd, EndpointScript
from backends.sagemaker_world import client
from deploy.hosting_world import ENDPOINT, IMAGE, ROLE, candidate, hosting, live, target, there, world

MACHINE = EndpointSettings(instance_type="ml.m5.large")


def deployed(one: SimulatedSageMaker, job: int = 1, **changes: Any) -> LiveEndpoint:
    """The model of a job live at the endpoint, without the registry."""
    promote(candidate(job), target(model_package_group=None, **changes), hosting=hosting(one))
    endpoint = live(one)
    assert endpoint is not None
    return LiveEndpoint(endpoint.name, endpoint.arn, endpoint.configuration, None, True)


def fails(end: EndpointEnd, **script: Any) -> Callable[[str, Mapping[str, Any]], EndpointScript]:
    return lambda endpoint, configuration: EndpointScript(end, **script)


# -- models and configurations -------------------------------------------------------------------------


def test_a_model_is_what_its_training_says() -> None:
    vpc = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    one = candidate(vpc=vpc, network_isolation=True, tags={"team": "x"})
    with world() as simulated:
        made = create_model(one, made_for="somewhere", hosting=hosting(simulated))
        told = client("sagemaker").describe_model(ModelName=made.name)
        tags = client("sagemaker").list_tags(ResourceArn=made.arn)["Tags"]
    assert (made.name, made.created) == (one.training_job, True)
    assert told["PrimaryContainer"]["Image"] == IMAGE
    assert told["PrimaryContainer"]["ModelDataUrl"] == one.artifact
    assert told["ExecutionRoleArn"] == ROLE
    assert (told["VpcConfig"], told["EnableNetworkIsolation"]) == (vpc, True)
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "team": "x",
        "amt-flows-tuning-job": "demo",
        "amt-flows-training-job": one.training_job,
        "amt-flows-made-for": "somewhere",
    }


def test_a_model_can_be_asked_for_otherwise() -> None:
    one = candidate(vpc={"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}, network_isolation=True)
    settings = ModelSettings(
        image="other:2",
        model_data="s3://elsewhere/model/",
        role=ROLE + "-2",
        environment={"WORKERS": "2"},
        vpc={},
        network_isolation=False,
        name="mine",
    )
    with world() as simulated:
        create_model(one, settings, hosting=hosting(simulated))
        told = client("sagemaker").describe_model(ModelName="mine")
    container = told["PrimaryContainer"]
    assert (container["Image"], container["Environment"]) == ("other:2", {"WORKERS": "2"})
    source = {"S3Uri": "s3://elsewhere/model/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    assert container["ModelDataSource"] == {"S3DataSource": source}
    assert "VpcConfig" not in told
    assert told["EnableNetworkIsolation"] is False


@pytest.mark.parametrize(
    ("changes", "settings", "message"),
    [
        ({"image": None}, ModelSettings(), "image: the training jobs name no image"),
        ({"role": None}, ModelSettings(), "role: the training jobs name no role"),
        ({"artifact": "file:///home/me/model"}, ModelSettings(), "artifact: is not in S3; upload it"),
        ({}, ModelSettings(name="a b"), "ModelName: doesn't have the form"),
        ({}, ModelSettings(role="me"), "ExecutionRoleArn: must have at least 20"),
        ({}, ModelSettings(environment={"A-B": "1"}), "PrimaryContainer.Environment.A-B"),
        ({"vpc": {"Subnets": ["subnet-1"]}}, ModelSettings(), "VpcConfig.SecurityGroupIds: is needed"),
        ({"tags": {str(n): "" for n in range(49)}}, ModelSettings(), "tags: SageMaker takes 50|at most 50"),
    ],
)
def test_what_sagemaker_would_refuse_is_refused_first(
    changes: dict[str, Any], settings: ModelSettings, message: str
) -> None:
    with world() as simulated:
        with pytest.raises(DeployRejected, match=message):
            create_model(candidate(**changes), settings, hosting=hosting(simulated))
        assert not simulated.calls


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (EndpointSettings(), "instance_type: give either this or serverless_memory_mb"),
        (EndpointSettings(instance_type="ml.m5.large", serverless_memory_mb=1024), "give either"),
        (EndpointSettings(instance_type="m5.large"), "InstanceType: is not among the choices"),
        (
            EndpointSettings(instance_type="ml.m5.large", instance_count=0),
            "InitialInstanceCount: must be at least 1",
        ),
        (EndpointSettings(serverless_memory_mb=1500), "must be one of 1024, 2048, 3072, 4096, 5120, 6144"),
        (EndpointSettings(serverless_memory_mb=1024, serverless_max_concurrency=999), "at most 200"),
        (EndpointSettings(serverless_memory_mb=1024, capture_to="s3://b/c"), "captures no data"),
        (EndpointSettings(instance_type="ml.m5.large", capture_to="b/c"), "DestinationS3Uri"),
        (EndpointSettings(instance_type="ml.m5.large", kms_key="a key"), "KmsKeyId"),
        (EndpointSettings(instance_type="ml.m5.large", members={"Variants": [1]}), "no such member"),
    ],
)
def test_settings_that_sagemaker_would_refuse_are_refused_first(
    settings: EndpointSettings, message: str
) -> None:
    with world() as simulated:
        with pytest.raises(DeployRejected, match=message):
            create_endpoint_configuration(candidate(), "model", settings, hosting=hosting(simulated))
        assert not simulated.calls


def test_a_configuration_has_what_it_was_asked_for() -> None:
    settings = EndpointSettings(
        instance_type="ml.c5.xlarge",
        instance_count=3,
        kms_key="key-1",
        capture_to="s3://bucket/captured",
        capture_percent=20,
        tags={"team": "x"},
        variant={"ContainerStartupHealthCheckTimeoutInSeconds": 600},
    )
    with world() as simulated:
        create_model(candidate(), hosting=hosting(simulated))
        made = create_endpoint_configuration(
            candidate(), "demo-001-0a1b2c3d", settings, endpoint=ENDPOINT, hosting=hosting(simulated)
        )
        told = client("sagemaker").describe_endpoint_config(EndpointConfigName=made.name)
        other = create_endpoint_configuration(
            candidate(),
            "demo-001-0a1b2c3d",
            EndpointSettings(serverless_memory_mb=2048),
            hosting=hosting(simulated),
        )
        serverless = client("sagemaker").describe_endpoint_config(EndpointConfigName=other.name)
    (variant,) = told["ProductionVariants"]
    assert (variant["InstanceType"], variant["InitialInstanceCount"]) == ("ml.c5.xlarge", 3)
    assert variant["ContainerStartupHealthCheckTimeoutInSeconds"] == 600
    assert told["DataCaptureConfig"]["InitialSamplingPercentage"] == 20
    assert told["KmsKeyId"] == "key-1"
    assert serverless["ProductionVariants"][0]["ServerlessConfig"] == {
        "MemorySizeInMB": 2048,
        "MaxConcurrency": 5,
    }
    assert made.name != other.name
    assert made.name.startswith("demo-001-0a1b2c3d-")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (ModelSettings(image="other:1"), "another PrimaryContainer.Image"),
        (ModelSettings(role=ROLE + "-2"), "another ExecutionRoleArn"),
        (ModelSettings(environment={"A": "1"}), "another PrimaryContainer.Environment"),
        (ModelSettings(vpc={"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}), "another VpcConfig"),
        (ModelSettings(network_isolation=True), "another EnableNetworkIsolation"),
    ],
)
def test_a_model_of_the_name_with_another_content_is_not_taken(settings: ModelSettings, message: str) -> None:
    with world() as simulated:
        create_model(candidate(), hosting=hosting(simulated))
        assert not create_model(candidate(), hosting=hosting(simulated)).created
        with pytest.raises(NameTaken, match=message):
            create_model(candidate(), settings, hosting=hosting(simulated))
    # The other way round, too: what is more than was asked for may be seen by others.
    with world() as simulated:
        create_model(candidate(), settings, hosting=hosting(simulated))
        with pytest.raises(NameTaken):
            create_model(candidate(), hosting=hosting(simulated))


def test_a_model_that_two_count_on_is_deleted_for_none_of_them() -> None:
    with world() as simulated:
        one = hosting(simulated)
        made = create_model(candidate(), made_for="configuration-1", hosting=one)
        create_model(candidate(), made_for="configuration-1", hosting=one)
        assert one.tags(made.arn)["amt-flows-made-for"] == "configuration-1"
        create_model(candidate(), made_for="configuration-2", hosting=one)
        assert one.tags(made.arn)["amt-flows-made-for"] == "several"


# -- endpoints -------------------------------------------------------------------------------------------


def test_an_endpoint_is_waited_for_and_told_of() -> None:
    seen: list[EndpointProgress] = []
    with world() as simulated:
        one = hosting(simulated)
        create_model(candidate(), hosting=one)
        name = create_endpoint_configuration(candidate(), "demo-001-0a1b2c3d", MACHINE, hosting=one).name
        found = deploy_endpoint(ENDPOINT, name, tags={"team": "x"}, on_progress=seen.append, hosting=one)
        assert one.tags(found.arn) == {"team": "x"}
        again = deploy_endpoint(ENDPOINT, name, hosting=one)
        assert simulated.calls["CreateEndpoint"] == 1
    assert (found.configuration, found.previous, found.changed) == (name, None, True)
    assert (again.arn, again.changed) == (found.arn, False)
    assert {progress.status for progress in seen} == {"Creating"}
    assert [progress.seconds for progress in seen] == [15.0 * n for n in range(16)]


def test_a_configuration_that_is_not_there_is_refused() -> None:
    with world() as simulated, pytest.raises(DeployRejected, match="no endpoint configuration of this name"):
        deploy_endpoint(ENDPOINT, "nothing", hosting=hosting(simulated))


def test_an_update_leaves_a_way_back_and_a_roll_back_a_way_forth() -> None:
    with world() as simulated:
        first, second = deployed(simulated, 1), deployed(simulated, 2)
        back = roll_back_endpoint(ENDPOINT, hosting=hosting(simulated))
        assert (back.configuration, back.previous) == (first.configuration, second.configuration)
        forth = roll_back_endpoint(ENDPOINT, back.previous, hosting=hosting(simulated))
        assert forth.configuration == second.configuration


def test_without_another_configuration_there_is_no_way_back() -> None:
    with world() as simulated:
        with pytest.raises(DeployRejected, match="no endpoint of this name"):
            roll_back_endpoint(ENDPOINT, hosting=hosting(simulated))
        deployed(simulated)
        with pytest.raises(DeployRejected, match="has had no other configuration"):
            roll_back_endpoint(ENDPOINT, hosting=hosting(simulated))


def test_a_failed_creation_is_cleared_away() -> None:
    with world() as simulated:
        simulated.endpoints.deploy = fails(EndpointEnd.FAIL, failure="CannotStartContainerError.")
        with pytest.raises(DeployFailed) as told:
            deployed(simulated)
        assert there(simulated) == {}
    text = str(told.value)
    assert (
        "Endpoint live could not be created: CannotStartContainerError. Then the endpoint was deleted" in text
    )
    assert "model demo-001-0a1b2c3d, made for it, were deleted" in text
    assert "/aws/sagemaker/Endpoints/live" in text


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (EndpointEnd.FAIL, "SageMaker returned it to its previous configuration demo-001"),
        (EndpointEnd.FAIL_BETWEEN, "it was returned to its previous configuration demo-001"),
        (EndpointEnd.FAIL_FOR_GOOD, "it was created again with its previous configuration demo-001"),
    ],
)
def test_a_failed_update_leaves_the_endpoint_as_it_was(end: EndpointEnd, message: str) -> None:
    with world() as simulated:
        first = deployed(simulated, 1, tags={"team": "x"})
        before = there(simulated)

        def deploy(endpoint: str, configuration: Mapping[str, Any]) -> EndpointScript:
            models = [v["ModelName"] for v in configuration.get("ProductionVariants", ())]
            return EndpointScript(end if "demo-002-0a1b2c3d" in models else EndpointEnd.IN_SERVICE)

        simulated.endpoints.deploy = deploy
        with pytest.raises(DeployFailed, match=message):
            deployed(simulated, 2)
        endpoint = live(simulated)
        assert endpoint is not None
        assert (endpoint.status, endpoint.configuration) == ("InService", first.configuration)
        assert there(simulated) == before
        assert {"Key": "team", "Value": "x"} in endpoint.tags


def test_what_others_count_on_is_left_when_an_update_fails() -> None:
    with world() as simulated:
        deployed(simulated, 1)
        before = there(simulated)
        simulated.endpoints.deploy = fails(EndpointEnd.FAIL)
        # The same model on other machines: its configuration goes, the model stays.
        with pytest.raises(DeployFailed, match=r"configuration demo-001-\S+, made for it, was deleted"):
            deployed(simulated, 1, instance_type="ml.c5.large")
        assert there(simulated) == before
        # A configuration that was made by hand stays.
        one = hosting(simulated)
        create_model(candidate(3), hosting=one)
        name = create_endpoint_configuration(candidate(3), "demo-003-0a1b2c3d", MACHINE, hosting=one).name
        with pytest.raises(DeployFailed, match="was left, which was not made for it"):
            deploy_endpoint(ENDPOINT, name, hosting=one)
        assert name in there(simulated)["endpoint-config"]


def test_a_roll_back_that_fails_is_told_and_can_be_gone_on_with() -> None:
    with world() as simulated:
        first = deployed(simulated, 1)
        simulated.endpoints.deploy = fails(EndpointEnd.FAIL_BETWEEN)
        with pytest.raises(
            DeployFailed, match="the roll-back was not finished: endpoint live is UpdateRollbackFailed"
        ):
            deployed(simulated, 2)
        simulated.endpoints.deploy = fails(EndpointEnd.IN_SERVICE)
        roll_back_endpoint(ENDPOINT, first.configuration, hosting=hosting(simulated))
        endpoint = live(simulated)
        assert endpoint is not None
        assert (endpoint.status, endpoint.configuration) == ("InService", first.configuration)


def test_a_time_out_leaves_the_endpoint_and_asking_again_waits_on() -> None:
    waiting = {"timeout_seconds": 60, "poll_seconds": 20}
    with world() as simulated:
        with pytest.raises(DeployFailed, match=r"still Creating after 60 s\. It was left as it is"):
            deployed(simulated, 1, **waiting)
        assert there(simulated)["endpoint"] == [ENDPOINT]
        deployed(simulated, 1)
        with pytest.raises(DeployFailed, match="still Updating after 60 s"):
            deployed(simulated, 2, **waiting)
        assert deployed(simulated, 2).configuration.startswith("demo-002")
        assert (simulated.calls["CreateEndpoint"], simulated.calls["UpdateEndpoint"]) == (1, 1)


def test_somebody_elses_update_is_waited_for() -> None:
    with world() as simulated:
        first = deployed(simulated, 1)
        one = hosting(simulated)
        create_model(candidate(2), hosting=one)
        other = create_endpoint_configuration(candidate(2), "demo-002-0a1b2c3d", MACHINE, hosting=one).name
        client("sagemaker").update_endpoint(EndpointName=ENDPOINT, EndpointConfigName=other)
        found = deploy_endpoint(ENDPOINT, first.configuration, hosting=one)
        assert (found.configuration, found.previous) == (first.configuration, other)
        # And if it fails, it is not taken for ours.
        simulated.endpoints.deploy = lambda endpoint, configuration: EndpointScript(
            EndpointEnd.FAIL if configuration.get("EndpointConfigName") == other else EndpointEnd.IN_SERVICE
        )
        client("sagemaker").update_endpoint(EndpointName=ENDPOINT, EndpointConfigName=other)
        third = deployed(simulated, 3)
        assert third.configuration.startswith("demo-003")


def test_a_spoilt_endpoint_is_made_anew() -> None:
    with world() as simulated:
        simulated.endpoints.deploy = fails(EndpointEnd.FAIL)
        one = hosting(simulated)
        create_model(candidate(1), hosting=one)
        name = create_endpoint_configuration(candidate(1), "demo-001-0a1b2c3d", MACHINE, hosting=one).name
        client("sagemaker").create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=name)
        simulated.advance(1000)
        simulated.endpoints.deploy = fails(EndpointEnd.IN_SERVICE)
        assert deployed(simulated, 2).configuration.startswith("demo-002")


def test_an_endpoint_without_instances_is_left_alone() -> None:
    with world() as simulated:
        found = deployed(simulated, 1)
        endpoint = live(simulated)
        assert endpoint is not None
        endpoint.enter("OutOfService", simulated.clock.now())
        with pytest.raises(DeployFailed, match=r"OutOfService\. It was left as it is"):
            deploy_endpoint(ENDPOINT, found.configuration, hosting=hosting(simulated))
        assert live(simulated) is endpoint
        assert deployed(simulated, 2).configuration.startswith("demo-002")


# -- trouble -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operation",
    ["CreateModel", "CreateEndpointConfig", "CreateEndpoint", "UpdateEndpoint", "DescribeEndpoint"],
)
def test_passing_trouble_can_be_tried_again(operation: str) -> None:
    with world() as simulated:
        deployed(simulated, 1)
        if operation == "CreateEndpoint":
            client("sagemaker").delete_endpoint(EndpointName=ENDPOINT)
            simulated.advance(100)
        for refusal, after in ((refusals.throttled(), False), (refusals.connection_lost(), True)):
            simulated.inject(operation, refusal, times=1, after=after)
            with pytest.raises(CapacityUnavailable):
                deployed(simulated, 2)
        assert deployed(simulated, 2).configuration.startswith("demo-002")
        assert len(simulated.endpoints.created) == len(set(simulated.endpoints.created)) + (
            operation == "CreateEndpoint"  # the one that the test deleted
        )


@pytest.mark.parametrize(
    ("refusal", "remedy"),
    [
        (refusals.access_denied("sagemaker:CreateEndpoint"), "amt_flows.deploy.policy"),
        (refusals.limit_exceeded("ml.m5.large for endpoint usage", 0, 0, 1), "Service Quotas"),
        (refusals.validation("Could not assume role"), "mend what the message names"),
    ],
)
def test_final_trouble_says_what_to_do(refusal: refusals.Refusal, remedy: str) -> None:
    with world() as simulated:
        simulated.inject("CreateEndpoint", refusal)
        with pytest.raises(BackendError, match="While creating endpoint live") as told:
            deployed(simulated)
        assert not isinstance(told.value, CapacityUnavailable)
        assert remedy in told.value.remedy


def test_without_a_region_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)
    with pytest.raises(BackendError, match="connecting to SageMaker: You must specify a region"):
        Hosting(boto3.Session()).endpoint("live")


def test_waiting_has_sensible_defaults() -> None:
    assert Waiting().timeout_seconds >= 1800
