"""A tuning job that AMT drives is followed as any other: trials, curves, outcomes, the best, the reasons."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

import pytest

from amt.scripted_amt import Plan, attached, opened, run, scripted_world, until
from amt_flows.events import Outcome, TuningStatus
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.secrets import HIDDEN
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.results import describe, result_of, training_jobs
from amt_flows.testing.sagemaker import End, JobScript, Lags, access_denied
from backends.sagemaker_world import client, spec
from testing.sagemaker_requests import check_shape

EPOCHS = 6


def rates(count: int, seed: int = 1) -> list[dict[str, str]]:
    chance = random.Random(seed)
    return [{"learning_rate": repr(round(chance.uniform(0.001, 1.0), 6))} for _ in range(count)]


def values_of(rate: float) -> list[float]:
    return [rate * (1 - 0.4**epoch) for epoch in range(1, EPOCHS + 1)]


def train(hyperparameters: Mapping[str, str]) -> JobScript:
    return JobScript(values_of(float(hyperparameters["learning_rate"])), seconds_per_epoch=40)


def told_best(name: str = "demo") -> tuple[str, float] | None:
    told = client("sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    best = told.get("BestTrainingJob")
    if best is None:
        return None
    return best["TrainingJobName"], best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]


def assert_same_best(ledger: Ledger) -> None:
    best, theirs = ledger.best, told_best()
    assert (best is None) == (theirs is None)
    if best is not None and theirs is not None:
        assert best.name == theirs[0]
        assert best.final_value == pytest.approx(theirs[1], rel=1e-6)


def outcomes(ledger: Ledger) -> list[Outcome | None]:
    return [job.outcome for job in ledger.jobs.values()]


# -- a tuning job as a whole ------------------------------------------------------------------------------


def test_a_spec_is_tuned_by_amt_and_its_record_is_like_that_of_any_tuning_job() -> None:
    journal = MemoryJournal()
    with scripted_world(train, Plan(rates(5))) as world:
        ledger = run(world, spec(), journal)
        assert ledger.status is TuningStatus.COMPLETED
        assert [job.name for job in world.jobs] == list(ledger.jobs)
        assert [trial.number for trial in ledger.trials.values()] == [1, 2, 3, 4, 5]
        for trial, asked in zip(ledger.trials.values(), rates(5), strict=True):
            assert trial.configuration == {"learning_rate": float(asked["learning_rate"])}
            assert trial.source == "amt"
        for job in ledger.jobs.values():
            there = world.job(job.name)
            assert job.outcome is Outcome.COMPLETED
            assert [v for _, v in job.curve] == [e.value for e in there.emissions]
            assert job.started_at == pytest.approx(there.training_started_at, abs=0.01)
            assert job.ended_at == pytest.approx(there.training_ended_at, abs=0.01)
            assert job.artifact == there.model_uri
        assert_same_best(ledger)
        [tuning] = world.tuning_jobs
        assert ledger.opened_at == pytest.approx(tuning.created_at, abs=0.01)
        assert (ledger.backend, ledger.name) == ("amt:eu-west-1", "demo")
        assert result_of(ledger, journal.location).runtime_seconds == pytest.approx(
            tuning.describe()["ConsumedResources"]["RuntimeInSeconds"], abs=1
        )
    check_shape("DescribeHyperParameterTuningJob", describe(ledger, ledger.last_at))
    check_shape("ListTrainingJobsForHyperParameterTuningJob", training_jobs(ledger))
    result = result_of(Ledger.replay(journal.read()), journal.location)
    assert result.best is not None
    assert result.best.artifact == "s3://bucket/models/" + result.best.name + "/output/model.tar.gz"
    assert len(result.rows()) == 5


def test_values_come_while_jobs_run_and_every_one_once() -> None:
    with scripted_world(train, Plan(rates(2))) as world:
        followed = opened(world, spec())
        until(followed, lambda one: any(1 <= len(job.curve) < EPOCHS for job in one.ledger.live))
        assert world.live
        until(followed, lambda one: one.ledger.finished)
        assert [len(job.curve) for job in followed.ledger.jobs.values()] == [EPOCHS, EPOCHS]


def test_without_the_logs_the_final_values_are_known_all_the_same() -> None:
    with scripted_world(train, Plan(rates(3))) as world:
        world.inject("GetLogEvents", access_denied("logs:GetLogEvents"))
        ledger = run(world, spec())
        assert_same_best(ledger)
        assert outcomes(ledger) == [Outcome.COMPLETED] * 3


# -- how jobs end ------------------------------------------------------------------------------------------


def test_no_secret_of_ours_stands_in_the_text_of_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_KEY", "s3cr3t/of+the=house")
    failing = JobScript([0.7], end=End.FAIL, failure="no access with s3cr3t/of+the=house")
    why = "All training jobs failed: no access with s3cr3t/of+the=house"
    journal = MemoryJournal()
    with scripted_world(lambda given: failing, Plan(rates(2), fails_with=why)) as world:
        ledger = run(world, spec(), journal)
    told = [str(job.failure) for job in ledger.jobs.values()] + [ledger.reasons[0].message]
    assert [f"no access with {HIDDEN}" in text for text in told] == [True] * 3, told
    assert "s3cr3t" not in repr(journal.read())


def test_jobs_that_amt_stops_while_it_goes_on_are_stopped_early() -> None:
    asked = spec(early_stopping={"type": "Auto"})
    with scripted_world(train, Plan(rates(6), stop_early={2: 2, 6: 3})) as world:
        ledger = run(world, asked)
        expected = [Outcome.COMPLETED] * 6
        expected[1] = expected[5] = Outcome.STOPPED_EARLY
        assert outcomes(ledger) == expected
        for job in ledger.jobs.values():
            if job.outcome is Outcome.STOPPED_EARLY:
                assert job.stop_why == "AMT stopped it early"
                assert 2 <= len(job.curve) < EPOCHS
                assert job.final_value == pytest.approx(job.curve.last_value, rel=1e-6)
        assert result_of(ledger, "").saved.stopped_jobs == 2
        assert_same_best(ledger)


def test_a_job_that_somebody_stops_is_called_so_where_nothing_is_stopped_early() -> None:
    with scripted_world(train, Plan(rates(3))) as world:
        followed = until(opened(world, spec()), lambda one: any(len(j.curve) for j in one.ledger.live))
        [name, *_] = followed.ledger.jobs
        client("sagemaker").stop_training_job(TrainingJobName=name)
        until(followed, lambda one: one.ledger.finished)
        job = followed.ledger.jobs[name]
        assert (job.outcome, job.stopped_early) == (Outcome.STOPPED_OUTSIDE, False)
        assert followed.ledger.status is TuningStatus.COMPLETED


def test_a_job_that_runs_out_of_time_has_timed_out_and_keeps_its_value() -> None:
    asked = spec(
        early_stopping={"type": "Auto"},
        training_job={**spec().training_job.model_dump(), "max_runtime_seconds": 130},
    )
    with scripted_world(train, Plan(rates(2))) as world:
        ledger = run(world, asked)
        assert outcomes(ledger) == [Outcome.TIMED_OUT] * 2
        assert not any(job.stopped_early for job in ledger.jobs.values())
        assert all(job.has_usable_value for job in ledger.jobs.values())
        assert_same_best(ledger)


def ending(how: str) -> JobScript:
    return {
        "good": JobScript([0.5, 0.6]),
        "fails": JobScript([0.7], end=End.FAIL, failure="no more memory"),
        "no capacity": JobScript(end=End.CAPACITY_ERROR),
        "silent": JobScript([]),
        "diverges": JobScript([0.9, math.nan]),
    }[how]


def test_failures_are_told_apart() -> None:
    hows = ["good", "fails", "no capacity", "silent", "diverges"]
    asked = spec(
        continuous=[],
        categorical=[{"name": "how", "values": hows}],
        strategy="Grid",
        limits={"max_parallel_training_jobs": 2},
    )
    with scripted_world(lambda given: ending(given["how"]), Plan([{"how": how} for how in hows])) as world:
        ledger = run(world, asked)
        assert dict(zip(hows, outcomes(ledger), strict=True)) == {
            "good": Outcome.COMPLETED,
            "fails": Outcome.FAILED,
            "no capacity": Outcome.INFRASTRUCTURE,
            "silent": Outcome.NO_METRIC,
            "diverges": Outcome.COMPLETED,  # its last number is what SageMaker knows of it
        }
        assert "no more memory" in str(list(ledger.jobs.values())[1].failure)
        assert_same_best(ledger)
        told = client("sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="demo")
        ours = describe(ledger, ledger.last_at)["TrainingJobStatusCounters"]
        failed = ("RetryableError", "NonRetryableError")
        for name in ("Completed", "InProgress", "Stopped"):
            assert ours[name] == told["TrainingJobStatusCounters"][name]
        assert sum(ours[n] for n in failed) == sum(told["TrainingJobStatusCounters"][n] for n in failed)


def test_a_final_objective_that_comes_late_is_waited_for() -> None:
    with scripted_world(train, Plan(rates(4), objective_lag=6), lags=Lags(final_metric_polls=2)) as world:
        ledger = run(world, spec())
        assert outcomes(ledger) == [Outcome.COMPLETED] * 4
        assert_same_best(ledger)


def test_an_objective_that_never_comes_is_taken_from_the_log_at_last() -> None:
    with scripted_world(train, Plan(rates(2), objective_lag=10**6)) as world:
        ledger = run(world, spec())
        assert ledger.status is TuningStatus.COMPLETED
        assert [job.final_value for job in ledger.jobs.values()] == [
            job.curve.last_value for job in ledger.jobs.values()
        ]


def test_a_job_that_is_listed_late_is_not_missed_at_the_end() -> None:
    quick = JobScript([0.5], starting_seconds=1, downloading_seconds=1, uploading_seconds=1)
    with scripted_world(quick, Plan(rates(3), list_lag=3)) as world:
        ledger = run(world, spec())
        assert list(ledger.jobs) == [job.name for job in world.jobs]
        assert outcomes(ledger) == [Outcome.COMPLETED] * 3
        assert_same_best(ledger)


# -- why it ends -------------------------------------------------------------------------------------------


def rules(ledger: Ledger) -> list[str]:
    return [reason.rule for reason in ledger.reasons]


def test_the_number_of_jobs() -> None:
    asked = spec(limits={"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 4})
    with scripted_world(train, Plan(rates(4))) as world:
        ledger = run(world, asked)
        assert rules(ledger) == ["MaxNumberOfTrainingJobs"]
        assert ledger.reasons[0].numbers == {"launched": 4, "limit": 4}


def test_the_target_ends_it_and_the_jobs_it_stops_are_not_early_stops() -> None:
    values = [{"learning_rate": str(rate)} for rate in (0.2, 0.99, 0.3, 0.4)]
    quick = {"0.99": 20.0}

    def slower(given: Mapping[str, str]) -> JobScript:
        rate = given["learning_rate"]
        return JobScript(values_of(float(rate)), seconds_per_epoch=quick.get(rate, 400.0))

    asked = spec(early_stopping={"type": "Auto"}, completion={"target_objective_metric_value": 0.9})
    with scripted_world(slower, Plan(values, target=0.9)) as world:
        ledger = run(world, asked)
        assert ledger.status is TuningStatus.COMPLETED
        assert rules(ledger) == ["TargetObjectiveMetricValue"]
        assert ledger.reasons[0].numbers["value"] == pytest.approx(0.99 * (1 - 0.4**6), rel=1e-6)
        assert Outcome.STOPPED in outcomes(ledger)
        assert Outcome.STOPPED_EARLY not in outcomes(ledger)
        assert_same_best(ledger)


@pytest.mark.parametrize("completes", [True, False])
def test_convergence_is_recorded_whether_or_not_it_ends_the_tuning_job(completes: bool) -> None:
    asked = spec(completion={"complete_on_convergence": completes})
    with scripted_world(train, Plan(rates(6), converges_after=3)) as world:
        ledger = run(world, asked)
        assert ledger.converged is not None
        assert ledger.opened_at < (ledger.converged_at or 0.0) <= ledger.last_at
        assert (rules(ledger) == ["CompleteOnConvergence"]) is completes
        assert (len(ledger.jobs) < 6) is completes


def test_jobs_that_do_not_improve() -> None:
    falling = [{"learning_rate": str(rate)} for rate in (0.9, 0.5, 0.4, 0.3)]
    asked = spec(completion={"max_number_of_training_jobs_not_improving": 3})
    with scripted_world(train, Plan(falling)) as world:
        ledger = run(world, asked)
        assert rules(ledger) == ["MaxNumberOfTrainingJobsNotImproving"]
        assert ledger.reasons[0].numbers == {"count": 3, "limit": 3}


def test_amt_says_why_it_failed() -> None:
    why = "All training jobs failed. Please take a look at the training jobs failures."
    with scripted_world(train, Plan(rates(4), fails_with=why)) as world:
        ledger = run(world, spec())
        assert ledger.status is TuningStatus.FAILED
        assert ledger.reasons[0].message == why


def test_an_end_without_a_reason_is_told_as_such() -> None:
    with scripted_world(train, Plan(rates(3))) as world:
        ledger = run(world, spec())  # asks for ten
        assert rules(ledger) == ["CompletedByAMT"]


# -- one that exists -----------------------------------------------------------------------------------------


def test_a_tuning_job_of_another_program_is_followed_by_its_name() -> None:
    with scripted_world(train, Plan(rates(4))) as world:
        until(opened(world, spec()), lambda one: len(one.ledger.ended) >= 1)
        followed = attached(world, "DEMO")
        assert followed.ledger.name == "demo"
        assert followed.ledger.spec.continuous == spec().continuous
        until(followed, lambda one: one.ledger.finished)
        assert outcomes(followed.ledger) == [Outcome.COMPLETED] * 4
        assert_same_best(followed.ledger)


def test_one_that_has_ended_long_ago_is_read_in_pieces() -> None:
    with scripted_world(train, Plan(rates(30))) as world:
        until(opened(world, spec()), lambda one: one.ledger.finished)
        world.advance(86_400)
        followed = attached(world, "demo")
        ended = []
        while not followed.ledger.finished:
            ended.append(len(followed.observe().ended))
            followed.wait()
        assert [n for n in ended if n] == [25, 5]
        assert len(followed.ledger.jobs) == 30
        assert_same_best(followed.ledger)


def test_one_that_was_deleted_ends_with_what_is_known_of_its_jobs() -> None:
    with scripted_world(train, Plan(rates(3))) as world:
        followed = until(opened(world, spec()), lambda one: len(one.ledger.jobs) == 3)
        world.run()
        world.advance(1_000)
        sagemaker = client("sagemaker")
        sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="demo")
        sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="demo")
        until(followed, lambda one: one.ledger.finished)
        assert rules(followed.ledger) == ["Deleted"]
        assert outcomes(followed.ledger) == [Outcome.COMPLETED] * 3
        assert followed.ledger.best is not None


# -- what it costs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("live", [4, 16])
def test_a_poll_costs_two_calls_and_a_call_for_every_log_that_is_due(live: int) -> None:
    asked = spec(limits={"max_parallel_training_jobs": live, "max_number_of_training_jobs": live})

    def long(given: Mapping[str, str]) -> JobScript:
        return JobScript([0.1] * 30, seconds_per_epoch=200)

    def all_have(jobs: Sequence[TrainingJob], values: int) -> bool:
        return len(jobs) == live and all(len(job.curve) >= values for job in jobs)

    with scripted_world(long, Plan(rates(live))) as world:
        followed = until(opened(world, asked), lambda one: all_have(one.ledger.live, 3))
        before = world.calls.copy()
        start = world.clock.now()
        while world.clock.now() < start + 2_000:
            followed.observe()
            followed.wait()
        now = world.calls
        polls = now["DescribeHyperParameterTuningJob"] - before["DescribeHyperParameterTuningJob"]
        assert polls == pytest.approx(90, rel=0.2)
        listed = "ListTrainingJobsForHyperParameterTuningJob"
        assert now[listed] - before[listed] == polls
        assert now["DescribeTrainingJob"] == before["DescribeTrainingJob"]
        assert now["GetLogEvents"] - before["GetLogEvents"] <= 10 * 3 * live
