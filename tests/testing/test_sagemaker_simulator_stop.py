"""The simulated SageMaker: stopping, time limits, spot interruptions and retries, in scripted time."""

from __future__ import annotations

from typing import Any

import pytest

from amt_flows.testing.sagemaker import End, JobScript, SimulatedSageMaker
from testing.sagemaker_requests import check_shape, client, messages, refusal, spot, statuses, training

FAST: Any = {"starting_seconds": 0.0, "downloading_seconds": 0.0, "uploading_seconds": 0.0}
TEN = [n / 10 for n in range(1, 11)]


def values(world: SimulatedSageMaker, name: str = "job-1") -> list[float]:
    return [emission.value for emission in world.job(name).emissions]


# -- StopTrainingJob ---------------------------------------------------------------------------------


def test_a_stopping_job_trains_on_until_it_heeds_the_signal_and_keeps_its_model_and_metric() -> None:
    script = JobScript(TEN, seconds_per_epoch=10, stopping_seconds=25, uploading_seconds=5)
    with SimulatedSageMaker(script) as world:
        sagemaker = client()
        sagemaker.create_training_job(**training())
        world.advance(70 + 20)  # two epochs
        sagemaker.stop_training_job(TrainingJobName="job-1")
        seen = []
        for seconds in (0, 24, 1, 5):
            world.advance(seconds)
            told = sagemaker.describe_training_job(TrainingJobName="job-1")
            check_shape("DescribeTrainingJob", told)
            seen.append((told["TrainingJobStatus"], told["SecondaryStatus"]))
        found = values(world)
        assert world.job("job-1").model_uri
    assert seen == [
        ("Stopping", "Stopping"),
        ("Stopping", "Stopping"),
        ("Stopping", "Uploading"),
        ("Stopped", "Stopped"),
    ]
    assert found == [0.1, 0.2, 0.3, 0.4]  # two more within the 25 seconds
    assert told["FinalMetricDataList"][0]["Value"] == pytest.approx(0.4)
    assert told["TrainingTimeInSeconds"] == 10 + 20 + 25 + 5


def test_a_job_that_ignores_the_signal_is_killed_after_the_grace_time() -> None:
    script = JobScript(TEN, seconds_per_epoch=100, stopping_seconds=10_000, **FAST)
    with SimulatedSageMaker(script) as world:
        client().create_training_job(**training())
        world.advance(100)
        client().stop_training_job(TrainingJobName="job-1")
        world.advance(119)
        assert world.job("job-1").status == "Stopping"
        world.advance(1)
        assert world.job("job-1").status == "Stopped"
        assert values(world) == [0.1, 0.2]


def test_the_grace_time_can_be_another() -> None:
    script = JobScript(TEN, stopping_seconds=10_000, **FAST)
    with SimulatedSageMaker(script, stop_grace_seconds=5) as world:
        client().create_training_job(**training())
        world.advance(10)
        client().stop_training_job(TrainingJobName="job-1")
        world.advance(5)
        assert world.job("job-1").status == "Stopped"


@pytest.mark.parametrize("end", [End.COMPLETE, End.FAIL, End.INTERNAL_ERROR])
def test_a_stopping_job_ends_as_stopped_whatever_its_training_does_then(end: End) -> None:
    script = JobScript(TEN[:2], seconds_per_epoch=10, stopping_seconds=100, end=end, **FAST)
    with SimulatedSageMaker(script) as world:
        client().create_training_job(**training(RetryStrategy={"MaximumRetryAttempts": 5}))
        world.advance(10)
        client().stop_training_job(TrainingJobName="job-1")
        world.advance(10)
        job = world.job("job-1")
        assert (job.status, len(job.starts)) == ("Stopped", 1)
        assert values(world) == [0.1, 0.2]


def test_a_hanging_job_can_be_stopped() -> None:
    with SimulatedSageMaker(JobScript([0.5], end=End.HANG, stopping_seconds=7, **FAST)) as world:
        client().create_training_job(**training())
        world.advance(1000)
        client().stop_training_job(TrainingJobName="job-1")
        world.advance(6)
        assert world.job("job-1").status == "Stopping"
        world.advance(1)
        assert world.job("job-1").status == "Stopped"


def test_a_job_that_was_stopped_while_starting_never_trained() -> None:
    with SimulatedSageMaker(JobScript(TEN)) as world:
        client().create_training_job(**training())
        world.advance(30)
        client().stop_training_job(TrainingJobName="job-1")
        told = client().describe_training_job(TrainingJobName="job-1")
        world.run()
        assert world.job("job-1").lines == []
    check_shape("DescribeTrainingJob", told)
    assert statuses(told) == ["Starting", "Stopping", "Stopped"]
    assert not {"TrainingStartTime", "TrainingTimeInSeconds", "FinalMetricDataList"} & set(told)


