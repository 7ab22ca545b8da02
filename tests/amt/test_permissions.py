"""The policy for handing tuning jobs to AMT allows every call that is made, and no other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from amt.scripted_amt import Plan, attached, clients, opened, run, scripted_world
from amt_flows.amt import amt_parent, follow, stop_handed_off
from amt_flows.backends.sagemaker.policy import IMPLIED, actions_of, main, policy
from amt_flows.ledger.journals.s3 import S3Journal
from amt_flows.testing.sagemaker import JobScript, SimulatedSageMaker, access_denied, connection_lost
from backends.sagemaker_world import REGION, client, spec

PLAN = Plan([{"learning_rate": "0.1"}, {"learning_rate": "0.2"}, {"learning_rate": "0.3"}], stop_early={2: 1})


def train(given: Mapping[str, str]) -> JobScript:
    return JobScript([float(given["learning_rate"])] * 6, seconds_per_epoch=40)


def called(world: SimulatedSageMaker) -> set[str]:
    actions = {action for action, count in world.actions.items() if count > 0}
    return actions | {implied for action in actions for implied in IMPLIED.get(action, ())}


@contextmanager
def s3_journal(world: SimulatedSageMaker) -> Iterator[S3Journal]:
    client("s3").create_bucket(Bucket="journals", CreateBucketConfiguration={"LocationConstraint": REGION})
    world.actions.clear()
    yield S3Journal(
        "s3://journals/tunings/demo",
        client("s3"),
        monotonic=world.clock.now,
        sleep=world.sleep,
        stop_note_seconds=60,
    )


def models_left_out(world: SimulatedSageMaker, actions: set[str]) -> set[str]:
    """The simulated training jobs put their models into the same S3."""
    return actions - {"s3:CreateBucket", "s3:HeadBucket"}


def test_the_policy_allows_what_is_called_and_nothing_else() -> None:
    with scripted_world(train, PLAN) as world, s3_journal(world) as journal:
        world.inject("CreateHyperParameterTuningJob", connection_lost(), times=1, after=True)
        asked = spec(early_stopping={"type": "Auto"})
        follow(opened(world, asked, journal))
        journal.ask_to_stop("enough")
        assert opened(world, asked, S3Journal(journal.location, client("s3"))).ledger.finished
        stopped = opened(world, asked.named("other"))
        stopped.request_stop("enough")
        follow(stopped)
        stop_handed_off("other", clients(), sleep=world.sleep)
        follow(attached(world, "other"))
        amt_parent("demo", clients(), sleep=world.sleep)
        assert models_left_out(world, called(world)) == actions_of(policy(amt=True, journal=journal.location))


def test_averages_need_one_permission_more() -> None:
    with scripted_world(train, PLAN) as world:
        world.inject("GetLogEvents", access_denied("logs:GetLogEvents"))
        run(world, spec(), approximate_curves=True)
        more = actions_of(policy(amt=True, approximate_curves=True)) - actions_of(policy(amt=True))
    assert more == {"cloudwatch:GetMetricData"}
    assert more <= called(world) <= actions_of(policy(amt=True, approximate_curves=True))


def test_neither_policy_has_what_only_the_other_needs() -> None:
    amt, ours = actions_of(policy(amt=True)), actions_of(policy())
    assert ours - amt == {
        "sagemaker:CreateTrainingJob",
        "sagemaker:ListTrainingJobs",
        "sagemaker:Search",
        "sagemaker:StopTrainingJob",
    }
    assert amt - ours == {
        "sagemaker:CreateHyperParameterTuningJob",
        "sagemaker:DescribeHyperParameterTuningJob",
        "sagemaker:ListTrainingJobsForHyperParameterTuningJob",
        "sagemaker:StopHyperParameterTuningJob",
    }


def test_the_policy_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--amt", "--names", "Demo-*"])
    by_id = {one["Sid"]: one for one in json.loads(capsys.readouterr().out)["Statement"]}
    tuning = "arn:aws:sagemaker:*:*:hyper-parameter-tuning-job/demo-*"
    training = "arn:aws:sagemaker:*:*:training-job/demo-*"
    assert by_id["TuningJobs"]["Resource"] == [tuning]
    assert by_id["TrainingJobs"]["Resource"] == [training]
    assert by_id["Tags"]["Resource"] == [tuning, training]
    assert by_id["PassRole"]["Action"] == ["iam:PassRole"]
