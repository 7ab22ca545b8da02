"""The body of CreateTrainingJob, and what is refused offline."""

from __future__ import annotations

from typing import Any

import pytest

from amt_flows.backends.sagemaker import SageMakerBackend, model_rules
from amt_flows.backends.sagemaker.model_rules import violations
from amt_flows.backends.sagemaker.request import OWN_ALGORITHMS, create_training_job_request
from amt_flows.backends.sagemaker.service_model import compiled, service_model
from amt_flows.errors import SpecError
from amt_flows.reporting import metric_regex
from amt_flows.testing.sagemaker.rules import check_training_job
from backends.sagemaker_world import IMAGE, OBJECTIVE, request, spec, template, verbatim
from testing.sagemaker_requests import shapes_below

XGBOOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:1.7-1"
CHANNEL = {
    "ChannelName": "train",
    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://data/train"}},
    "ContentType": "text/csv",
}
FULL: dict[str, Any] = {
    "AlgorithmSpecification": {
        "TrainingImage": IMAGE,
        "TrainingInputMode": "FastFile",
        "ContainerEntrypoint": ["python", "train.py"],
        "ContainerArguments": ["--fast"],
    },
    "InputDataConfig": [CHANNEL],
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/models", "KmsKeyId": "alias/key"},
    "ResourceConfig": {
        "InstanceType": "ml.g5.xlarge",
        "InstanceCount": 2,
        "VolumeSizeInGB": 30,
        "VolumeKmsKeyId": "alias/key",
    },
    "StoppingCondition": {"MaxWaitTimeInSeconds": 7200},
    "EnableManagedSpotTraining": True,
    "CheckpointConfig": {"S3Uri": "s3://bucket/checkpoints/", "LocalPath": "/opt/ml/checkpoints"},
    "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
    "EnableNetworkIsolation": True,
    "EnableInterContainerTrafficEncryption": True,
    "ProfilerConfig": {"DisableProfiler": True},
}


def body(
    sagemaker: dict[str, Any] | None = None, *, job: dict[str, Any] | None = None, **changes: Any
) -> Any:
    return create_training_job_request(request(template=template(sagemaker, **(job or {})), **changes))


class Offline:
    """A session that has a region and no way to AWS."""

    region_name = "eu-west-1"


def problems(sagemaker: Any = None, **changes: Any) -> dict[str, str]:
    """Field to message, of what the spec itself refuses or else the backend's check."""
    try:
        found = SageMakerBackend(Offline()).check(spec(sagemaker, **changes))
    except SpecError as error:
        found = error.problems
    return {problem.field: problem.message for problem in found}


# -- the request -----------------------------------------------------------------------------------------


