"""The simulated SageMaker: a training job's life in scripted time, and what it leaves behind."""

from __future__ import annotations

import io
import json
import math
import tarfile
import textwrap
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from amt_flows.backends.simulated import Script
from amt_flows.ports import JobState
from amt_flows.testing import sagemaker as sagemaker_testing
from amt_flows.testing.sagemaker import AcceleratedClock, End, JobScript, Lags, SimulatedSageMaker
from testing.sagemaker_requests import GROUP, check_shape, client, messages, refusal, statuses, training
from worlds import rising

START = datetime.fromtimestamp(1_700_000_000, tz=timezone.utc)
SCRIPT = JobScript([0.1, 0.2, 0.9])  # 60 s Starting, 10 Downloading, 3 * 10 Training, 10 Uploading


def test_a_job_goes_through_every_status_at_the_time_the_script_says() -> None:
    with SimulatedSageMaker(SCRIPT) as world:
        sagemaker = client()
        sagemaker.create_training_job(**training())
        seen = []
        for seconds in (0, 59, 1, 10, 30, 10):
            world.advance(seconds)
            told = sagemaker.describe_training_job(TrainingJobName="job-1")
            check_shape("DescribeTrainingJob", told)
            seen.append((told["TrainingJobStatus"], told["SecondaryStatus"]))
    assert seen == [
        ("InProgress", "Starting"),
        ("InProgress", "Starting"),
        ("InProgress", "Downloading"),
        ("InProgress", "Training"),
        ("InProgress", "Uploading"),
        ("Completed", "Completed"),
    ]
    assert statuses(told) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert [t["EndTime"] - t["StartTime"] for t in told["SecondaryStatusTransitions"]] == [
        timedelta(seconds=s) for s in (60, 10, 30, 10, 0)
    ]
    assert told["CreationTime"] == START
    assert told["TrainingStartTime"] == START + timedelta(seconds=60)
    assert told["TrainingEndTime"] == START + timedelta(seconds=110)
    assert (told["TrainingTimeInSeconds"], told["BillableTimeInSeconds"]) == (50, 50)


