"""Version 3 of SageMaker's SDK: trainers, tuners, and the resources of its core."""

from __future__ import annotations

from pathlib import Path

from calls import call, expect, own_fault
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.parameter import ContinuousParameter
from sagemaker.core.resources import Endpoint, EndpointConfig, HyperParameterTuningJob, Model, TrainingJob
from sagemaker.core.shapes import (
    ContainerDefinition,
    ContinuousParameterRange,
    HyperParameterAlgorithmSpecification,
    HyperParameterTrainingJobDefinition,
    HyperParameterTuningJobConfig,
    HyperParameterTuningJobObjective,
    MetricDefinition,
    ParameterRanges,
    ProductionVariant,
    ResourceLimits,
)
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, SourceCode
from sagemaker.train.tuner import HyperparameterTuner

ROLE = "arn:aws:iam::123456789012:role/training"
METRICS = [{"Name": "accuracy", "Regex": "accuracy=([0-9.e-]+);"}]
RANGES = {"rate": ContinuousParameter(0.5, 1)}
session = Session()
Path("sources").mkdir()
Path("sources/train.py").write_text(Path("train.py").read_text())


def trainer(name="trainer"):
    return ModelTrainer(
        training_image="my-image:1",
        role=ROLE,
        sagemaker_session=session,
        compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=10),
        source_code=SourceCode(source_dir="sources", entry_script="train.py"),
        hyperparameters={"rate": 0.25},
        base_job_name=name,
    )


def train():
    one = trainer()
    one.train(wait=True, logs=True)
    expect(one._latest_training_job.training_job_status == "Completed", one._latest_training_job)
    return one._latest_training_job


def tune():
    tuner = HyperparameterTuner(trainer(), "accuracy", RANGES, METRICS, max_jobs=3, max_parallel_jobs=2)
    tuner.tune(wait=True)
    return tuner


def look(tuner):
    job = HyperParameterTuningJob.get(tuner._current_job_name)
    expect(job.hyper_parameter_tuning_job_status == "Completed", job)
    expect(job.best_training_job.training_job_name == tuner.best_training_job(), job.best_training_job)
    expect(len(list(job.get_all_training_jobs())) == 3, job)


def tune_trainers():
    trainers = {name: trainer(name) for name in ("a", "b")}
    one_each = [dict.fromkeys(trainers, value) for value in ("accuracy", RANGES, METRICS)]
    HyperparameterTuner.create(trainers, *one_each, max_jobs=4, max_parallel_jobs=2).tune(wait=True)


def tune_several(tuner):
    asked = HyperParameterTuningJob.get(tuner._current_job_name)
    objective = HyperParameterTuningJobObjective(type="Maximize", metric_name="accuracy")
    definitions = [
        HyperParameterTrainingJobDefinition(
            definition_name=name,
            tuning_objective=objective,
            hyper_parameter_ranges=ParameterRanges(
                continuous_parameter_ranges=[
                    ContinuousParameterRange(name="rate", min_value="0.5", max_value="1")
                ]
            ),
            algorithm_specification=HyperParameterAlgorithmSpecification(
                training_image="my-image:1",
                training_input_mode="File",
                metric_definitions=[MetricDefinition(name="accuracy", regex=METRICS[0]["Regex"])],
            ),
            role_arn=ROLE,
            output_data_config=asked.training_job_definition.output_data_config,
            resource_config=asked.training_job_definition.resource_config,
            stopping_condition=asked.training_job_definition.stopping_condition,
        )
        for name in ("a", "b")
    ]
    job = HyperParameterTuningJob.create(
        hyper_parameter_tuning_job_name="two",
        hyper_parameter_tuning_job_config=HyperParameterTuningJobConfig(
            strategy="Bayesian",
            resource_limits=ResourceLimits(max_number_of_training_jobs=4, max_parallel_training_jobs=2),
        ),
        training_job_definitions=definitions,
    )
    job.wait(poll=1)
    expect(job.best_training_job is not None, job)


def deploy(job):
    data = job.model_artifacts.s3_model_artifacts
    container = ContainerDefinition(image="my-image:1", model_data_url=data)
    Model.create(model_name="m3", primary_container=container, execution_role_arn=ROLE)
    variant = ProductionVariant(
        variant_name="all", model_name="m3", instance_type="ml.m5.large", initial_instance_count=1
    )
    EndpointConfig.create(endpoint_config_name="c3", production_variants=[variant])
    endpoint = Endpoint.create(endpoint_name="e3", endpoint_config_name="c3")
    endpoint.wait_for_status("InService", poll=1)
    return endpoint


def invoke(endpoint):
    body = endpoint.invoke(body="[1]", content_type="application/json").body.read()
    expect(b"made_up" in body, body)  # this model has no inference script


call("Session.default_bucket", session.default_bucket)
job = call("ModelTrainer.train, with its logs", train)
tuner = call("HyperparameterTuner.tune", tune)
call("HyperParameterTuningJob.get, get_all_training_jobs", lambda: look(tuner))
own_fault("HyperparameterTuner.create, of two trainers, tune", tune_trainers, "'training_image'")
call("HyperParameterTuningJob.create, of two definitions, wait", lambda: tune_several(tuner))
call("TrainingJob.get_all", lambda: expect(len(list(TrainingJob.get_all())) >= 8, "too few jobs"))
endpoint = call("Endpoint.create, wait_for_status", lambda: deploy(job))
call("Endpoint.invoke", lambda: invoke(endpoint))
print("done")