def test_everything_that_is_in_the_template_is_in_the_request() -> None:
    job = {"max_runtime_seconds": 3600, "environment": {"LEVEL": 3}, "inputs": {"extra": "s3://data/extra"}}
    found = body(FULL, job=job, tags={"team": "vision"})
    assert violations("CreateTrainingJob", found) == []
    assert check_training_job(found) is None
    for name in (
        "OutputDataConfig",
        "ResourceConfig",
        "VpcConfig",
        "EnableNetworkIsolation",
        "EnableInterContainerTrafficEncryption",
        "EnableManagedSpotTraining",
        "ProfilerConfig",
    ):
        assert found[name] == FULL[name]
    assert found["RoleArn"] == verbatim()["RoleArn"]
    assert found["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}
    assert found["Environment"] == {"LEVEL": "3"}
    assert found["HyperParameters"] == {"learning_rate": "1"}
    assert [channel["ChannelName"] for channel in found["InputDataConfig"]] == ["train", "extra"]
    assert found["InputDataConfig"][0] == CHANNEL
    assert found["AlgorithmSpecification"] == {
        **FULL["AlgorithmSpecification"],
        "MetricDefinitions": [{"Name": OBJECTIVE, "Regex": metric_regex(OBJECTIVE)}],
    }
    assert {tag["Key"]: tag["Value"] for tag in found["Tags"]} == {
        "team": "vision",
        "amt-flows-tuning-job": "demo",
        "amt-flows-trial": "1",
        "amt-flows-attempt": "1",
        "amt-flows-fingerprint": "f" * 64,
    }


def test_what_is_not_asked_for_is_left_out() -> None:
    assert set(body()) == {
        "TrainingJobName",
        "HyperParameters",
        "AlgorithmSpecification",
        "RoleArn",
        "OutputDataConfig",
        "ResourceConfig",
        "Tags",
    }


def test_the_template_is_not_changed_by_making_requests() -> None:
    asked = request(template=template(FULL))
    before = asked.template.model_dump()
    assert create_training_job_request(asked) == create_training_job_request(asked)
    assert asked.template.model_dump() == before


def test_jobs_do_not_share_checkpoints() -> None:
    found = {body(FULL, trial=trial)["CheckpointConfig"]["S3Uri"] for trial in (1, 2)}
    assert found == {f"s3://bucket/checkpoints/demo-00{n}-0000000{n}" for n in (1, 2)}


def test_a_further_attempt_finds_the_checkpoints_of_the_first() -> None:
    found = body(FULL, trial=1, attempt=2, name="demo-001-00000001-r2")["CheckpointConfig"]["S3Uri"]
    assert found == "s3://bucket/checkpoints/demo-001-00000001"


def test_attempts_go_down_the_list_of_instances() -> None:
    flexible: dict[str, Any] = {
        "VolumeKmsKeyId": "alias/key",
        "AllocationStrategy": "Prioritized",
        "InstanceConfigs": [
            {"InstanceType": f"ml.{kind}.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10}
            for kind in ("g5", "g4dn")
        ],
    }
    asked = {"ResourceConfig": None, "HyperParameterTuningResourceConfig": flexible}
    found = [body(asked, attempt=attempt)["ResourceConfig"] for attempt in (1, 2, 3)]
    assert [one["InstanceType"] for one in found] == ["ml.g5.xlarge", "ml.g4dn.xlarge", "ml.g5.xlarge"]
    assert all(one["VolumeKmsKeyId"] == "alias/key" and "AllocationStrategy" not in one for one in found)
    plain = {name: value for name, value in flexible.items() if name == "VolumeKmsKeyId"}
    plain = {**plain, "InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    asked["HyperParameterTuningResourceConfig"] = plain
    assert body(asked)["ResourceConfig"] == plain


def test_the_service_restarts_only_what_can_go_on_from_a_checkpoint() -> None:
    assert "RetryStrategy" not in body(job={"max_retry_attempts": 3})
    assert body(FULL, job={"max_retry_attempts": 3})["RetryStrategy"] == {"MaximumRetryAttempts": 3}
    assert "RetryStrategy" not in body(FULL, job={"max_retry_attempts": 0})


@pytest.mark.parametrize("name", sorted(OWN_ALGORITHMS))
def test_an_algorithm_of_aws_is_sent_no_metrics_of_ours(name: str) -> None:
    image = f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/{name}:1.7-1"
    found = body({"AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"}})
    assert "MetricDefinitions" not in found["AlgorithmSpecification"]


def test_warm_pools_are_asked_for() -> None:
    resources = {**verbatim()["ResourceConfig"], "KeepAlivePeriodInSeconds": 600}
    assert body({"ResourceConfig": resources})["ResourceConfig"] == resources


# -- the check -------------------------------------------------------------------------------------------


def test_a_good_spec_has_no_problems() -> None:
    assert problems() == {}
    assert problems(FULL, training_job={"sagemaker": verbatim(**FULL), "max_runtime_seconds": 60}) == {}


def change(path: str, value: Any) -> dict[str, Any]:
    member, _, inner = path.partition(".")
    return {member: {**verbatim()[member], inner: value}} if inner else {member: value}


@pytest.mark.parametrize(
    ("path", "value", "field", "message"),
    [
        ("RoleArn", None, "RoleArn", "needs it"),
        ("RoleArn", "me", "RoleArn", "not a role's ARN"),
        ("OutputDataConfig", None, "OutputDataConfig.S3OutputPath", "needs it"),
        ("OutputDataConfig.S3OutputPath", "models", "OutputDataConfig.S3OutputPath", "form"),
        ("OutputDataConfig.Compression", "NONE", "OutputDataConfig.Compression", "`CompressionType`"),
        ("OutputDataConfig.CompressionType", "zip", "OutputDataConfig.CompressionType", "among the choices"),
        ("ResourceConfig.InstanceType", "ml.m5.lage", "ResourceConfig.InstanceType", "ml.m5.large"),
        ("ResourceConfig.InstanceType", None, None, ""),
        ("ResourceConfig.InstanceCount", "2", "ResourceConfig.InstanceCount", "whole number"),
        ("ResourceConfig.InstanceCount", True, "ResourceConfig.InstanceCount", "whole number"),
        ("ResourceConfig.VolumeSizeInGB", -1, "ResourceConfig.VolumeSizeInGB", "at least"),
        (
            "ResourceConfig.KeepAlivePeriodInSeconds",
            99999,
            "ResourceConfig.KeepAlivePeriodInSeconds",
            "at most",
        ),
        (
            "AlgorithmSpecification.TrainingInputMode",
            "file",
            "AlgorithmSpecification.TrainingInputMode",
            "`File`",
        ),
        ("VpcConfig", {"Subnets": ["subnet-1"]}, "VpcConfig.SecurityGroupIds", "needed"),
        (
            "VpcConfig",
            {"Subnets": ["s"], "SecurityGroupIds": ["sg"] * 6},
            "VpcConfig.SecurityGroupIds",
            "at most 5",
        ),
        ("EnableNetworkIsolation", "yes", "EnableNetworkIsolation", "true or false"),
        ("CheckpointConfig", {"S3Uri": "here"}, "CheckpointConfig.S3Uri", "form"),
        ("CheckpointConfig", {}, None, ""),
        ("InputDataConfig", [{"ChannelName": "a b"}], "InputDataConfig[0].ChannelName", "form"),
        ("TensorBoardOutputConfig", {"S3OutputPath": 3}, "TensorBoardOutputConfig.S3OutputPath", "a text"),
        ("Nonsense", 1, "Nonsense", "no such member"),
    ],
)
def test_what_sagemaker_would_refuse_is_refused_in_our_words(
    path: str, value: Any, field: str | None, message: str
) -> None:
    found = problems(change(path, value))
    if field is None:
        assert found == {}
    else:
        assert message in found[f"training_job.sagemaker.{field}"]


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"tags": {f"k{i}": "v" for i in range(47)}}, "tags", "5 are ours"),
        ({"tags": {"aws:x": "v"}}, "tags.aws:x", "aws:"),
        ({"tags": {"amt-flows-trial": "v"}}, "tags.amt-flows-trial", "set by amt-flows"),
        ({"tags": {"a": "ok", "why?": "v"}}, "tags.why?", "can't hold"),
        ({"static_hyperparameters": {"a": "two\nlines"}}, "static_hyperparameters.a", "one line"),
        (
            {"categorical": [{"name": "c", "values": ["two\nlines", "one that is longer"]}]},
            "categorical[0]",
            "one line",
        ),
        ({"static_hyperparameters": {"x" * 300: "1"}}, "static_hyperparameters." + "x" * 300, "256"),
    ],
)
def test_a_refusal_names_our_own_field(changes: dict[str, Any], field: str, message: str) -> None:
    assert message in problems(**changes)[field]


