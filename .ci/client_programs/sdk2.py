"""Version 2 of SageMaker's SDK: estimators, tuners, and what is deployed."""

from __future__ import annotations

import boto3
import sagemaker
from calls import call, expect
from sagemaker.algorithm import AlgorithmEstimator
from sagemaker.deserializers import JSONDeserializer
from sagemaker.estimator import Estimator
from sagemaker.model import Model
from sagemaker.predictor import Predictor
from sagemaker.serializers import JSONSerializer
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner

ROLE = "arn:aws:iam::123456789012:role/training"
METRICS = [{"Name": "accuracy", "Regex": "accuracy=([0-9.e-]+);"}]
RANGES = {"rate": ContinuousParameter(0.5, 1)}
session = sagemaker.Session()


def estimator(**more):
    return Estimator("my-image:1", ROLE, 1, "ml.m5.large", sagemaker_session=session, **more)


def train():
    one = estimator(hyperparameters={"rate": 0.25}, metric_definitions=METRICS)
    one.fit(logs="All")
    told = one.latest_training_job.describe()["FinalMetricDataList"]
    expect([metric["Value"] for metric in told] == [0.25], told)


def tune():
    tuner = HyperparameterTuner(estimator(), "accuracy", RANGES, METRICS, max_jobs=3, max_parallel_jobs=2)
    tuner.fit()
    expect(len(tuner.analytics().dataframe()) == 3, tuner.analytics().dataframe())
    return tuner


def attach(tuner):
    found = HyperparameterTuner.attach(tuner.latest_tuning_job.name, sagemaker_session=session)
    expect(found.best_training_job() == tuner.best_training_job(), found.best_training_job())
    return found


def tune_several():
    names = ("a", "b")
    tuner = HyperparameterTuner.create(
        estimator_dict={name: estimator() for name in names},
        objective_metric_name_dict=dict.fromkeys(names, "accuracy"),
        hyperparameter_ranges_dict=dict.fromkeys(names, RANGES),
        metric_definitions_dict=dict.fromkeys(names, METRICS),
        max_jobs=4,
        max_parallel_jobs=2,
        base_tuning_job_name="two",
    )
    tuner.fit(include_cls_metadata={})
    return tuner


def algorithm():
    client = session.sagemaker_client
    channel = {"Name": "train", "SupportedContentTypes": ["text/csv"], "SupportedInputModes": ["File"]}
    range_ = {"ContinuousParameterRangeSpecification": {"MinValue": "0", "MaxValue": "1"}}
    rate = {"Name": "rate", "Type": "Continuous", "Range": range_, "IsTunable": True, "DefaultValue": "0.5"}
    arn = client.create_algorithm(
        AlgorithmName="mine",
        TrainingSpecification={
            "TrainingImage": "my-image:1",
            "SupportedTrainingInstanceTypes": ["ml.m5.large"],
            "TrainingChannels": [channel],
            "SupportedHyperParameters": [rate],
            "MetricDefinitions": METRICS,
        },
    )["AlgorithmArn"]
    bucket = session.default_bucket()
    boto3.client("s3").put_object(Bucket=bucket, Key="data/x.csv", Body=b"1,2")
    one = AlgorithmEstimator(arn, ROLE, 1, "ml.m5.large", sagemaker_session=session)
    one.fit({"train": f"s3://{bucket}/data"})
    expect(one.latest_training_job.describe()["TrainingJobStatus"] == "Completed", one)


def deploy(tuner):
    data = tuner.best_estimator().model_data
    model = Model(
        "my-image:1",
        model_data=data,
        role=ROLE,
        entry_point="inference.py",
        sagemaker_session=session,
        predictor_cls=Predictor,
    )
    return model.deploy(1, "ml.m5.large", serializer=JSONSerializer(), deserializer=JSONDeserializer())


def predict(predictor):
    found = predictor.predict([0, 2.0])
    expect(found[0] == 0 and 1 <= found[1] <= 2, found)


call("Session.default_bucket", session.default_bucket)
call("Estimator.fit, with its logs", train)
tuner = call("HyperparameterTuner.fit, analytics", tune)
call("HyperparameterTuner.attach", lambda: attach(tuner))
several = call("HyperparameterTuner.create, of two estimators", tune_several)
call("HyperparameterTuner.attach, of two estimators", lambda: attach(several))
call("AlgorithmEstimator.fit", algorithm)
predictor = call("Model.deploy", lambda: deploy(tuner))
call("Predictor.predict, by the model's inference script", lambda: predict(predictor))
call("Predictor.delete_endpoint", lambda: predictor.delete_endpoint())
print("done")
