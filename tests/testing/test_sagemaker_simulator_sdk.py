"""What SageMaker's SDK and other clients ask beside training: each has an answer that they can read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as BotoCredentials
from botocore.httpsession import URLLib3Session

from amt_flows.testing.sagemaker import Command, JobScript, SimulatedSageMaker
from testing.sagemaker_requests import (
    KEYS,
    REGION,
    check_shape,
    client,
    messages,
    refusal,
    training,
    tuning,
    wait_for_end,
)

ROLE = "arn:aws:iam::123456789012:role/service-role/trainer"
SAYS = "import sys; print('arguments', *sys.argv[1:])"


def decision(iam: object, role: str, action: str) -> str:
    told = iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=[action])  # type: ignore[attr-defined]
    [result] = told["EvaluationResults"]
    return str(result["EvalDecision"])


def test_a_role_that_nobody_made_may_train_and_others_what_their_policies_say() -> None:
    with SimulatedSageMaker():
        iam = client("iam")
        assert decision(iam, ROLE, "s3:PutObject") == "allowed"
        trust = iam.get_role(RoleName="trainer")["Role"]["AssumeRolePolicyDocument"]
        assert trust["Statement"][0]["Principal"]["Service"] == "sagemaker.amazonaws.com"
        iam.create_role(RoleName="narrow", AssumeRolePolicyDocument=json.dumps(trust))
        statements = [
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
            {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"},
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName="narrow", PolicyName="p", PolicyDocument=document)
        narrow = iam.get_role(RoleName="narrow")["Role"]["Arn"]
        asked = ("s3:GetObject", "s3:PutObject", "sagemaker:CreateTrainingJob")
        assert [decision(iam, narrow, action) for action in asked] == [
            "allowed",
            "explicitDeny",
            "implicitDeny",
        ]


def unsimulated(url: str | None) -> None:
    code, message = refusal(client(url=url).list_studio_lifecycle_configs)
    assert code == "UnknownOperationException"
    assert "sagemaker:ListStudioLifecycleConfigs is not simulated" in message


def test_what_is_not_simulated_is_named_in_the_words_of_its_service() -> None:
    with SimulatedSageMaker() as world:
        unsimulated(None)
        with world.serve(credentials=KEYS) as url:
            unsimulated(url)
            # XML, and a service and a path that moto doesn't have at all.
            code, message = refusal(client("iam", url).get_organizations_access_report, JobId="a" * 36)
            assert "iam:GetOrganizationsAccessReport" in message
            config = Config(retries={"total_max_attempts": 1})
            session = boto3.Session(*KEYS.environment().values(), region_name=REGION)
            for service, operation in (
                ("sagemaker-geospatial", "list_earth_observation_jobs"),
                ("codeguru-reviewer", "list_code_reviews"),
            ):
                one = session.client(service, endpoint_url=url, config=config)
                given = {"Type": "PullRequest"} if operation == "list_code_reviews" else {}
                code, message = refusal(getattr(one, operation), **given)
                # No failure of the server, which clients would ask again and again.
                assert code == "UnknownOperationException"
                assert re.match(r"The simulated AWS: .* is not simulated", message), message


def test_what_no_client_of_todays_sends_is_refused_in_the_words_of_its_service() -> None:
    bad = b'{"Resource": 5, "ResourceArn": [], "PipelineName": {}}'
    with SimulatedSageMaker().serve(credentials=KEYS) as url:

        def sent(target: str, body: bytes, service: str = "sagemaker") -> str:
            """The code of what is answered; of a client that is newer, or none of AWS's."""
            headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}
            if service == "iam":
                headers = {"Content-Type": "application/x-www-form-urlencoded"}
            request = AWSRequest("POST", url, data=body, headers=headers)
            SigV4Auth(BotoCredentials(*KEYS.environment().values()), service, REGION).add_auth(request)
            answer = URLLib3Session().send(request.prepare())
            assert answer.status_code == 400, answer.text
            return str(re.findall(r"\w+Exception|InvalidAction", answer.text)[0])

        assert {sent("SageMaker.NewOperation", b"{}"), sent("Logs_20140328.NewOperation", b"{}", "logs")} == {
            "UnknownOperationException"
        }
        assert sent("", b"Action=NewOperation&Version=2010-05-08", "iam") == "InvalidAction"
        for body in (b"{nope", b"[1]", b"\xff", b"[" * 5000):
            assert sent("SageMaker.DescribeTrainingJob", body) == "SerializationException"
        for operation in ("AddTags", "ListTags", "DeleteTags", "Search"):
            assert sent(f"SageMaker.{operation}", b"{}") == "ValidationException"
            # Some moto refuses itself, on others it breaks.
            assert sent(f"SageMaker.{operation}", bad) in ("SerializationException", "ValidationException")
        assert sent("SageMaker.DescribePipeline", bad) == "SerializationException"


