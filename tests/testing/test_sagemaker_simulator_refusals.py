"""The simulated SageMaker: what it refuses, in what words, and faults on order."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from amt_flows.testing.sagemaker import (
    Chance,
    JobScript,
    Quotas,
    Refusal,
    SimulatedSageMaker,
    TokenBucket,
    access_denied,
    connection_lost,
    internal_failure,
    service_unavailable,
    throttled,
)
from testing.sagemaker_requests import GROUP, client, refusal, spot, training, tuning

LONG = JobScript([0.5] * 100, stopping_seconds=60)


def unchecked() -> Any:
    """A client that leaves all checking to the service, as those of other languages may."""
    return client(parameter_validation=False)


# -- validation --------------------------------------------------------------------------------------


def changed(path: str, value: Any) -> dict[str, Any]:
    """A training request with one member, given by its dotted path, changed."""
    request = training()
    *way, last = path.split(".")
    place = request
    for step in way:
        place = place.setdefault(step, {})
    place[last] = value
    return request


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("TrainingJobName", "under_score", "Value 'under_score' at 'trainingJobName' failed to satisfy"),
        ("TrainingJobName", "under_score", "regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"),
        ("TrainingJobName", "x" * 64, "Member must have length less than or equal to 63"),
        ("TrainingJobName", "-x", "regular expression"),
        ("RoleArn", "trainer", "at 'roleArn' failed to satisfy constraint"),
        ("RoleArn", "arn:aws:iam::12:role/trainer", "at 'roleArn' failed to satisfy constraint"),
        ("ResourceConfig.InstanceType", "ml.huge", "at 'resourceConfig.instanceType' failed to satisfy"),
        ("ResourceConfig.InstanceType", "ml.huge", "Member must satisfy enum value set: [ml.m4.xlarge, "),
        ("ResourceConfig.InstanceCount", -1, "Member must have value greater than or equal to 0"),
        ("ResourceConfig.KeepAlivePeriodInSeconds", 21_601, "less than or equal to 21600"),
        ("OutputDataConfig.S3OutputPath", "bucket/models", "at 'outputDataConfig.s3OutputPath'"),
        ("AlgorithmSpecification.TrainingInputMode", "Fast", "at 'algorithmSpecification.trainingInputMode'"),
        ("RetryStrategy.MaximumRetryAttempts", 31, "less than or equal to 30"),
        (
            "HyperParameters",
            {"a": "x" * 2501},
            "at 'hyperParameters' failed to satisfy constraint: Map value",
        ),
        ("HyperParameters", {"a": "two\nlines"}, "Map value must satisfy constraint: ["),
        ("HyperParameters", {str(n): "1" for n in range(101)}, "length less than or equal to 100"),
        ("Environment", {"1st": "x"}, "at 'environment' failed to satisfy constraint: Map keys must"),
        ("Tags", [{"Key": "a", "Value": "!"}], "at 'tags.1.member.value' failed to satisfy constraint"),
        ("Tags", [{"Key": str(n), "Value": ""} for n in range(51)], "length less than or equal to 50"),
        ("StoppingCondition.MaxRuntimeInSeconds", 0, "Member must have value greater than or equal to 1"),
    ],
)
def test_the_services_model_is_held_to(path: str, value: Any, words: str) -> None:
    with SimulatedSageMaker() as world:
        code, message = refusal(unchecked().create_training_job, **changed(path, value))
        assert world.jobs == ()
    assert code == "ValidationException"
    assert re.match(r"[12] validation errors? detected: ", message)
    assert words in message


def test_all_that_is_wrong_is_said_at_once() -> None:
    request = {**training("a_b"), "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": -1}}
    del request["RoleArn"]
    with SimulatedSageMaker():
        _, message = refusal(unchecked().create_training_job, **request)
    assert message.startswith("3 validation errors detected: ")
    assert "Value null at 'roleArn' failed to satisfy constraint: Member must not be null" in message


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("TrainingJobName", 7, "NUMBER_VALUE can not be converted to a String"),
        ("ResourceConfig.InstanceCount", "two", "STRING_VALUE can not be converted to an Integer"),
        ("ResourceConfig.InstanceCount", True, "TRUE_VALUE can not be converted to an Integer"),
        ("HyperParameters.rate", 0.1, "NUMBER_VALUE can not be converted to a String"),
        ("Tags", {"a": "b"}, "START_OBJECT can not be converted to a List"),
        ("EnableNetworkIsolation", "yes", "STRING_VALUE can not be converted to a Boolean"),
    ],
)
def test_values_of_a_wrong_type_are_refused(path: str, value: Any, words: str) -> None:
    with SimulatedSageMaker():
        code, message = refusal(raw_create, request=changed(path, value))
    assert (code, message) == ("SerializationException", words)


def raw_create(request: Mapping[str, Any]) -> None:
    """CreateTrainingJob with a body that botocore's serializer would have put right."""
    sagemaker = client(parameter_validation=False)

    def put_body(params: dict[str, Any], **_: Any) -> None:
        params["body"] = json.dumps(request).encode()

    events = sagemaker.meta.events
    events.register("before-call.sagemaker.CreateTrainingJob", put_body)
    try:
        sagemaker.create_training_job(**training())
    finally:
        events.unregister("before-call.sagemaker.CreateTrainingJob", put_body)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"AlgorithmSpecification": {"TrainingInputMode": "File"}},
            "either TrainingImage or AlgorithmName",
        ),
        (
            {
                "AlgorithmSpecification": {
                    "TrainingInputMode": "File",
                    "TrainingImage": "a",
                    "AlgorithmName": "b",
                }
            },
            "either TrainingImage or AlgorithmName",
        ),
        ({"ResourceConfig": None}, "ResourceConfig is required"),
        ({"ResourceConfig": {"InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}}, "InstanceCount must be"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 29 * 86_400}}, "Invalid MaxRuntimeInSeconds"),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}},
            "only supported when EnableManagedSpotTraining is set to true",
        ),
        ({"EnableManagedSpotTraining": True}, "must be present and be greater than or equal to"),
        (
            {
                "EnableManagedSpotTraining": True,
                "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 59},
            },
            "must be present and be greater than or equal to",
        ),
        ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}, "Duplicate tag key found: a"),
    ],
)
def test_members_must_go_together(changes: dict[str, Any], words: str) -> None:
    with SimulatedSageMaker():
        code, message = refusal(client().create_training_job, **training(**changes))
    assert code == "ValidationException"
    assert words in message


