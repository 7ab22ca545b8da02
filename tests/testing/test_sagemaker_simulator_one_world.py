"""What is made through the simulated SageMaker and what moto makes are one: in its lists, in Search, in the
tagging API and in CloudFormation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from amt_flows.testing.sagemaker import JobScript, SimulatedSageMaker
from testing.sagemaker_requests import REGION, check_shape, client, refusal, training, tuning

ROLE = training()["RoleArn"]
VARIANT = {
    "VariantName": "a",
    "ModelName": "m",
    "InstanceType": "ml.m5.large",
    "InitialInstanceCount": 1,
    "InitialVariantWeight": 1.0,
}
TAGS = [{"Key": "team", "Value": "blue"}]


@pytest.fixture
def world() -> Iterator[SimulatedSageMaker]:
    with SimulatedSageMaker(JobScript([1.0])) as world:
        yield world


def deployed(name: str = "e") -> Any:
    """A model, a configuration of two variants and an endpoint of it, all with tags."""
    one = client()
    container = {"Image": "image:1", "ModelDataUrl": "s3://b/m.tar.gz"}
    one.create_model(ModelName="m", PrimaryContainer=container, ExecutionRoleArn=ROLE, Tags=TAGS)
    variants = [VARIANT, {**VARIANT, "VariantName": "b"}]
    one.create_endpoint_config(EndpointConfigName="c", ProductionVariants=variants, Tags=TAGS)
    one.create_endpoint(EndpointName=name, EndpointConfigName="c", Tags=TAGS)
    return one


def tagged(*kinds: str) -> list[str]:
    """What the tagging API finds with the tag, by its ARN's end."""
    asked = {"TagFilters": [{"Key": "team", "Values": ["blue"]}], "ResourceTypeFilters": list(kinds)}
    found = client("resourcegroupstaggingapi").get_resources(**asked)["ResourceTagMappingList"]
    return sorted(one["ResourceARN"].rpartition(":")[2] for one in found)


def test_cloudformation_and_the_service_see_what_the_other_makes(world: SimulatedSageMaker) -> None:
    resources = {
        "M": {"ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": "image:1"}, "Tags": TAGS},
        "C": {
            "ProductionVariants": [{**VARIANT, "ModelName": {"Fn::GetAtt": ["M", "ModelName"]}}],
            "Tags": TAGS,
        },
        "E": {"EndpointConfigName": {"Fn::GetAtt": ["C", "EndpointConfigName"]}, "Tags": TAGS},
    }
    kinds = {"M": "Model", "C": "EndpointConfig", "E": "Endpoint"}
    template = {
        "Resources": {
            name: {"Type": f"AWS::SageMaker::{kinds[name]}", "Properties": properties}
            for name, properties in resources.items()
        }
    }
    stacks, one = client("cloudformation"), client()
    stacks.create_stack(StackName="mine", TemplateBody=json.dumps(template))
    # Before anybody has asked the service.
    assert len(tagged("sagemaker")) == 3
    [listed] = one.list_endpoints()["Endpoints"]
    told = one.describe_endpoint(EndpointName=listed["EndpointName"])
    check_shape("DescribeEndpoint", told)
    assert (told["EndpointStatus"], told["ProductionVariants"][0]["CurrentWeight"]) == ("InService", 1.0)
    configuration = one.describe_endpoint_config(EndpointConfigName=told["EndpointConfigName"])
    check_shape("DescribeEndpointConfig", configuration)
    model = configuration["ProductionVariants"][0]["ModelName"]
    check_shape("DescribeModel", one.describe_model(ModelName=model))
    # Made through the service, of a model of the stack's.
    one.create_endpoint_config(
        EndpointConfigName="other", ProductionVariants=[{**VARIANT, "ModelName": model}]
    )
    one.update_endpoint(EndpointName=listed["EndpointName"], EndpointConfigName="other")
    world.advance(300)
    told = one.describe_endpoint(EndpointName=listed["EndpointName"])
    assert (told["EndpointStatus"], told["EndpointConfigName"]) == ("InService", "other")
    stacks.delete_stack(StackName="mine")
    assert one.list_endpoints()["Endpoints"] == one.list_models()["Models"] == []
    assert [c["EndpointConfigName"] for c in one.list_endpoint_configs()["EndpointConfigs"]] == ["other"]


