"""Realistic ``CreateHyperParameterTuningJob`` bodies that SageMaker would take."""

from __future__ import annotations

from typing import Any

from amt_flows.spec.amt_fields import CONFIG, ONE
from spec.samples import changed


def definition(**members: Any) -> dict[str, Any]:
    return {
        "AlgorithmSpecification": {
            "TrainingImage": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/forest:3",
            "TrainingInputMode": "FastFile",
            "MetricDefinitions": [{"Name": "validation:auc", "Regex": r"auc=(\S+)"}],
        },
        "RoleArn": "arn:aws:iam::123456789012:role/Tuner",
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models", "KmsKeyId": "key"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        **members,
    }


def bayesian() -> dict[str, Any]:
    """One algorithm on spot instances, with about everything that can be said about it."""
    return {
        "HyperParameterTuningJobName": "churn-2024",
        CONFIG: {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:auc"},
            "ResourceLimits": {
                "MaxNumberOfTrainingJobs": 50,
                "MaxParallelTrainingJobs": 5,
                "MaxRuntimeInSeconds": 86400,
            },
            "ParameterRanges": {
                "ContinuousParameterRanges": [
                    {"Name": "eta", "MinValue": "1e-4", "MaxValue": "1", "ScalingType": "Logarithmic"},
                    {"Name": "momentum", "MinValue": "0.5", "MaxValue": ".999"},
                ],
                "IntegerParameterRanges": [
                    {"Name": "depth", "MinValue": "1", "MaxValue": "10", "ScalingType": "Auto"}
                ],
                "CategoricalParameterRanges": [{"Name": "booster", "Values": ["gbtree", "dart"]}],
            },
            "TrainingJobEarlyStoppingType": "Auto",
            "TuningJobCompletionCriteria": {
                "TargetObjectiveMetricValue": 0.95,
                "BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 15},
                "ConvergenceDetected": {"CompleteOnConvergence": "Enabled"},
            },
            "RandomSeed": 0,
        },
        ONE: definition(
            StaticHyperParameters={"objective": "binary:logistic", "rounds": "100"},
            InputDataConfig=[
                {
                    "ChannelName": "train",
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/train"}},
                    "ContentType": "text/csv",
                }
            ],
            VpcConfig={"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
            StoppingCondition={"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
            EnableManagedSpotTraining=True,
            EnableNetworkIsolation=False,
            EnableInterContainerTrafficEncryption=True,
            CheckpointConfig={"S3Uri": "s3://bucket/checkpoints", "LocalPath": "/opt/ml/checkpoints"},
            RetryStrategy={"MaximumRetryAttempts": 3},
            Environment={"OMP_NUM_THREADS": "4"},
        ),
        "WarmStartConfig": {
            "ParentHyperParameterTuningJobs": [
                {"HyperParameterTuningJobName": "churn-2022"},
                {"HyperParameterTuningJobName": "churn-2023"},
            ],
            "WarmStartType": "TransferLearning",
        },
        "Tags": [{"Key": "team", "Value": "growth"}, {"Key": "cost-centre", "Value": ""}],
    }


def grid() -> dict[str, Any]:
    return {
        "HyperParameterTuningJobName": "grid",
        CONFIG: {
            "Strategy": "Grid",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {
                "CategoricalParameterRanges": [
                    {"Name": "a", "Values": ["1", "2"]},
                    {"Name": "b", "Values": ["x", "y"]},
                ]
            },
            "TrainingJobEarlyStoppingType": "Off",
            "TuningJobCompletionCriteria": {"ConvergenceDetected": {"CompleteOnConvergence": "Disabled"}},
        },
        ONE: definition(
            AlgorithmSpecification={"AlgorithmName": "my-algorithm", "TrainingInputMode": "File"},
            StoppingCondition={},
        ),
        "Tags": [],
    }


def hyperband() -> dict[str, Any]:
    body = changed(
        bayesian(),
        {
            f"{CONFIG}.Strategy": "Hyperband",
            f"{CONFIG}.StrategyConfig.HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 27},
            f"{CONFIG}.TrainingJobEarlyStoppingType": "Off",
            f"{ONE}.HyperParameterTuningResourceConfig": {
                "AllocationStrategy": "Prioritized",
                "InstanceConfigs": [
                    {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
                    {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
                ],
            },
        },
    )
    del body[ONE]["ResourceConfig"]
    return body


def autotuned() -> dict[str, Any]:
    return {
        "HyperParameterTuningJobName": "auto",
        CONFIG: {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:auc"},
            "ResourceLimits": {"MaxParallelTrainingJobs": 1},
            "ParameterRanges": {"AutoParameters": [{"Name": "eta", "ValueHint": "0.3"}]},
        },
        ONE: definition(),
        "Autotune": {"Mode": "Enabled"},
    }


def two_algorithms() -> dict[str, Any]:
    return {
        "HyperParameterTuningJobName": "two",
        CONFIG: {
            "Strategy": "Random",
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 10, "MaxParallelTrainingJobs": 2},
        },
        "TrainingJobDefinitions": [
            definition(
                DefinitionName="forest",
                TuningObjective={"Type": "Maximize", "MetricName": "validation:auc"},
                HyperParameterRanges={
                    "IntegerParameterRanges": [{"Name": "trees", "MinValue": "10", "MaxValue": "500"}]
                },
            ),
            definition(
                DefinitionName="net",
                TuningObjective={"Type": "Minimize", "MetricName": "validation:auc"},
                HyperParameterRanges={
                    "ContinuousParameterRanges": [{"Name": "lr", "MinValue": "0.001", "MaxValue": "0.1"}]
                },
                StaticHyperParameters={"epochs": "10"},
                Environment={"A": "b"},
            ),
        ],
    }


BODIES = {make.__name__: make for make in (bayesian, grid, hyperband, autotuned, two_algorithms)}
