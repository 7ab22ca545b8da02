"""Nothing of a request body is ignored in silence: each leaf of the service's own model is honoured, refused
by its name, or named in a notice, wherever the tuning job is to run."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import pytest

from amt_flows.amt.request import LOCAL, amt_request
from amt_flows.backends.local.notices import INSTEAD as HERE_INSTEAD
from amt_flows.backends.sagemaker.check import problems_of as sagemaker_problems
from amt_flows.backends.sagemaker.notices import INSTEAD as THERE_INSTEAD
from amt_flows.backends.sagemaker.request import create_training_job_request
from amt_flows.backends.sagemaker.service_model import service_model
from amt_flows.errors import Problem, SpecError
from amt_flows.ledger.algorithms import algorithms_of
from amt_flows.ports import JobRequest
from amt_flows.spec import TuningSpec
from amt_flows.spec.amt_fields import CONFIG, INSIDE, ONE, SEVERAL, SHARED, VERBATIM, algorithm_places
from amt_flows.spec.amt_request import from_amt_request
from amt_flows.spec.dotted import MISSING, get, put, take
from amt_flows.tuning.notices import notices
from spec.bodies import definition

PLACES: Final = ("local", "sagemaker:eu-west-1", "amt:eu-west-1")


def leaves(shape: Any, path: str = "", above: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    if shape.type_name == "structure" and shape.name not in above:
        for name, member in shape.members.items():
            yield from leaves(member, f"{path}.{name}".lstrip("."), (*above, shape.name))
    elif shape.type_name == "list":
        yield from leaves(shape.member, f"{path}[0]", above)
    else:
        yield path, shape


@cache
def all_leaves() -> dict[str, Any]:
    operation = service_model("sagemaker").operation_model("CreateHyperParameterTuningJob")
    return dict(leaves(operation.input_shape))


ARN: Final = "arn:aws:sagemaker:eu-west-1:123456789012"
HUB: Final = f"{ARN}:hub-content/hub"
# Valid values by the name of the member, two of each where there is a choice.
VALUES: Final[dict[str, tuple[Any, ...]]] = {
    "MinValue": ("1", "2"),
    "MaxValue": ("8", "9"),
    "Values[0]": ("a", "z"),
    "ValueHint": ("0.1", "0.2"),
    "MetricName": ("auc", "acc"),
    "Regex": (r"auc=(\S+)", r"roc=(\S+)"),
    "S3Uri": ("s3://bucket/a", "s3://bucket/b"),
    "S3OutputPath": ("s3://bucket/a", "s3://bucket/b"),
    "RoleArn": ("arn:aws:iam::123456789012:role/A", "arn:aws:iam::123456789012:role/B"),
    "TrainingImage": ("img:1", "img:2"),
    "FileSystemId": ("fs-12345678901", "fs-12345678902"),
    "DirectoryPath": ("/a", "/b"),
    "HubContentArn": tuple(f"{HUB}/Model/m{i}/1" for i in (1, 2)),
    "DatasetArn": tuple(f"{HUB}/DataSet/m{i}" for i in (1, 2)),
    "TrainingPlanArn": tuple(f"{ARN}:training-plan/p{i}" for i in (1, 2)),
    "TrainingPlanArns[0]": tuple(f"{ARN}:training-plan/p{i}" for i in (1, 2)),
    "MaxNumberOfTrainingJobs": (100, 200),
    "MaxRuntimeInSeconds": (3600, 7200),
    "MaxWaitTimeInSeconds": (90_000, 100_000),
    "MaxPendingTimeInSeconds": (7200, 7300),
    "MaxResource": (9, 27),
    "TargetObjectiveMetricValue": (0.5, 0.6),
    "LocalPath": ("/opt/ml/a", "/opt/ml/b"),
    "AcceptEula": (True, False),
    "Key": ("team", "group"),
}


def values_of(path: str, shape: Any) -> tuple[Any, ...]:
    name = path.rsplit(".", 1)[-1]
    if name in VALUES:
        return VALUES[name]
    if shape.type_name == "map":
        return {"a": "1"}, {"b": "2"}
    if shape.type_name == "boolean":
        return (True, MISSING)
    if "enum" in shape.metadata:
        two = tuple(shape.metadata["enum"][:2])
        return two if len(two) == 2 else (*two, MISSING)
    if shape.type_name in ("integer", "long", "float", "double"):
        return (5, 6)
    return ("some-1", "some-2")


def base() -> dict[str, Any]:
    return {
        "HyperParameterTuningJobName": "demo",
        CONFIG: {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "auc"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 100, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {
                "ContinuousParameterRanges": [{"Name": "eta", "MinValue": "1", "MaxValue": "10"}],
            },
        },
        ONE: definition(
            AlgorithmSpecification={
                "TrainingImage": "img:0",
                "TrainingInputMode": "File",
                "MetricDefinitions": [
                    {"Name": "loss", "Regex": r"l=(\S+)"},
                    {"Name": "auc", "Regex": r"a=(\S+)"},
                    {"Name": "acc", "Regex": r"b=(\S+)"},
                ],
            },
        ),
    }


def _own_ranges(body: dict[str, Any]) -> None:
    body[ONE]["TuningObjective"] = body[CONFIG].pop("HyperParameterTuningJobObjective")
    body[ONE]["HyperParameterRanges"] = body[CONFIG].pop("ParameterRanges")


def _channel(source: dict[str, Any], **members: Any) -> list[dict[str, Any]]:
    return [{"ChannelName": "train", "DataSource": source, **members}]


S3: Final = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/x"}}
FILES: Final = {
    "FileSystemDataSource": {
        "FileSystemId": "fs-12345678900",
        "FileSystemAccessMode": "ro",
        "FileSystemType": "EFS",
        "DirectoryPath": "/x",
    }
}
RANGE: Final = {"Name": "other", "MinValue": "1", "MaxValue": "10"}


GROUP: Final = {"InstanceType": "ml.m5.large", "InstanceCount": 1}
FLEXIBLE: Final = "HyperParameterTuningResourceConfig"


def _beside(body: dict[str, Any]) -> dict[str, Callable[[], object]]:
    """What must stand in a body beside a member of that name."""
    config, one = body[CONFIG], body[ONE]
    resources = one["ResourceConfig"]
    parents = [{"HyperParameterTuningJobName": "parent"}]
    placement = {"EnableMultipleJobs": True, "PlacementSpecifications": [{"InstanceCount": 1}]}
    hyperband = {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 81}}
    return {
        "HyperbandStrategyConfig": lambda: config.update(Strategy="Hyperband", StrategyConfig=hyperband),
        "AutoParameters": lambda: body.update(Autotune={"Mode": "Enabled"}),
        "S3DataSource": lambda: one.update(InputDataConfig=_channel(copy.deepcopy(S3))),
        "FileSystemDataSource": lambda: one.update(InputDataConfig=_channel(copy.deepcopy(FILES))),
        "DatasetSource": lambda: one.update(InputDataConfig=_channel({})),
        "InstanceGroups": lambda: one.update(
            ResourceConfig={"VolumeSizeInGB": 9, "InstanceGroups": [{**GROUP, "InstanceGroupName": "g"}]}
        ),
        "InstancePreferences": lambda: resources.update(InstancePreferences=[dict(GROUP)]),
        "InstancePlacementConfig": lambda: resources.update(InstancePlacementConfig=placement),
        FLEXIBLE: lambda: (one.pop("ResourceConfig"), one.update({FLEXIBLE: {**GROUP, "VolumeSizeInGB": 5}})),
        "InstanceConfigs": lambda: one.update(
            {FLEXIBLE: {"InstanceConfigs": [{**GROUP, "VolumeSizeInGB": 5}]}}
        ),
        "AlgorithmName": lambda: one["AlgorithmSpecification"].pop("TrainingImage"),
        "MaxWaitTimeInSeconds": lambda: one.update(EnableManagedSpotTraining=True),
        "EnableManagedSpotTraining": lambda: one["StoppingCondition"].update(MaxWaitTimeInSeconds=90_000),
        "VpcConfig": lambda: one.update(VpcConfig={"SecurityGroupIds": ["sg-0"], "Subnets": ["subnet-0"]}),
        "CheckpointConfig": lambda: one.update(CheckpointConfig={"S3Uri": "s3://bucket/c"}),
        "WarmStartConfig": lambda: body.update(
            WarmStartConfig={
                "WarmStartType": "TransferLearning",
                "ParentHyperParameterTuningJobs": parents,
            }
        ),
        "Tags": lambda: body.update(Tags=[{"Key": "k", "Value": "v"}]),
    }


def body_for(path: str) -> dict[str, Any]:
    """A valid body in which the leaf at ``path`` may stand, with what it needs beside it."""
    body = base()
    several = path.startswith(SEVERAL)
    inside = path.replace(f"{SEVERAL}[0]", ONE)
    if several or ".TuningObjective." in inside or ".HyperParameterRanges." in inside:
        _own_ranges(body)
    one = body[ONE]
    beside = _beside(body)
    for name, change in beside.items():
        if name in inside.replace("[0]", "").split("."):
            change()
    if ".InputDataConfig[0]." in inside and "InputDataConfig" not in one:
        one["InputDataConfig"] = _channel(copy.deepcopy(S3))
    for kind in ("IntegerParameterRanges", "ContinuousParameterRanges"):
        if kind in inside:
            put(body, f"{inside.partition(kind)[0]}{kind}", [dict(RANGE)])
    if "CategoricalParameterRanges" in inside:
        put(body, inside.partition("[0]")[0], [{"Name": "kind", "Values": ["a", "b"]}])
    if "AutoParameters" in inside:
        put(body, inside.partition("[0]")[0], [{"Name": "free", "ValueHint": "0.1"}])
    if several:
        first, second = body.pop(ONE), base()
        _own_ranges(second)
        body[SEVERAL] = [{**first, "DefinitionName": "one"}, {**second[ONE], "DefinitionName": "two"}]
    return body


@dataclass(frozen=True)
class Outcome:
    refused: tuple[str, ...]
    told: tuple[str, ...]
    asked: Any
    """What is asked of the place, and of the engine in its own words."""


def outcome(body: dict[str, Any], place: str) -> Outcome:
    try:
        spec = from_amt_request(body)
        if place.startswith("amt"):
            return Outcome((), tuple(notices(spec, place)), amt_request(spec))
        if place.startswith("sagemaker"):
            _raise_any(
                one.field(p.field) for one in algorithms_of(spec) for p in sagemaker_problems(one.spec)
            )
    except SpecError as error:
        return Outcome(tuple(problem.field for problem in error.problems), (), None)
    asked = [_of_engine(spec), *_of_jobs(spec, place)]
    return Outcome((), tuple(notices(spec, place)), asked)


def _raise_any(fields: Iterable[str]) -> None:
    problems = [Problem(field, None, "") for field in fields]
    if problems:
        raise SpecError(problems)


def _of_engine(spec: TuningSpec) -> dict[str, Any]:
    """The settings that are ours; all of them are read by the engine or by every backend."""
    own = {**spec.to_json(), "name": spec.name}
    for one in (own, *own.get("other_definitions", ())):
        one.get("training_job", {}).pop("sagemaker", None)
    return own


def _of_jobs(spec: TuningSpec, place: str) -> Iterator[Any]:
    if place.startswith("sagemaker"):
        for algorithm in algorithms_of(spec):
            one = algorithm.spec
            yield create_training_job_request(
                JobRequest("j", "demo", 1, 1, {}, "f", one.training_job, one.objective.metric_name, one.tags)
            )


# What a place does as it is asked without a word of it in a request.
DONE_OTHERWISE: Final = {
    # Prioritized is its only value: the n-th attempt of a trial gets the n-th instance configuration.
    ("sagemaker:eu-west-1", "AllocationStrategy"),
}


@pytest.mark.parametrize("place", PLACES)
def test_every_leaf_is_honoured_or_told(place: str) -> None:
    wrong = {path: said for path in all_leaves() if (said := what_is_wrong_with(path, place))}
    assert not wrong


def what_is_wrong_with(path: str, place: str) -> str:
    one, other = (outcome(_with(path, value), place) for value in values_of(path, all_leaves()[path])[:2])
    if one.refused:
        return f"the body is valid, and {one.refused} refused"
    member = path.partition(f"{ONE}.")[2] or path.partition(f"{SEVERAL}[0].")[2]
    if place == "local" and _is_kept_word_for_word(member):
        told = [notice for notice in one.told if member.split(".")[0].split("[")[0] in notice]
        if not told:
            return "ignored in silence"
        if member.startswith(SHARED) and member.split(".")[1] not in told[0]:
            return f"of an object that is used in part, it isn't said which part: {told[0]}"
    elif (place, path.rsplit(".", 1)[-1]) not in DONE_OTHERWISE and one.asked == other.asked:
        return "ignored in silence"
    return ""


def _is_kept_word_for_word(member: str) -> bool:
    """Whether it has no field of ours: it stands in `training_job.sagemaker`, which only SageMaker reads."""
    ours = {place.amt for place in algorithm_places(INSIDE)}
    return (
        bool(member)
        and member.split(".")[0].split("[")[0] in VERBATIM
        and not any(member.startswith(one) for one in ours)
    )


def _with(path: str, value: Any) -> dict[str, Any]:
    body = body_for(path)
    if value is not MISSING:
        put(body, path, value)
    elif get(body, path) is not MISSING:
        take(body, path)
    return body


@pytest.mark.parametrize("name", ["HyperParameters", "Tags", "TrainingJobName"])
@pytest.mark.parametrize("several", [False, True])
def test_what_each_training_job_gets_for_itself_is_refused_with_the_right_name(
    name: str, several: bool
) -> None:
    body = body_for(f"{SEVERAL}[0].RoleArn" if several else f"{ONE}.RoleArn")
    definition = body[SEVERAL][1] if several else body[ONE]
    definition[name] = "x"
    with pytest.raises(SpecError) as caught:
        from_amt_request(body)
    (problem,) = caught.value.problems
    assert problem.field == (f"{SEVERAL}[1].{name}" if several else f"{ONE}.{name}")
    right = {"HyperParameters": "StaticHyperParameters`", "Tags": "`Tags`", "TrainingJobName": "leave it out"}
    assert right[name] in problem.message


def test_settings_of_local_runs_are_told_where_sagemaker_does_not_use_them() -> None:
    def adjust(own: dict[str, Any]) -> None:
        own["training_job"] |= {"command": "python train.py", "stop_grace_seconds": 5}

    spec = from_amt_request(base(), adjust)
    for place in PLACES[1:]:
        told = [notice for notice in notices(spec, place) if "is not used on SageMaker" in notice]
        assert [notice.partition(":")[0] for notice in told] == [
            "training_job.command",
            "training_job.stop_grace_seconds",
        ]
    assert not [notice for notice in notices(spec, "local") if "command: " in notice]


def test_an_image_that_may_print_no_metric_is_told_before_it_is_paid_for() -> None:
    body = base()
    del body[ONE]["AlgorithmSpecification"]["MetricDefinitions"]
    spec = from_amt_request(body)
    for place in PLACES[1:]:
        (told,) = notices(spec, place)
        assert told.startswith(
            "training_job.metric_definitions: none is given for auc (AMT's MetricDefinitions)"
        )
    own = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/xgboost:1"
    body[ONE]["AlgorithmSpecification"]["TrainingImage"] = own
    assert not notices(from_amt_request(body), "sagemaker:eu-west-1"), "it brings its metrics"


def test_each_member_and_each_setting_of_one_place_only_has_its_sentence() -> None:
    assert set(HERE_INSTEAD) == set(VERBATIM)
    assert set(THERE_INSTEAD) == set(LOCAL)
