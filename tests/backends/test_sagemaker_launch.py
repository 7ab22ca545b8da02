"""Launching on SageMaker: the name is the key, and passing trouble is told from final refusals."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from amt_flows.backends.sagemaker import SageMakerBackend
from amt_flows.errors import BackendError, CapacityUnavailable, LaunchRejected, NameTaken
from amt_flows.ports import JobState, Launch
from amt_flows.testing.sagemaker import SimulatedSageMaker, refusals
from amt_flows.testing.sagemaker.calls import Answer, Call
from amt_flows.testing.sagemaker.quotas import Quotas
from amt_flows.testing.sagemaker.refusals import Refusal
from amt_flows.testing.sagemaker.scripts import JobScript
from backends.sagemaker_world import (
    TUNING_JOB,
    Controller,
    backend,
    client,
    request,
    spec,
    template,
    verbatim,
)

# Moto warns of errors that every service may give and none has in its model.
UNMODELLED = pytest.mark.filterwarnings("ignore:.*does not match an error shape")


def test_a_job_has_our_tags_and_a_request_that_the_service_takes() -> None:
    with SimulatedSageMaker() as world:
        assert backend(world).launch(request(tags={"team": "vision"})) is Launch.STARTED
        assert {tag["Key"]: tag["Value"] for tag in world.jobs[0].tags} == {
            "team": "vision",
            "amt-flows-tuning-job": "demo",
            "amt-flows-trial": "1",
            "amt-flows-attempt": "1",
            "amt-flows-fingerprint": "f" * 64,
        }


def test_an_answer_that_was_lost_launches_nothing_twice() -> None:
    with SimulatedSageMaker() as world:
        controller = backend(world)
        world.inject("CreateTrainingJob", refusals.connection_lost(), times=1, after=True)
        with pytest.raises(CapacityUnavailable):
            controller.launch(request())
        assert controller.launch(request()) is Launch.ATTACHED
        assert len(world.jobs) == 1


@pytest.mark.parametrize(
    "changes",
    [{"fingerprint": "0" * 64}, {"hyperparameters": {"learning_rate": "9"}}],
)
def test_a_job_of_another_spec_is_not_ours(changes: dict[str, Any]) -> None:
    with SimulatedSageMaker() as world:
        backend(world).launch(request())
        with pytest.raises(NameTaken, match="not of this tuning job"):
            backend(world).launch(request(**changes))


def test_a_job_of_another_program_is_not_ours() -> None:
    with SimulatedSageMaker() as world:
        client("sagemaker").create_training_job(
            **{**verbatim(), "TrainingJobName": request().name, "StoppingCondition": {}}
        )
        with pytest.raises(NameTaken, match="another program launched it"):
            backend(world).launch(request())


@pytest.mark.parametrize(
    ("refusal", "text"),
    [
        (refusals.throttled(), "Rate exceeded"),
        (refusals.expired_credentials(), "expired"),
        (refusals.internal_failure(), "internal error"),
        (refusals.service_unavailable(), "unavailable"),
        (refusals.connection_lost(), "Connection was closed"),
        (Refusal("ResourceLimitExceeded", "The account-level service limit"), "account-level service limit"),
    ],
)
def test_passing_trouble_makes_the_engine_wait(refusal: Refusal, text: str) -> None:
    with SimulatedSageMaker() as world:
        controller = backend(world)
        with world.inject("CreateTrainingJob", refusal), pytest.raises(CapacityUnavailable, match=text):
            controller.launch(request())
        assert controller.launch(request()) is Launch.STARTED


@UNMODELLED
@pytest.mark.parametrize(
    ("refusal", "text"),
    [
        (refusals.validation("Could not assume role"), "Could not assume role"),
        (refusals.access_denied("sagemaker:CreateTrainingJob"), "not authorized"),
        (Refusal("UnrecognizedClientException", "The security token is invalid."), "token is invalid"),
    ],
)
def test_a_final_refusal_is_told_in_aws_words(refusal: Refusal, text: str) -> None:
    with SimulatedSageMaker() as world:
        world.inject("CreateTrainingJob", refusal)
        with pytest.raises(LaunchRejected, match=text) as caught:
            backend(world).launch(request())
        assert caught.value.remedy


def test_who_may_not_look_at_the_job_that_has_the_name_is_told_so() -> None:
    with SimulatedSageMaker() as world:
        backend(world).launch(request())
        world.inject("ListTags", refusals.access_denied("sagemaker:ListTags"))
        with pytest.raises(LaunchRejected, match="sagemaker:ListTags"):
            backend(world).launch(request())


@UNMODELLED
def test_credentials_that_have_worked_may_work_again() -> None:
    with SimulatedSageMaker() as world:
        controller = backend(world)
        gone = Refusal("UnrecognizedClientException", "The security token is invalid.")
        controller.launch(request())
        with world.inject("CreateTrainingJob", gone), pytest.raises(CapacityUnavailable):
            controller.launch(request(2))


def test_a_full_quota_is_waited_for() -> None:
    with SimulatedSageMaker(JobScript([0.5]), quotas=Quotas(total=1)) as world:
        controller = Controller(world)
        (name,) = controller.launch(request())
        with pytest.raises(CapacityUnavailable, match="Instances"):
            controller.backend.launch(request(2))
        controller.end(name)
        assert controller.backend.launch(request(2)) is Launch.STARTED


def test_a_stopping_job_holds_its_place() -> None:
    script = JobScript([0.5] * 100, stopping_seconds=100)
    with SimulatedSageMaker(script, quotas=Quotas(total=1)) as world:
        controller = Controller(world)
        (name,) = controller.launch(request())
        controller.until(lambda report: report.state is JobState.RUNNING, name)
        controller.backend.stop(TUNING_JOB, [name])
        assert controller.poll(name)[0].state is JobState.STOPPING
        with pytest.raises(CapacityUnavailable):
            controller.backend.launch(request(2))


def test_launches_are_apart() -> None:
    with SimulatedSageMaker() as world:
        controller = backend(world, launch_seconds=2.0)
        for trial in range(1, 6):
            controller.launch(request(trial))
        times = [job.created_at for job in world.jobs]
    gaps = [after - before for before, after in pairwise(times)]
    assert all(2.0 * 0.66 <= gap <= 2.0 * 1.34 for gap in gaps)
    assert len(set(gaps)) == len(gaps), "irregular"


def test_a_template_that_makes_no_request_is_rejected() -> None:
    wrong = template().model_copy(update={"sagemaker": {"HyperParameterTuningResourceConfig": 3}})
    with SimulatedSageMaker() as world, pytest.raises(LaunchRejected):
        backend(world).launch(replace(request(), template=wrong))


def test_without_a_region_a_spec_is_refused_before_anything_else() -> None:
    class Nowhere:
        region_name = None

    found = SageMakerBackend(Nowhere()).check(spec())
    assert [problem.field for problem in found] == ["backend.region"]


def test_looking_for_jobs_outlasts_an_outage() -> None:
    with SimulatedSageMaker() as world:
        controller = backend(world)
        controller.launch(request())
        world.inject("ListTrainingJobs", refusals.throttled(), times=3)
        assert [job.name for job in controller.find(TUNING_JOB)] == [request().name]
        world.inject("ListTrainingJobs", refusals.throttled())
        with pytest.raises(BackendError, match="Rate exceeded"):
            controller.find(TUNING_JOB)


def test_who_may_not_list_is_told_before_money_is_spent() -> None:
    with SimulatedSageMaker() as world:
        world.inject("ListTrainingJobs", refusals.access_denied("sagemaker:ListTrainingJobs"))
        with pytest.raises(BackendError, match="sagemaker:ListTrainingJobs") as caught:
            backend(world).find(TUNING_JOB)
        assert "policy" in caught.value.remedy


def test_jobs_of_tuning_jobs_with_names_alike_are_told_apart() -> None:
    with SimulatedSageMaker() as world:
        controller = backend(world)
        for tuning_job in ("demo", "demo-2", "my-demo"):
            name = f"{tuning_job}-001-00000001"
            controller.launch(request(name=name, tuning_job=tuning_job))
        for tuning_job in ("demo", "demo-2", "my-demo"):
            found = controller.find(tuning_job)
            assert [job.name for job in found] == [f"{tuning_job}-001-00000001"]


def test_jobs_are_found_while_the_index_of_the_search_lags() -> None:
    with SimulatedSageMaker() as world:
        backend(world).launch(request())
        real = world.answer

        def without_results(call: Call) -> Answer | None:
            return {"Results": []} if call.operation == "Search" else real(call)

        world.answer = without_results  # type: ignore[method-assign]
        (job,) = backend(world).find(TUNING_JOB)
        assert (job.trial, job.attempt, job.fingerprint) == (1, 1, "f" * 64)
        assert job.hyperparameters == {"learning_rate": "1"}
