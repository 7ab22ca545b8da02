"""Tuners of SageMaker SDK v3, from ordinary ones to those of which the SDK's own tuner loses something."""

from __future__ import annotations

from typing import Any

from sagemaker_sdk.case import DATA, IMAGE, METRICS, OUTPUT, REGEX, ROLE, Case, Cases, Kit, rate, tuner_of

CONFIG = "HyperParameterTuningJobConfig"
ONE = "TrainingJobDefinition"


def trainer(kit: Kit, **settings: Any) -> Any:
    """A ModelTrainer of one's own image, with what the SDK needs of a session given."""
    given = {
        "training_image": IMAGE,
        "role": ROLE,
        "output_data_config": kit.OutputDataConfig(s3_output_path=OUTPUT),
        **settings,
    }
    return kit.ModelTrainer(**{name: value for name, value in given.items() if value is not None})


def plain(kit: Kit) -> Case:
    ranges = {
        "rate": kit.ContinuousParameter(1e-5, 1, "Logarithmic"),
        "momentum": kit.ContinuousParameter(0.5, 0.999, scaling_type="ReverseLogarithmic"),
        "layers": kit.IntegerParameter(1, 8),
        "units": kit.IntegerParameter(16, 1024, "Linear"),
        "optimizer": kit.CategoricalParameter(["sgd", "adam", 3, True]),
        "only": kit.CategoricalParameter("one"),
    }
    one = trainer(
        kit,
        hyperparameters={"epochs": 3, "decay": 1e-05, "nesterov": True, "rate": 0.1, "mix": {"a": [1]}},
        tags=[kit.Tag(key="team", value="digits"), kit.Tag(key="stage", value="test")],
    )
    return Case(tuner_of(kit, one, ranges, tags=[{"Key": "team", "Value": "digits"}]), inputs=DATA)


def with_defaults(kit: Kit) -> Case:
    return Case(tuner_of(kit, trainer(kit, output_data_config=None), max_jobs=None))


def everything(kit: Kit) -> Case:
    """All that the SDK's tuner sends."""
    one = trainer(
        kit,
        compute=kit.Compute(
            instance_type="ml.g5.xlarge",
            instance_count=2,
            volume_size_in_gb=50,
            enable_managed_spot_training=True,
        ),
        networking=kit.Networking(subnets=["subnet-1", "subnet-2"], security_group_ids=["sg-1"]),
        stopping_condition=kit.StoppingCondition(max_runtime_in_seconds=1800, max_wait_time_in_seconds=3600),
        output_data_config=kit.OutputDataConfig(
            s3_output_path=OUTPUT, kms_key_id="key-1", compression_type="NONE"
        ),
        checkpoint_config=kit.CheckpointConfig(s3_uri="s3://bucket/checkpoints"),
        training_input_mode="FastFile",
        environment={"LEVEL": "debug"},
        hyperparameters={"epochs": 10},
        input_data_config=[channel(kit, "own", "s3://bucket/own")],
    ).with_retry_strategy(kit.RetryStrategy(maximum_retry_attempts=3))
    one_tuner = tuner_of(
        kit,
        one,
        objective_type="Minimize",
        max_jobs=30,
        max_parallel_jobs=3,
        max_runtime_in_seconds=7200,
        early_stopping_type="Auto",
        random_seed=7,
        base_tuning_job_name="not-used",
        completion_criteria_config=kit.TuningJobCompletionCriteria(
            target_objective_metric_value=0.99,
            best_objective_not_improving=kit.BestObjectiveNotImproving(
                max_number_of_training_jobs_not_improving=5
            ),
            convergence_detected=kit.ConvergenceDetected(complete_on_convergence="Enabled"),
        ),
        warm_start_config=kit.HyperParameterTuningJobWarmStartConfig(
            warm_start_type="TransferLearning",
            parent_hyper_parameter_tuning_jobs=[
                kit.ParentHyperParameterTuningJob(hyper_parameter_tuning_job_name="second"),
                kit.ParentHyperParameterTuningJob(hyper_parameter_tuning_job_name="first"),
            ],
        ),
    )
    inputs = [
        kit.InputData(channel_name="train", data_source=DATA, content_type="text/csv"),
        kit.InputData(channel_name="validation", data_source="s3://bucket/data/validation"),
        channel(kit, "augmented", "s3://bucket/manifest", input_mode="Pipe"),
    ]
    return Case(one_tuner, inputs=inputs)


def channel(kit: Kit, name: str, address: str, **more: Any) -> Any:
    source = kit.S3DataSource(
        s3_data_type="ManifestFile", s3_uri=address, s3_data_distribution_type="ShardedByS3Key"
    )
    return kit.Channel(channel_name=name, data_source=kit.DataSource(s3_data_source=source), **more)


