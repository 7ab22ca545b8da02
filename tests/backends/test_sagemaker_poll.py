"""Following training jobs on SageMaker: curves, ends, and what lags, lacks or fails."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Mapping

import pytest
from moto import mock_aws

from amt_flows.backends.sagemaker import SageMakerBackend
from amt_flows.backends.simulated import VirtualClock
from amt_flows.errors import BackendError
from amt_flows.ports import JobReport, JobState
from amt_flows.testing.sagemaker import SimulatedSageMaker, refusals
from amt_flows.testing.sagemaker.calls import Answer, Call
from amt_flows.testing.sagemaker.lags import Lags
from amt_flows.testing.sagemaker.scripts import CAPACITY_ERROR, End, JobScript
from backends.sagemaker_world import (
    OBJECTIVE,
    TUNING_JOB,
    Controller,
    SharedClients,
    backend,
    calls_since,
    client,
    request,
    template,
)

VALUES = [0.1, 0.9, 0.35]
SCRIPT = JobScript(VALUES)
SPOT = {
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxWaitTimeInSeconds": 90_000},
    "CheckpointConfig": {"S3Uri": "s3://bucket/checkpoints"},
}


# -- curves ----------------------------------------------------------------------------------------------


def test_values_come_while_the_job_runs_and_exactly() -> None:
    with SimulatedSageMaker(JobScript(VALUES, seconds_per_epoch=120)) as world:
        controller = Controller(world)
        (name,) = controller.launch(request())
        seen: set[int] = set()
        report = controller.poll(name)[0]
        while not report.state.terminal:
            controller.backend.wait(10)
            report = controller.poll(name)[0]
            if not report.state.terminal:
                seen.add(len(controller.points[name]))
        assert {0, 1, 2} <= seen
        # The final value that Describe tells has 32 bits only; it must not be taken for a fourth.
        assert controller.values(name) == VALUES


def test_all_metrics_are_read_and_each_counts_its_own_epochs() -> None:
    metrics = [{"name": "loss", "regex": "loss=([0-9.]+)"}]
    script = JobScript([{OBJECTIVE: 0.5, "loss": 3.0}, {"loss": 2.0}, {OBJECTIVE: 0.6}])
    with SimulatedSageMaker(script) as world:
        controller = Controller(world)
        one = request(template=template(metric_definitions=metrics))
        controller.run(one)
        assert controller.values(one.name) == [0.5, 0.6]
        assert controller.values(one.name, "loss") == [3.0, 2.0]


def test_nan_and_infinity_are_values() -> None:
    values = [0.5, math.nan, math.inf]
    with SimulatedSageMaker(JobScript(values)) as world:
        controller = Controller(world)
        controller.run(request())
        assert str(controller.values(request().name)) == str(values)


@pytest.mark.parametrize(
    ("resumes", "again"),
    [(True, [(3, 0.3), (4, 0.4)]), (False, [(1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4)])],
    ids=["from a checkpoint", "from the beginning"],
)
def test_a_spot_restart_has_a_stream_of_its_own_and_the_epochs_that_its_lines_name(
    resumes: bool, again: list[tuple[int, float]]
) -> None:
    script = JobScript([0.1, 0.2, 0.3, 0.4], interruptions=(2,), resumes=resumes, seconds_per_epoch=60)
    with SimulatedSageMaker(script) as world:
        controller = Controller(world)
        report = controller.run(request(template=template(SPOT)))
        assert report.state is JobState.COMPLETED
        assert len(world.jobs[0].starts) == 2
        assert controller.epochs(report.name) == [(1, 0.1), (2, 0.2), *again]
        successor = Controller(world)
        successor.end(report.name)
        assert successor.epochs(report.name) == controller.epochs(report.name)


def test_a_restart_that_no_poll_saw_is_read_all_the_same() -> None:
    script = JobScript([0.1, 0.2, 0.3], interruptions=(1, 1), interruption_seconds=1, starting_seconds=1)
    with SimulatedSageMaker(script) as world:
        controller = Controller(world, poll_seconds=10_000)
        report = controller.run(request(template=template(SPOT)))
        assert len(world.jobs[0].starts) == 3
        assert controller.values(report.name) == [0.1, 0.2, 0.3]


def test_only_the_first_host_of_a_distributed_job_is_read() -> None:
    with SimulatedSageMaker(SCRIPT) as world:
        controller = Controller(world)
        (name,) = controller.launch(request())
        logs = client("logs")
        world.advance(100)
        for host in ("algo-2", "algo-10"):
            stream = f"{name}/{host}-1700000000"
            logs.create_log_stream(logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=stream)
        controller.end(name)
        assert controller.values(name) == VALUES
    assert world.calls["GetLogEvents"] > 0


def test_a_long_log_is_read_in_pages() -> None:
    script = JobScript([0.5] * 30, seconds_per_epoch=1, lines=chatter)
    with SimulatedSageMaker(script) as world:
        controller = Controller(world)
        report = controller.run(request())
        assert len(controller.values(report.name)) == 30


def chatter(epoch: int, values: Mapping[str, float]) -> list[str]:
    steps = [f"step {i} of epoch {epoch}" for i in range(400)]
    return [*steps, f"amt-report {OBJECTIVE}={values[OBJECTIVE]};"]


def test_an_algorithm_of_aws_is_read_by_the_definitions_that_describe_tells() -> None:
    image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:1.7-1"
    algorithm = {"TrainingImage": image, "TrainingInputMode": "File"}
    script = JobScript([{OBJECTIVE: 0.5}], lines=lambda epoch, values: ["validation-auc:0.75"])
    regex = r"validation-auc:([0-9.]+)"
    with SimulatedSageMaker(script) as world:
        real = world.answer

        def with_definitions(call: Call) -> Answer | None:
            told = real(call)
            if told is None or call.operation != "DescribeTrainingJob":
                return told
            defined = {**algorithm, "MetricDefinitions": [{"Name": "validation:auc", "Regex": regex}]}
            return {**told, "AlgorithmSpecification": defined}

        world.answer = with_definitions  # type: ignore[method-assign]
        controller = Controller(world)
        report = controller.run(request(template=template({"AlgorithmSpecification": algorithm})))
        assert controller.values(report.name, "validation:auc") == [0.75]


# -- ends ------------------------------------------------------------------------------------------------


def test_a_completed_job_has_all_that_a_deploy_step_needs() -> None:
    with SimulatedSageMaker(SCRIPT) as world:
        controller = Controller(world)
        report = controller.run(request())
        job = world.jobs[0]
        assert report.artifact == job.model_uri == f"s3://bucket/models/{job.name}/output/model.tar.gz"
        assert (report.started_at, report.ended_at) == (job.training_started_at, job.training_ended_at)
        assert report.log is not None
        assert report.log.startswith("https://eu-west-1.console.aws.amazon.com/cloudwatch/")
        assert job.name in report.log


@pytest.mark.parametrize(
    ("script", "infrastructure", "text"),
    [
        (JobScript([0.5], end=End.FAIL, failure="the loss exploded"), False, "the loss exploded"),
        (JobScript([0.5], end=End.INTERNAL_ERROR), True, "InternalServerError"),
        (JobScript(end=End.CAPACITY_ERROR), True, CAPACITY_ERROR),
    ],
)
def test_a_failure_says_whose_fault_it_was(script: JobScript, infrastructure: bool, text: str) -> None:
    with SimulatedSageMaker(script) as world:
        report = Controller(world).run(request())
        assert (report.state, report.infrastructure) == (JobState.FAILED, infrastructure)
        assert text in str(report.failure)


def test_a_job_that_ran_too_long_is_timed_out_with_its_values() -> None:
    with SimulatedSageMaker(JobScript([0.1] * 100, seconds_per_epoch=60)) as world:
        controller = Controller(world)
        report = controller.run(request(template=template(max_runtime_seconds=600)))
        assert (report.state, report.timed_out) == (JobState.STOPPED, True)
        assert len(controller.values(report.name)) >= 9
        assert report.artifact is not None


def test_a_spot_job_that_waited_too_long_is_timed_out_and_says_why() -> None:
    spot = {**SPOT, "StoppingCondition": {"MaxWaitTimeInSeconds": 700}}
    script = JobScript([0.1] * 100, interruptions=(1,), interruption_seconds=10_000)
    with SimulatedSageMaker(script) as world:
        report = Controller(world).run(request(template=template(spot, max_runtime_seconds=600)))
        assert (report.state, report.timed_out) == (JobState.STOPPED, True)
        assert "MaxWaitTimeInSeconds" in str(report.failure)


def test_a_job_that_emits_nothing_ends_without_a_value() -> None:
    with SimulatedSageMaker(JobScript()) as world:
        controller = Controller(world)
        report = controller.run(request())
        assert report.state is JobState.COMPLETED
        assert controller.points[report.name] == []


def test_a_deleted_job_is_lost() -> None:
    with SimulatedSageMaker(SCRIPT) as world:
        controller = Controller(world, poll_seconds=5)
        (name,) = controller.launch(request())
        controller.until(lambda report: report.state is JobState.RUNNING, name)
        world.run()
        client("sagemaker").delete_training_job(TrainingJobName=name)
        report = controller.end(name)
        assert report.state is JobState.LOST
        assert "no training job" in str(report.failure)


def deleted_while(world: SimulatedSageMaker, controller: Controller, name: str) -> float:
    """Seconds until the controller has decided on a job that somebody stops and deletes behind its back."""
    sagemaker = client("sagemaker")
    sagemaker.stop_training_job(TrainingJobName=name)
    while world.job(name).live:
        world.advance(1)
    sagemaker.delete_training_job(TrainingJobName=name)
    began = world.clock.now()
    report = controller.end(name)
    assert report.state is JobState.LOST
    return world.clock.now() - began


@pytest.mark.parametrize("seen", [True, False])
def test_one_that_is_stopped_and_deleted_behind_our_back_is_decided_within_a_few_polls(seen: bool) -> None:
    script = JobScript([0.5] * 100, seconds_per_epoch=60, stopping_seconds=0, uploading_seconds=0)
    with SimulatedSageMaker(script) as world:
        controller = Controller(world, poll_seconds=20)
        (name,) = controller.launch(request())
        if seen:
            controller.until(lambda report: report.state is JobState.RUNNING, name)
        # Two polls of twenty seconds and their jitter; before it was listed, the time that listings may lag.
        assert deleted_while(world, controller, name) <= (100 if seen else 160)


def test_one_that_the_service_does_not_know_yet_is_not_lost() -> None:
    """Each call may meet a part of the service that has not heard of it."""
    with SimulatedSageMaker(SCRIPT) as world:
        controller = Controller(world, poll_seconds=20)
        (name,) = controller.launch(request())
        with (
            world.inject("DescribeTrainingJob", refusals.not_found(), rate=0.3),
            world.inject("ListTrainingJobs", refusals.throttled(), times=3),
        ):
            assert controller.end(name).state is JobState.COMPLETED


def test_a_listing_of_all_costs_no_more_calls_where_a_page_holds_it() -> None:
    script = JobScript([0.5] * 40, seconds_per_epoch=60)
    with SimulatedSageMaker(script) as world:
        controller = Controller(world, poll_seconds=20)
        (name,) = controller.launch(request())
        controller.until(lambda report: report.state is JobState.RUNNING, name)
        before, began = world.calls["ListTrainingJobs"], world.clock.now()
        controller.end(name)
        polls = (world.clock.now() - began) / 20
        assert world.calls["ListTrainingJobs"] - before <= polls + 5


# -- lags ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lags",
    [
        Lags(final_metric_polls=2),
        Lags(final_metric_polls=99),
        Lags(log_seconds=45),
        Lags(log_seconds=45, final_metric_polls=2),
        Lags(log_batch_seconds=5, empty_log_pages=2),
        Lags(describe_polls=2),
        Lags(search_seconds=120),
        Lags(log_seconds=30, describe_polls=1, final_metric_polls=1, search_seconds=30),
    ],
    ids=str,
)
def test_whatever_lags_every_value_comes_before_the_end(lags: Lags) -> None:
    with SimulatedSageMaker(SCRIPT, lags=lags) as world:
        controller = Controller(world)
        report = controller.run(request())
        assert report.state is JobState.COMPLETED
        assert controller.values(report.name) == VALUES
        held = controller.backend._clock.now() - world.jobs[0].last_modified_at
        assert held < 300, "a slot is not held for ever"


def test_without_logs_the_final_value_is_the_value(caplog: pytest.LogCaptureFixture) -> None:
    with SimulatedSageMaker(SCRIPT, lags=Lags(final_metric_polls=2)) as world:
        world.inject("DescribeLogStreams", refusals.access_denied("logs:DescribeLogStreams"))
        controller = Controller(world)
        with caplog.at_level(logging.WARNING, "amt_flows"):
            report = controller.run(request())
        assert report.state is JobState.COMPLETED
        assert controller.values(report.name) == [0.35], "and not the 0.3499999940395355 of 32 bits"
        assert not controller.backend.approximate
    assert caplog.text.count("no training job is stopped early") == 1


def test_without_logs_curves_may_be_averages(caplog: pytest.LogCaptureFixture) -> None:
    script = JobScript([0.1, 0.3, 0.5, 0.7, 0.9, 1.1], seconds_per_epoch=30)
    with SimulatedSageMaker(script) as world:
        world.inject("GetLogEvents", refusals.access_denied("logs:GetLogEvents"))
        controller = Controller(world, approximate_curves=True)
        (name,) = controller.launch(request())
        seen: set[int] = set()
        report = controller.poll(name)[0]
        while not report.state.terminal:
            controller.backend.wait(10)
            report = controller.poll(name)[0]
            seen.add(len(controller.points[name]))
        assert controller.backend.approximate
        values = controller.values(name)
        assert len(seen) > 2, "they come while it runs"
        assert values == sorted(values)
        assert values[-1] == 1.1
        assert 3 <= len(values) <= 5, "averages of a minute, and the final value"


def test_averages_of_many_jobs_are_asked_for_together() -> None:
    with SimulatedSageMaker(JobScript([0.1] * 20, seconds_per_epoch=60)) as world:
        world.inject("DescribeLogStreams", refusals.access_denied("logs:DescribeLogStreams"))
        controller = Controller(world, approximate_curves=True, poll_seconds=60)
        names = controller.launch(*(request(trial) for trial in range(1, 9)))
        controller.until(lambda report: report.state is JobState.RUNNING, *names)
        before = Counter(world.calls)
        for _ in range(10):
            controller.backend.wait(1000)
            controller.poll(*names)
        assert 5 <= calls_since(world, before)["GetMetricData"] <= 10


# -- trouble ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operation", ["ListTrainingJobs", "DescribeTrainingJob", "DescribeLogStreams", "GetLogEvents", "*"]
)
@pytest.mark.parametrize("refusal", [refusals.throttled(), refusals.connection_lost()], ids=lambda r: r.code)
def test_passing_trouble_costs_time_and_no_values(operation: str, refusal: refusals.Refusal) -> None:
    with SimulatedSageMaker(SCRIPT, seed=3) as world:
        controller = Controller(world, poll_seconds=5)
        (name,) = controller.launch(request())
        world.inject(operation, refusal, rate=0.5)
        assert controller.end(name).state is JobState.COMPLETED
        assert controller.values(name) == VALUES


def test_credentials_that_expire_are_waited_for() -> None:
    with SimulatedSageMaker(SCRIPT) as world:
        controller = Controller(world)
        (name,) = controller.launch(request())
        controller.until(lambda report: report.state is JobState.RUNNING, name)
        fault = world.expire_credentials()
        for _ in range(20):
            controller.backend.wait(60)
            assert not controller.poll(name)[0].state.terminal
        fault.remove()
        assert controller.end(name).state is JobState.COMPLETED
        assert controller.values(name) == VALUES


def test_a_successor_that_meets_trouble_calls_nothing_lost() -> None:
    with SimulatedSageMaker(SCRIPT) as world:
        (name,) = Controller(world).launch(request())
        world.inject("DescribeTrainingJob", refusals.throttled(), times=2)
        successor = Controller(world)
        assert successor.poll(name)[0].state is JobState.STARTING
        assert successor.end(name).state is JobState.COMPLETED


def test_while_trouble_lasts_a_successor_asks_at_its_pace() -> None:
    with SimulatedSageMaker(SCRIPT) as world:
        (name,) = Controller(world).launch(request())
        world.inject("*", refusals.throttled())
        successor = Controller(world, poll_seconds=20)
        before, began = Counter(world.calls), world.clock.now()
        while world.clock.now() < began + 300:
            successor.poll(name)
            successor.backend.wait(1.0)
        assert sum(calls_since(world, before).values()) <= 1 + 300 / (20 * 0.66)


def test_a_permission_that_lacks_is_an_error_with_a_remedy() -> None:
    with SimulatedSageMaker(SCRIPT) as world:
        controller = Controller(world)
        (name,) = controller.launch(request())
        world.inject("ListTrainingJobs", refusals.access_denied("sagemaker:ListTrainingJobs"))
        with pytest.raises(BackendError, match="ListTrainingJobs") as caught:
            controller.end(name)
        assert "policy" in caught.value.remedy


# -- stopping --------------------------------------------------------------------------------------------


def test_a_request_to_stop_that_got_lost_is_made_again() -> None:
    with SimulatedSageMaker(JobScript([0.1] * 1000)) as world:
        controller = Controller(world)
        (name,) = controller.launch(request())
        controller.until(lambda report: report.state is JobState.RUNNING, name)
        world.inject("StopTrainingJob", refusals.throttled(), times=3)
        controller.backend.stop(TUNING_JOB, [name])
        assert controller.end(name).state is JobState.STOPPED


def test_stopping_again_ended_or_unknown_jobs_is_no_error() -> None:
    with SimulatedSageMaker(JobScript([0.1], stopping_seconds=50)) as world:
        controller = Controller(world)
        (name,) = controller.launch(request())
        for _ in range(2):
            controller.backend.stop(TUNING_JOB, [name, "demo-999-00000000"])
        controller.end(name)
        before = Counter(world.calls)
        controller.backend.stop(TUNING_JOB, [name], kill=True)
        assert calls_since(world, before) == {}
        backend(world).stop(TUNING_JOB, [name])


# -- how often and how much ------------------------------------------------------------------------------


def test_between_polls_nobody_is_asked() -> None:
    with SimulatedSageMaker(JobScript([0.1] * 100)) as world:
        controller = Controller(world, poll_seconds=20)
        (name,) = controller.launch(request())
        controller.poll(name)
        before, began = Counter(world.calls), world.clock.now()
        while world.clock.now() < began + 600:
            controller.backend.wait(1.0)
            controller.poll(name)
        lists = calls_since(world, before)["ListTrainingJobs"]
        assert 600 / (20 * 1.34) <= lists <= 600 / (20 * 0.66)


def test_a_poll_of_jobs_that_do_not_change_is_one_call_and_their_logs() -> None:
    script = JobScript([0.1] * 10, end=End.HANG)
    with SimulatedSageMaker(script) as world:
        controller = Controller(world, log_calls_per_poll=7)
        names = controller.launch(*(request(trial) for trial in range(1, 41)))
        controller.until(lambda report: report.state is JobState.RUNNING, *names)
        world.advance(1000)  # no change for so long
        controller.poll(*names)
        before = Counter(world.calls)
        controller.backend.wait(1000)
        controller.poll(*names)
        spent = calls_since(world, before)
        assert spent["ListTrainingJobs"] == 1
        assert spent.get("GetLogEvents", 0) + spent.get("DescribeLogStreams", 0) <= 8
        assert set(spent) <= {"ListTrainingJobs", "GetLogEvents", "DescribeLogStreams"}


def test_logs_are_read_in_turns() -> None:
    script = JobScript([0.1] * 300, seconds_per_epoch=1)
    with SimulatedSageMaker(script) as world:
        controller = Controller(world, log_calls_per_poll=4)
        names = controller.launch(*(request(trial) for trial in range(1, 11)))
        controller.until(lambda report: report.state is JobState.RUNNING, *names)
        for _ in range(12):
            controller.backend.wait(1000)
            controller.poll(*names)
        assert all(controller.points[name] for name in names)


def test_many_unknown_jobs_are_searched_for_and_not_described_one_by_one() -> None:
    with SimulatedSageMaker(JobScript([0.1] * 3, end=End.HANG)) as world:
        names = Controller(world).launch(*(request(trial) for trial in range(1, 31)))
        before = Counter(world.calls)
        reports = Controller(world, log_calls_per_poll=0).poll(*names)
        spent = calls_since(world, before)
        assert all(report.state is JobState.STARTING for report in reports)
        assert spent == {"Search": 1, "ListTrainingJobs": 1}


def test_who_found_the_jobs_describes_none_of_them() -> None:
    with SimulatedSageMaker(JobScript([0.1] * 3, end=End.HANG)) as world:
        names = Controller(world).launch(*(request(trial) for trial in range(1, 4)))
        successor = Controller(world)
        successor.backend.find(TUNING_JOB)
        before = Counter(world.calls)
        successor.poll(*names)
        assert "DescribeTrainingJob" not in calls_since(world, before)


def test_a_job_that_the_listing_forgets_is_looked_for() -> None:
    """A full listing is made now and then; what it lacks is asked for by name."""
    with SimulatedSageMaker(SCRIPT, lags=Lags(search_seconds=100_000)) as world:
        controller = Controller(world)
        report: JobReport = controller.run(request())
        assert report.state is JobState.COMPLETED
        assert controller.values(report.name) == VALUES


def test_a_name_is_the_same_in_any_case() -> None:
    with SimulatedSageMaker(SCRIPT) as world:
        controller = Controller(world)
        (name,) = controller.launch(request())
        assert controller.end(name.upper()).state is JobState.COMPLETED


def test_a_service_that_is_slower_than_the_pace_is_followed_all_the_same() -> None:
    # A listing alone takes longer than a turn.
    with SimulatedSageMaker(JobScript([0.5, 0.6], seconds_per_epoch=30), tick_seconds=5.0) as world:
        controller = Controller(world, poll_seconds=4)
        names = controller.launch(*map(request, range(1, 4)))
        for _ in range(100):
            if all(report.state.terminal for report in controller.poll(*names)):
                break
            controller.backend.wait(60)
        assert all(controller.values(name) == [0.5, 0.6] for name in names)


def test_no_poll_is_longer_than_its_pace_when_many_jobs_end_at_once() -> None:
    # A second a call: a poll of twenty seconds has time for a dozen, and each end takes three.
    script = JobScript([0.5], seconds_per_epoch=30, starting_seconds=400)
    with SimulatedSageMaker(script, tick_seconds=1.0) as world:
        controller = Controller(world, poll_seconds=20)
        names = controller.launch(*map(request, range(1, 31)))
        longest, told = 0.0, 0
        while told < len(names):
            controller.backend.wait(60)
            began = world.clock.now()
            states = [report.state for report in controller.poll(*names)]
            longest = max(longest, world.clock.now() - began)
            assert told <= sum(state.terminal for state in states)
            told = sum(state.terminal for state in states)
        assert longest <= 20 * 0.67
        assert all(controller.values(name) == [0.5] for name in names)


def test_who_meets_motos_mock_is_told_once_that_nothing_runs_there(caplog: pytest.LogCaptureFixture) -> None:
    with mock_aws():
        clock = VirtualClock()
        where = SageMakerBackend(session=SharedClients(), clock=clock, sleep=clock.advance)
        names = []
        for trial in (1, 2):
            where.launch(request(trial))
            names.append(request(trial).name)
        for _ in range(50):
            reports = where.poll(TUNING_JOB, names)
            where.wait(60)
    assert {report.state for report in reports} == {JobState.COMPLETED}
    told = [record.message for record in caplog.records if "moto's mock answers so" in record.message]
    assert len(told) == 1
    with SimulatedSageMaker(JobScript([0.5], 0, 0, 0, 0)) as world:
        controller = Controller(world)
        controller.launch(request(3))
        world.run()
        controller.poll(request(3).name)
    assert [r.message for r in caplog.records if "moto's mock" in r.message] == told