@pytest.mark.parametrize(
    ("job", "field", "message"),
    [
        ({"inputs": {"train": "data"}}, "inputs.train", "upload"),
        ({"inputs": {"tr ain": "s3://b/x"}}, "inputs.tr ain", "a channel's name"),
        ({"environment": {"a-b": "1"}}, "environment.a-b", "letters, digits"),
        ({"max_runtime_seconds": 30 * 86400}, "max_runtime_seconds", "28 days"),
    ],
)
def test_a_refusal_names_our_own_field_of_the_job(job: dict[str, Any], field: str, message: str) -> None:
    found = problems(training_job={"sagemaker": verbatim(), **job})
    assert message in found[f"training_job.{field}"]


def test_a_channel_is_given_once() -> None:
    job = {"sagemaker": verbatim(InputDataConfig=[CHANNEL]), "inputs": {"train": "s3://b/x"}}
    assert "leave one of them out" in problems(training_job=job)["training_job.inputs.train"]


def test_spot_instances_are_not_kept_warm() -> None:
    resources = {**verbatim()["ResourceConfig"], "KeepAlivePeriodInSeconds": 600}
    given = {**FULL, "ResourceConfig": resources, "StoppingCondition": {"MaxWaitTimeInSeconds": 90_000}}
    found = problems(given)
    assert list(found) == ["training_job.sagemaker.ResourceConfig.KeepAlivePeriodInSeconds"]


