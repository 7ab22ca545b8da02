"""The simulated SageMaker: lists, search, tags, deleting and warm pools."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import boto3
import pytest

from amt_flows.testing.sagemaker import End, JobScript, SimulatedSageMaker
from testing.sagemaker_requests import check_shape, client, refusal, spot, training, tuning


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(1_700_000_000 + seconds, tz=timezone.utc)


def create(world: SimulatedSageMaker, count: int, **changes: Any) -> None:
    """Jobs job-00, job-01, … a minute apart."""
    for number in range(count):
        client().create_training_job(**training(f"job-{number:02d}", **changes))
        world.advance(60)


def names(answer: dict[str, Any]) -> list[str]:
    return [entry["TrainingJobName"] for entry in answer["TrainingJobSummaries"]]


# -- ListTrainingJobs --------------------------------------------------------------------------------


def test_the_newest_come_first_in_pages_of_ten() -> None:
    with SimulatedSageMaker() as world:
        create(world, 12)
        first = client().list_training_jobs()
        second = client().list_training_jobs(NextToken=first["NextToken"])
    check_shape("ListTrainingJobs", first)
    assert names(first) == [f"job-{n:02d}" for n in range(11, 1, -1)]
    assert names(second) == ["job-01", "job-00"]
    assert "NextToken" not in second


def test_what_is_created_meanwhile_does_not_shift_the_pages() -> None:
    with SimulatedSageMaker() as world:
        create(world, 4)
        first = client().list_training_jobs(MaxResults=2)
        client().create_training_job(**training("newer"))
        second = client().list_training_jobs(MaxResults=2, NextToken=first["NextToken"])
    assert names(first) + names(second) == ["job-03", "job-02", "job-01", "job-00"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"NameContains": "B-"}, ["b-2", "b-1"]),
        ({"SortBy": "Name", "SortOrder": "Ascending"}, ["a-1", "b-1", "b-2"]),
        ({"SortBy": "Name"}, ["b-2", "b-1", "a-1"]),
        ({"SortOrder": "Ascending"}, ["a-1", "b-1", "b-2"]),
        ({"CreationTimeAfter": at(0)}, ["b-2", "b-1"]),
        ({"CreationTimeBefore": at(60)}, ["a-1"]),
        ({"CreationTimeAfter": at(30), "CreationTimeBefore": at(90)}, ["b-1"]),
        ({"StatusEquals": "Completed"}, ["a-1"]),
        ({"StatusEquals": "InProgress"}, ["b-2", "b-1"]),
        ({"LastModifiedTimeBefore": at(70)}, ["b-1"]),
        ({"LastModifiedTimeAfter": at(100)}, ["b-2", "a-1"]),
    ],
)
def test_filters_and_orders(params: dict[str, Any], expected: list[str]) -> None:
    with SimulatedSageMaker(JobScript([1.0], seconds_per_epoch=30, starting_seconds=65)) as world:
        for name in ("a-1", "b-1", "b-2"):
            client().create_training_job(**training(name))
            world.advance(60 if name != "b-2" else 0)
        # a-1 completed at 115 s; the last change of the others is that they were created.
        assert names(client().list_training_jobs(**params)) == expected


def test_a_page_is_cut_before_the_status_is_looked_at() -> None:
    """As the service's reference warns: an empty page is no proof that there is nothing more."""
    with SimulatedSageMaker(JobScript([1.0], starting_seconds=130)) as world:
        create(world, 4)
        page = client().list_training_jobs(MaxResults=2, StatusEquals="Completed")
        assert names(page) == []
        pages = (
            client()
            .get_paginator("list_training_jobs")
            .paginate(StatusEquals="Completed", PaginationConfig={"PageSize": 2})
        )
        assert [name for page in pages for name in names(page)] == ["job-01", "job-00"]


def test_a_token_that_is_none() -> None:
    with SimulatedSageMaker():
        code, message = refusal(client().list_training_jobs, NextToken="x")
    assert (code, message) == ("ValidationException", "The NextToken is invalid.")


def test_each_region_has_jobs_of_its_own() -> None:
    with SimulatedSageMaker():
        client().create_training_job(**training())
        other = boto3.client("sagemaker", region_name="us-east-2")
        assert names(other.list_training_jobs()) == []
        assert refusal(other.describe_training_job, TrainingJobName="job-1")[0] == "ValidationException"
        arn = other.create_training_job(**training())["TrainingJobArn"]
        assert ":us-east-2:" in arn


# -- Search ------------------------------------------------------------------------------------------


def searched(*filters: dict[str, str], **params: Any) -> list[str]:
    answer = client().search(Resource="TrainingJob", SearchExpression={"Filters": list(filters)}, **params)
    check_shape("Search", answer)
    return [result["TrainingJob"]["TrainingJobName"] for result in answer["Results"]]