def test_the_tagging_api_and_search_find_what_the_service_made(world: SimulatedSageMaker) -> None:
    one = deployed("Mixed-Case")
    one.create_model_package_group(ModelPackageGroupName="g", Tags=TAGS)
    one.create_model_package(ModelPackageName="alone", Tags=TAGS)
    everything = [
        "endpoint-config/c",
        "endpoint/mixed-case",
        "model-package-group/g",
        "model-package/alone",
        "model/m",
    ]
    assert tagged("sagemaker") == everything
    arn = one.describe_endpoint(EndpointName="Mixed-Case")["EndpointArn"]
    client("resourcegroupstaggingapi").tag_resources(
        ResourceARNList=[arn], Tags={"team": "red", "stage": "x"}
    )
    assert one.list_tags(ResourceArn=arn)["Tags"] == [
        {"Key": "team", "Value": "red"},
        {"Key": "stage", "Value": "x"},
    ]
    one.delete_tags(ResourceArn=arn, TagKeys=["team"])
    assert tagged("sagemaker:endpoint") == []
    for kind, name in {
        "Endpoint": "EndpointName",
        "ModelPackage": "ModelPackageName",
        "ModelPackageGroup": "ModelPackageGroupName",
    }.items():
        tag = "stage" if kind == "Endpoint" else "team"
        expression = {"Filters": [{"Name": f"Tags.{tag}", "Operator": "Exists"}]}
        found = one.search(Resource=kind, SearchExpression=expression)
        check_shape("Search", found)
        assert [name in record[kind] for record in found["Results"]] == [True], kind
    named = {"Filters": [{"Name": "Model.ModelName", "Operator": "Equals", "Value": "m"}]}
    [record] = one.search(Resource="Model", SearchExpression=named)["Results"]
    assert record["Model"]["Model"]["ModelName"] == "m"


def test_packages_live_with_a_group_and_without(world: SimulatedSageMaker) -> None:
    one = client()
    arn = one.create_model_package(ModelPackageName="alone")["ModelPackageArn"]
    one.create_model_package_group(ModelPackageGroupName="g")
    for _ in range(11):
        one.create_model_package(ModelPackageGroupName="g")
    check_shape("DescribeModelPackage", one.describe_model_package(ModelPackageName=arn))

    def listed(**asked: Any) -> list[Any]:
        found = one.list_model_packages(MaxResults=100, **asked)
        check_shape("ListModelPackages", found)
        return [p.get("ModelPackageVersion") for p in found["ModelPackageSummaryList"]]

    assert listed() == [None]
    assert listed(ModelPackageType="Versioned") == list(range(1, 12))
    assert len(listed(ModelPackageType="Both")) == 12
    assert listed(ModelPackageGroupName="g", SortOrder="Descending")[:2] == [11, 10]
    assert refusal(one.create_model_package, ModelPackageName="alone")[0] == "ConflictException"
    assert refusal(one.delete_model_package_group, ModelPackageGroupName="g")[0] == "ConflictException"
    for version in range(1, 12):
        one.delete_model_package(ModelPackageName=f"{arn.rpartition('/')[0]}/g/{version}")
    one.delete_model_package_group(ModelPackageGroupName="g")
    assert one.list_model_package_groups()["ModelPackageGroupSummaryList"] == []


def test_weights_and_instances_of_an_endpoint_change_in_time(world: SimulatedSageMaker) -> None:
    one = deployed()
    change = {"VariantName": "a", "DesiredWeight": 3.0, "DesiredInstanceCount": 2}
    assert (
        "in-progress"
        in refusal(
            one.update_endpoint_weights_and_capacities,
            EndpointName="e",
            DesiredWeightsAndCapacities=[change],
        )[1]
    )
    world.advance(300)
    for wrong in ([{**change, "VariantName": "z"}], [change, change]):
        code, _ = refusal(
            one.update_endpoint_weights_and_capacities,
            EndpointName="e",
            DesiredWeightsAndCapacities=wrong,
        )
        assert code == "ValidationException"
    one.update_endpoint_weights_and_capacities(EndpointName="e", DesiredWeightsAndCapacities=[change])

    def told() -> tuple[Any, ...]:
        answer = one.describe_endpoint(EndpointName="e")
        check_shape("DescribeEndpoint", answer)
        first, second = answer["ProductionVariants"]
        assert second["CurrentWeight"] == 1.0
        return answer["EndpointStatus"], first["CurrentWeight"], first["DesiredInstanceCount"]

    assert told() == ("Updating", 1.0, 2)
    world.advance(300)
    assert told() == ("InService", 3.0, 2)


