"""A tuner of the SageMaker SDK becomes a spec: by its shape, without the SDK, without a call.

That the stand-ins have the SDK's shape, and the requests are the SDK's, is in ``test_with_the_real_sdk.py``.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from amt_flows import TuningSpec
from amt_flows.errors import SpecError
from amt_flows.sagemaker_sdk import prepare, spec_from_tuner
from amt_flows.spec.amt_request import to_amt_request
from amt_flows.spec.dotted import get
from sagemaker_sdk import cases_v2, cases_v3, stand_ins_v2, stand_ins_v3
from sagemaker_sdk.case import DATA, IMAGE, JOB, METRICS, OUTPUT, ROLE, Case, Kit, source_dir, tuner_of

REQUEST = (
    ServiceModel(Loader().load_service_model("sagemaker", "service-2"), "sagemaker")
    .operation_model("CreateHyperParameterTuningJob")
    .input_shape
)
WORLDS: dict[str, Any] = {"3": (cases_v3, stand_ins_v3.kit), "2": (cases_v2, stand_ins_v2.kit)}
EVERY_CASE = [(version, name) for version, (cases, _) in WORLDS.items() for name in cases.CASES]
EACH = pytest.mark.parametrize(("version", "name"), EVERY_CASE)
CONFIG = "HyperParameterTuningJobConfig"
ONE = "TrainingJobDefinition"


@pytest.fixture
def v3(tmp_path: Path) -> Kit:
    return stand_ins_v3.kit(source_dir(tmp_path))


@pytest.fixture
def v2(tmp_path: Path) -> Kit:
    return stand_ins_v2.kit(source_dir(tmp_path))


def made(version: str, name: str, directory: Path) -> Case:
    cases, kit = WORLDS[version]
    case: Case = cases.CASES[name](kit(source_dir(directory)))
    if case.prepared:
        prepare(case.tuner, inputs=case.inputs, job_name=JOB)
    return case


def request_of(case: Case) -> dict[str, Any]:
    return to_amt_request(spec_from_tuner(case.tuner, inputs=case.inputs, job_name=JOB))


def refusals(tuner: object, inputs: Any = None) -> dict[str, str]:
    """What is wrong, by field."""
    with pytest.raises(SpecError) as caught:
        spec_from_tuner(tuner, inputs=inputs, job_name=JOB)
    return {problem.field: problem.message for problem in caught.value.problems}


def picture(thing: Any) -> Any:
    """All that a stand-in holds, as plain values."""
    if isinstance(thing, dict):
        return {name: picture(inner) for name, inner in thing.items()}
    if isinstance(thing, list | tuple):
        return [picture(inner) for inner in thing]
    if hasattr(thing, "__dict__") and not isinstance(thing, type):
        return (type(thing).__name__, picture(vars(thing)))
    return thing


# --- every case ------------------------------------------------------------------------------------------


@EACH
def test_the_request_is_one_that_botocore_takes(version: str, name: str, tmp_path: Path) -> None:
    body = request_of(made(version, name, tmp_path))
    # What only CreateTrainingJob has runs with our engine, and AMT's own can't be asked for it.
    for beyond in ("TrainingImageConfig", "ContainerEntrypoint", "ContainerArguments"):
        if name == "lost_by_the_sdk":
            body[ONE]["AlgorithmSpecification"].pop(beyond, None)
    report = ParamValidator().validate(body, REQUEST)
    assert not report.has_errors(), report.generate_report()


@EACH
def test_the_spec_survives_as_json(version: str, name: str, tmp_path: Path) -> None:
    case = made(version, name, tmp_path)
    spec = spec_from_tuner(case.tuner, inputs=case.inputs, job_name=JOB)
    assert TuningSpec.parse(spec.to_json()) == spec


@EACH
def test_the_same_tuner_is_the_same_spec_and_keeps_all_that_it_holds(
    version: str, name: str, tmp_path: Path
) -> None:
    case = made(version, name, tmp_path)
    before = picture(case.tuner)
    spec = spec_from_tuner(case.tuner, inputs=case.inputs, job_name=JOB)
    assert picture(case.tuner) == before
    assert spec_from_tuner(case.tuner, inputs=case.inputs, job_name=JOB) == spec


@EACH
def test_nothing_is_called_and_nothing_of_the_sdk_is_imported(
    version: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = made(version, name, tmp_path)

    def refuse(*_: object) -> None:
        raise AssertionError("the conversion opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    spec_from_tuner(case.tuner, inputs=case.inputs)
    assert "sagemaker" not in sys.modules


# --- what a request looks like ---------------------------------------------------------------------------


def test_an_ordinary_tuner_of_v3(v3: Kit) -> None:
    case = cases_v3.plain(v3)
    assert request_of(case) == {
        "HyperParameterTuningJobName": JOB,
        CONFIG: {
            "Strategy": "Bayesian",
            "ResourceLimits": {"MaxParallelTrainingJobs": 1, "MaxNumberOfTrainingJobs": 4},
            "TrainingJobEarlyStoppingType": "Off",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:accuracy"},
            "ParameterRanges": {
                "IntegerParameterRanges": [
                    {"Name": "layers", "MinValue": "1", "MaxValue": "8", "ScalingType": "Auto"},
                    {"Name": "units", "MinValue": "16", "MaxValue": "1024", "ScalingType": "Linear"},
                ],
                "ContinuousParameterRanges": [
                    {"Name": "rate", "MinValue": "1e-05", "MaxValue": "1.0", "ScalingType": "Logarithmic"},
                    {
                        "Name": "momentum",
                        "MinValue": "0.5",
                        "MaxValue": "0.999",
                        "ScalingType": "ReverseLogarithmic",
                    },
                ],
                "CategoricalParameterRanges": [
                    {"Name": "optimizer", "Values": ["sgd", "adam", "3", "True"]},
                    {"Name": "only", "Values": ["one"]},
                ],
            },
        },
        ONE: {
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "MetricDefinitions": list(METRICS),
            },
            "RoleArn": ROLE,
            # The tuned one is no longer static; the rest is written as Python's str() does, as by the SDK.
            "StaticHyperParameters": {
                "epochs": "3",
                "decay": "1e-05",
                "nesterov": "True",
                "mix": "{'a': [1]}",
            },
            "InputDataConfig": [
                {
                    "ChannelName": "training",
                    "DataSource": {
                        "S3DataSource": {
                            "S3DataType": "S3Prefix",
                            "S3Uri": DATA,
                            "S3DataDistributionType": "FullyReplicated",
                        }
                    },
                }
            ],
            "OutputDataConfig": {"S3OutputPath": OUTPUT, "CompressionType": "GZIP"},
            "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
        "Tags": [{"Key": "team", "Value": "digits"}, {"Key": "stage", "Value": "test"}],
    }


def test_a_framework_of_v2_has_its_values_as_json(v2: Kit) -> None:
    case = cases_v2.script(v2)
    prepare(case.tuner, inputs=case.inputs, job_name=JOB)
    body = request_of(case)
    static = body[ONE]["StaticHyperParameters"]
    assert (static["mode"], static["epochs"], static["nesterov"]) == ('"fast"', "3", "true")
    assert static["sagemaker_program"] == '"train.py"'
    assert static["sagemaker_submit_directory"] == f'"s3://bucket/{JOB}/source/sourcedir.tar.gz"'
    assert static["sagemaker_estimator_class_name"] == '"PyTorch"'
    [optimizer] = body[CONFIG]["ParameterRanges"]["CategoricalParameterRanges"]
    assert optimizer["Values"] == ['"sgd"', '"adam"', '"3"']


def test_uploaded_code_of_v3_is_a_channel_and_two_hyperparameters(v3: Kit) -> None:
    case = cases_v3.script(v3)
    prepare(case.tuner)
    definition = request_of(case)[ONE]
    names = [channel["ChannelName"] for channel in definition["InputDataConfig"]]
    assert names == ["training", "sm_drivers"]
    assert definition["StaticHyperParameters"]["sagemaker_program"] == "train.py"
    assert definition["StaticHyperParameters"]["sagemaker_submit_directory"].endswith("/sourcedir.tar.gz")


@pytest.mark.parametrize("version", ["3", "2"])
def test_several_trainers_are_several_definitions(version: str, tmp_path: Path) -> None:
    case = made(version, "several", tmp_path)
    body = request_of(case)
    assert ONE not in body
    assert "ParameterRanges" not in body[CONFIG]
    boosting, forest = body["TrainingJobDefinitions"]
    assert (boosting["DefinitionName"], forest["DefinitionName"]) == ("boosting", "forest")
    assert forest["TuningObjective"] == {"Type": "Maximize", "MetricName": "validation:accuracy"}
    [trees] = forest["HyperParameterRanges"]["IntegerParameterRanges"]
    assert trees["Name"] == "trees"
    assert [channel["ChannelName"] for channel in forest["InputDataConfig"]] == ["training"]
    assert [channel["ChannelName"] for channel in boosting["InputDataConfig"]] == ["train"]
    assert boosting["StaticHyperParameters"] == {"kind": "boosting"}


def test_what_the_tuner_of_v3_cannot_send_is_in_the_spec(v3: Kit) -> None:
    manifest, shared = request_of(cases_v3.data_sources(v3))[ONE]["InputDataConfig"]
    assert manifest["DataSource"]["S3DataSource"]["S3DataType"] == "ManifestFile"
    assert shared["DataSource"]["FileSystemDataSource"]["DirectoryPath"] == "/data"
    [train] = request_of(cases_v3.inputs_of_the_trainer(v3))[ONE]["InputDataConfig"]
    assert train["DataSource"]["S3DataSource"]["S3Uri"] == DATA


def test_what_the_tuner_of_v2_cannot_send_is_in_the_spec(v2: Kit) -> None:
    limits = request_of(cases_v2.grid(v2))[CONFIG]["ResourceLimits"]
    assert limits == {"MaxParallelTrainingJobs": 1}
    resources = request_of(cases_v2.instance_groups(v2))[ONE]["ResourceConfig"]
    assert resources == {
        "InstanceGroups": [
            {"InstanceGroupName": "one", "InstanceType": "ml.m5.large", "InstanceCount": 1},
            {"InstanceGroupName": "two", "InstanceType": "ml.g5.xlarge", "InstanceCount": 2},
        ],
        "VolumeSizeInGB": 30,
    }


@pytest.mark.parametrize(
    ("version", "name"), [case for case in EVERY_CASE if case[1] in ("lost_by_the_sdk", "autotuned")]
)
def test_what_the_sdk_loses_is_kept(version: str, name: str, tmp_path: Path) -> None:
    case = made(version, name, tmp_path)
    body = request_of(case)
    assert {path: get(body, path) for path in case.kept} == case.kept


def test_the_codes_own_hyperparameters_are_not_left_to_autotune(v3: Kit) -> None:
    case = cases_v3.script(v3)
    case.tuner.autotune = True
    prepare(case.tuner)
    body = request_of(case)
    assert set(body[ONE]["StaticHyperParameters"]) == {"sagemaker_program", "sagemaker_submit_directory"}
    assert body[CONFIG]["ParameterRanges"]["AutoParameters"] == [{"Name": "epochs", "ValueHint": "2"}]


def test_without_a_job_name_the_spec_has_none(v3: Kit) -> None:
    case = cases_v3.everything(v3)
    assert spec_from_tuner(case.tuner, inputs=case.inputs).name is None
    assert spec_from_tuner(case.tuner, inputs=case.inputs, job_name="mine").name == "mine"


def test_parents_that_v2_keeps_in_a_set_have_an_order(v2: Kit) -> None:
    spec = spec_from_tuner(cases_v2.everything(v2).tuner)
    assert spec.warm_start is not None
    assert spec.warm_start.parents == ("first", "second", "third")


# --- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize("thing", [None, 3, "tuner", {"model_trainer": 1}, object], ids=repr)
def test_what_is_no_tuner_is_refused_by_its_kind(thing: object) -> None:
    with pytest.raises(SpecError, match="give a HyperparameterTuner of the SageMaker SDK") as caught:
        spec_from_tuner(thing)
    assert type(thing).__name__ in str(caught.value)
    with pytest.raises(SpecError, match="is not a HyperparameterTuner of the SageMaker SDK"):
        prepare(thing)


def test_a_trainer_alone_is_refused_with_what_is_missing(v3: Kit, v2: Kit) -> None:
    for trainer in (cases_v3.trainer(v3), cases_v2.estimator(v2)):
        with pytest.raises(SpecError, match="make one for this trainer"):
            spec_from_tuner(trainer)


class Holder:
    def __repr__(self) -> str:
        return "password=hunter2"


def test_an_error_does_not_show_what_a_wrong_object_holds() -> None:
    with pytest.raises(SpecError) as caught:
        spec_from_tuner(Holder())
    assert "Holder" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def v3_with(**changes: Any) -> Callable[[Kit], Any]:
    return lambda kit: tuner_of(kit, cases_v3.trainer(kit, **changes))


@pytest.mark.parametrize(
    ("build", "field", "words"),
    [
        (
            lambda kit: cases_v3.script(kit).tuner,
            "tuner.model_trainer.source_code",
            "call `amt_flows.sagemaker_sdk.prepare(tuner)` first",
        ),
        (
            lambda kit: v3_with(source_code=kit.SourceCode(command="python train.py"))(kit),
            "tuner.model_trainer.source_code",
            "AMT can't pass a command",
        ),
        (
            lambda kit: v3_with(training_mode=kit.Mode.LOCAL_CONTAINER)(kit),
            "tuner.model_trainer.training_mode",
            "has no training job on SageMaker",
        ),
        (
            v3_with(hyperparameters="hyperparameters.json"),
            "tuner.model_trainer.hyperparameters",
            "is a file's name",
        ),
        (
            lambda kit: v3_with(checkpoint_config=kit.CheckpointConfig())(kit),
            "tuner.model_trainer.checkpoint_config.s3_uri",
            "where in S3",
        ),
        (
            lambda kit: v3_with(environment={"A": kit.ParameterString("a")})(kit),
            "tuner.model_trainer.environment.A",
            "is known only when the pipeline runs",
        ),
        (
            lambda kit: v3_with(hyperparameters={"a": kit.ParameterString("a")})(kit),
            "tuner.model_trainer.hyperparameters.a",
            "is known only when the pipeline runs",
        ),
        (
            lambda kit: tuner_of(
                kit, cases_v3.trainer(kit), autotune=True, hyperparameters_to_keep_static=["absent"]
            ),
            "tuner.hyperparameters_to_keep_static",
            "is no static hyperparameter",
        ),
        (
            lambda kit: tuner_of(kit, cases_v3.trainer(kit), {"rate": (0.1, 1.0)}),
            "tuner.hyperparameter_ranges.rate",
            "is not a range of the SageMaker SDK",
        ),
        (
            lambda kit: tuner_of(kit, cases_v3.trainer(kit), completion_criteria_config=len),
            "tuner.completion_criteria_config",
            "can't be read",
        ),
    ],
)
def test_what_a_tuner_of_v3_cannot_say_is_refused(
    build: Callable[[Kit], Any], field: str, words: str, v3: Kit
) -> None:
    assert words in refusals(build(v3))[field]


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"role": "trainer"}, "role", "give the ARN"),
        ({"output_path": None}, "output_path", "the S3 address under which the models are stored"),
        ({"instance_type": "local"}, "instance_type", "local mode"),
        ({"entry_point": "train.py"}, "entry_point", "is not in S3 yet"),
        ({"git_config": {"repo": "https://example.org/r.git"}}, "git_config", "is not in S3 yet"),
        ({"model_uri": "model.tar.gz"}, "model_uri", "is not an S3 address"),
    ],
)
def test_what_an_estimator_of_v2_cannot_say_is_refused(
    changes: dict[str, Any], field: str, words: str, v2: Kit
) -> None:
    tuner = tuner_of(v2, cases_v2.estimator(v2, **changes))
    assert words in refusals(tuner)[f"tuner.estimator.{field}"]


def test_records_that_were_not_looked_at_are_refused(v2: Kit) -> None:
    case = cases_v2.records(v2)
    assert "prepare(tuner, inputs=...)" in refusals(case.tuner, case.inputs)["tuner.estimator.feature_dim"]


@pytest.mark.parametrize(
    ("inputs", "field", "words"),
    [
        ("data/train.csv", "inputs", "is not an S3 address"),
        ({"train": "data/train.csv"}, "inputs.train", "is not an S3 address"),
        (3, "inputs", "must be an S3 address, a dict"),
        ([3], "inputs[0]", "must be an InputData or a Channel"),
        ({"train": 3}, "inputs.train", "must be an S3 address or a data source"),
    ],
)
def test_inputs_of_v3_that_are_none_are_refused(inputs: Any, field: str, words: str, v3: Kit) -> None:
    assert words in refusals(cases_v3.plain(v3).tuner, inputs)[field]


@pytest.mark.parametrize(
    ("inputs", "field", "words"),
    [
        ("data/train.csv", "inputs.training", "is not an S3 address"),
        (stand_ins_v2.file_input("file:///data"), "inputs.training", "local mode"),
        (3, "inputs.training", "TrainingInput"),
        ([3], "inputs[0]", "RecordSet"),
    ],
)
def test_inputs_of_v2_that_are_none_are_refused(inputs: Any, field: str, words: str, v2: Kit) -> None:
    assert words in refusals(cases_v2.plain(v2).tuner, inputs)[field]


def test_inputs_of_several_trainers_go_by_their_names(v3: Kit) -> None:
    tuner = cases_v3.several(v3).tuner
    for inputs in (DATA, {"nobody": DATA}):
        assert "boosting, forest" in refusals(tuner, inputs)["inputs"]


def test_everything_that_is_wrong_is_told_at_once(v3: Kit) -> None:
    trainer = cases_v3.trainer(v3, source_code=v3.SourceCode(command="train"), hyperparameters="h.json")
    tuner = tuner_of(v3, trainer, {"rate": 1}, max_jobs=v3.ParameterString("jobs"))
    assert refusals(tuner, "data").keys() == {
        "inputs",
        "tuner.hyperparameter_ranges.rate",
        "tuner.max_jobs",
        "tuner.model_trainer.hyperparameters",
        "tuner.model_trainer.source_code",
    }


def test_what_breaks_amts_rules_is_refused_in_amts_names(v3: Kit) -> None:
    ranges = {"rate": v3.ContinuousParameter(1.0, 0.1)}
    spot = v3.Compute(enable_managed_spot_training=True)
    two_values = [v3.Tag(key="team", value="a")]
    trainer = cases_v3.trainer(v3, compute=spot, tags=two_values)
    tuner = tuner_of(v3, trainer, ranges, max_parallel_jobs=0, tags=[{"Key": "team", "Value": "b"}])
    fields = refusals(tuner)
    assert f"{CONFIG}.ResourceLimits.MaxParallelTrainingJobs" in fields
    assert "each key may stand once" in fields["Tags"]
    tuner = tuner_of(v3, cases_v3.trainer(v3, compute=spot), ranges)
    fields = refusals(tuner)
    assert f"{CONFIG}.ParameterRanges.ContinuousParameterRanges[0].MaxValue" in fields
    assert f"{ONE}.StoppingCondition.MaxWaitTimeInSeconds" in fields