def where(name: str, operator: str | None, value: str | None = None) -> dict[str, str]:
    given = {"Name": name, "Operator": operator, "Value": value}
    return {key: text for key, text in given.items() if text is not None}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([where("Tags.tuning", "Equals", "one")], ["a-2", "a-1"]),
        ([where("Tags.tuning", None, "one")], ["a-2", "a-1"]),
        ([where("Tags.tuning", "Exists")], ["b-1", "a-2", "a-1"]),
        ([where("Tags.owner", "NotExists")], ["b-1", "a-2", "a-1"]),
        ([where("Tags.tuning", "In", "two, three")], ["b-1"]),
        ([where("Tags.tuning", "NotEquals", "one")], ["b-1"]),
        ([where("Tags.owner", "NotEquals", "me")], ["b-1", "a-2", "a-1"]),
        ([where("Tags.owner", "Equals", "me")], []),
        ([where("TrainingJobName", "Contains", "a-")], ["a-2", "a-1"]),
        (
            [where("TrainingJobName", "Contains", "a-"), where("TrainingJobStatus", "Equals", "InProgress")],
            [],
        ),
        ([where("HyperParameters.rate", "LessThan", "0.2")], ["a-1"]),
        ([where("HyperParameters.rate", "GreaterThanOrEqualTo", "0.3")], ["b-1"]),
        ([where("Metrics.accuracy", "GreaterThan", "0.15")], ["b-1", "a-2"]),
        ([where("CreationTime", "GreaterThan", "2023-11-14T22:13:30")], ["b-1", "a-2"]),
        ([where("ResourceConfig.InstanceCount", "Equals", "1")], ["b-1", "a-2", "a-1"]),
        ([where("EnableManagedSpotTraining", "Equals", "true")], ["b-1"]),
    ],
)
def test_search_filters(filters: list[dict[str, str]], expected: list[str]) -> None:
    def train(hyperparameters: Any) -> JobScript:
        return JobScript([float(hyperparameters["rate"])])

    with SimulatedSageMaker(train) as world:
        jobs = [("a-1", "one", "0.1"), ("a-2", "one", "0.2"), ("b-1", "two", "0.3")]
        for name, tag, rate in jobs:
            request = spot if name == "b-1" else training
            tags = [{"Key": "tuning", "Value": tag}]
            client().create_training_job(**request(name, Tags=tags, HyperParameters={"rate": rate}))
            world.advance(60)
        world.run()
        assert searched(*filters) == expected


def test_search_combines_expressions() -> None:
    either = {
        "Operator": "Or",
        "SubExpressions": [
            {"Filters": [where("TrainingJobName", "Equals", "job-00")]},
            {"Filters": [where("TrainingJobName", "Equals", "job-02")]},
        ],
    }
    with SimulatedSageMaker() as world:
        create(world, 4)
        answer = client().search(Resource="TrainingJob", SearchExpression=either)
    assert [r["TrainingJob"]["TrainingJobName"] for r in answer["Results"]] == ["job-02", "job-00"]
    assert answer["Results"][0]["TrainingJob"]["Tags"] == [{"Key": "tuning", "Value": "demo"}]


def test_search_in_pages_and_in_an_order() -> None:
    with SimulatedSageMaker() as world:
        create(world, 5)
        params = {"Resource": "TrainingJob", "SortBy": "TrainingJobName", "SortOrder": "Ascending"}
        found = []
        for page in client().get_paginator("search").paginate(**params, PaginationConfig={"PageSize": 2}):
            assert len(page["Results"]) <= 2
            found += [result["TrainingJob"]["TrainingJobName"] for result in page["Results"]]
    assert found == [f"job-{n:02d}" for n in range(5)]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ({"Filters": [where("Nonsense", "Equals", "x")]}, "Unknown property name: Nonsense"),
        ({"Filters": [where("TrainingJobName", "Equals")]}, "Value is required"),
        ({"Filters": [where("TrainingJobName", "LessThan", "x")]}, "not supported for text property"),
        ({"Filters": [where("CreationTime", "LessThan", "noon")]}, "not a timestamp"),
        (
            {"Filters": [where("TrainingJobName", "Contains", c) for c in "ab"]},
            "'CONTAINS' operator usage limit of 1 exceeded.",
        ),
    ],
)
def test_a_wrong_search_is_refused(expression: dict[str, Any], words: str) -> None:
    with SimulatedSageMaker():
        client().create_training_job(**training())
        code, message = refusal(client().search, Resource="TrainingJob", SearchExpression=expression)
    assert code == "ValidationException"
    assert words in message


def test_search_of_other_things_stays_motos() -> None:
    with SimulatedSageMaker():
        client().create_experiment(ExperimentName="experiment-1")
        found = client().search(Resource="Experiment")["Results"]
    assert [result["Experiment"]["ExperimentName"] for result in found] == ["experiment-1"]


# -- tags --------------------------------------------------------------------------------------------


