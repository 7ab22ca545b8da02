"""The simulated SageMaker: tuning jobs as state, and the place where an engine plugs in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from amt_flows.testing.sagemaker import (
    End,
    JobScript,
    Quotas,
    Refusal,
    SimulatedSageMaker,
    SimulatedTuningJob,
)
from testing.sagemaker_requests import check_shape, client, refusal, training, tuning


def rate_is_quality(hyperparameters: Mapping[str, str]) -> JobScript:
    return JobScript([float(hyperparameters["rate"])], stopping_seconds=30)


def launch(job: SimulatedTuningJob, number: int, rate: float) -> None:
    name = f"{job.name}-{number:03d}"
    job.launch(training(name, HyperParameters={"rate": str(rate)}), {"rate": str(rate)})


def test_without_an_engine_a_tuning_job_keeps_state_until_it_is_stopped() -> None:
    with SimulatedSageMaker(rate_is_quality) as world:
        sagemaker = client()
        arn = sagemaker.create_hyper_parameter_tuning_job(**tuning())["HyperParameterTuningJobArn"]
        assert arn == "arn:aws:sagemaker:eu-west-1:123456789012:hyper-parameter-tuning-job/tune-1"
        [job] = world.tuning_jobs
        launch(job, 1, 0.25)
        world.run()
        launch(job, 2, 0.5)
        world.advance(75)
        told = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="Tune-1")
        check_shape("DescribeHyperParameterTuningJob", told)
        assert told["HyperParameterTuningJobStatus"] == "InProgress"
        assert told["TrainingJobStatusCounters"] == {
            "Completed": 1,
            "InProgress": 1,
            "RetryableError": 0,
            "NonRetryableError": 0,
            "Stopped": 0,
        }
        assert told["ObjectiveStatusCounters"] == {"Succeeded": 1, "Pending": 1, "Failed": 0}
        given = tuning()
        assert told["HyperParameterTuningJobConfig"] == given["HyperParameterTuningJobConfig"]
        added = {"StaticHyperParameters": {"_tuning_objective_metric": "accuracy"}}
        assert told["TrainingJobDefinition"] == given["TrainingJobDefinition"] | added

        sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune-1")
        status = "HyperParameterTuningJobStatus"
        describe = sagemaker.describe_hyper_parameter_tuning_job
        assert describe(HyperParameterTuningJobName="tune-1")[status] == "Stopping"
        assert world.job("tune-1-002").status == "Stopping"
        world.run()
        told = describe(HyperParameterTuningJobName="tune-1")
        check_shape("DescribeHyperParameterTuningJob", told)
        assert told[status] == "Stopped"
        assert "HyperParameterTuningEndTime" in told
        code, message = refusal(
            sagemaker.stop_hyper_parameter_tuning_job, HyperParameterTuningJobName="tune-1"
        )
        assert (code, "in status Stopped" in message) == ("ValidationException", True)


def test_the_training_jobs_of_a_tuning_job_are_listed_with_their_objective() -> None:
    with SimulatedSageMaker(rate_is_quality) as world:
        client().create_hyper_parameter_tuning_job(**tuning())
        [job] = world.tuning_jobs
        for number, rate in enumerate([0.5, 0.75, 0.25], start=1):
            launch(job, number, rate)
        world.run()
        launch(job, 4, 1.0)

        def listed(**params: Any) -> dict[str, Any]:
            answer: dict[str, Any] = client().list_training_jobs_for_hyper_parameter_tuning_job(
                HyperParameterTuningJobName="tune-1", **params
            )
            check_shape("ListTrainingJobsForHyperParameterTuningJob", answer)
            return answer

        by_value = listed(SortBy="FinalObjectiveMetricValue", SortOrder="Descending")["TrainingJobSummaries"]
        assert [e["TunedHyperParameters"]["rate"] for e in by_value] == ["0.75", "0.5", "0.25"]
        assert by_value[0]["FinalHyperParameterTuningJobObjectiveMetric"] == {
            "Type": "Maximize",
            "MetricName": "accuracy",
            "Value": 0.75,
        }
        running = listed(StatusEquals="InProgress")["TrainingJobSummaries"]
        assert [(e["TrainingJobName"], e["ObjectiveStatus"]) for e in running] == [("tune-1-004", "Pending")]
        first = listed(MaxResults=3)
        rest = listed(MaxResults=3, NextToken=first["NextToken"])
        assert [
            e["TrainingJobName"] for e in (first["TrainingJobSummaries"] + rest["TrainingJobSummaries"])
        ] == [f"tune-1-{n:03d}" for n in (1, 2, 3, 4)]
        told = client().describe_training_job(TrainingJobName="tune-1-004")
        assert told["TuningJobArn"] == job.arn


def test_training_jobs_that_fail_are_counted() -> None:
    with SimulatedSageMaker(JobScript([0.5], end=End.FAIL)) as world:
        client().create_hyper_parameter_tuning_job(**tuning())
        launch(world.tuning_jobs[0], 1, 0.5)
        world.run()
        told = client().describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune-1")
        listed = client().list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName="tune-1"
        )
    check_shape("ListTrainingJobsForHyperParameterTuningJob", listed)
    assert told["TrainingJobStatusCounters"]["NonRetryableError"] == 1
    assert listed["TrainingJobSummaries"][0]["FailureReason"].startswith("AlgorithmError")


def test_launching_for_a_tuning_job_is_refused_as_create_training_job_is() -> None:
    with SimulatedSageMaker(rate_is_quality, quotas=Quotas(total=1)) as world:
        client().create_hyper_parameter_tuning_job(**tuning())
        [job] = world.tuning_jobs
        launch(job, 1, 0.5)
        with pytest.raises(Refusal, match="ResourceLimitExceeded"):
            launch(job, 2, 0.5)
        with pytest.raises(Refusal, match="regular expression"):
            job.launch(training("a_b"), {})


def test_tuning_jobs_are_listed() -> None:
    with SimulatedSageMaker() as world:
        for name in ("b-2", "a-1", "b-1"):
            client().create_hyper_parameter_tuning_job(**tuning(name))
            world.advance(1)
        client().stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="a-1")

        def listed(**params: Any) -> list[str]:
            answer = client().list_hyper_parameter_tuning_jobs(**params)
            check_shape("ListHyperParameterTuningJobs", answer)
            return [e["HyperParameterTuningJobName"] for e in answer["HyperParameterTuningJobSummaries"]]

        assert listed() == ["a-1", "b-1", "b-2"]
        assert listed(SortBy="CreationTime", SortOrder="Descending") == ["b-1", "a-1", "b-2"]
        assert listed(NameContains="b-") == ["b-1", "b-2"]
        assert listed(StatusEquals="Stopped") == ["a-1"]
        client().delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="a-1")
        assert listed() == ["b-1", "b-2"]


def test_an_unknown_tuning_job() -> None:
    name = {"HyperParameterTuningJobName": "nobody"}
    with SimulatedSageMaker():
        for call in (
            client().describe_hyper_parameter_tuning_job,
            client().stop_hyper_parameter_tuning_job,
            client().list_training_jobs_for_hyper_parameter_tuning_job,
        ):
            assert refusal(call, **name)[0] == "ResourceNotFound"


def test_a_wrong_tuning_request_is_refused() -> None:
    with SimulatedSageMaker():
        code, message = refusal(client().create_hyper_parameter_tuning_job, **tuning("x" * 33))
        assert (code, "'hyperParameterTuningJobName'" in message) == ("ValidationException", True)
        request = tuning()
        request["HyperParameterTuningJobConfig"]["Strategy"] = "Guess"
        _, message = refusal(client().create_hyper_parameter_tuning_job, **request)
        assert "at 'hyperParameterTuningJobConfig.strategy'" in message


class Engine:
    """Runs one training job, and says so."""

    def __init__(self, job: SimulatedTuningJob) -> None:
        self.job = job
        self.status = "InProgress"
        launch(job, 1, 0.5)

    def describe(self) -> Mapping[str, Any]:
        return {"HyperParameterTuningJobStatus": self.status, "ConsumedResources": {"RuntimeInSeconds": 7}}

    def training_jobs(self) -> list[Mapping[str, Any]]:
        return [
            {
                "TrainingJobName": job.name,
                "TrainingJobArn": job.arn,
                "CreationTime": 1_700_000_000,
                "TrainingJobStatus": job.status,
                "TunedHyperParameters": dict(tuned),
            }
            for job, tuned in self.job.launched
        ]

    def stop(self) -> None:
        self.status = "Stopped"


def test_an_engine_plugs_in() -> None:
    engines: list[Engine] = []

    def on_create(job: SimulatedTuningJob) -> Engine:
        engines.append(Engine(job))
        return engines[-1]

    with SimulatedSageMaker(rate_is_quality, on_create_tuning_job=on_create) as world:
        client().create_hyper_parameter_tuning_job(**tuning())
        assert [job.name for job in world.jobs] == ["tune-1-001"]
        told = client().describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune-1")
        check_shape("DescribeHyperParameterTuningJob", told)
        assert told["ConsumedResources"] == {"RuntimeInSeconds": 7}
        listed = client().list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName="tune-1"
        )
        check_shape("ListTrainingJobsForHyperParameterTuningJob", listed)
        assert listed["TrainingJobSummaries"][0]["TunedHyperParameters"] == {"rate": "0.5"}
        client().stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune-1")
        [engine] = engines
        assert engine.status == "Stopped"
        assert engine.job.request["HyperParameterTuningJobConfig"]["Strategy"] == "Random"
