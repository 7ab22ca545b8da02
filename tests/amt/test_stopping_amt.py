"""AMT is asked to stop from here, from elsewhere and by its name; trouble that passes is waited out."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from amt.scripted_amt import Plan, clients, opened, scripted_world, until
from amt_flows.amt import HandedOff, follow, stop_handed_off
from amt_flows.errors import BackendError, TuningJobNotFound
from amt_flows.events import Outcome, TuningStatus
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.testing.sagemaker import (
    JobScript,
    SimulatedSageMaker,
    access_denied,
    connection_lost,
    expired_credentials,
    throttled,
)
from backends.sagemaker_world import client, spec

STOP = "StopHyperParameterTuningJob"
PLAN = Plan([{"learning_rate": str(rate)} for rate in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)])


def train(given: Mapping[str, str]) -> JobScript:
    rate = float(given["learning_rate"])
    return JobScript([rate * epoch for epoch in range(1, 9)], seconds_per_epoch=60, stopping_seconds=30)


def status(followed: HandedOff) -> TuningStatus:
    return followed.ledger.status


def held_up(followed: HandedOff) -> bool:
    return followed.held_up_by is not None


def half_done(world: SimulatedSageMaker, journal: MemoryJournal | None = None) -> HandedOff:
    """Two jobs have ended and two run."""

    def is_half_done(one: HandedOff) -> bool:
        return len(one.ledger.ended) == 2 and any(len(job.curve) >= 2 for job in one.ledger.live)

    return until(opened(world, spec(), journal), is_half_done)


def test_a_request_stops_it_and_keeps_the_best_so_far() -> None:
    with scripted_world(train, PLAN) as world:
        followed = half_done(world)
        best = followed.ledger.best
        followed.request_stop("stopped by SIGINT")
        followed.observe()
        assert status(followed) is TuningStatus.STOPPING
        assert all(job.stop_asked_at is not None for job in followed.ledger.live)
        follow(followed)
        ledger = followed.ledger
        assert ledger.status is TuningStatus.STOPPED
        assert [(one.rule, one.message) for one in ledger.reasons] == [("StoppedByUser", "stopped by SIGINT")]
        assert [job.outcome for job in ledger.ended[2:]] == [Outcome.STOPPED] * 2
        assert all(job.has_usable_value and job.artifact for job in ledger.ended)
        assert ledger.best is best is not None
        assert world.calls[STOP] == 1
        assert world.live == ()


def test_a_note_in_the_journal_stops_it() -> None:
    journal = MemoryJournal()
    with scripted_world(train, PLAN) as world:
        followed = half_done(world, journal)
        journal.ask_to_stop("enough")
        follow(followed)
        assert status(followed) is TuningStatus.STOPPED
        assert followed.ledger.reasons[0].message == "enough"


def test_it_is_stopped_by_its_name_whoever_follows_it() -> None:
    with scripted_world(train, PLAN) as world:
        followed = half_done(world)
        assert stop_handed_off("demo", clients(), sleep=world.sleep) is True
        until(followed, lambda one: one.ledger.concluding)
        assert status(followed) is TuningStatus.STOPPING
        follow(followed)
        assert status(followed) is TuningStatus.STOPPED
        assert followed.ledger.reasons[0].rule == "StoppedByUser"
        assert stop_handed_off("demo", clients(), sleep=world.sleep) is False
        with pytest.raises(TuningJobNotFound):
            stop_handed_off("nobody", clients(), sleep=world.sleep)


def test_one_that_has_ended_meanwhile_has_not_been_stopped() -> None:
    with scripted_world(train, PLAN) as world:
        followed = half_done(world)
        for _ in range(6):
            world.advance(2_000)
            client("sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="demo")
        followed.request_stop("too late")
        follow(followed)
        assert status(followed) is TuningStatus.COMPLETED
        assert "too late" not in [reason.message for reason in followed.ledger.reasons]


# -- trouble ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble", [throttled(), connection_lost(), expired_credentials()], ids=lambda r: r.code
)
def test_a_stop_that_meets_passing_trouble_is_repeated(trouble: object) -> None:
    with scripted_world(train, PLAN) as world:
        followed = half_done(world)
        world.inject(STOP, trouble, times=2)  # type: ignore[arg-type]
        followed.request_stop("enough")
        followed.observe()
        assert held_up(followed)
        assert status(followed) is TuningStatus.IN_PROGRESS
        follow(followed)
        assert not held_up(followed)
        assert (status(followed), world.calls[STOP]) == (TuningStatus.STOPPED, 3)


def test_by_name_too() -> None:
    with scripted_world(train, PLAN) as world:
        half_done(world)
        world.inject(STOP, throttled(), times=3)
        assert stop_handed_off("demo", clients(), sleep=world.sleep)


def test_who_may_not_stop_it_is_told_and_it_goes_on() -> None:
    journal = MemoryJournal()
    with scripted_world(train, PLAN) as world:
        followed = half_done(world, journal)
        followed.request_stop("enough")
        with (
            world.inject(STOP, access_denied("sagemaker:StopHyperParameterTuningJob")),
            pytest.raises(BackendError, match="goes on") as caught,
        ):
            followed.observe()
        assert "allow the action" in caught.value.remedy
        again = opened(world, spec(), journal)
        follow(again)
        assert again.ledger.status is TuningStatus.COMPLETED
        assert len(again.ledger.jobs) == 6


@pytest.mark.parametrize(
    "operation",
    ["Describe*", "ListTrainingJobsForHyperParameterTuningJob", "GetLogEvents", "DescribeLogStreams"],
)
def test_following_outlasts_passing_trouble(operation: str) -> None:
    with scripted_world(train, PLAN) as world:
        followed = opened(world, spec())
        world.inject(operation, throttled(), rate=0.4)
        follow(followed)
        assert status(followed) is TuningStatus.COMPLETED
        assert [len(job.curve) for job in followed.ledger.jobs.values()] == [8] * 6


def test_who_may_not_look_is_told() -> None:
    with scripted_world(train, PLAN) as world:
        followed = opened(world, spec())
        world.inject("DescribeHyper*", access_denied("sagemaker:DescribeHyperParameterTuningJob"))
        with pytest.raises(BackendError, match="describing tuning job demo"):
            follow(followed)
