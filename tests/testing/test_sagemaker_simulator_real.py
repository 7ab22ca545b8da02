"""The simulated SageMaker: training that really runs, as processes in SageMaker's container layout."""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from amt_flows.backends.simulated import VirtualClock
from amt_flows.testing.sagemaker import AcceleratedClock, Command, JobScript, SimulatedSageMaker
from amt_flows.testing.sagemaker.artifacts import Storage
from testing.sagemaker_requests import (
    REGION,
    check_shape,
    client,
    messages,
    spot,
    statuses,
    training,
    wait_for,
    wait_for_end,
)

BEGIN = """
import json, os, pathlib, signal, sys, time
base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
values = json.loads((base / "input/config/hyperparameters.json").read_text())
def say(value): print(f"amt-report accuracy={value};", flush=True)
"""


@pytest.fixture
def script(tmp_path: Path) -> Any:
    """Writes a training script; the command that runs it."""

    def write(body: str) -> list[str]:
        path = tmp_path / f"train-{time.monotonic_ns()}.py"
        path.write_text(BEGIN + body, encoding="utf-8")
        return ["python", str(path)]

    return write


def world_of(command: Any, **options: Any) -> SimulatedSageMaker:
    return SimulatedSageMaker(commands={"my-image:*": command}, **options)


def get(key: str) -> bytes:
    body: bytes = client("s3").get_object(Bucket="bucket", Key=key)["Body"].read()
    return body


