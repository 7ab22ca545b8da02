"""The simulated SageMaker behind a URL: for other processes, and from the command line."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from click.testing import CliRunner

from amt_flows.backends.marked_processes import marked_processes
from amt_flows.testing.sagemaker import (
    JobScript,
    Quotas,
    SimulatedSageMaker,
    TokenBucket,
    connection_lost,
    internal_failure,
)
from amt_flows.testing.sagemaker.__main__ import main
from testing.sagemaker_requests import (
    GROUP,
    KEYS,
    check_shape,
    client,
    messages,
    refusal,
    statuses,
    training,
    tuning,
    wait_for,
    wait_for_end,
)

MODULE = [sys.executable, "-m", "amt_flows.testing.sagemaker"]


def test_a_scripted_job_behind_the_server() -> None:
    world = SimulatedSageMaker(JobScript([0.1, 0.9]), quotas=Quotas({"ml.m5.large": 1}))
    with world.serve(credentials=KEYS) as url:
        sagemaker = client(url=url)
        sagemaker.create_training_job(**training())
        assert refusal(sagemaker.create_training_job, **training())[0] == "ResourceInUse"
        assert refusal(sagemaker.create_training_job, **training("b"))[0] == "ResourceLimitExceeded"
        assert refusal(sagemaker.describe_training_job, TrainingJobName="x") == (
            "ValidationException",
            "Requested resource not found.",
        )
        world.advance(75)
        sagemaker.stop_training_job(TrainingJobName="job-1")
        world.run()
        told = sagemaker.describe_training_job(TrainingJobName="job-1")
        check_shape("DescribeTrainingJob", told)
        assert statuses(told)[-3:] == ["Stopping", "Uploading", "Stopped"]
        assert world.calls["CreateTrainingJob"] == 3
        assert client("logs", url).describe_log_streams(logGroupName=GROUP)["logStreams"]
        found = client("s3", url).list_objects_v2(Bucket="bucket")
        assert [item["Key"] for item in found["Contents"]] == ["models/job-1/output/model.tar.gz"]
        listed = sagemaker.list_training_jobs()
        check_shape("ListTrainingJobs", listed)
        expression = {"Filters": [{"Name": "Tags.tuning", "Operator": "Equals", "Value": "demo"}]}
        searched = sagemaker.search(Resource="TrainingJob", SearchExpression=expression)
        check_shape("Search", searched)
        assert len(searched["Results"]) == 1


def test_a_real_job_behind_the_server_finds_the_simulated_aws() -> None:
    code = (
        "import boto3, os; s3 = boto3.client('s3'); "
        "s3.create_bucket(Bucket='from-training', "
        "CreateBucketConfiguration={'LocationConstraint': os.environ['AWS_REGION']})"
    )
    with SimulatedSageMaker(commands={"*": ["python", "-c", code]}).serve(credentials=KEYS) as url:
        client(url=url).create_training_job(**training())
        told = wait_for_end(client(url=url), "job-1")
        assert told["TrainingJobStatus"] == "Completed", messages(client("logs", url), "job-1")
        buckets = client("s3", url).list_buckets()["Buckets"]
        assert "from-training" in [bucket["Name"] for bucket in buckets]


def test_an_entered_world_can_be_served_too() -> None:
    with SimulatedSageMaker(JobScript([0.5])) as world:
        client().create_training_job(**training())
        with world.serve(credentials=KEYS) as url:
            world.run()
            told = client(url=url).describe_training_job(TrainingJobName="job-1")
            assert told["TrainingJobStatus"] == "Completed"
        assert client().describe_training_job(TrainingJobName="job-1")["TrainingJobStatus"] == "Completed"


def test_faults_and_throttling_behind_the_server() -> None:
    throttles = {"ListTrainingJobs": TokenBucket(0, 1)}
    world = SimulatedSageMaker(throttles=throttles)
    with world.serve(credentials=KEYS) as url:
        sagemaker = client(url=url)
        sagemaker.list_training_jobs()
        assert refusal(sagemaker.list_training_jobs) == ("ThrottlingException", "Rate exceeded")
        world.inject("Search", internal_failure(), times=1)
        assert refusal(sagemaker.search, Resource="TrainingJob")[0] == "InternalFailure"
        world.inject("CreateTrainingJob", connection_lost(), times=1, after=True)
        assert refusal(sagemaker.create_training_job, **training())[0] == "ServiceUnavailable"
        assert [job.name for job in world.jobs] == ["job-1"]
        with world.expire_credentials():
            code = refusal(client("logs", url).describe_log_streams, logGroupName=GROUP)[0]
            assert code == "ExpiredTokenException"


def test_clients_at_once_get_a_name_once() -> None:
    with SimulatedSageMaker().serve(credentials=KEYS) as url:
        sagemaker = client(url=url)
        won: list[str] = []
        lost: list[str] = []

        def race() -> None:
            for number in range(5):
                try:
                    sagemaker.create_training_job(**training(f"job-{number}"))
                    won.append(f"job-{number}")
                except sagemaker.exceptions.ResourceInUse:
                    lost.append(f"job-{number}")

        threads = [threading.Thread(target=race) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(won) == [f"job-{n}" for n in range(5)]
    assert len(lost) == 15


def test_the_port_and_the_threads_are_given_back() -> None:
    before = set(threading.enumerate())
    with SimulatedSageMaker().serve(credentials=KEYS) as url:
        port = int(url.rpartition(":")[2])
        client(url=url).list_training_jobs()
    assert set(threading.enumerate()) == before
    with socket.create_server(("127.0.0.1", port)):
        pass
    with pytest.raises(EndpointConnectionError):
        client(url=url).list_training_jobs()


def test_a_port_that_is_taken_is_an_error_and_not_the_end_of_the_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"), SimulatedSageMaker().serve(port, credentials=KEYS):
            raise AssertionError("served on a taken port")


# -- from the command line ---------------------------------------------------------------------------


@contextmanager
def command(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a process of its own, and the URL that it prints; with the keys of these tests."""
    process = subprocess.Popen(
        [*MODULE, "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "SIMULATED_AWS_ACCESS_KEY_ID": KEYS.access_key_id,
            "SIMULATED_AWS_SECRET_ACCESS_KEY": KEYS.secret_access_key,
        },
    )
    assert process.stdout is not None
    try:
        found = re.search(r"http://\S+:\d+", process.stdout.readline())
        assert found, process.communicate()
        yield process, found[0]
    finally:
        process.kill()
        process.communicate()