def test_a_failure_of_the_simulation_is_no_page_of_html(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with SimulatedSageMaker() as world, world.serve(credentials=KEYS) as url:
        client("sts", url).get_caller_identity()
        monkeypatch.setattr("moto.sts.responses.TokenResponse.get_caller_identity", lambda self: 1 / 0)
        code, message = refusal(client("sts", url).get_caller_identity)
    assert code == "InternalFailure"
    assert "sts:GetCallerIdentity failed in the simulation: ZeroDivisionError" in message
    assert "Traceback" in caplog.text


def test_what_the_tuner_of_the_sdk_asked_for_is_told_as_it_reads_it() -> None:
    request = tuning()
    asked = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 30}
    definition = request["TrainingJobDefinition"]
    del definition["ResourceConfig"]
    definition["HyperParameterTuningResourceConfig"] = asked
    with SimulatedSageMaker(JobScript([1.0])):
        client().create_hyper_parameter_tuning_job(**request)
        told = client().describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune-1")
    check_shape("DescribeHyperParameterTuningJob", told)
    assert told["TrainingJobDefinition"]["HyperParameterTuningResourceConfig"] == asked
    assert told["TrainingJobDefinition"]["ResourceConfig"] == asked


def test_a_registered_algorithm_runs_its_image_and_brings_its_metrics() -> None:
    specification = {
        "TrainingImage": "algorithms/mine:1",
        "SupportedTrainingInstanceTypes": ["ml.m5.large"],
        "TrainingChannels": [
            {"Name": "train", "SupportedContentTypes": ["text/csv"], "SupportedInputModes": ["File"]}
        ],
        "MetricDefinitions": [{"Name": "accuracy", "Regex": "accuracy=([0-9.]+)"}],
    }
    with SimulatedSageMaker(commands={"algorithms/*": ["python", "-c", "print('accuracy=0.5')"]}):
        one = client()
        one.create_algorithm(AlgorithmName="mine", TrainingSpecification=specification)
        check_shape("DescribeAlgorithm", one.describe_algorithm(AlgorithmName="mine"))
        check_shape("ListAlgorithms", one.list_algorithms(NameContains="mi"))
        algorithm = {"AlgorithmName": "mine", "TrainingInputMode": "File"}
        one.create_training_job(**training(AlgorithmSpecification=algorithm))
        told = wait_for_end(one, "job-1")
        assert [m["Value"] for m in told["FinalMetricDataList"]] == [0.5], told
        one.delete_algorithm(AlgorithmName="mine")
        assert "does not exist" in refusal(one.describe_algorithm, AlgorithmName="mine")[1]


def test_a_command_gets_its_hyperparameters_as_on_the_local_backend_unless_it_wants_none() -> None:
    commands: dict[str, Command | list[str]] = {
        "plain:*": ["python", "-c", SAYS],
        "files:*": Command(["python", "-c", SAYS], hyperparameters_as_arguments=False),
    }
    printed = {}
    with SimulatedSageMaker(commands=commands):
        for image in ("plain", "files"):
            algorithm = {"TrainingImage": f"{image}:1", "TrainingInputMode": "File"}
            given = {"rate": "0.25", "layers": "[1, 2]", "sagemaker_region": '"eu-west-1"'}
            client().create_training_job(
                **training(image, AlgorithmSpecification=algorithm, HyperParameters=given)
            )
            wait_for_end(client(), image)
            [[line]] = messages(client("logs"), image).values()
            printed[image] = line
    assert printed == {"plain": "arguments --rate 0.25 --layers [1, 2]", "files": "arguments"}


def test_the_sdk_is_told_of_a_bucket_since_it_would_ask_aws_for_the_account(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    world = SimulatedSageMaker()
    with world.serve():
        file = Path(world.environment["SAGEMAKER_ADMIN_CONFIG_OVERRIDE"])
        settings = yaml.safe_load(file.read_text())["SageMaker"]["PythonSDK"]["Modules"]
        assert settings == {
            "TelemetryOptOut": True,
            "Session": {"DefaultS3Bucket": "sagemaker-simulated-123456789012"},
        }
        # Any other process finds all that it needs in the variables.
        code = "import boto3; print(boto3.client('sts', 'us-east-1').get_caller_identity()['Account'])"
        found = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **world.environment},
            capture_output=True,
            text=True,
            check=True,
        )
    assert found.stdout.strip() == "123456789012"
    assert not file.exists()
