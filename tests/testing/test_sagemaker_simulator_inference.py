"""What the simulated endpoints answer: by the model's own script where programs run, else openly made up."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from amt_flows.backends.marked_processes import marked_processes
from amt_flows.testing.sagemaker import JobScript, Refusal, SimulatedSageMaker
from amt_flows.testing.sagemaker.artifacts import tar_gz
from amt_flows.testing.sagemaker.inference import Invocation
from amt_flows.testing.sagemaker.processes import MARK
from amt_flows.testing.sagemaker.unpacking import Unpackable, unpack
from testing.sagemaker_requests import REGION, client, training, wait_for

SCRIPT = """
import json, os
def model_fn(model_dir):
    print("loading")
    return json.load(open(os.path.join(model_dir, "factor.json")))
def predict_fn(data, model):
    if data == "leave":
        os._exit(3)
    return [number * model for number in data]
"""
VARIANT = {
    "VariantName": "only",
    "ModelName": "m",
    "InstanceType": "ml.m5.large",
    "InitialInstanceCount": 1,
}


@pytest.fixture
def running() -> Iterator[SimulatedSageMaker]:
    with SimulatedSageMaker(commands={}, endpoint_seconds=0) as world:
        yield world


def deploy(files: Mapping[str, str], name: str = "e", **configured: Any) -> Any:
    """An endpoint of a model that is made of these files; the runtime's client."""
    one, s3 = client(), client("s3")
    s3.create_bucket(Bucket="models", CreateBucketConfiguration={"LocationConstraint": REGION})
    archive = tar_gz({path: text.encode() for path, text in files.items()})
    s3.put_object(Bucket="models", Key="m.tar.gz", Body=archive)
    container = {"Image": "image:1", "ModelDataUrl": "s3://models/m.tar.gz"}
    one.create_model(ModelName="m", PrimaryContainer=container, ExecutionRoleArn=training()["RoleArn"])
    one.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[VARIANT], **configured)
    one.create_endpoint(EndpointName=name, EndpointConfigName="c")
    one.describe_endpoint(EndpointName=name)
    return client("sagemaker-runtime")


def asked(runtime: Any, data: Any, **more: Any) -> dict[str, Any]:
    told = runtime.invoke_endpoint(
        EndpointName="e", Body=json.dumps(data), ContentType="application/json", **more
    )
    return {**told, "answer": told["Body"].read()}


def test_a_model_answers_by_its_own_script_and_ends_with_its_endpoint(running: SimulatedSageMaker) -> None:
    runtime = deploy({"factor.json": "3", "code/inference.py": SCRIPT})
    told = asked(runtime, [1, 2.5])
    assert json.loads(told["answer"]) == [3, 7.5]
    assert (told["ContentType"], told["InvokedProductionVariant"]) == ("application/json", "only")
    assert "CustomAttributes" not in told
    assert asked(runtime, [1, 2], Accept="text/csv")["answer"] == b"3\r\n6\r\n"
    # What it printed is in the endpoint's own logs.
    group = "/aws/sagemaker/Endpoints/e"

    def logged() -> Any:
        logs = client("logs")
        # The group is made with the first line.
        with contextlib.suppress(logs.exceptions.ResourceNotFoundException):
            return logs.filter_log_events(logGroupName=group)["events"]

    shown = wait_for(logged)
    assert "loading" in [event["message"] for event in shown]
    # The script's failures are the caller's to see, and the next request is answered again.
    for wrong, words in (([None], "TypeError"), ("leave", "exit code 3")):
        with pytest.raises(ClientError) as refused:
            asked(runtime, wrong)
        assert refused.value.response["Error"]["Code"] == "ModelError"
        assert words in refused.value.response["Error"]["Message"]
    assert json.loads(asked(runtime, [2])["answer"]) == [6]
    [server] = running._hosting._servers.values()
    mark = f"{MARK}={server._mark}"
    assert marked_processes(mark)
    client().delete_endpoint(EndpointName="e")
    with pytest.raises(ClientError) as refused:
        asked(runtime, [1])
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    wait_for(lambda: not marked_processes(mark))


ASYNC = {"OutputConfig": {"S3OutputPath": "s3://models/out", "S3FailurePath": "s3://models/failed"}}


def left_at(uri: str) -> bytes | None:
    s3, key = client("s3"), uri.removeprefix("s3://models/")
    with contextlib.suppress(s3.exceptions.NoSuchKey):
        return bytes(s3.get_object(Bucket="models", Key=key)["Body"].read())
    return None