def in_archive(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {m.name: archive.extractfile(m).read() for m in archive.getmembers()}  # type: ignore[union-attr]


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_script_runs_to_its_end_and_leaves_all_that_sagemaker_keeps(script: Any) -> None:
    command = script("""
for epoch in (1, 2, 3):
    say(epoch / 10 + float(values["rate"]))
print("to stderr", file=sys.stderr)
(base / "model" / "deep").mkdir()
(base / "model" / "deep" / "weights").write_text("1 2 3")
(base / "output/data/report.txt").write_text("fine")
""")
    with world_of(command) as world:
        client().create_training_job(**training())
        told = wait_for_end(client(), "job-1")
        lines = messages(client("logs"), "job-1").popitem()[1]
        model = in_archive(get("models/job-1/output/model.tar.gz"))
        output = in_archive(get("models/job-1/output/output.tar.gz"))
        assert [e.value for e in world.job("job-1").emissions] == pytest.approx([0.2, 0.3, 0.4])
        assert world.processes == ()
    check_shape("DescribeTrainingJob", told)
    assert told["TrainingJobStatus"] == "Completed"
    assert statuses(told) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert told["FinalMetricDataList"][0]["Value"] == pytest.approx(0.4)
    assert len(lines) == 4
    assert "to stderr" in lines
    assert model == {"deep/weights": b"1 2 3"}
    assert output == {"report.txt": b"fine"}


def test_the_container_contract(script: Any) -> None:
    command = script("""
config = {p.stem: json.loads(p.read_text()) for p in (base / "input/config").iterdir()}
channel = pathlib.Path(os.environ["SM_CHANNEL_TRAIN_SET"])
found = {
    "config": config,
    "data": {p.relative_to(channel).as_posix(): p.read_text() for p in channel.rglob("*") if p.is_file()},
    "same place": channel == base / "input/data/train-set",
    "environment": {k: v for k, v in os.environ.items() if k.startswith(("SM_", "TRAINING_", "MINE"))},
    "arguments": sys.argv[1:],
    "directories": [os.path.isdir(os.environ[n]) for n in ("SM_MODEL_DIR", "SM_CHECKPOINT_DIR",
                                                           "SM_OUTPUT_DATA_DIR")],
}
(base / "model/found.json").write_text(json.dumps(found))
""")
    request = training(
        HyperParameters={"rate": "0.1", "kind": '"deep"'},
        Environment={"MINE": "yes"},
        InputDataConfig=[
            {
                "ChannelName": "train-set",
                "ContentType": "text/csv",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/data/train"}},
            }
        ],
    )
    with world_of(Command(command, hyperparameters_as_arguments=True)):
        s3 = client("s3")
        s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        for key in ("data/train/a.csv", "data/train/deep/b.csv", "data/other.csv"):
            s3.put_object(Bucket="bucket", Key=key, Body=key.encode())
        client().create_training_job(**request)
        told = wait_for_end(client(), "job-1")
        assert told["TrainingJobStatus"] == "Completed", messages(client("logs"), "job-1")
        found = json.loads(in_archive(get("models/job-1/output/model.tar.gz"))["found.json"])
    assert found["config"] == {
        "hyperparameters": {"rate": "0.1", "kind": '"deep"'},
        "inputdataconfig": {
            "train-set": {
                "TrainingInputMode": "File",
                "S3DistributionType": "FullyReplicated",
                "RecordWrapperType": "None",
                "ContentType": "text/csv",
            }
        },
        "resourceconfig": {
            "current_host": "algo-1",
            "hosts": ["algo-1"],
            "current_instance_type": "ml.m5.large",
            "network_interface_name": "lo",
        },
    }
    assert found["data"] == {"a.csv": "data/train/a.csv", "deep/b.csv": "data/train/deep/b.csv"}
    assert found["same place"]
    assert found["arguments"] == ["--rate", "0.1", "--kind", "deep"]
    assert found["directories"] == [True] * 3
    environment = found["environment"]
    assert environment["TRAINING_JOB_NAME"] == "job-1"
    assert environment["TRAINING_JOB_ARN"].endswith(":training-job/job-1")
    assert environment["MINE"] == "yes"
    assert json.loads(environment["SM_HPS"]) == {"rate": 0.1, "kind": "deep"}
    assert (environment["SM_HP_RATE"], environment["SM_HP_KIND"]) == ("0.1", "deep")
    assert json.loads(environment["SM_CHANNELS"]) == ["train-set"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("sys.exit(3)", "AlgorithmError: , exit code: 3"),
        (
            "(base / 'output/failure').write_text('no data'); sys.exit(1)",
            "AlgorithmError: no data, exit code: 1",
        ),
        ("os.kill(os.getpid(), signal.SIGKILL)", "AlgorithmError: , exit code: 137"),
    ],
)
def test_a_failing_script(script: Any, body: str, reason: str) -> None:
    with world_of(script(body)) as world:
        client().create_training_job(**training())
        told = wait_for_end(client(), "job-1")
        assert world.job("job-1").model_uri is None
    check_shape("DescribeTrainingJob", told)
    assert (told["TrainingJobStatus"], told["FailureReason"]) == ("Failed", reason)