def test_describe_repeats_the_request() -> None:
    request = training(
        InputDataConfig=[
            {
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/data"}},
            }
        ],
        Environment={"A": "b"},
        VpcConfig={"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        RetryStrategy={"MaximumRetryAttempts": 2},
        EnableNetworkIsolation=True,
    )
    with SimulatedSageMaker(SCRIPT):
        sagemaker = client()
        arn = sagemaker.create_training_job(**request)["TrainingJobArn"]
        told = sagemaker.describe_training_job(TrainingJobName="job-1")
        tags = sagemaker.list_tags(ResourceArn=arn)
    check_shape("DescribeTrainingJob", told)
    check_shape("ListTags", tags)
    assert arn == "arn:aws:sagemaker:eu-west-1:123456789012:training-job/job-1" == told["TrainingJobArn"]
    # No key is told as an empty one.
    request["OutputDataConfig"]["KmsKeyId"] = ""
    assert {k: told[k] for k in request if k != "Tags"} == {k: v for k, v in request.items() if k != "Tags"}
    assert tags["Tags"] == request["Tags"]


def test_a_default_time_limit_is_a_day() -> None:
    with SimulatedSageMaker(SCRIPT):
        client().create_training_job(**training(StoppingCondition=None))
        told = client().describe_training_job(TrainingJobName="job-1")
    assert told["StoppingCondition"] == {"MaxRuntimeInSeconds": 86_400}


def test_output_is_in_cloudwatch_logs_at_the_time_it_was_printed() -> None:
    with SimulatedSageMaker(SCRIPT) as world:
        client().create_training_job(**training())
        logs = client("logs")
        code, _ = refusal(logs.describe_log_streams, logGroupName=GROUP)
        assert code == "ResourceNotFoundException"  # as before the account's first training job
        world.advance(90)
        [stream] = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
        assert stream["logStreamName"] == "job-1/algo-1-1700000060"
        got = logs.get_log_events(
            logGroupName=GROUP, logStreamName=stream["logStreamName"], startFromHead=True
        )
        assert [e["timestamp"] for e in got["events"]] == [1_700_000_080_000, 1_700_000_090_000]
        # Incremental reading: the token leads to what is new, and nothing comes twice.
        world.advance(30)
        more = logs.get_log_events(
            logGroupName=GROUP,
            logStreamName=stream["logStreamName"],
            startFromHead=True,
            nextToken=got["nextForwardToken"],
        )
    assert [e["message"] for e in more["events"]] == ["amt-report epoch=3; accuracy=0.9;"]


def test_metrics_are_in_cloudwatch_with_the_job_as_their_dimension() -> None:
    with SimulatedSageMaker(SCRIPT) as world:
        client().create_training_job(**training())
        world.run()
        cloudwatch = client("cloudwatch")
        [metric] = cloudwatch.list_metrics(Namespace=GROUP)["Metrics"]
        got = cloudwatch.get_metric_data(
            MetricDataQueries=[
                {"Id": "a", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Average"}}
            ],
            StartTime=START + timedelta(seconds=25),
            EndTime=START + timedelta(minutes=5),
            ScanBy="TimestampAscending",
        )
    assert metric["MetricName"] == "accuracy"
    assert metric["Dimensions"] == [{"Name": "TrainingJobName", "Value": "job-1"}]
    # 0.1 in one minute, 0.2 and 0.9 in the next: the averages that make CloudWatch metrics approximate.
    assert got["MetricDataResults"][0]["Values"] == pytest.approx([0.1, 0.55])


def test_the_final_metric_is_the_last_match_in_32_bits() -> None:
    with SimulatedSageMaker(SCRIPT) as world:
        client().create_training_job(**training())
        world.advance(105)
        assert "FinalMetricDataList" not in client().describe_training_job(TrainingJobName="job-1")
        world.run()
        told = client().describe_training_job(TrainingJobName="job-1")
    [final] = told["FinalMetricDataList"]
    assert final["MetricName"] == "accuracy"
    assert final["Value"] == 0.8999999761581421
    assert final["Timestamp"] == START + timedelta(seconds=100)


def test_nan_is_in_the_logs_but_cloudwatch_takes_no_such_value() -> None:
    with SimulatedSageMaker(JobScript([0.5, math.nan, math.inf])) as world:
        client().create_training_job(**training())
        world.run()
        told = client().describe_training_job(TrainingJobName="job-1")
        lines = messages(client("logs"), "job-1").popitem()[1]
        [metric] = client("cloudwatch").list_metrics(Namespace=GROUP)["Metrics"]
        points = client("cloudwatch").get_metric_statistics(
            Namespace=metric["Namespace"],
            MetricName="accuracy",
            Dimensions=metric["Dimensions"],
            StartTime=START,
            EndTime=START + timedelta(hours=1),
            Period=3600,
            Statistics=["SampleCount"],
        )["Datapoints"]
    assert [line.split("=")[-1] for line in lines] == ["0.5;", "nan;", "inf;"]
    assert [final["Value"] for final in told["FinalMetricDataList"]] == [0.5]
    assert [point["SampleCount"] for point in points] == [1.0]


def test_several_metrics_by_their_own_expressions() -> None:
    definitions = [
        {"Name": "validation:auc", "Regex": r"\[\d+\]#011validation-auc:(\S+)"},
        {"Name": "loss", "Regex": r"loss: ([-+0-9.e]+)"},
    ]
    specification = {**training()["AlgorithmSpecification"], "MetricDefinitions": definitions}
    script = JobScript([{"validation:auc": 0.5, "loss": 2.0}, {"validation:auc": 0.75, "loss": -1e-05}, 0.9])
    with SimulatedSageMaker(script) as world:
        client().create_training_job(**training(AlgorithmSpecification=specification))
        world.run()
        job = world.job("job-1")
    assert [(e.metric, e.value) for e in job.emissions] == [
        ("validation:auc", 0.5),
        ("loss", 2.0),
        ("validation:auc", 0.75),
        ("loss", -1e-05),
        ("validation:auc", 0.9),
    ]
    assert "[1]#011validation-auc:0.5" in [line.text for line in job.lines]


def test_an_expression_that_knows_no_sign_misses_the_value_as_on_the_service() -> None:
    specification = {
        **training()["AlgorithmSpecification"],
        "MetricDefinitions": [{"Name": "score", "Regex": "score=([0-9.]+)"}],
    }
    with SimulatedSageMaker(JobScript([-0.5])) as world:
        client().create_training_job(**training(AlgorithmSpecification=specification))
        world.run()
        told = client().describe_training_job(TrainingJobName="job-1")
        assert [line.text.split(" ")[-1] for line in world.job("job-1").lines] == ["score=-0.5;"]
    assert "FinalMetricDataList" not in told


def test_a_script_may_write_its_own_lines() -> None:
    def lines(epoch: int, values: Mapping[str, float]) -> list[str]:
        return [f"epoch {epoch}", f"amt-report accuracy={values['accuracy']};", ""]

    with SimulatedSageMaker(JobScript([0.25], lines=lines)) as world:
        client().create_training_job(**training())
        world.run()
        found = messages(client("logs"), "job-1").popitem()[1]
    assert found == ["epoch 1", "amt-report accuracy=0.25;", " "]


def test_a_line_that_nobody_can_think_of_is_the_tests_error() -> None:
    specification = {
        **training()["AlgorithmSpecification"],
        "MetricDefinitions": [{"Name": "x", "Regex": "(?:foo|bar) then ([0-9.]+)"}],
    }
    with SimulatedSageMaker(JobScript([1.0])), pytest.raises(ValueError, match="lines="):
        client().create_training_job(**training(AlgorithmSpecification=specification))


def test_the_model_is_in_s3() -> None:
    with SimulatedSageMaker(JobScript([0.5], model={"weights.txt": b"1 2 3"})) as world:
        client().create_training_job(**training(OutputDataConfig={"S3OutputPath": "s3://bucket/a/b/"}))
        world.run()
        uri = client().describe_training_job(TrainingJobName="job-1")["ModelArtifacts"]["S3ModelArtifacts"]
        body = client("s3").get_object(Bucket="bucket", Key="a/b/job-1/output/model.tar.gz")["Body"].read()
    assert uri == "s3://bucket/a/b/job-1/output/model.tar.gz"
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        assert archive.getnames() == ["weights.txt"]
        extracted = archive.extractfile("weights.txt")
        assert extracted is not None
        assert extracted.read() == b"1 2 3"


def test_an_uncompressed_model_is_a_prefix() -> None:
    output = {"S3OutputPath": "s3://bucket", "CompressionType": "NONE"}
    with SimulatedSageMaker(JobScript()) as world:
        client().create_training_job(**training(OutputDataConfig=output))
        world.run()
        uri = client().describe_training_job(TrainingJobName="job-1")["ModelArtifacts"]["S3ModelArtifacts"]
        body = client("s3").get_object(Bucket="bucket", Key="job-1/output/model/model.json")["Body"].read()
    assert uri == "s3://bucket/job-1/output/model/"
    assert json.loads(body) == {"TrainingJobName": "job-1", "HyperParameters": {"rate": "0.1"}}


def test_without_its_bucket_a_job_fails_at_the_end_if_asked_for() -> None:
    with SimulatedSageMaker(SCRIPT, create_buckets=False) as world:
        client().create_training_job(**training())
        world.run()
        told = client().describe_training_job(TrainingJobName="job-1")
    check_shape("DescribeTrainingJob", told)
    assert told["TrainingJobStatus"] == "Failed"
    assert told["FailureReason"].startswith("ClientError: Artifact upload failed")
    assert world.job("job-1").model_uri is None


def test_a_failing_algorithm() -> None:
    script = JobScript([0.5], end=End.FAIL, failure="no such column: price", exit_code=3)
    with SimulatedSageMaker(script) as world:
        client().create_training_job(**training())
        world.run()
        told = client().describe_training_job(TrainingJobName="job-1")
    check_shape("DescribeTrainingJob", told)
    assert (told["TrainingJobStatus"], told["SecondaryStatus"]) == ("Failed", "Failed")
    assert told["FailureReason"] == "AlgorithmError: no such column: price, exit code: 3"
    assert world.job("job-1").model_uri is None
    # Paid for until the failure was seen, not for the uploading after it.
    assert told["TrainingEndTime"] - told["TrainingStartTime"] == timedelta(seconds=20)
    assert told["TrainingTimeInSeconds"] == 20


def test_a_long_failure_is_cut() -> None:
    with SimulatedSageMaker(JobScript(end=End.FAIL, failure="x" * 5000)) as world:
        client().create_training_job(**training())
        world.run()
        told = client().describe_training_job(TrainingJobName="job-1")
    assert len(told["FailureReason"]) == 1024
    assert told["FailureReason"].endswith("x, exit code: 1")


def test_no_capacity_fails_the_job_before_it_starts() -> None:
    with SimulatedSageMaker(JobScript([0.5], end=End.CAPACITY_ERROR)) as world:
        client().create_training_job(**training())
        world.run()
        told = client().describe_training_job(TrainingJobName="job-1")
    check_shape("DescribeTrainingJob", told)
    assert statuses(told) == ["Starting", "Failed"]
    assert told["FailureReason"].startswith("CapacityError: ")
    assert not {"TrainingStartTime", "TrainingEndTime", "TrainingTimeInSeconds"} & set(told)


def test_a_hanging_job_runs_into_its_time_limit() -> None:
    with SimulatedSageMaker(JobScript([0.5], end=End.HANG)) as world:
        client().create_training_job(**training())
        world.advance(3600)
        assert [job.name for job in world.live] == ["job-1"]
        world.run()
        assert world.live == ()
        assert world.job("job-1").secondary_status == "MaxRuntimeExceeded"


def test_running_for_a_time_stops_there() -> None:
    with SimulatedSageMaker(SCRIPT) as world:
        client().create_training_job(**training())
        world.run(seconds=75)
        assert world.job("job-1").secondary_status == "Training"


def test_the_scripts_of_the_simulated_backend_work_here() -> None:
    with SimulatedSageMaker(rising) as world:
        client().create_training_job(**training(HyperParameters={"learning_rate": "0.1"}))
        world.run()
        values = [e.value for e in world.job("job-1").emissions]
    assert values == list(rising({"learning_rate": "0.1"}).values)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (Script([1.0], end=JobState.FAILED, failure="bad data"), "AlgorithmError: bad data, exit code: 1"),
        (Script([1.0], end=JobState.FAILED, infrastructure=True), "InternalServerError: "),
    ],
)
def test_failures_of_the_simulated_backends_scripts(script: Script, reason: str) -> None:
    with SimulatedSageMaker(script) as world:
        client().create_training_job(**training())
        world.run()
        assert (world.job("job-1").failure_reason or "").startswith(reason)