def test_an_asynchronous_answer_is_left_in_s3_and_so_is_a_failure(running: SimulatedSageMaker) -> None:
    runtime = deploy({"factor.json": "3", "code/inference.py": SCRIPT}, AsyncInferenceConfig=ASYNC)
    client("s3").put_object(Bucket="models", Key="in/1.json", Body=b"[1, 2]")
    told = runtime.invoke_endpoint_async(
        EndpointName="e", InputLocation="s3://models/in/1.json", ContentType="application/json"
    )
    assert told["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert told["OutputLocation"] == f"s3://models/out/{told['InferenceId']}.out"
    assert json.loads(wait_for(lambda: left_at(told["OutputLocation"]))) == [3, 6]
    for location, words in (("s3://models/in/2.json", b"no input"), ("s3://models/m.tar.gz", b"error")):
        told = runtime.invoke_endpoint_async(
            EndpointName="e", InputLocation=location, ContentType="application/json"
        )
        assert words in wait_for(lambda at=told["FailureLocation"]: left_at(at))  # type: ignore[misc]
        assert left_at(told["OutputLocation"]) is None


def test_where_no_program_runs_the_asynchronous_answer_says_so_and_who_is_not_asked_that_way_refuses() -> (
    None
):
    with SimulatedSageMaker(endpoint_seconds=0):
        runtime = deploy({}, AsyncInferenceConfig=ASYNC)
        client("s3").put_object(Bucket="models", Key="1", Body=b"[1]")
        told = runtime.invoke_endpoint_async(
            EndpointName="e", InputLocation="s3://models/1", InferenceId="me"
        )
        assert told["InferenceId"] == "me"
        assert json.loads(left_at(told["OutputLocation"]) or b"")["simulated"]
    with SimulatedSageMaker(endpoint_seconds=0):
        runtime = deploy({})
        for endpoint, words in (("e", "AsyncInferenceConfig"), ("none", "not found")):
            with pytest.raises(ClientError, match=words) as refused:
                runtime.invoke_endpoint_async(EndpointName=endpoint, InputLocation="s3://models/1")
            assert refused.value.response["Error"]["Code"] == "ValidationError"


def test_a_world_ends_in_the_middle_of_an_answer() -> None:
    slow = "import time\ndef model_fn(d): print('loading', flush=True); time.sleep(600)\n"
    refused: list[str] = []
    with SimulatedSageMaker(commands={}, endpoint_seconds=0) as world:
        deploy({"code/inference.py": slow})
        place, whole = ("123456789012", REGION), Invocation(b"[1]", "application/json", "")

        def ask() -> None:
            try:
                world.invoke(place, "e", whole, None)
            except Refusal as error:
                refused.append(error.code)

        asking = threading.Thread(target=ask)
        asking.start()
        group = "/aws/sagemaker/Endpoints/e"
        wait_for(lambda: group in str(client("logs").describe_log_groups()["logGroups"]))
        began = time.monotonic()
    asking.join(50)
    assert refused == ["ModelError"]
    assert time.monotonic() - began < 50  # and not the minute that a model has for its answer


def test_an_answer_of_no_model_says_so(running: SimulatedSageMaker) -> None:
    told = asked(deploy({"factor.json": "3"}), [1])
    assert "no code/inference.py" in json.loads(told["answer"])["made_up"]
    assert told["CustomAttributes"] == "made-up"


def test_without_programs_all_answers_are_made_up() -> None:
    with SimulatedSageMaker(JobScript([1.0]), endpoint_seconds=0):
        told = json.loads(asked(deploy({"code/inference.py": SCRIPT}), [1])["answer"])
    assert told["simulated"] is True
    assert "--real" in told["made_up"]


def link(name: str, target: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    return entry


@pytest.mark.parametrize(
    "entry",
    [tarfile.TarInfo("../out"), tarfile.TarInfo("/tmp/out"), link("a", "/etc"), link("code", "..")],
    ids=["up", "absolute", "link", "link-up"],
)
def test_no_archive_reaches_out_of_its_directory(entry: tarfile.TarInfo, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(entry, io.BytesIO())
    with pytest.raises(Unpackable):
        unpack(buffer.getvalue(), tmp_path / "inside")
    assert [path.name for path in tmp_path.rglob("*")] == ["inside"]


@pytest.mark.parametrize("content", [b"", b"no archive", tar_gz({"a": b"x" * 9999})[:50]])
def test_what_is_no_archive_is_a_failure_of_the_model(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(Unpackable):
        unpack(content, tmp_path / "inside")