def test_a_stopped_script_has_its_grace_time_to_save(script: Any) -> None:
    command = script("""
signal.signal(signal.SIGTERM, lambda *_: sys.exit((base / "model/saved").write_text("yes") and 0))
say(0.5)
time.sleep(60)
""")
    with world_of(command) as world:
        client().create_training_job(**training())
        wait_for(lambda: world.job("job-1").emissions)
        [pid] = world.processes
        assert runs(pid)
        client().stop_training_job(TrainingJobName="job-1")
        told = wait_for_end(client(), "job-1")
        assert in_archive(get("models/job-1/output/model.tar.gz")) == {"saved": b"yes"}
        assert not runs(pid)
    check_shape("DescribeTrainingJob", told)
    assert (told["TrainingJobStatus"], told["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert statuses(told)[-4:] == ["Training", "Stopping", "Uploading", "Stopped"]
    assert told["FinalMetricDataList"][0]["Value"] == 0.5


def test_a_script_that_ignores_the_signal_is_killed_with_its_children(script: Any) -> None:
    command = script("""
import subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "60"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(60)
""")
    with world_of(command, stop_grace_seconds=0.3) as world:
        client().create_training_job(**training())
        wait_for(lambda: world.job("job-1").lines)
        pids = [world.processes[0], int(world.job("job-1").lines[0].text)]
        stopped_at = time.monotonic()
        client().stop_training_job(TrainingJobName="job-1")
        assert client().describe_training_job(TrainingJobName="job-1")["TrainingJobStatus"] == "Stopping"
        told = wait_for_end(client(), "job-1")
        assert time.monotonic() - stopped_at >= 0.3
        assert [runs(pid) for pid in pids] == [False, False]
    assert told["TrainingJobStatus"] == "Stopped"


def test_a_time_limit_on_an_accelerated_clock(script: Any) -> None:
    with world_of(script("say(0.5)\ntime.sleep(60)"), clock=AcceleratedClock(100)):
        client().create_training_job(**training(StoppingCondition={"MaxRuntimeInSeconds": 100}))
        told = wait_for_end(client(), "job-1")
    check_shape("DescribeTrainingJob", told)
    assert (told["TrainingJobStatus"], told["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert told["FinalMetricDataList"][0]["Value"] == 0.5
    assert told["TrainingTimeInSeconds"] >= 100


def test_a_virtual_clock_lets_a_test_reach_a_time_limit_at_once(script: Any) -> None:
    with world_of(script("say(0.5)\ntime.sleep(60)"), clock=VirtualClock()) as world:
        client().create_training_job(**training())
        wait_for(lambda: world.job("job-1").emissions)
        world.advance(3600)
        assert wait_for_end(client(), "job-1")["SecondaryStatus"] == "MaxRuntimeExceeded"


def test_a_spot_interruption_keeps_the_checkpoints_only(script: Any) -> None:
    command = script("""
checkpoint, model = base / "checkpoints/epoch", base / "model/part"
print("model", model.exists(), flush=True)
first = int(checkpoint.read_text()) + 1 if checkpoint.exists() else 1
for epoch in range(first, 7):
    checkpoint.write_text(str(epoch))
    model.write_text("x")
    say(epoch)
    time.sleep(60 if epoch == 3 and first == 1 else 0)
""")
    with world_of(command) as world:
        client().create_training_job(**spot())
        wait_for(lambda: len(world.job("job-1").emissions) == 3)
        world.interrupt("job-1")
        told = wait_for_end(client(), "job-1")
        streams = messages(client("logs"), "job-1")
        assert get("checkpoints/job-1/epoch") == b"6"
        assert [e.value for e in world.job("job-1").emissions] == [1, 2, 3, 4, 5, 6]
    check_shape("DescribeTrainingJob", told)
    assert statuses(told)[2:6] == ["Training", "Interrupted", "Starting", "Downloading"]
    assert told["TrainingJobStatus"] == "Completed"
    # A new machine: another log stream, an empty model directory.
    assert [lines[0] for lines in streams.values()] == ["model False"] * 2


def test_input_stays_in_its_directory(tmp_path: Path) -> None:
    with SimulatedSageMaker():
        storage = Storage("123456789012", REGION, create_buckets=True)
        for key in ("data/good", "data/deep/good", "data/../../evil"):
            storage.put(f"s3://bucket/{key}", b"x")
        storage.download("s3://bucket/data", tmp_path / "a/b")
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert found == ["a/b/deep/good", "a/b/good"]


def test_script_mode_from_an_archive_in_s3(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "train.py").write_text(
        "import pathlib, sys, helper; print(helper.WORD, *sys.argv[1:], pathlib.Path.cwd().name)"
    )
    (source / "helper.py").write_text("WORD = 'helped'")
    with tarfile.open(tmp_path / "source.tar.gz", "w:gz") as archive:
        for path in source.iterdir():
            archive.add(path, path.name)
    hyperparameters = {
        "sagemaker_program": '"train.py"',
        "sagemaker_submit_directory": '"s3://bucket/source.tar.gz"',
        "epochs": "3",
    }
    with SimulatedSageMaker(commands={}):
        s3 = client("s3")
        s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.upload_file(str(tmp_path / "source.tar.gz"), "bucket", "source.tar.gz")
        client().create_training_job(**training(HyperParameters=hyperparameters))
        told = wait_for_end(client(), "job-1")
        lines = messages(client("logs"), "job-1").popitem()[1]
    assert told["TrainingJobStatus"] == "Completed", lines
    assert lines == ["helped --epochs 3 code"]


def test_the_requests_own_entrypoint() -> None:
    specification = {
        **training()["AlgorithmSpecification"],
        "ContainerEntrypoint": ["python", "-c", "import sys; print(sys.executable, *sys.argv[1:])"],
        "ContainerArguments": ["--data", "/opt/ml/input/data/train"],
    }
    with SimulatedSageMaker(commands={}) as world:
        client().create_training_job(**training(AlgorithmSpecification=specification))
        assert wait_for_end(client(), "job-1")["TrainingJobStatus"] == "Completed"
        executable, option, path = world.job("job-1").lines[0].text.split()
    assert (executable, option) == (sys.executable, "--data")
    assert path.endswith("/input/data/train")
    assert not path.startswith("/opt/ml")


@pytest.mark.parametrize(
    ("changes", "commands", "reason"),
    [
        ({}, {"other": ["true"]}, "ClientError: no command on this machine stands for 'my-image:1'"),
        ({}, {"*": ["/no/such/program"]}, "AlgorithmError: /no/such/program can't be run"),
        (
            {
                "InputDataConfig": [
                    {
                        "ChannelName": "train",
                        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://no/data"}},
                    }
                ]
            },
            {"*": ["true"]},
            'ClientError: Data download failed: no S3 objects found under S3 URL "s3://no/data"',
        ),
        (
            {"HyperParameters": {"sagemaker_program": "x", "sagemaker_submit_directory": "/no/such/place"}},
            {},
            "ClientError: sagemaker_submit_directory is no directory: /no/such/place",
        ),
    ],
)
def test_what_cannot_be_run_fails(
    changes: dict[str, Any], commands: Mapping[str, list[str]], reason: str
) -> None:
    with SimulatedSageMaker(commands=commands):
        client().create_training_job(**training(**changes))
        told = wait_for_end(client(), "job-1")
    check_shape("DescribeTrainingJob", told)
    assert told["TrainingJobStatus"] == "Failed"
    assert told["FailureReason"].startswith(reason)


def test_a_command_is_a_list_of_words() -> None:
    with pytest.raises(ValueError, match="list of words"):
        Command("python train.py")


def test_a_job_can_be_stopped_while_it_is_starting(script: Any) -> None:
    with world_of(Command(script(""), starting_seconds=60)) as world:
        client().create_training_job(**training())
        client().stop_training_job(TrainingJobName="job-1")
        told = wait_for_end(client(), "job-1")
        assert world.job("job-1").starts == []
    check_shape("DescribeTrainingJob", told)
    assert statuses(told) == ["Starting", "Stopping", "Stopped"]


def test_scripted_and_real_jobs_may_live_side_by_side(script: Any) -> None:
    command = Command(script("say(1)"))

    def behave(request: Mapping[str, Any]) -> Command | JobScript:
        return command if request["TrainingJobName"] == "real" else JobScript([2.0])

    with SimulatedSageMaker(behave=behave) as world:
        for name in ("real", "scripted"):
            client().create_training_job(**training(name))
        wait_for_end(client(), "real")
        world.advance(1000)
        assert [e.value for job in world.jobs for e in job.emissions] == [1.0, 2.0]


def test_eight_jobs_at_once(script: Any) -> None:
    command = script("""
for epoch in range(20):
    say(epoch)
""")
    with world_of(command) as world:
        names = [f"job-{n}" for n in range(8)]
        for name in names:
            client().create_training_job(**training(name))
        for name in names:
            assert wait_for_end(client(), name)["TrainingJobStatus"] == "Completed"
        assert [len(job.emissions) for job in world.jobs] == [20] * 8