def channels_by_name(kit: Kit) -> Case:
    """The trainer's own channel of the same name stands back; and a no is as good as saying nothing."""
    one = trainer(
        kit,
        compute=kit.Compute(instance_type="ml.m5.large", enable_managed_spot_training=False),
        networking=kit.Networking(enable_network_isolation=False),
        input_data_config=[channel(kit, "train", "s3://bucket/old"), channel(kit, "extra", DATA)],
    )
    return Case(tuner_of(kit, one), inputs={"train": DATA, "test": "s3://bucket/data/test"})


def hyperband(kit: Kit) -> Case:
    config = kit.HyperParameterTuningJobStrategyConfig(
        hyperband_strategy_config=kit.HyperbandStrategyConfig(min_resource=1, max_resource=27)
    )
    in_lower_case = {
        "metric_definitions": [{"name": "validation:accuracy", "regex": REGEX}],
        "tags": [{"key": "team", "value": "digits"}],
    }
    return Case(
        tuner_of(
            kit, trainer(kit), strategy="Hyperband", strategy_config=config, max_jobs=20, **in_lower_case
        )
    )


def grid(kit: Kit) -> Case:
    ranges = {"kernel": kit.CategoricalParameter(["rbf", "poly"]), "c": kit.CategoricalParameter([1, 10])}
    return Case(tuner_of(kit, trainer(kit), ranges, strategy="Grid", max_jobs=None, max_parallel_jobs=2))


def script(kit: Kit) -> Case:
    """Code that the SDK has uploaded."""
    code = kit.SourceCode(source_dir=str(kit.source_dir), entry_script="train.py")
    return Case(
        tuner_of(kit, trainer(kit, source_code=code, hyperparameters={"epochs": 2})),
        inputs=DATA,
        prepared=True,
    )


def marketplace(kit: Kit) -> Case:
    one = trainer(kit, training_image=None, algorithm_name="their-algorithm")
    return Case(
        tuner_of(kit, one),
        kept={f"{ONE}.AlgorithmSpecification.AlgorithmName": "their-algorithm"},
    )


def lost_by_the_sdk(kit: Kit) -> Case:
    """All that the SDK's tuner leaves out without a word."""
    one = trainer(
        kit,
        training_image_config=kit.TrainingImageConfig(training_repository_access_mode="Vpc"),
        compute=kit.Compute(
            instance_type="ml.m5.large",
            instance_count=1,
            volume_kms_key_id="key-2",
            keep_alive_period_in_seconds=600,
        ),
        networking=kit.Networking(
            subnets=["subnet-1"],
            security_group_ids=["sg-1"],
            enable_network_isolation=True,
            enable_inter_container_traffic_encryption=True,
        ),
        stopping_condition=kit.StoppingCondition(
            max_runtime_in_seconds=1800, max_pending_time_in_seconds=7200
        ),
    ).with_metric_definitions([kit.MetricDefinition(name="validation:accuracy", regex=REGEX)])
    criteria = kit.TuningJobCompletionCriteria(target_objective_metric_value=0.0)
    return Case(
        tuner_of(
            kit, one, metric_definitions=None, random_seed=0, max_jobs=4, completion_criteria_config=criteria
        ),
        kept={
            f"{CONFIG}.RandomSeed": 0,
            f"{CONFIG}.TuningJobCompletionCriteria.TargetObjectiveMetricValue": 0.0,
            f"{ONE}.AlgorithmSpecification.MetricDefinitions": list(METRICS),
            f"{ONE}.AlgorithmSpecification.TrainingImageConfig": {"TrainingRepositoryAccessMode": "Vpc"},
            f"{ONE}.ResourceConfig.VolumeKmsKeyId": "key-2",
            f"{ONE}.ResourceConfig.KeepAlivePeriodInSeconds": 600,
            f"{ONE}.StoppingCondition.MaxPendingTimeInSeconds": 7200,
            f"{ONE}.EnableNetworkIsolation": True,
            f"{ONE}.EnableInterContainerTrafficEncryption": True,
        },
    )


def autotuned(kit: Kit) -> Case:
    """The SDK's tuner asks for Autotune, and says of no parameter that its range is to be chosen."""
    one = trainer(kit, hyperparameters={"epochs": 3, "decay": 0.01, "mode": "fast"})
    return Case(
        tuner_of(kit, one, autotune=True, hyperparameters_to_keep_static=["mode"]),
        kept={
            f"{CONFIG}.ParameterRanges.AutoParameters": [
                {"Name": "epochs", "ValueHint": "3"},
                {"Name": "decay", "ValueHint": "0.01"},
            ]
        },
    )