def test_other_operations_are_checked_too() -> None:
    with SimulatedSageMaker():
        code, message = refusal(unchecked().list_training_jobs, MaxResults=101)
        assert (code, "less than or equal to 100" in message) == ("ValidationException", True)
        code, message = refusal(unchecked().describe_training_job, TrainingJobName="a_b")
        assert (code, "'trainingJobName'" in message) == ("ValidationException", True)
        code, _ = refusal(unchecked().search, Resource="Nonsense")
        assert code == "ValidationException"


# -- names -------------------------------------------------------------------------------------------


def test_a_training_job_name_is_used_once_whatever_its_case() -> None:
    with SimulatedSageMaker() as world:
        sagemaker = client()
        sagemaker.create_training_job(**training("Job-1"))
        for name in ("Job-1", "job-1", "JOB-1"):
            code, message = refusal(sagemaker.create_training_job, **training(name))
            assert code == "ResourceInUse"
            assert message == (
                "Training job names must be unique within an AWS account and region, and a training job with "
                "this name already exists (arn:aws:sagemaker:eu-west-1:123456789012:training-job/job-1)"
            )
        assert [job.name for job in world.jobs] == ["Job-1"]
        assert world.refused["CreateTrainingJob", "ResourceInUse"] == 3


def test_the_name_is_taken_after_the_job_ended_too() -> None:
    with SimulatedSageMaker() as world:
        client().create_training_job(**training())
        world.run()
        assert refusal(client().create_training_job, **training())[0] == "ResourceInUse"


def test_a_tuning_job_name_is_used_once_whatever_its_case() -> None:
    with SimulatedSageMaker():
        client().create_hyper_parameter_tuning_job(**tuning("Tune-1"))
        code, message = refusal(client().create_hyper_parameter_tuning_job, **tuning("tune-1"))
    assert code == "ResourceInUse"
    assert "already exists" in message


# -- quotas ------------------------------------------------------------------------------------------


def test_a_stopping_job_holds_its_instances() -> None:
    with SimulatedSageMaker(LONG, quotas=Quotas({"ml.m5.large": 1})) as world:
        sagemaker = client()
        sagemaker.create_training_job(**training("first"))
        world.advance(100)
        code, message = refusal(sagemaker.create_training_job, **training("second"))
        assert code == "ResourceLimitExceeded"
        assert message.startswith(
            "The account-level service limit 'ml.m5.large for training job usage' is 1 Instances, with "
            "current utilization of 1 Instances and a request delta of 1 Instances."
        )
        sagemaker.stop_training_job(TrainingJobName="first")
        world.advance(59)
        assert world.job("first").status == "Stopping"
        assert refusal(sagemaker.create_training_job, **training("second"))[0] == "ResourceLimitExceeded"
        world.run()
        sagemaker.create_training_job(**training("second"))
        assert [job.name for job in world.jobs] == ["first", "second"]