def test_tags_are_added_replaced_and_deleted() -> None:
    with SimulatedSageMaker():
        sagemaker = client()
        arn = sagemaker.create_training_job(**training("Job-1"))["TrainingJobArn"]
        added = [{"Key": "tuning", "Value": "other"}, {"Key": "owner", "Value": "me"}]
        check_shape("AddTags", sagemaker.add_tags(ResourceArn=arn, Tags=added))
        assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == added
        sagemaker.delete_tags(ResourceArn=arn, TagKeys=["tuning"])
        assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == added[1:]
        many = [{"Key": str(n), "Value": ""} for n in range(50)]
        assert refusal(sagemaker.add_tags, ResourceArn=arn, Tags=many)[0] == "ValidationException"
        assert refusal(sagemaker.list_tags, ResourceArn=f"{arn}x")[1] == "Requested resource not found."


def test_models_have_tags_too() -> None:
    with SimulatedSageMaker():
        arn = client().create_model(
            ModelName="model-1",
            ExecutionRoleArn=training()["RoleArn"],
            Tags=[{"Key": "a", "Value": "b"}],
        )["ModelArn"]
        assert client().list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]


# -- DeleteTrainingJob -------------------------------------------------------------------------------


def test_an_ended_job_can_be_deleted_and_its_name_used_again() -> None:
    with SimulatedSageMaker() as world:
        sagemaker = client()
        sagemaker.create_training_job(**training())
        assert refusal(sagemaker.delete_training_job, TrainingJobName="job-1")[0] == "ResourceInUse"
        world.run()
        sagemaker.delete_training_job(TrainingJobName="job-1")
        assert names(sagemaker.list_training_jobs()) == []
        assert refusal(sagemaker.describe_training_job, TrainingJobName="job-1")[0] == "ValidationException"
        sagemaker.create_training_job(**training())
        assert [job.name for job in world.jobs] == ["job-1", "job-1"]
        assert world.job("job-1").live


# -- warm pools --------------------------------------------------------------------------------------

KEPT = {**training()["ResourceConfig"], "KeepAlivePeriodInSeconds": 600}


def pool(name: str) -> Any:
    told = client().describe_training_job(TrainingJobName=name)
    check_shape("DescribeTrainingJob", told)
    return told.get("WarmPoolStatus")


def test_a_matching_job_starts_at_once_on_the_instances_of_the_one_before() -> None:
    with SimulatedSageMaker(JobScript([1.0])) as world:
        client().create_training_job(**training("a", ResourceConfig=KEPT))
        assert pool("a") == {"Status": "InUse"}
        world.run()
        world.advance(100)
        assert pool("a") == {"Status": "Available", "ResourceRetainedBillableTimeInSeconds": 100}
        assert refusal(client().delete_training_job, TrainingJobName="a")[0] == "ResourceInUse"
        client().create_training_job(**training("b", ResourceConfig=KEPT))
        assert client().describe_training_job(TrainingJobName="b")["SecondaryStatus"] == "Downloading"
        assert pool("a") == {
            "Status": "Reused",
            "ReusedByJob": "b",
            "ResourceRetainedBillableTimeInSeconds": 100,
        }
        listed = client().list_training_jobs(WarmPoolStatusEquals="InUse")
    check_shape("ListTrainingJobs", listed)
    assert names(listed) == ["b"]


def test_a_pool_ends_with_its_time_and_is_for_matching_jobs_only() -> None:
    with SimulatedSageMaker(JobScript([1.0])) as world:
        client().create_training_job(**training("a", ResourceConfig=KEPT))
        world.run()
        client().create_training_job(**training("b", ResourceConfig={**KEPT, "InstanceCount": 2}))
        client().create_training_job(**training("c"))
        assert not world.job("b").warm
        assert not world.job("c").warm
        assert pool("c") is None
        world.advance(601)
        assert pool("a") == {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 600}
        client().create_training_job(**training("d", ResourceConfig={**KEPT, "InstanceCount": 3}))
        assert not world.job("d").warm


# -- tuning jobs -------------------------------------------------------------------------------------


def test_tuning_jobs_can_be_searched_and_tagged() -> None:
    with SimulatedSageMaker(JobScript(end=End.HANG)):
        tags = [{"Key": "team", "Value": "x"}]
        arn = client().create_hyper_parameter_tuning_job(**tuning(Tags=tags))["HyperParameterTuningJobArn"]
        client().create_hyper_parameter_tuning_job(**tuning("tune-2"))
        assert client().list_tags(ResourceArn=arn)["Tags"] == tags
        found = client().search(
            Resource="HyperParameterTuningJob",
            SearchExpression={"Filters": [where("Tags.team", "Equals", "x")]},
        )
    check_shape("Search", found)
    [result] = found["Results"]
    assert result["HyperParameterTuningJob"]["HyperParameterTuningJobName"] == "tune-1"
