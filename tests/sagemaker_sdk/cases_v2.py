"""Tuners of SageMaker SDK v2, from ordinary ones to those of which the SDK's own tuner loses something."""

from __future__ import annotations

from typing import Any

from sagemaker_sdk.case import DATA, IMAGE, METRICS, OUTPUT, ROLE, Case, Cases, Kit, rate, tuner_of

CONFIG = "HyperParameterTuningJobConfig"
ONE = "TrainingJobDefinition"
FLEXIBLE = "HyperParameterTuningResourceConfig"


def estimator(kit: Kit, **settings: Any) -> Any:
    given = {
        "image_uri": IMAGE,
        "role": ROLE,
        "instance_count": 1,
        "instance_type": "ml.m5.large",
        "output_path": OUTPUT,
        **settings,
    }
    return kit.Estimator(**{name: value for name, value in given.items() if value is not None})


def framework(kit: Kit, **settings: Any) -> Any:
    return kit.PyTorch(
        image_uri=IMAGE,
        role=ROLE,
        instance_count=1,
        instance_type="ml.m5.large",
        output_path=OUTPUT,
        entry_point="train.py",
        source_dir=str(kit.source_dir),
        hyperparameters={"epochs": 3, "mode": "fast", "nesterov": True},
        **settings,
    )


def plain(kit: Kit) -> Case:
    ranges = {
        "rate": kit.ContinuousParameter(1e-5, 1, "Logarithmic"),
        "layers": kit.IntegerParameter(1, 8),
        "optimizer": kit.CategoricalParameter(["sgd", "adam", 3, True]),
    }
    one = estimator(
        kit,
        hyperparameters={"epochs": 3, "decay": 1e-05, "nesterov": True, "rate": 0.1},
        tags=[{"Key": "team", "Value": "digits"}, {"Key": "stage", "Value": "test"}],
    )
    return Case(tuner_of(kit, one, ranges, tags=[{"Key": "team", "Value": "digits"}]), inputs=DATA)


def everything(kit: Kit) -> Case:
    """All that the SDK's tuner sends."""
    one = estimator(
        kit,
        instance_count=2,
        volume_size=50,
        volume_kms_key="key-2",
        max_run=1800,
        max_wait=3600,
        use_spot_instances=True,
        checkpoint_s3_uri="s3://bucket/checkpoints",
        checkpoint_local_path="/opt/ml/checkpoints",
        output_kms_key="key-1",
        disable_output_compression=True,
        subnets=["subnet-1", "subnet-2"],
        security_group_ids=["sg-1"],
        enable_network_isolation=True,
        encrypt_inter_container_traffic=True,
        environment={"LEVEL": "debug"},
        max_retry_attempts=3,
        model_uri="s3://bucket/base/model.tar.gz",
        hyperparameters={"epochs": 10},
    )
    one_tuner = tuner_of(
        kit,
        one,
        objective_type="Minimize",
        max_jobs=30,
        max_parallel_jobs=3,
        max_runtime_in_seconds=7200,
        early_stopping_type="Auto",
        random_seed=0,
        completion_criteria_config=kit.TuningJobCompletionCriteriaConfig(
            max_number_of_training_jobs_not_improving=5,
            complete_on_convergence=True,
            target_objective_metric_value=0.0,
        ),
        warm_start_config=kit.WarmStartConfig(
            kit.WarmStartTypes.TRANSFER_LEARNING, parents={"first", "second", "third"}
        ),
    )
    inputs = {
        "train": kit.TrainingInput(DATA, content_type="text/csv", input_mode="Pipe"),
        "validation": "s3://bucket/data/validation",
        "shared": kit.FileSystemInput(
            file_system_id="fs-0123456789abcdef0", file_system_type="FSxLustre", directory_path="/data"
        ),
    }
    return Case(one_tuner, inputs=inputs)


def one_training_input(kit: Kit) -> Case:
    """Its mode is that of the algorithm."""
    return Case(
        tuner_of(kit, estimator(kit, environment={})), inputs=kit.TrainingInput(DATA, input_mode="FastFile")
    )


def hyperband(kit: Kit) -> Case:
    config = kit.StrategyConfig(kit.HyperbandStrategyConfig(max_resource=27, min_resource=1))
    return Case(tuner_of(kit, estimator(kit), strategy="Hyperband", strategy_config=config, max_jobs=20))


def grid(kit: Kit) -> Case:
    """The SDK sends a number of jobs that is None, which botocore refuses."""
    ranges = {"kernel": kit.CategoricalParameter(["rbf", "poly"]), "c": kit.CategoricalParameter([1, 10])}
    return Case(tuner_of(kit, estimator(kit), ranges, strategy="Grid", max_jobs=None), sdk_fails=True)


def script(kit: Kit) -> Case:
    """A framework's hyperparameters are JSON, and so are its categorical values."""
    ranges = {**rate(kit), "optimizer": kit.CategoricalParameter(["sgd", "adam", 3])}
    return Case(tuner_of(kit, framework(kit), ranges), inputs=DATA, prepared=True)