def test_lists_are_filtered_by_name_status_and_times(world: SimulatedSageMaker) -> None:
    one = deployed("e-1")
    world.advance(600)
    between = world.clock.now()
    one.create_endpoint(EndpointName="e-2", EndpointConfigName="c")
    world.advance(600)
    one.create_endpoint(EndpointName="Other", EndpointConfigName="c")
    one.update_endpoint(EndpointName="e-1", EndpointConfigName="c")

    def listed(**asked: Any) -> list[str]:
        found = one.list_endpoints(**asked)
        check_shape("ListEndpoints", found)
        return [endpoint["EndpointName"] for endpoint in found["Endpoints"]]

    assert listed() == ["Other", "e-2", "e-1"]
    assert listed(NameContains="E-") == ["e-2", "e-1"]
    assert listed(StatusEquals="InService") == ["e-2"]
    assert listed(CreationTimeAfter=between, SortOrder="Ascending") == ["e-2", "Other"]
    assert listed(CreationTimeBefore=between) == ["e-1"]
    assert listed(LastModifiedTimeAfter=between + 300) == ["Other", "e-1"]
    assert listed(LastModifiedTimeBefore=between + 300) == ["e-2"]
    assert listed(SortBy="Name", SortOrder="Ascending") == ["e-1", "e-2", "Other"]
    assert one.list_models(CreationTimeAfter=between)["Models"] == []
    for name in ("t-1", "t-2"):
        one.create_hyper_parameter_tuning_job(**tuning(name))
    one.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="t-1")
    asked = {"StatusEquals": "Stopped", "CreationTimeAfter": between, "LastModifiedTimeAfter": between}
    [entry] = one.list_hyper_parameter_tuning_jobs(**asked)["HyperParameterTuningJobSummaries"]
    assert entry["HyperParameterTuningJobName"] == "t-1"
    first = one.list_hyper_parameter_tuning_jobs(MaxResults=1)
    assert len(one.list_hyper_parameter_tuning_jobs(NextToken=first["NextToken"])) > 0


@pytest.mark.parametrize(
    "name",
    ["my_bucket", "My-Bucket", "a..b", "-ab", "ab-", "192.168.0.1", "ab", "xn--abc", "abc-s3alias", "a" * 64],
)
def test_a_name_that_s3_gives_no_bucket_is_refused(world: SimulatedSageMaker, name: str) -> None:
    if not name.startswith("xn--"):  # which the client itself can't send
        place = {"LocationConstraint": REGION}
        code, _ = refusal(client("s3").create_bucket, Bucket=name, CreateBucketConfiguration=place)
        assert code == "InvalidBucketName"
    output = {"S3OutputPath": f"s3://{name}/models"}
    client().create_training_job(**training(OutputDataConfig=output))
    world.run()
    told = client().describe_training_job(TrainingJobName="job-1")
    assert "the specified bucket does not exist" in told["FailureReason"]


def test_a_page_of_a_log_holds_a_megabyte_from_either_end() -> None:
    lines = [f"{number:03d}" + "x" * 200_000 for number in range(12)]
    script = JobScript([1.0], lines=lambda epoch, values: lines)
    with SimulatedSageMaker(script) as world:
        client().create_training_job(**training())
        world.run()
        stream = world.job("job-1").stream
        asked = {"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamName": stream}
        for from_head, token in ((True, "nextForwardToken"), (False, "nextBackwardToken")):
            pages: list[list[str]] = []
            more: dict[str, str] = {}
            while True:
                page = client("logs").get_log_events(**asked, startFromHead=from_head, **more)
                if not page["events"]:
                    break
                pages.append([event["message"][:3] for event in page["events"]])
                more = {"nextToken": page[token]}
            found = [text for one in (pages if from_head else pages[::-1]) for text in one]
            assert found == [line[:3] for line in lines], from_head
            assert max(map(len, pages)) == 5
