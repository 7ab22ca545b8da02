"""The simulated SageMaker: how it sits on moto, and that it leaves nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import boto3
import pytest
from botocore import utils as botocore_utils
from moto import mock_aws
from moto.core import errors as moto_errors
from moto.core.model import StringShape
from moto.core.responses import BaseResponse
from moto.core.serialize import AttributePickerContext, XFormedAttributePicker
from moto.s3.responses import S3Response
from moto.sagemaker.models import SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from amt_flows.testing.sagemaker import JobScript, SimulatedSageMaker
from testing.sagemaker_requests import REGION, client, refusal, training, wait_for

PATCHED = (
    SageMakerResponse,
    BaseResponse,
    S3Response,
    SageMakerModelBackend,
    XFormedAttributePicker,
    botocore_utils,
    moto_errors,
)


def test_moto_is_as_it_was_afterwards() -> None:
    before = [dict(vars(owner)) for owner in PATCHED]
    with SimulatedSageMaker(), SimulatedSageMaker():
        assert [dict(vars(owner)) for owner in PATCHED] != before
    assert [dict(vars(owner)) for owner in PATCHED] == before
    with mock_aws():
        client().create_training_job(**training())
        # Moto's own: complete at once.
        told = client().describe_training_job(TrainingJobName="job-1")
        assert told["TrainingJobStatus"] == "Completed"


def test_where_a_member_is_found_is_remembered_by_its_shape_and_the_objects_class() -> None:
    class Model:
        name, renamed = "mine", "by the service"

    class Other(Model):
        pass

    plain = StringShape("Name", {"type": "string"})
    renamed = StringShape("Name", {"type": "string", "locationName": "renamed"})

    def found() -> list[object]:
        asked = ((Model(), plain), (Other(), plain), (Other(), renamed), (Model(), renamed))
        contexts = (AttributePickerContext(obj=obj, key="ModelName", shape=shape) for obj, shape in asked)
        return [XFormedAttributePicker()(context) for context in contexts]

    with SimulatedSageMaker():
        assert found() == found() == ["mine", None, "by the service", "mine"]
    assert found() == ["mine", None, "by the service", "mine"], "as moto itself finds it"


def test_a_failing_test_leaves_moto_as_it_was_too() -> None:
    before = dict(vars(SageMakerResponse))
    with pytest.raises(RuntimeError), SimulatedSageMaker():
        raise RuntimeError
    assert dict(vars(SageMakerResponse)) == before


def test_of_nested_worlds_the_newest_answers() -> None:
    with SimulatedSageMaker(JobScript([1.0])) as outer:
        client().create_training_job(**training("outer"))
        with SimulatedSageMaker(JobScript([2.0])) as inner:
            assert refusal(client().describe_training_job, TrainingJobName="outer")
            client().create_training_job(**training("inner"))
        client().describe_training_job(TrainingJobName="outer")
        assert [job.name for job in outer.jobs] == ["outer"]
        assert [job.name for job in inner.jobs] == ["inner"]
        # S3, Logs and the like are moto's, and one for all.
        outer.run()


def test_worlds_may_go_in_any_order() -> None:
    first, second = SimulatedSageMaker(), SimulatedSageMaker()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    client().create_training_job(**training())
    assert [job.name for job in second.jobs] == ["job-1"]
    second.__exit__(None, None, None)
    assert "stop_training_job" not in vars(SageMakerResponse)


def test_one_world_after_another_begins_empty() -> None:
    for _ in range(2):
        with SimulatedSageMaker(JobScript([1.0])) as world:
            client().create_training_job(**training())
            world.run()
            assert len(client("s3").list_objects_v2(Bucket="bucket")["Contents"]) == 1


def test_a_world_is_entered_once() -> None:
    world = SimulatedSageMaker()
    with world, pytest.raises(RuntimeError, match="once"):
        world.__enter__()
    with pytest.raises(RuntimeError, match="once"):
        world.__enter__()


def test_inside_of_a_users_own_mock() -> None:
    with mock_aws():
        s3 = client("s3")
        s3.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": REGION})
        with SimulatedSageMaker(JobScript([1.0])) as world:
            client().create_training_job(**training(OutputDataConfig={"S3OutputPath": "s3://mine/models"}))
            world.run()
        assert s3.list_objects_v2(Bucket="mine")["KeyCount"] == 1


def test_the_rest_of_sagemaker_is_motos() -> None:
    with SimulatedSageMaker(JobScript([1.0])) as world:
        client().create_training_job(**training())
        world.run()
        uri = client().describe_training_job(TrainingJobName="job-1")["ModelArtifacts"]["S3ModelArtifacts"]
        container = {"Image": "my-image:1", "ModelDataUrl": uri}
        role = training()["RoleArn"]
        client().create_model(ModelName="model-1", ExecutionRoleArn=role, PrimaryContainer=container)
        assert client().describe_model(ModelName="model-1")["PrimaryContainer"]["ModelDataUrl"] == uri
        assert world.actions["sagemaker:CreateModel"] == 1


def test_resetting_moto_forgets_the_jobs() -> None:
    from moto.core.base_backend import BackendDict

    with SimulatedSageMaker() as world:
        client().create_training_job(**training())
        BackendDict.reset()
        assert client().list_training_jobs()["TrainingJobSummaries"] == []
        client().create_training_job(**training())
        assert len(world.jobs) == 2


def test_motos_tagging_api_finds_the_jobs() -> None:
    with SimulatedSageMaker():
        arn = client().create_training_job(**training())["TrainingJobArn"]
        tagging = boto3.client("resourcegroupstaggingapi", region_name=REGION)
        found = tagging.get_resources(TagFilters=[{"Key": "tuning", "Values": ["demo"]}])
    assert [entry["ResourceARN"] for entry in found["ResourceTagMappingList"]] == [arn]


def test_motos_policies_hold_for_the_simulated_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a least-privilege policy can be tried out."""
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sagemaker:DescribeTrainingJob", "Resource": "*"}],
    }
    with SimulatedSageMaker():
        client().create_training_job(**training())
        iam = client("iam")
        iam.create_user(UserName="reader")
        iam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName="reader")["AccessKey"]
        reader = boto3.client(
            "sagemaker",
            region_name=REGION,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )
        monkeypatch.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0)
        told = reader.describe_training_job(TrainingJobName="job-1")
        assert told["TrainingJobStatus"] == "InProgress"
        code, message = refusal(reader.stop_training_job, TrainingJobName="job-1")
        assert code == "AccessDeniedException"
        assert "sagemaker:StopTrainingJob" in message


def test_processes_threads_and_directories_end_with_the_world(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    code = f"import os, pathlib, time; pathlib.Path({str(marker)!r}).write_text(os.environ['SM_MODEL_DIR'])"
    command = ["python", "-c", code + "; time.sleep(60)"]
    threads = set(threading.enumerate())
    with SimulatedSageMaker(commands={"*": command}) as world:
        client().create_training_job(**training("running"))
        wait_for(marker.exists)
        wait_for(marker.read_text)
        [pid] = world.processes
        assert Path(marker.read_text()).is_dir()
    assert not Path(f"/proc/{pid}").exists()
    assert not Path(marker.read_text()).parents[1].exists()
    assert set(threading.enumerate()) == threads
    assert world.job("running").live  # nobody pretends that it ended well


def test_importing_the_room_next_door_does_not_load_moto() -> None:
    code = "import sys, amt_flows.testing; print('moto' in sys.modules, 'boto3' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]


def test_without_moto_the_message_says_what_to_install() -> None:
    code = "import sys; sys.modules['moto'] = None; import amt_flows.testing.sagemaker"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'amt-flows[simulator]'" in found.stderr