def test_the_command_runs_training_until_it_is_told_to_end(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    code = f"import os, time; open({str(marker)!r}, 'w').write(os.environ['SM_MODEL_DIR']); time.sleep(60)"
    (tmp_path / "train.py").write_text(code)
    words = f"python {tmp_path / 'train.py'}"
    with command("--command", "my-image:*", words, "--quota", "ml.m5.large=1") as (process, url):
        sagemaker = client(url=url)
        sagemaker.create_training_job(**training())
        assert refusal(sagemaker.create_training_job, **training("b"))[0] == "ResourceLimitExceeded"
        wait_for(marker.exists)
        directory = Path(wait_for(marker.read_text)).parent
        assert directory.is_dir()
        assert len(marked_processes(f"SAGEMAKER_BASE_DIR={directory}")) == 1
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert "nothing of it is left" in out
    assert not directory.exists()
    assert marked_processes(f"SAGEMAKER_BASE_DIR={directory}") == []


def test_the_command_follows_a_script_in_accelerated_time() -> None:
    options = ["--values", "0.25,0.75", "--seconds-per-epoch", "30", "--startup-seconds", "60"]
    with command(*options, "--speed", "1000") as (process, url):
        client(url=url).create_training_job(**training())
        told = wait_for_end(client(url=url), "job-1")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
    assert told["TrainingJobStatus"] == "Completed"
    assert told["FinalMetricDataList"][0]["Value"] == 0.75
    assert told["TrainingTimeInSeconds"] == 60
    assert process.returncode == 0


def test_the_command_tunes() -> None:
    request = tuning()
    name = {"HyperParameterTuningJobName": "tune-1"}
    with command("--speed", "1000") as (_, url):
        sagemaker = client(url=url)
        sagemaker.create_hyper_parameter_tuning_job(**request)

        def ended() -> Any:
            told = sagemaker.describe_hyper_parameter_tuning_job(**name)
            return told if told["HyperParameterTuningJobStatus"] == "Completed" else None

        told = wait_for(ended)
        check_shape("DescribeHyperParameterTuningJob", told)
        assert told["TrainingJobStatusCounters"]["Completed"] == 4
        assert told["BestTrainingJob"]["TrainingJobName"].startswith("tune-1-")


def test_the_command_leaves_tuning_jobs_alone_if_asked_to() -> None:
    with command("--speed", "1000", "--no-tune") as (_, url):
        sagemaker = client(url=url)
        sagemaker.create_hyper_parameter_tuning_job(**tuning())
        assert sagemaker.list_training_jobs()["TrainingJobSummaries"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--quota", "ml.m5.large"], "--quota: ml.m5.large is not NAME=NUMBER"),
        (["--throttle", "CreateTrainingJob=often"], "--throttle"),
        (["--values", "high"], "--values: not numbers"),
        (["--speed", "0"], "--speed"),
    ],
)
def test_wrong_options_are_explained(arguments: list[str], words: str) -> None:
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code == 2
    assert words in found.output


def test_the_help_names_what_one_needs() -> None:
    found = CliRunner().invoke(main, ["--help"])
    for word in ("AWS_ENDPOINT_URL", "--port", "--real", "--command", "--speed"):
        assert word in found.output
