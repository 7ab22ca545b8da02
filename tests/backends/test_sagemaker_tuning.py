"""Whole tuning jobs on the simulated service, in scripted time."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from amt_flows.backends.sagemaker.policy import IMPLIED, actions_of, main, policy
from amt_flows.events import Outcome, TuningStatus
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.journals.s3 import S3Journal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import Backend, Clock, Journal
from amt_flows.spec import TuningSpec
from amt_flows.testing.sagemaker import SimulatedSageMaker, refusals
from amt_flows.testing.sagemaker.lags import Lags
from amt_flows.testing.sagemaker.quotas import Quotas
from amt_flows.testing.sagemaker.scripts import End, JobScript
from amt_flows.testing.sagemaker.throttling import Chance
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.extend import extend
from amt_flows.tuning.loop import drive
from backends.sagemaker_world import REGION, backend, client, early, own_level, spec

BUCKET = "journals"


def run(asked: TuningSpec, where: Backend, clock: Clock, journal: Journal | None = None) -> Ledger:
    tuning = Tuning.open(asked, where, journal or MemoryJournal(), clock=clock)
    drive(tuning)
    return tuning.ledger


@contextmanager
def s3_journal(world: SimulatedSageMaker) -> Iterator[S3Journal]:
    where = {"LocationConstraint": REGION}
    client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
    before = dict(world.actions)
    yield S3Journal(
        f"s3://{BUCKET}/tunings/demo",
        client("s3"),
        monotonic=world.clock.now,
        sleep=world.sleep,
        stop_note_seconds=60,
    )
    for action in set(before) - {"s3:ListBucket"}:
        world.actions[action] -= before[action]


# -- a tuning job with early stopping -------------------------------------------------------------------


def test_early_stopping_really_stops_jobs_and_keeps_what_they_had() -> None:
    with SimulatedSageMaker(own_level) as world, s3_journal(world) as journal:
        ledger = run(early(), backend(world, poll_seconds=8), world.clock, journal)
        jobs = {job.name: job for job in world.jobs}
        stopped = [job for job in ledger.jobs.values() if job.outcome is Outcome.STOPPED_EARLY]
        assert ledger.status is TuningStatus.COMPLETED
        assert len(jobs) == len(ledger.jobs) == 10
        assert stopped
        for job in stopped:
            assert jobs[job.name].status == "Stopped"
            assert 1 <= len(job.curve) < 8
            assert job.metrics["accuracy"] == jobs[job.name].emissions[-1].value
        for job in ledger.jobs.values():
            assert [e.value for e in jobs[job.name].emissions] == [v for _, v in job.curve]
        best = ledger.best
        assert best is not None
        assert best.artifact == jobs[best.name].model_uri
        assert world.live == ()
        # Another machine reads the same from S3 alone.
        again = Ledger.replay(S3Journal(journal.location, client("s3")).read())
        assert (again.status, list(again.jobs)) == (ledger.status, list(ledger.jobs))


# -- going on ---------------------------------------------------------------------------------------------


def test_an_extended_tuning_job_goes_on_with_its_training_jobs_and_launches_none_twice() -> None:
    with SimulatedSageMaker(own_level) as world, s3_journal(world) as journal:
        first = run(early(), backend(world, poll_seconds=8), world.clock, journal)
        more = {"limits.max_number_of_training_jobs": 13}
        after = extend(first.name, journal, more, clock=world.clock)
        assert after.status is TuningStatus.IN_PROGRESS
        # Another machine, with the file as it was.
        again = S3Journal(
            journal.location, client("s3"), monotonic=world.clock.now, sleep=world.sleep, stop_note_seconds=60
        )
        ledger = run(early(), backend(world, poll_seconds=8), world.clock, again)
        assert ledger.status is TuningStatus.COMPLETED
        assert list(ledger.jobs)[:10] == list(first.jobs)
        assert len(ledger.jobs) == len(world.jobs) == 13
        assert world.live == ()


# -- trouble ---------------------------------------------------------------------------------------------


def test_a_tuning_job_outlasts_throttling_lags_a_small_quota_and_broken_machines() -> None:
    chance = random.Random(5)

    def unlucky(hyperparameters: Mapping[str, str]) -> JobScript:
        ends = [End.CAPACITY_ERROR, End.INTERNAL_ERROR, *[End.COMPLETE] * 4]
        return JobScript(own_level(hyperparameters).values, end=chance.choice(ends))

    lags = Lags(log_seconds=10, describe_polls=1, final_metric_polls=1, search_seconds=20)
    throttles = {"*": Chance(0.15)}
    quotas = Quotas(by_type={"ml.m5.large": 2})
    asked = early(limits={"max_parallel_training_jobs": 4, "max_number_of_training_jobs": 14})
    with SimulatedSageMaker(unlucky, lags=lags, throttles=throttles, quotas=quotas, seed=5) as world:
        ledger = run(asked, backend(world, poll_seconds=10), world.clock)
        assert ledger.status is TuningStatus.COMPLETED
        assert len(world.jobs) == len(ledger.jobs) == 14
        assert len({job.name for job in world.jobs}) == 14
        assert world.live == ()
        assert world.refused["CreateTrainingJob", "ResourceLimitExceeded"] > 0
        assert any(job.outcome is Outcome.INFRASTRUCTURE for job in ledger.jobs.values())
        for job in ledger.jobs.values():
            if job.outcome is Outcome.COMPLETED:
                expected = own_level(world.job(job.name).hyperparameters).values
                assert [value for _, value in job.curve] == list(expected)


def test_a_final_refusal_ends_the_tuning_job_before_money_is_spent() -> None:
    with SimulatedSageMaker(own_level) as world:
        world.inject("CreateTrainingJob", refusals.validation("Could not assume role arn:aws:iam::1:role/x"))
        ledger = run(spec(), backend(world), world.clock)
        assert ledger.status is TuningStatus.FAILED
        assert "Could not assume role" in ledger.reasons[0].message
        assert world.jobs == ()


def test_a_successor_goes_on_where_a_controller_died() -> None:
    with SimulatedSageMaker(own_level) as world, s3_journal(world) as journal:
        first = Tuning.open(early(), backend(world), journal, clock=world.clock)
        for _ in range(450):
            first.observe()
            first.check_early_stopping()
            if first.free_slots():
                first.propose(first.free_slots() - first.waiting())
                first.launch(first.free_slots())
            first.wait()
        assert 2 < len(world.jobs) < 10
        ledger = run(early(), backend(world), world.clock, journal)
        assert ledger.status is TuningStatus.COMPLETED
        assert len(world.jobs) == len(ledger.jobs) == 10


# -- permissions -----------------------------------------------------------------------------------------


def called(world: SimulatedSageMaker) -> set[str]:
    actions = {action for action, count in world.actions.items() if count > 0}
    return actions | {implied for action in actions for implied in IMPLIED.get(action, ())}


def test_the_policy_allows_what_is_called_and_nothing_else() -> None:
    with SimulatedSageMaker(own_level) as world, s3_journal(world) as journal:
        world.inject("CreateTrainingJob", refusals.connection_lost(), times=1, after=True)
        run(early(), backend(world), world.clock, journal)
        again = S3Journal(journal.location, client("s3"))
        again.ask_to_stop("enough")
        assert again.read()
        allowed = actions_of(policy(journal="s3://journals/tunings"))
    assert called(world) == allowed


def test_averages_need_one_permission_more() -> None:
    with SimulatedSageMaker(own_level) as world:
        world.inject("GetLogEvents", refusals.access_denied("logs:GetLogEvents"))
        world.inject("CreateTrainingJob", refusals.connection_lost(), times=1, after=True)
        run(early(), backend(world, approximate_curves=True), world.clock)
        more = actions_of(policy(approximate_curves=True)) - actions_of(policy())
    assert more == {"cloudwatch:GetMetricData"}
    assert called(world) - actions_of(policy()) == more


def test_the_policy_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    role = "arn:aws:iam::123456789012:role/trainer"
    main(["--role", role, "--journal", "s3://b/tunings/", "--names", "Demo-*"])
    document = json.loads(capsys.readouterr().out)
    by_id = {statement["Sid"]: statement for statement in document["Statement"]}
    assert by_id["PassRole"]["Resource"] == [role]
    assert by_id["TrainingJobs"]["Resource"] == ["arn:aws:sagemaker:*:*:training-job/demo-*"]
    assert by_id["Journal"]["Resource"] == ["arn:aws:s3:::b/tunings/*"]
    assert by_id["ListJournal"]["Condition"] == {"StringLike": {"s3:prefix": "tunings/*"}}
