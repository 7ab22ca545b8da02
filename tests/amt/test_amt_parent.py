"""A tuning job of AMT's is read as a warm start's parent, whole, in few calls."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from amt.scripted_amt import Plan, clients, run, scripted_world
from amt_flows.amt import amt_parent
from amt_flows.amt.request import amt_request
from amt_flows.errors import BackendError, SpecError, TuningJobNotFound
from amt_flows.spec import TuningSpec
from amt_flows.testing.sagemaker import End, JobScript, access_denied, throttled
from amt_flows.tuning.warm_start.parent import parent_from_amt
from backends.sagemaker_world import client, spec
from spec.bodies import two_algorithms

HOWS = ["0.1", "0.2", "0.3", "0.4"]


def train(given: Mapping[str, str]) -> JobScript:
    rate = given["learning_rate"]
    if rate == "0.2":
        return JobScript([0.7], end=End.FAIL)
    if rate == "0.3":
        return JobScript([])
    if rate == "0.4":
        return JobScript([0.25, math.nan])
    return JobScript([0.05, 0.05, 0.05, 0.05, 0.1], seconds_per_epoch=30)


def test_every_job_with_its_configuration_objective_and_times() -> None:
    plan = Plan([{"learning_rate": rate} for rate in HOWS], stop_early={1: 1})
    asked = spec(static_hyperparameters={"epochs": 2}, early_stopping={"type": "Auto"})
    with scripted_world(train, plan) as world:
        run(world, asked)
        parent = amt_parent("DEMO", clients(), sleep=world.sleep)
        assert (parent.name, parent.status) == ("demo", "Completed")
        assert (parent.objective_metric, parent.maximize) == ("accuracy", True)
        assert parent.static_hyperparameters == {"epochs": "2"}
        assert [job.name for job in parent.jobs] == [job.name for job in world.jobs]
        assert [job.tuned_hyperparameters for job in parent.jobs] == [{"learning_rate": r} for r in HOWS]
        assert [job.status for job in parent.jobs] == ["Stopped", "Failed", "Completed", "Completed"]
        # Of the job that diverged, its last number; 32 bits are told in as few digits as tell them apart.
        assert [job.objective_value for job in parent.jobs] == [0.05, 0.7, None, 0.25]
        for job, there in zip(parent.jobs, world.jobs, strict=True):
            assert job.started_at == pytest.approx(there.training_started_at, abs=0.01)
            assert job.ended_at == pytest.approx(there.training_ended_at, abs=0.01)


def test_our_own_warm_start_understands_it() -> None:
    with scripted_world(train, Plan([{"learning_rate": rate} for rate in HOWS])) as world:
        run(world, spec())
        parent = parent_from_amt(amt_parent("demo", clients(), sleep=world.sleep))
        assert parent.tuned == {"learning_rate"}
        assert [job.value for job in parent.jobs] == [0.1, None, None, 0.25]


def test_it_is_read_a_hundred_jobs_a_call() -> None:
    with scripted_world(JobScript([0.5], starting_seconds=1), Plan([])) as world:
        client("sagemaker").create_hyper_parameter_tuning_job(**amt_request(spec()))
        engine = world.tuning_jobs[0].engine
        engine._plan = Plan([{"learning_rate": str(i / 1000)} for i in range(1, 151)])  # type: ignore[union-attr]
        for i in range(150):
            engine._launch(i)  # type: ignore[union-attr]
        before = world.calls.copy()
        parent = amt_parent("demo", clients(), sleep=world.sleep)
        assert len({job.name for job in parent.jobs}) == 150
        assert world.calls["ListTrainingJobsForHyperParameterTuningJob"] == 2
        assert sum(world.calls.values()) - sum(before.values()) == 3


def test_minimise() -> None:
    asked = spec(objective={"metric_name": "loss", "type": "Minimize"})
    with scripted_world(JobScript([0.5]), Plan([{"learning_rate": "0.1"}])) as world:
        run(world, asked)
        parent = amt_parent("demo", clients(), sleep=world.sleep)
        assert (parent.objective_metric, parent.maximize) == ("loss", False)


def test_passing_trouble_is_waited_out_and_a_refusal_is_told() -> None:
    with scripted_world(JobScript([0.5]), Plan([{"learning_rate": "0.1"}])) as world:
        run(world, spec())
        with world.inject("ListTrainingJobsForHyperParameterTuningJob", throttled(), times=3):
            assert len(amt_parent("demo", clients(), sleep=world.sleep).jobs) == 1
        with (
            world.inject("Describe*", throttled()),
            pytest.raises(BackendError, match="describing tuning job demo"),
        ):
            amt_parent("demo", clients(), sleep=world.sleep)
        denied = access_denied("sagemaker:DescribeHyperParameterTuningJob")
        with world.inject("Describe*", denied), pytest.raises(BackendError, match="DescribeHyper") as caught:
            amt_parent("demo", clients(), sleep=world.sleep)
        assert "allow the action" in caught.value.remedy


def test_an_unknown_one_and_one_of_several_algorithms() -> None:
    plan = Plan([{"trees": "20"}], definitions=["forest"])
    with scripted_world(JobScript([0.5]), plan) as world:
        with pytest.raises(TuningJobNotFound, match="no tuning job nobody"):
            amt_parent("nobody", clients(), sleep=world.sleep)
        body = two_algorithms()
        body["TrainingJobDefinitions"][1]["TuningObjective"]["Type"] = "Maximize"
        run(world, TuningSpec.parse(body))
        with pytest.raises(SpecError, match="several algorithms"):
            amt_parent("two", clients(), sleep=world.sleep)