def isolated_script(kit: Kit) -> Case:
    """Code reaches a training job without a network as a channel."""
    return Case(tuner_of(kit, framework(kit, enable_network_isolation=True)), prepared=True)


def default_bucket(kit: Kit) -> Case:
    return Case(tuner_of(kit, estimator(kit, output_path=None)), prepared=True)


def records(kit: Kit) -> Case:
    one = kit.KMeans(role=ROLE, instance_count=1, instance_type="ml.m5.large", output_path=OUTPUT, k=3)
    records = kit.RecordSet("s3://bucket/records/manifest", num_records=100, feature_dim=64)
    ranges = {"k": kit.IntegerParameter(2, 20)}
    return Case(tuner_of(kit, one, ranges, metric_definitions=None), inputs=records, prepared=True)


def autotuned(kit: Kit) -> Case:
    one = estimator(kit, hyperparameters={"epochs": 3, "decay": 0.01, "mode": "fast"})
    return Case(tuner_of(kit, one, autotune=True, hyperparameters_to_keep_static=["mode"]))


def other_instances(kit: Kit) -> Case:
    one = tuner_of(kit, estimator(kit, volume_kms_key="key-2"))
    one.override_resource_config(
        [
            kit.InstanceConfig(instance_count=1, instance_type=kind, volume_size=20)
            for kind in ("ml.m5.large", "ml.m5.xlarge")
        ]
    )
    return Case(one)


def several(kit: Kit) -> Case:
    ranges = {"forest": {"trees": kit.IntegerParameter(10, 500)}, "boosting": rate(kit)}
    one = kit.HyperparameterTuner.create(
        {name: estimator(kit, hyperparameters={"kind": name}) for name in ranges},
        dict.fromkeys(ranges, "validation:accuracy"),
        ranges,
        metric_definitions_dict={name: list(METRICS) for name in ranges},
        max_jobs=6,
    )
    one.override_resource_config(
        {"forest": [kit.InstanceConfig(instance_count=1, instance_type="ml.c5.large", volume_size=10)]}
    )
    return Case(one, inputs={"forest": DATA, "boosting": {"train": DATA}})


def lost_by_the_sdk(kit: Kit) -> Case:
    """All that the SDK's tuner leaves out without a word."""
    one = estimator(
        kit,
        keep_alive_period_in_seconds=600,
        metric_definitions=list(METRICS),
        container_entry_point=["python", "train.py"],
        container_arguments=["--fast"],
        training_repository_access_mode="Vpc",
        training_repository_credentials_provider_arn="arn:aws:lambda:eu-west-1:123456789012:function:login",
    )
    provider = "arn:aws:lambda:eu-west-1:123456789012:function:login"
    resources = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
    algorithm = f"{ONE}.AlgorithmSpecification"
    return Case(
        tuner_of(kit, one, metric_definitions=None),
        kept={
            f"{algorithm}.MetricDefinitions": list(METRICS),
            f"{algorithm}.ContainerEntrypoint": ["python", "train.py"],
            f"{algorithm}.ContainerArguments": ["--fast"],
            f"{algorithm}.TrainingImageConfig": {
                "TrainingRepositoryAccessMode": "Vpc",
                "TrainingRepositoryAuthConfig": {"TrainingRepositoryCredentialsProviderArn": provider},
            },
            f"{ONE}.ResourceConfig": {**resources, "KeepAlivePeriodInSeconds": 600},
        },
        dropped=(f"{ONE}.{FLEXIBLE}",),
    )


def instance_groups(kit: Kit) -> Case:
    groups = [kit.InstanceGroup("one", "ml.m5.large", 1), kit.InstanceGroup("two", "ml.g5.xlarge", 2)]
    one = estimator(kit, instance_groups=groups, instance_count=None, instance_type=None)
    return Case(tuner_of(kit, one), sdk_fails=True)


def of_a_pipeline(kit: Kit) -> Case:
    variable = kit.ParameterString(name="anything")
    one = estimator(kit, environment={"LEVEL": variable}, hyperparameters={"mode": variable})
    ranges = {"rate": kit.ContinuousParameter(0.1, variable)}
    return Case(tuner_of(kit, one, ranges, objective_type=variable))


def role_by_name(kit: Kit) -> Case:
    return Case(tuner_of(kit, estimator(kit, role="trainer")))


def local_data(kit: Kit) -> Case:
    return Case(tuner_of(kit, estimator(kit)), inputs={"train": kit.file_input("file:///data")})


REFUSED: Cases = {case.__name__: case for case in (of_a_pipeline, role_by_name, local_data)}
CASES: Cases = {
    case.__name__: case
    for case in (
        plain,
        everything,
        one_training_input,
        hyperband,
        grid,
        script,
        isolated_script,
        default_bucket,
        records,
        autotuned,
        other_instances,
        several,
        lost_by_the_sdk,
        instance_groups,
    )
}