def test_a_job_that_was_stopped_while_uploading_has_its_model() -> None:
    with SimulatedSageMaker(JobScript([0.5], seconds_per_epoch=10)) as world:
        client().create_training_job(**training())
        world.advance(85)
        client().stop_training_job(TrainingJobName="job-1")
        world.run()
        job = world.job("job-1")
        assert (job.status, job.secondary_status) == ("Stopped", "Stopped")
        assert job.model_uri


def test_stopping_twice_does_no_harm_and_stopping_an_ended_job_is_refused() -> None:
    with SimulatedSageMaker(JobScript(TEN, stopping_seconds=60)) as world:
        sagemaker = client()
        sagemaker.create_training_job(**training())
        world.advance(80)
        sagemaker.stop_training_job(TrainingJobName="job-1")
        world.advance(50)
        sagemaker.stop_training_job(TrainingJobName="job-1")
        world.advance(10)
        assert world.job("job-1").secondary_status == "Uploading"  # the first call's time counts
        world.run()
        code, message = refusal(sagemaker.stop_training_job, TrainingJobName="job-1")
    assert code == "ValidationException"
    assert message == "The request was rejected because the training job is in status Stopped."


def test_stopping_an_unknown_job_is_a_validation_exception() -> None:
    with SimulatedSageMaker():
        assert refusal(client().stop_training_job, TrainingJobName="nobody") == (
            "ValidationException",
            "Requested resource not found.",
        )


# -- time limits -------------------------------------------------------------------------------------