def test_quotas_are_of_instances_by_type_and_for_spot_apart() -> None:
    quotas = Quotas({"ml.m5.large": 3}, spot_by_type={"ml.m5.large": 1}, other=0)
    two = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}
    with SimulatedSageMaker(LONG, quotas=quotas):
        create = client().create_training_job
        create(**training("a", ResourceConfig=two))
        assert refusal(create, **training("b", ResourceConfig=two))[0] == "ResourceLimitExceeded"
        create(**training("c"))
        create(**spot("d"))
        assert "spot training job usage" in refusal(create, **spot("e"))[1]
        big = {**two, "InstanceType": "ml.p3.2xlarge"}
        assert "is 0 Instances" in refusal(create, **training("f", ResourceConfig=big))[1]


def test_a_quota_for_all_training_together_and_per_region() -> None:
    with SimulatedSageMaker(LONG, quotas=Quotas(total=1)):
        client().create_training_job(**training("a"))
        _, message = refusal(client().create_training_job, **training("b"))
        assert "Number of instances across all training jobs" in message
        boto3.client("sagemaker", region_name="us-east-2").create_training_job(**training("a"))


# -- throttling --------------------------------------------------------------------------------------


def test_a_token_bucket_refills_in_the_worlds_time() -> None:
    throttles = {"DescribeTrainingJob": TokenBucket(per_second=0.5, burst=3)}
    with SimulatedSageMaker(throttles=throttles) as world:
        sagemaker = client()
        sagemaker.create_training_job(**training())
        refused: list[ClientError] = []

        def passes() -> bool:
            try:
                sagemaker.describe_training_job(TrainingJobName="job-1")
            except ClientError as error:
                refused.append(error)
                return False
            return True

        assert [passes() for _ in range(5)] == [True, True, True, False, False]
        world.advance(2)
        assert [passes() for _ in range(2)] == [True, False]
        world.advance(1000)
        assert [passes() for _ in range(4)] == [True, True, True, False]
        assert len(refused) == 4 == world.refused["DescribeTrainingJob", "ThrottlingException"]
        assert refused[0].response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
        assert refused[0].response["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert world.calls["DescribeTrainingJob"] == 11


def test_one_bucket_for_all_other_calls() -> None:
    throttles = {"CreateTrainingJob": TokenBucket(0, 1), "*": TokenBucket(0, 2)}
    with SimulatedSageMaker(throttles=throttles):
        client().create_training_job(**training())
        client().list_training_jobs()
        client().describe_training_job(TrainingJobName="job-1")
        assert refusal(client().list_training_jobs)[0] == "ThrottlingException"


@pytest.mark.parametrize("seed", [0, 1])
def test_throttling_by_chance_is_the_same_for_the_same_seed(seed: int) -> None:
    def outcomes() -> list[bool]:
        with SimulatedSageMaker(throttles={"ListTrainingJobs": Chance(0.5)}, seed=seed) as world:
            found = []
            for _ in range(40):
                before = sum(world.refused.values())
                with suppress(ClientError):
                    client().list_training_jobs()
                found.append(sum(world.refused.values()) > before)
            return found

    first = outcomes()
    assert first == outcomes()
    assert 5 < sum(first) < 35


def test_botocores_own_retries_see_the_throttling() -> None:
    with SimulatedSageMaker() as world:
        world.inject("ListTrainingJobs", throttled(), times=1)
        client(attempts=3).list_training_jobs()
        assert world.calls["ListTrainingJobs"] == 2


# -- faults ------------------------------------------------------------------------------------------


def test_the_next_calls_are_refused_and_then_no_more() -> None:
    with SimulatedSageMaker() as world:
        fault = world.inject("CreateTrainingJob", access_denied("sagemaker:CreateTrainingJob"), times=2)
        for _ in range(2):
            code, message = refusal(client().create_training_job, **training())
            assert code == "AccessDeniedException"
            assert "is not authorized to perform: sagemaker:CreateTrainingJob" in message
        client().create_training_job(**training())
        assert fault.hits == 2


def test_a_fault_for_some_parameters_only_and_for_a_time() -> None:
    with SimulatedSageMaker() as world:
        rate = {"rate": "0.5"}
        refuse = Refusal("ValidationException", "not this one")
        with world.inject("Create*", refuse, when=lambda p: p.get("HyperParameters") == rate):
            client().create_training_job(**training("a"))
            assert refusal(client().create_training_job, **training("b", HyperParameters=rate))[1] == (
                "not this one"
            )
        client().create_training_job(**training("b", HyperParameters=rate))


def test_a_fault_at_a_rate() -> None:
    with SimulatedSageMaker(seed=3) as world:
        fault = world.inject("ListTrainingJobs", throttled(), rate=0.3)
        for _ in range(100):
            with suppress(ClientError):
                client().list_training_jobs()
        assert 15 <= fault.hits <= 45


@pytest.mark.parametrize(("fault", "status"), [(internal_failure(), 500), (service_unavailable(), 503)])
def test_faults_of_the_service_have_its_http_status(fault: Refusal, status: int) -> None:
    with SimulatedSageMaker() as world:
        world.inject("ListTrainingJobs", fault, times=1)
        with pytest.raises(ClientError) as caught:
            client().list_training_jobs()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
        # botocore takes it for what it is and asks again.
        world.inject("ListTrainingJobs", fault, times=1)
        client(attempts=3).list_training_jobs()


def test_an_answer_may_be_lost_after_the_call_took_effect() -> None:
    """The trap of a CreateTrainingJob without an idempotency token."""
    with SimulatedSageMaker() as world:
        world.inject("CreateTrainingJob", connection_lost(), times=1, after=True)
        with pytest.raises(ConnectionClosedError):
            client().create_training_job(**training())
        assert [job.name for job in world.jobs] == ["job-1"]
        assert refusal(client().create_training_job, **training())[0] == "ResourceInUse"


def test_botocores_own_retry_of_a_lost_answer_meets_its_own_job() -> None:
    with SimulatedSageMaker() as world:
        world.inject("CreateTrainingJob", connection_lost(), times=1, after=True)
        assert refusal(client(attempts=3).create_training_job, **training())[0] == "ResourceInUse"
        assert len(world.jobs) == 1


def test_expired_credentials_are_good_for_nothing() -> None:
    with SimulatedSageMaker() as world:
        expired = world.expire_credentials()
        calls: list[tuple[Any, dict[str, str]]] = [
            (client().list_training_jobs, {}),
            (client("logs").describe_log_streams, {"logGroupName": GROUP}),
            (client("cloudwatch").list_metrics, {}),
            (client("s3").list_objects_v2, {"Bucket": "bucket"}),
            (client("sts").get_caller_identity, {}),
        ]
        for call, params in calls:
            assert refusal(call, **params) == (
                "ExpiredTokenException",
                "The security token included in the request is expired",
            )
        expired.remove()
        client().list_training_jobs()


def test_other_services_can_be_made_to_fail() -> None:
    with SimulatedSageMaker(JobScript([0.5])) as world:
        client().create_training_job(**training())
        world.run()
        world.inject("GetLogEvents", throttled(), times=1)
        world.inject("PutObject", Refusal("SlowDown", "Please reduce your request rate."), times=1)
        stream = client("logs").describe_log_streams(logGroupName=GROUP)["logStreams"][0]["logStreamName"]
        get = client("logs").get_log_events
        assert refusal(get, logGroupName=GROUP, logStreamName=stream)[0] == "ThrottlingException"
        assert len(get(logGroupName=GROUP, logStreamName=stream)["events"]) == 1
        put = client("s3").put_object
        assert refusal(put, Bucket="bucket", Key="a", Body=b"b")[0] == "SlowDown"
        put(Bucket="bucket", Key="a", Body=b"b")


def test_every_call_is_counted_by_operation_and_by_the_action_a_policy_allows() -> None:
    with SimulatedSageMaker(JobScript([0.5])) as world:
        client().create_training_job(**training())
        world.run()
        client().describe_training_job(TrainingJobName="job-1")
        refusal(client().describe_training_job, TrainingJobName="nobody")
        client("logs").describe_log_streams(logGroupName=GROUP)
        client("s3").get_object(Bucket="bucket", Key="models/job-1/output/model.tar.gz")
        assert world.calls["DescribeTrainingJob"] == 2
        assert set(world.actions) == {
            "sagemaker:CreateTrainingJob",
            "sagemaker:DescribeTrainingJob",
            "logs:DescribeLogStreams",
            "s3:GetObject",
        }


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Chance(1.5),
        lambda: TokenBucket(-1),
        lambda: TokenBucket(1, 0),
        lambda: SimulatedSageMaker().inject("*", throttled(), rate=2),
        lambda: SimulatedSageMaker(JobScript(), commands={}),
        lambda: SimulatedSageMaker(commands={}, tick_seconds=1),
    ],
)
def test_nonsense_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        wrong()
