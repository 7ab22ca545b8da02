"""Airflow's Amazon provider: its hook, operators and sensors, run without a scheduler."""

from __future__ import annotations

from airflow.providers.amazon.aws.hooks.sagemaker import SageMakerHook
from airflow.providers.amazon.aws.operators.sagemaker import (
    SageMakerEndpointOperator,
    SageMakerModelOperator,
    SageMakerTrainingOperator,
    SageMakerTuningOperator,
)
from airflow.providers.amazon.aws.sensors.sagemaker import SageMakerTrainingSensor, SageMakerTuningSensor
from calls import call, expect

ROLE = "arn:aws:iam::123456789012:role/training"
ALGORITHM = {
    "TrainingImage": "my-image:1",
    "TrainingInputMode": "File",
    "MetricDefinitions": [{"Name": "accuracy", "Regex": "accuracy=([0-9.e-]+);"}],
}
SOURCE = {"S3DataType": "S3Prefix", "S3Uri": "s3://from-airflow/data/"}
DEFINITION = {
    "AlgorithmSpecification": ALGORITHM,
    "RoleArn": ROLE,
    "OutputDataConfig": {"S3OutputPath": "s3://from-airflow/models"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": SOURCE}}],
}
TRAINING = {"TrainingJobName": "airflow-1", "HyperParameters": {"rate": "0.5"}, **DEFINITION}
TUNING = {
    "HyperParameterTuningJobName": "airflow-tuning",
    "HyperParameterTuningJobConfig": {
        "Strategy": "Random",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "accuracy"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 2},
        "ParameterRanges": {
            "ContinuousParameterRanges": [{"Name": "rate", "MinValue": "0.5", "MaxValue": "1"}],
            "IntegerParameterRanges": [],
            "CategoricalParameterRanges": [],
        },
    },
    "TrainingJobDefinition": DEFINITION,
}
waiting = {"aws_conn_id": None, "wait_for_completion": True, "check_interval": 1}
hook = SageMakerHook(aws_conn_id=None)


def train():
    s3 = hook.get_session().client("s3")
    s3.create_bucket(Bucket="from-airflow")
    s3.put_object(Bucket="from-airflow", Key="data/x.csv", Body=b"1,2")
    told = SageMakerTrainingOperator(
        task_id="train", config=TRAINING, print_log=True, check_if_job_exists=False, **waiting
    ).execute({})
    expect(told["Training"]["TrainingJobStatus"] == "Completed", told)


def tune():
    told = SageMakerTuningOperator(task_id="tune", config=TUNING, **waiting).execute({})
    expect(told["Tuning"]["HyperParameterTuningJobStatus"] == "Completed", told)


def sensors():
    one = SageMakerTrainingSensor(task_id="s1", job_name="airflow-1", aws_conn_id=None, print_log=False)
    expect(one.poke({}), "the training job had not ended")
    other = SageMakerTuningSensor(task_id="s2", job_name="airflow-tuning", aws_conn_id=None)
    expect(other.poke({}), "the tuning job had not ended")


def deploy():
    data = hook.describe_training_job("airflow-1")["ModelArtifacts"]["S3ModelArtifacts"]
    container = {"Image": "my-image:1", "ModelDataUrl": data}
    model = {"ModelName": "airflow", "PrimaryContainer": container, "ExecutionRoleArn": ROLE}
    SageMakerModelOperator(task_id="model", config=model, aws_conn_id=None).execute({})
    variant = {"VariantName": "a", "ModelName": "airflow", "InstanceType": "ml.m5.large"}
    config = {
        "EndpointConfig": {
            "EndpointConfigName": "airflow",
            "ProductionVariants": [{**variant, "InitialInstanceCount": 1}],
        },
        "Endpoint": {"EndpointName": "airflow", "EndpointConfigName": "airflow"},
    }
    told = SageMakerEndpointOperator(task_id="endpoint", config=config, **waiting).execute({})
    expect(told["Endpoint"]["EndpointStatus"] == "InService", told)


call("SageMakerTrainingOperator, with its logs", train)
call("SageMakerTuningOperator", tune)
call("SageMakerTrainingSensor, SageMakerTuningSensor", sensors)
call("SageMakerHook.list_training_jobs", lambda: expect(len(hook.list_training_jobs()) >= 4, "too few"))
call("SageMakerModelOperator, SageMakerEndpointOperator", deploy)
print("done")