def test_a_time_limit_stops_the_job_and_keeps_its_metric_and_model() -> None:
    with SimulatedSageMaker(JobScript(TEN, seconds_per_epoch=10)) as world:
        client().create_training_job(**training(StoppingCondition={"MaxRuntimeInSeconds": 45}))
        world.run()
        told = client().describe_training_job(TrainingJobName="job-1")
        assert world.job("job-1").model_uri
    check_shape("DescribeTrainingJob", told)
    assert (told["TrainingJobStatus"], told["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    # The limit counts from TrainingStartTime: ten seconds of downloading, then three epochs and a half.
    assert told["FinalMetricDataList"][0]["Value"] == pytest.approx(0.3)
    assert statuses(told)[2:] == ["Training", "Stopping", "Uploading", "MaxRuntimeExceeded"]


def test_a_job_whose_last_epoch_ends_on_the_limit_has_completed() -> None:
    with SimulatedSageMaker(JobScript(TEN, seconds_per_epoch=10, **FAST)) as world:
        client().create_training_job(**training(StoppingCondition={"MaxRuntimeInSeconds": 100}))
        world.run()
        assert world.job("job-1").status == "Completed"


def test_a_limit_that_is_reached_while_stopping_changes_nothing() -> None:
    script = JobScript(TEN, seconds_per_epoch=10, stopping_seconds=60, **FAST)
    with SimulatedSageMaker(script) as world:
        client().create_training_job(**training(StoppingCondition={"MaxRuntimeInSeconds": 30}))
        world.advance(25)
        client().stop_training_job(TrainingJobName="job-1")
        world.run()
        assert world.job("job-1").secondary_status == "Stopped"


# -- spot --------------------------------------------------------------------------------------------


def test_an_interrupted_job_starts_again_from_its_checkpoint_with_a_new_log_stream() -> None:
    script = JobScript(TEN[:4], seconds_per_epoch=10, interruptions=(2,), interruption_seconds=300)
    with SimulatedSageMaker(script) as world:
        client().create_training_job(**spot())
        world.run()
        told = client().describe_training_job(TrainingJobName="job-1")
        streams = messages(client("logs"), "job-1")
        found = values(world)
    check_shape("DescribeTrainingJob", told)
    assert statuses(told) == [
        "Starting",
        "Downloading",
        "Training",
        "Interrupted",
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert found == TEN[:4]
    assert [len(lines) for lines in streams.values()] == [2, 2]
    assert len(set(streams)) == 2
    # Waiting for instances is not paid for, and spot instances are cheaper than their time.
    assert told["TrainingTimeInSeconds"] == (10 + 20) + (10 + 20 + 10)
    assert told["BillableTimeInSeconds"] < told["TrainingTimeInSeconds"]


def test_without_a_checkpoint_all_values_come_again() -> None:
    script = JobScript(TEN[:3], interruptions=(2, 1))
    with SimulatedSageMaker(script) as world:
        client().create_training_job(**spot(CheckpointConfig=None))
        world.run()
        job = world.job("job-1")
        assert values(world) == [0.1, 0.2, 0.1, 0.1, 0.2, 0.3]
        assert len(job.starts) == 3
        assert job.status == "Completed"


def test_a_script_may_be_one_that_never_resumes() -> None:
    with SimulatedSageMaker(JobScript(TEN[:2], interruptions=(1,), resumes=False)) as world:
        client().create_training_job(**spot())
        world.run()
        assert values(world) == [0.1, 0.1, 0.2]


def test_a_test_may_interrupt_at_will() -> None:
    with SimulatedSageMaker(JobScript(TEN, seconds_per_epoch=10, **FAST)) as world:
        client().create_training_job(**spot())
        world.advance(35)
        world.interrupt("job-1")
        assert world.job("job-1").secondary_status == "Interrupted"
        world.run()
        assert values(world) == TEN


def test_only_training_on_spot_instances_is_interrupted() -> None:
    script = JobScript(TEN, interruptions=(1,))
    with SimulatedSageMaker(script) as world:
        client().create_training_job(**training("on-demand"))
        client().create_training_job(**spot("on-spot"))
        with pytest.raises(ValueError, match="spot"):
            world.interrupt("on-demand")
        with pytest.raises(ValueError, match="Starting"):
            world.interrupt("on-spot")
        with pytest.raises(KeyError):
            world.interrupt("nobody")
        world.run()
        assert "Interrupted" not in [t.status for t in world.job("on-demand").transitions]


def test_an_interrupted_job_can_be_stopped() -> None:
    with SimulatedSageMaker(JobScript(TEN, interruptions=(2,), **FAST)) as world:
        client().create_training_job(**spot())
        world.advance(25)
        client().stop_training_job(TrainingJobName="job-1")
        world.run()
        told = client().describe_training_job(TrainingJobName="job-1")
    assert statuses(told)[-3:] == ["Interrupted", "Stopping", "Stopped"]
    assert told["FinalMetricDataList"][0]["Value"] == pytest.approx(0.2)


def test_waiting_too_long_for_spot_instances_ends_the_job() -> None:
    script = JobScript(TEN[:4], interruptions=(2,), interruption_seconds=5000, **FAST)
    with SimulatedSageMaker(script) as world:
        client().create_training_job(**spot(wait=3600))
        world.run()
        told = client().describe_training_job(TrainingJobName="job-1")
        assert world.clock.now() - 1_700_000_000 == 3600
    check_shape("DescribeTrainingJob", told)
    assert (told["TrainingJobStatus"], told["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")


def test_waiting_too_long_counts_while_training_too() -> None:
    script = JobScript(TEN, seconds_per_epoch=10, starting_seconds=50)
    with SimulatedSageMaker(script) as world:
        client().create_training_job(**spot(runtime=100, wait=100))
        world.run()
        job = world.job("job-1")
        assert (job.secondary_status, values(world)) == ("MaxWaitTimeExceeded", TEN[:4])
        assert job.model_uri


def test_the_time_limit_covers_all_starts_and_not_the_waiting() -> None:
    script = JobScript(TEN, seconds_per_epoch=10, interruptions=(3, 3), interruption_seconds=1000, **FAST)
    with SimulatedSageMaker(script) as world:
        client().create_training_job(**spot(runtime=75, wait=7200))
        world.run()
        job = world.job("job-1")
        assert (job.secondary_status, values(world)) == ("MaxRuntimeExceeded", TEN[:7])


# -- retries -----------------------------------------------------------------------------------------


def test_an_internal_error_is_retried_as_the_request_says() -> None:
    script = JobScript(TEN[:2], end=End.INTERNAL_ERROR, good_after=2)
    with SimulatedSageMaker(script) as world:
        client().create_training_job(**training(RetryStrategy={"MaximumRetryAttempts": 2}))
        world.run()
        told = client().describe_training_job(TrainingJobName="job-1")
        assert len(world.job("job-1").starts) == 3
    check_shape("DescribeTrainingJob", told)
    assert told["TrainingJobStatus"] == "Completed"
    assert statuses(told).count("Starting") == 3


def test_retries_come_to_an_end() -> None:
    with SimulatedSageMaker(JobScript(TEN[:2], end=End.INTERNAL_ERROR)) as world:
        client().create_training_job(**training(RetryStrategy={"MaximumRetryAttempts": 1}))
        world.run()
        job = world.job("job-1")
        assert (job.status, len(job.starts)) == ("Failed", 2)
        assert (job.failure_reason or "").startswith("InternalServerError")


def test_an_algorithms_error_is_not_retried() -> None:
    with SimulatedSageMaker(JobScript(TEN[:2], end=End.FAIL)) as world:
        client().create_training_job(**training(RetryStrategy={"MaximumRetryAttempts": 3}))
        world.run()
        assert len(world.job("job-1").starts) == 1