def test_an_algorithm_without_script_mode_takes_no_metrics() -> None:
    image = XGBOOST.replace("sagemaker-xgboost", "linear-learner")
    metrics = [{"name": OBJECTIVE, "regex": "accuracy=(.+)"}]
    for given, expected in ((image, ["training_job.metric_definitions"]), (XGBOOST, [])):
        algorithm = {"TrainingImage": given, "TrainingInputMode": "File"}
        job = {"sagemaker": verbatim(AlgorithmSpecification=algorithm), "metric_definitions": metrics}
        assert list(problems(training_job=job)) == expected


def test_a_spec_without_a_part_for_sagemaker_says_what_is_needed() -> None:
    found = problems(training_job={"command": ["python", "train.py"]})
    assert {
        "training_job.sagemaker.RoleArn",
        "training_job.sagemaker.ResourceConfig",
        "training_job.sagemaker.OutputDataConfig.S3OutputPath",
    } <= found.keys()


@pytest.mark.parametrize("member", sorted(FULL))
def test_a_value_of_any_wrong_type_is_a_problem_and_no_crash(member: str) -> None:
    wrong: list[Any] = [3, "x", [[]], {"S3Uri": 3}]
    empties: list[Any] = [[], {}]
    for value in wrong:
        found = problems({member: value})
        assert found
        assert all(found.values())
    # Of these some may stand for nothing.
    for empty in empties:
        assert all(problems({member: empty}).values())


# -- the model -------------------------------------------------------------------------------------------


def test_every_pattern_that_a_training_job_can_meet_is_understood() -> None:
    seen = shapes_below(service_model("sagemaker").operation_model("CreateTrainingJob").input_shape)
    for shape in seen.values():
        if "pattern" in shape.metadata:
            compiled(shape.metadata["pattern"])
    assert len(seen) > 50


def test_the_classes_of_characters_are_those_of_java() -> None:
    tag = compiled(service_model("sagemaker").shape_for("TagKey").metadata["pattern"])
    assert tag.fullmatch("Größe 2:a/b=c+d-e@f_g")
    assert not tag.fullmatch("a,b")
    assert not tag.fullmatch("a\tb")


def test_what_we_would_say_the_service_would_say_too_in_its_own_words() -> None:
    from amt_flows.testing.sagemaker.request_check import check

    good = body(FULL, job={"max_runtime_seconds": 60})
    for member in good:
        for value in ("", "x" * 3000, -1, 2**40, [], {}, None, ["a"], {"a": "b"}, True):
            changed = {**good, member: value}
            found = model_rules.violations("CreateTrainingJob", changed)
            # The service ignores members that it doesn't know; we take them for misspelt.
            ours = any("no such member" not in one.message for one in found)
            theirs = check("CreateTrainingJob", changed) is not None
            assert ours == theirs, (member, value)


def test_a_trial_that_goes_on_stays_on_the_instance_that_was_wanted_first() -> None:
    configs = [{"InstanceType": f"ml.{kind}.xlarge", "InstanceCount": 1} for kind in ("g5", "g4dn")]
    asked = {"ResourceConfig": None, "HyperParameterTuningResourceConfig": {"InstanceConfigs": configs}}
    found = [body(asked, attempt=2, resumptions=resumptions)["ResourceConfig"] for resumptions in (0, 1)]
    assert [one["InstanceType"] for one in found] == ["ml.g4dn.xlarge", "ml.g5.xlarge"]


def test_going_on_from_checkpoints_needs_a_place_for_them() -> None:
    hyperband: dict[str, Any] = {
        "strategy": "Hyperband",
        "hyperband": {"max_resource": 9, "resume_stopped": True},
    }
    kept = {"CheckpointConfig": {"S3Uri": "s3://bucket/checkpoints"}}
    assert "CheckpointConfig says" in problems(**hyperband)["hyperband.resume_stopped"]
    assert problems(kept, **hyperband) == {}