def test_no_sagemaker_job_gets_lost() -> None:
    with SimulatedSageMaker(Script(end=JobState.LOST)), pytest.raises(ValueError, match="lost"):
        client().create_training_job(**training())


def test_behaviour_may_depend_on_the_whole_request() -> None:
    def behave(request: Mapping[str, object]) -> JobScript:
        spot = bool(request.get("EnableManagedSpotTraining"))
        return JobScript(end=End.CAPACITY_ERROR if spot else End.COMPLETE)

    with SimulatedSageMaker(behave=behave) as world:
        client().create_training_job(**training("on-demand"))
        client().create_training_job(
            **training(
                "spot",
                EnableManagedSpotTraining=True,
                StoppingCondition={"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
            )
        )
        world.run()
        assert {job.name: job.status for job in world.jobs} == {"on-demand": "Completed", "spot": "Failed"}


def test_a_call_may_take_time_so_that_polling_code_gets_on() -> None:
    with SimulatedSageMaker(SCRIPT, tick_seconds=30) as world:
        sagemaker = client()
        sagemaker.create_training_job(**training())
        polls = 0
        while sagemaker.describe_training_job(TrainingJobName="job-1")["TrainingJobStatus"] != "Completed":
            polls += 1
        assert polls == 3
        assert world.clock.now() == 1_700_000_000 + 5 * 30


def test_boto3s_own_waiter_gets_on() -> None:
    with SimulatedSageMaker(SCRIPT, tick_seconds=30) as world:
        client().create_training_job(**training())
        waiter = client().get_waiter("training_job_completed_or_stopped")
        waiter.wait(TrainingJobName="job-1", WaiterConfig={"Delay": 0, "MaxAttempts": 10})
        assert world.calls["DescribeTrainingJob"] == 4


def test_code_that_sleeps_can_be_given_the_worlds_sleep() -> None:
    with SimulatedSageMaker(SCRIPT) as world:
        client().create_training_job(**training())
        world.sleep(30)
        world.sleep(-1)
        assert world.clock.now() == 1_700_000_030
    with SimulatedSageMaker(SCRIPT, clock=AcceleratedClock(10_000)) as world:
        client().create_training_job(**training())
        world.sleep(200)
        assert world.job("job-1").status == "Completed"
        with pytest.raises(TypeError, match="real"):
            world.advance(1)


def test_the_example_of_the_documentation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code in the package's docstring, with pytest's decorator left away."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)  # between botocore's retries
    example = (sagemaker_testing.__doc__ or "").split("virtual clock:\n")[1].split("Code that sleeps")[0]
    created: list[str] = []

    def my_pipeline(sagemaker: Any) -> None:
        request = training(HyperParameters={"rate": "0.05"})
        created.append(sagemaker.create_training_job(**request)["TrainingJobArn"])
        while sagemaker.describe_training_job(TrainingJobName="job-1")["TrainingJobStatus"] == "InProgress":
            continue

    names: dict[str, Any] = {"my_pipeline": my_pipeline}
    code = textwrap.dedent(example).replace("@pytest.fixture\n", "")
    exec(compile(code, "example", "exec"), names)
    fixture = names["world"]()
    names["test_the_pipeline_trains_once_and_survives_throttling"](next(fixture))
    assert next(fixture, None) is None
    assert len(created) == 1


def test_logs_and_metrics_come_late_if_asked_for() -> None:
    with SimulatedSageMaker(SCRIPT, lags=Lags(log_seconds=60, metric_seconds=120)) as world:
        client().create_training_job(**training())
        world.advance(110)
        assert client().describe_training_job(TrainingJobName="job-1")["TrainingJobStatus"] == "Completed"
        assert refusal(client("logs").describe_log_streams, logGroupName=GROUP)[0]
        world.advance(60)
        assert [len(lines) for lines in messages(client("logs"), "job-1").values()] == [3]
        assert client("cloudwatch").list_metrics(Namespace=GROUP)["Metrics"] == []
        world.advance(60)
        assert len(client("cloudwatch").list_metrics(Namespace=GROUP)["Metrics"]) == 1


def test_the_final_metric_comes_some_polls_after_the_end() -> None:
    with SimulatedSageMaker(SCRIPT, lags=Lags(final_metric_polls=2)) as world:
        client().create_training_job(**training())
        world.run()
        told = [client().describe_training_job(TrainingJobName="job-1") for _ in range(3)]
    assert [t["TrainingJobStatus"] for t in told] == ["Completed"] * 3
    assert ["FinalMetricDataList" in t for t in told] == [False, False, True]


def test_describe_may_lag_behind() -> None:
    with SimulatedSageMaker(SCRIPT, lags=Lags(describe_polls=2)) as world:
        client().create_training_job(**training())
        seen = []
        for _ in range(6):
            seen.append(client().describe_training_job(TrainingJobName="job-1")["SecondaryStatus"])
            world.advance(55)
    assert seen == ["Starting", "Starting", "Starting", "Starting", "Completed", "Completed"]


def test_search_finds_a_job_late_if_asked_for() -> None:
    with SimulatedSageMaker(SCRIPT, lags=Lags(search_seconds=30)) as world:
        client().create_training_job(**training())
        assert client().search(Resource="TrainingJob")["Results"] == []
        assert client().list_training_jobs()["TrainingJobSummaries"] == []
        world.advance(30)
        assert len(client().search(Resource="TrainingJob")["Results"]) == 1
        assert len(client().list_training_jobs()["TrainingJobSummaries"]) == 1


def test_hours_of_many_jobs_pass_in_a_moment() -> None:
    with SimulatedSageMaker(JobScript([0.5] * 20, seconds_per_epoch=600)) as world:
        sagemaker = client()
        for number in range(50):
            sagemaker.create_training_job(**training(f"job-{number}", StoppingCondition=None))
        world.run()
        assert {job.status for job in world.jobs} == {"Completed"}
        assert world.clock.now() - 1_700_000_000 == 60 + 10 + 20 * 600 + 10