def other_instances(kit: Kit) -> Case:
    one = tuner_of(kit, trainer(kit))
    one.override_resource_config(
        [
            kit.HyperParameterTuningInstanceConfig(instance_type=kind, instance_count=1, volume_size_in_gb=20)
            for kind in ("ml.m5.large", "ml.m5.xlarge")
        ]
    )
    configs = [
        {"InstanceType": kind, "InstanceCount": 1, "VolumeSizeInGB": 20}
        for kind in ("ml.m5.large", "ml.m5.xlarge")
    ]
    return Case(
        one,
        kept={f"{ONE}.HyperParameterTuningResourceConfig.InstanceConfigs": configs},
        dropped=(f"{ONE}.ResourceConfig",),
    )


def instance_groups(kit: Kit) -> Case:
    groups = [
        kit.InstanceGroup(instance_type="ml.m5.large", instance_count=1, instance_group_name="one"),
        kit.InstanceGroup(instance_type="ml.g5.xlarge", instance_count=2, instance_group_name="two"),
    ]
    one = trainer(kit, compute=kit.Compute(instance_groups=groups))
    written = [
        {"InstanceType": "ml.m5.large", "InstanceCount": 1, "InstanceGroupName": "one"},
        {"InstanceType": "ml.g5.xlarge", "InstanceCount": 2, "InstanceGroupName": "two"},
    ]
    return Case(tuner_of(kit, one), kept={f"{ONE}.ResourceConfig.InstanceGroups": written})


def data_sources(kit: Kit) -> Case:
    """The SDK's tuner takes InputData with an address only."""
    manifest = kit.S3DataSource(
        s3_data_type="ManifestFile", s3_uri=DATA, s3_data_distribution_type="FullyReplicated"
    )
    shared = kit.FileSystemDataSource(
        file_system_id="fs-0123456789abcdef0",
        file_system_access_mode="ro",
        file_system_type="FSxLustre",
        directory_path="/data",
    )
    inputs = [
        kit.InputData(channel_name="manifest", data_source=manifest),
        kit.InputData(channel_name="shared", data_source=shared),
    ]
    return Case(tuner_of(kit, trainer(kit)), inputs=inputs, sdk_fails=True)


def inputs_of_the_trainer(kit: Kit) -> Case:
    """The SDK's tuner takes a trainer's Channels, but not its InputData."""
    one = trainer(kit, input_data_config=[kit.InputData(channel_name="train", data_source=DATA)])
    return Case(tuner_of(kit, one), sdk_fails=True)


def several(kit: Kit) -> Case:
    """``create`` makes such a tuner, and ``tune`` can't start it."""
    ranges = {"forest": {"trees": kit.IntegerParameter(10, 500)}, "boosting": rate(kit)}
    one = kit.HyperparameterTuner.create(
        {name: trainer(kit, hyperparameters={"kind": name}) for name in ranges},
        dict.fromkeys(ranges, "validation:accuracy"),
        ranges,
        metric_definitions_dict={name: list(METRICS) for name in ranges},
        max_jobs=6,
    )
    return Case(one, inputs={"forest": DATA, "boosting": {"train": DATA}}, sdk_fails=True)


def of_a_pipeline(kit: Kit) -> Case:
    variable = kit.ParameterString(name="anything")
    one = trainer(kit, environment={"LEVEL": variable}, hyperparameters={"mode": variable})
    ranges = {"rate": kit.ContinuousParameter(0.1, variable)}
    return Case(tuner_of(kit, one, ranges, objective_type=variable))


def command(kit: Kit) -> Case:
    return Case(tuner_of(kit, trainer(kit, source_code=kit.SourceCode(command="python train.py"))))


def local_mode(kit: Kit) -> Case:
    return Case(tuner_of(kit, trainer(kit, training_mode=kit.Mode.LOCAL_CONTAINER)))


def checkpoints_nowhere(kit: Kit) -> Case:
    return Case(tuner_of(kit, trainer(kit, checkpoint_config=kit.CheckpointConfig())))


REFUSED: Cases = {case.__name__: case for case in (of_a_pipeline, command, local_mode, checkpoints_nowhere)}
CASES: Cases = {
    case.__name__: case
    for case in (
        plain,
        with_defaults,
        everything,
        channels_by_name,
        hyperband,
        grid,
        script,
        marketplace,
        lost_by_the_sdk,
        autotuned,
        other_instances,
        instance_groups,
        data_sources,
        inputs_of_the_trainer,
        several,
    )
}
