"""The simulated SageMaker's tuning jobs tune: amt-flows' engine behind an unmodified boto3 client."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from amt_flows.errors import Problem
from amt_flows.testing.sagemaker import (
    AcceleratedClock,
    End,
    JobScript,
    Quotas,
    Refusal,
    SimulatedSageMaker,
)
from testing.sagemaker_requests import (
    KEYS,
    check_shape,
    client,
    messages,
    refusal,
    training,
    tuning,
    wait_for,
)

STATUS = "HyperParameterTuningJobStatus"
ENDED = ("Completed", "Failed", "Stopped")
EPOCHS = 6


def rising(hyperparameters: Mapping[str, str]) -> JobScript:
    """A curve that rises to the rate; how long an epoch takes depends on it, too."""
    rate = float(hyperparameters["rate"])
    seconds = random.Random(hyperparameters["rate"]).uniform(15.0, 25.0)
    return JobScript([rate * (1 - 0.5**epoch) for epoch in range(1, EPOCHS + 1)], seconds_per_epoch=seconds)


def asked(name: str = "tune-1", *, limits: Any = None, **config: Any) -> dict[str, Any]:
    """A request for ten training jobs, two at a time, with early stopping; ``config`` changes its config."""
    request = tuning(name)
    request["HyperParameterTuningJobConfig"] |= {
        "ResourceLimits": limits or {"MaxNumberOfTrainingJobs": 10, "MaxParallelTrainingJobs": 2},
        "TrainingJobEarlyStoppingType": "Auto",
        "RandomSeed": 7,
        **config,
    }
    return request


def create(request: Mapping[str, Any] | None = None) -> None:
    client().create_hyper_parameter_tuning_job(**(request or asked()))


def describe(name: str = "tune-1", url: str | None = None) -> dict[str, Any]:
    told: dict[str, Any] = client(url=url).describe_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name
    )
    check_shape("DescribeHyperParameterTuningJob", told)
    return told


def listed(name: str = "tune-1", *, url: str | None = None, **params: Any) -> list[dict[str, Any]]:
    """The entries of all pages."""
    pages = client(url=url).get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
    found: list[dict[str, Any]] = []
    for page in pages.paginate(HyperParameterTuningJobName=name, **params):
        check_shape("ListTrainingJobsForHyperParameterTuningJob", page)
        found += page["TrainingJobSummaries"]
    return found


def value(entry: Mapping[str, Any]) -> float:
    return float(entry["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])


def tuning_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("tuning ")]


# -- in scripted time ------------------------------------------------------------------------------------


def test_a_tuning_job_tunes_to_its_end() -> None:
    with SimulatedSageMaker(rising, tunes=True) as world:
        create()
        assert [job.name.rpartition("-")[0] for job in world.jobs] == ["tune-1-001", "tune-1-002"]
        while world.tuning_jobs[0].live:
            told = describe()
            counters = told["TrainingJobStatusCounters"]
            assert counters["InProgress"] == len(world.live) <= 2
            assert sum(counters.values()) == len(world.jobs)
            assert told["ObjectiveStatusCounters"]["Pending"] == counters["InProgress"]
            world.advance(30)
        told, entries = describe(), listed()
        assert told[STATUS] == "Completed"
        assert len(entries) == len(world.jobs) == 10
        completed = [entry for entry in entries if entry["TrainingJobStatus"] == "Completed"]
        stopped = [entry for entry in entries if entry["TrainingJobStatus"] == "Stopped"]
        assert stopped  # by early stopping
        assert told["TrainingJobStatusCounters"] == {
            "Completed": len(completed),
            "Stopped": len(stopped),
            "InProgress": 0,
            "RetryableError": 0,
            "NonRetryableError": 0,
        }
        assert told["ObjectiveStatusCounters"] == {"Succeeded": 10, "Pending": 0, "Failed": 0}
        assert told["BestTrainingJob"] == max(completed, key=value)
        seconds = (told["HyperParameterTuningEndTime"] - told["CreationTime"]).total_seconds()
        assert told["ConsumedResources"]["RuntimeInSeconds"] == int(seconds) > 0
        given = asked()
        assert told["HyperParameterTuningJobConfig"] == given["HyperParameterTuningJobConfig"]
        for entry in entries:
            job = client().describe_training_job(TrainingJobName=entry["TrainingJobName"])
            assert job["TrainingJobArn"] == entry["TrainingJobArn"]
            assert job["TuningJobArn"] == told["HyperParameterTuningJobArn"]
            assert job["HyperParameters"] == {
                **entry["TunedHyperParameters"],
                "_tuning_objective_metric": "accuracy",
            }
            assert job["FinalMetricDataList"][0]["Value"] == value(entry)
            assert job["TrainingEndTime"] == entry["TrainingEndTime"]


def leap(world: SimulatedSageMaker) -> None:
    world.advance(100_000)


def walk(world: SimulatedSageMaker) -> None:
    while world.tuning_jobs[0].live:
        world.advance(7.3)


def follow(world: SimulatedSageMaker) -> None:
    while world.tuning_jobs[0].live and (due := world.next_event()) is not None:
        world.advance(max(0.0, due - world.clock.now()))


def move_the_clock_alone(world: SimulatedSageMaker) -> None:
    world.clock.advance(100_000)  # type: ignore[attr-defined]
    describe()


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
@pytest.mark.parametrize("move", [leap, walk, follow, move_the_clock_alone, SimulatedSageMaker.run])
def test_however_time_is_moved_the_same_happens_at_the_same_time(
    move: Callable[[SimulatedSageMaker], None], strategy: str
) -> None:
    def history(move: Callable[[SimulatedSageMaker], None]) -> list[Any]:
        with SimulatedSageMaker(rising, tunes=True) as world:
            create(asked(Strategy=strategy))
            move(world)
            told = describe()
            assert told[STATUS] == "Completed"
            return [told["HyperParameterTuningEndTime"] - told["CreationTime"], listed()]

    assert history(move) == history(leap)


def test_several_tuning_jobs_share_a_world() -> None:
    with SimulatedSageMaker(rising, tunes=True, tick_seconds=5) as world:
        create(asked("a"))
        create(asked("b", RandomSeed=8))
        world.run()
        assert {name: describe(name)[STATUS] for name in ("a", "b")} == {"a": "Completed", "b": "Completed"}
        assert [len(listed(name)) for name in ("a", "b")] == [10, 10]
        assert {entry["TunedHyperParameters"]["rate"] for entry in listed("a")}.isdisjoint(
            entry["TunedHyperParameters"]["rate"] for entry in listed("b")
        )


def test_a_client_that_only_polls_sees_it_end() -> None:
    with SimulatedSageMaker(rising, tunes=True, tick_seconds=30):
        create()
        seen: list[str] = []
        while (status := describe()[STATUS]) not in ENDED:
            seen.append(status)
        assert status == "Completed"
        assert set(seen) == {"InProgress"}


def test_scripted_jobs_on_a_fast_real_clock_go_on_while_nobody_looks() -> None:
    with SimulatedSageMaker(rising, tunes=True, clock=AcceleratedClock(5_000)) as world:
        create()
        # Looks past the API, which would make things happen by itself.
        wait_for(lambda: not tuning_threads())
        assert not world.tuning_jobs[0].live
        assert len(listed()) == 10
        assert world.live == ()


# -- lists ----------------------------------------------------------------------------------------------


def test_training_jobs_are_sorted_filtered_and_paged() -> None:
    with SimulatedSageMaker(rising, tunes=True) as world:
        create()
        world.run()
        by_value = listed(SortBy="FinalObjectiveMetricValue", SortOrder="Descending", MaxResults=3)
        assert [value(e) for e in by_value] == sorted((value(e) for e in listed()), reverse=True)
        assert len(by_value) == 10
        stopped = listed(StatusEquals="Stopped")
        assert 0 < len(stopped) < 10
        assert {e["TrainingJobStatus"] for e in stopped} == {"Stopped"}
        names = [e["TrainingJobName"] for e in listed(SortBy="Name")]
        assert names == sorted(names) == [job.name for job in world.jobs]


def test_tuning_jobs_are_listed_and_found() -> None:
    with SimulatedSageMaker(rising, tunes=True) as world:
        create(asked("a"))
        world.run()
        create(asked("b"))
        answer = client().list_hyper_parameter_tuning_jobs(StatusEquals="Completed")
        check_shape("ListHyperParameterTuningJobs", answer)
        [entry] = answer["HyperParameterTuningJobSummaries"]
        assert (entry["HyperParameterTuningJobName"], entry["Strategy"]) == ("a", "Random")
        assert entry["ResourceLimits"] == {"MaxNumberOfTrainingJobs": 10, "MaxParallelTrainingJobs": 2}
        condition = {"Name": STATUS, "Operator": "Equals", "Value": "InProgress"}
        found = client().search(Resource="HyperParameterTuningJob", SearchExpression={"Filters": [condition]})
        check_shape("Search", found)
        [record] = found["Results"]
        assert record["HyperParameterTuningJob"]["HyperParameterTuningJobName"] == "b"


# -- ends -----------------------------------------------------------------------------------------------


def test_stopping_stops_what_runs_and_keeps_the_best() -> None:
    def slow(hyperparameters: Mapping[str, str]) -> JobScript:
        return JobScript([float(hyperparameters["rate"])] * 5, seconds_per_epoch=60, stopping_seconds=30)

    with SimulatedSageMaker(slow, tunes=True) as world:
        create(asked(TrainingJobEarlyStoppingType="Off"))
        world.advance(600)
        before = describe()
        assert before["TrainingJobStatusCounters"]["InProgress"] == 2
        client().stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune-1")
        told = describe()
        assert told[STATUS] == "Stopping"
        assert [job.status for job in world.live] == ["Stopping", "Stopping"]
        client().stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune-1")
        world.run()
        told = describe()
        assert told[STATUS] == "Stopped"
        assert told["BestTrainingJob"] == before["BestTrainingJob"]
        assert told["TrainingJobStatusCounters"]["Stopped"] == 2
        assert len(world.jobs) == sum(before["TrainingJobStatusCounters"].values())
        code, message = refusal(
            client().stop_hyper_parameter_tuning_job, HyperParameterTuningJobName="tune-1"
        )
        assert (code, "in status Stopped" in message) == ("ValidationException", True)


def test_the_time_limit_ends_it_though_nothing_else_happens() -> None:
    limits = {"MaxRuntimeInSeconds": 1000, "MaxParallelTrainingJobs": 2}
    with SimulatedSageMaker(JobScript([0.5], end=End.HANG), tunes=True) as world:
        create(asked(limits=limits))
        world.run()
        told = describe()
        assert told[STATUS] == "Failed"  # none has completed
        assert told["ConsumedResources"]["RuntimeInSeconds"] == 1010  # the models were uploaded, too
        assert [job.status for job in world.jobs] == ["Stopped", "Stopped"]


def test_a_target_that_is_reached_completes_it() -> None:
    criteria = {"TargetObjectiveMetricValue": 0.6}
    limits = {"MaxNumberOfTrainingJobs": 100, "MaxParallelTrainingJobs": 1}
    with SimulatedSageMaker(rising, tunes=True) as world:
        create(asked(limits=limits, TuningJobCompletionCriteria=criteria))
        world.run()
        told = describe()
        assert told[STATUS] == "Completed"
        assert value(told["BestTrainingJob"]) >= 0.6
        assert [value(e) >= 0.6 for e in listed(SortBy="Name")] == [False] * (len(world.jobs) - 1) + [True]


def test_a_small_quota_is_waited_for() -> None:
    limits = {"MaxNumberOfTrainingJobs": 6, "MaxParallelTrainingJobs": 3}
    with SimulatedSageMaker(rising, tunes=True, quotas=Quotas(total=1)) as world:
        client().create_training_job(**training("somebody-elses", HyperParameters={"rate": "1"}))
        create(asked(limits=limits))
        assert describe()["TrainingJobStatusCounters"]["InProgress"] == 0
        world.run()
        assert describe()[STATUS] == "Completed"
        assert len(listed()) == 6
        ended = 0.0
        for job in world.jobs:
            assert job.created_at >= ended
            ended = job.last_modified_at


def test_it_fails_when_all_training_fails() -> None:
    with SimulatedSageMaker(JobScript([0.5], end=End.FAIL, failure="no data"), tunes=True) as world:
        create()
        world.run()
        told = describe()
        assert told[STATUS] == "Failed"
        assert "no data" in told["FailureReason"]
        assert told["TrainingJobStatusCounters"]["NonRetryableError"] == len(world.jobs) < 10
        assert "BestTrainingJob" not in told
        assert {entry["ObjectiveStatus"] for entry in listed()} == {"Failed"}


def test_what_breaks_in_the_simulation_is_the_failure_reason(caplog: pytest.LogCaptureFixture) -> None:
    trained: list[str] = []

    def broken(hyperparameters: Mapping[str, str]) -> JobScript:
        trained.append(hyperparameters["rate"])
        if len(trained) == 4:
            raise KeyError("the test's own mistake")
        return rising(hyperparameters)

    with SimulatedSageMaker(broken, tunes=True) as world, caplog.at_level(logging.ERROR, "amt_flows"):
        create()
        world.run()
        told = describe()
        assert told[STATUS] == "Failed"
        assert "the test's own mistake" in told["FailureReason"]
        assert world.live == ()
        assert told["HyperParameterTuningEndTime"] >= told["CreationTime"]
        # Nobody watched the job that was stopped then, and still it is counted right.
        assert told["TrainingJobStatusCounters"]["InProgress"] == 0
        assert [entry["TrainingJobStatus"] for entry in listed()].count("Stopped") == 1
        create(asked("tune-2"))
        world.run()
        assert describe("tune-2")[STATUS] == "Completed"
    assert "tune-1" in caplog.text


def test_a_script_that_breaks_while_nobody_asks_ends_the_tuning_job_too() -> None:
    def lines(epoch: int, values: Mapping[str, float]) -> list[str]:
        if epoch == 2:
            raise KeyError("the test's own mistake")
        return [f"amt-report accuracy={values['accuracy']};"]

    script = JobScript([0.1, 0.2, 0.3], lines=lines)
    with SimulatedSageMaker(script, tunes=True, clock=AcceleratedClock(5_000)):
        create(asked(limits={"MaxNumberOfTrainingJobs": 10, "MaxParallelTrainingJobs": 1}))
        wait_for(lambda: not tuning_threads())
        told = describe()
        assert told[STATUS] == "Failed"
        assert "the test's own mistake" in told["FailureReason"]


def test_a_deleted_tuning_job_is_gone_and_its_training_jobs_are_not() -> None:
    with SimulatedSageMaker(rising, tunes=True) as world:
        create()
        assert (
            refusal(client().delete_hyper_parameter_tuning_job, HyperParameterTuningJobName="tune-1")[0]
            == "ResourceInUse"
        )
        world.run()
        client().delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune-1")
        assert (
            refusal(client().describe_hyper_parameter_tuning_job, HyperParameterTuningJobName="tune-1")[0]
            == "ResourceNotFound"
        )
        assert len(client().list_training_jobs()["TrainingJobSummaries"]) == 10


# -- requests -------------------------------------------------------------------------------------------


def test_a_name_that_is_taken() -> None:
    with SimulatedSageMaker(rising, tunes=True) as world:
        create()
        code, message = refusal(client().create_hyper_parameter_tuning_job, **asked("TUNE-1"))
        assert (code, "already exists" in message) == ("ResourceInUse", True)
        assert len(world.jobs) == 2


def wrong(what: str) -> dict[str, Any]:
    request = asked()
    config, definition = request["HyperParameterTuningJobConfig"], request["TrainingJobDefinition"]
    match what:
        case "a range that is upside down":
            config["ParameterRanges"]["ContinuousParameterRanges"][0]["MinValue"] = "2"
        case "a grid of numbers":
            config["Strategy"] = "Grid"
        case "no metric":
            del definition["AlgorithmSpecification"]["MetricDefinitions"]
        case "another metric":
            definition["AlgorithmSpecification"]["MetricDefinitions"][0]["Name"] = "loss"
    return request


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("a range that is upside down", "ContinuousParameterRanges[0]"),
        ("a grid of numbers", "CategoricalParameterRanges"),
        ("no metric", "Provide a metric in the metric definitions"),
        ("another metric", "no metric definition has this name"),
    ],
)
def test_what_aws_would_refuse_is_refused(what: str, says: str) -> None:
    with SimulatedSageMaker(rising, tunes=True) as world:
        code, message = refusal(client().create_hyper_parameter_tuning_job, **wrong(what))
        assert (code, says in message) == ("ValidationException", True), message
        assert (world.jobs, world.tuning_jobs) == ((), ())
        assert client().list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"] == []
        create()  # the name is free


def test_what_we_cannot_tune_is_refused_with_all_of_it_in_one_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cannot = [Problem("strategy", "Random", "is too hard"), Problem("tags", 1, "are too many")]
    monkeypatch.setattr("amt_flows.testing.sagemaker.tuner_request.unsupported", lambda spec: cannot)
    with SimulatedSageMaker(rising, tunes=True) as world:
        code, message = refusal(client().create_hyper_parameter_tuning_job, **asked())
        assert code == "ValidationException"
        assert all(str(problem) in message for problem in cannot)
        assert world.jobs == ()


def test_sagemakers_own_algorithm_brings_its_metric() -> None:
    request = asked()
    algorithm = request["TrainingJobDefinition"]["AlgorithmSpecification"]
    algorithm["TrainingImage"] = "685385470294.dkr.ecr.eu-west-1.amazonaws.com/xgboost:1"
    del algorithm["MetricDefinitions"]
    with SimulatedSageMaker(rising, tunes=True) as world:
        create(request)
        world.run()
        assert describe()["ObjectiveStatusCounters"]["Succeeded"] == 10


def test_tags_and_static_hyperparameters_are_passed_on() -> None:
    request = asked(TrainingJobEarlyStoppingType="Off") | {"Tags": [{"Key": "team", "Value": "vision"}]}
    request["TrainingJobDefinition"]["StaticHyperParameters"] = {"layers": "3"}
    with SimulatedSageMaker(rising, tunes=True) as world:
        create(request)
        world.run()
        for job in world.jobs:
            assert job.tags == request["Tags"]
            assert job.hyperparameters["layers"] == "3"
        assert all(set(entry["TunedHyperParameters"]) == {"rate"} for entry in listed())
        static = describe()["TrainingJobDefinition"]["StaticHyperParameters"]
        assert static == {"layers": "3", "_tuning_objective_metric": "accuracy"}


def warm(name: str, parent: str) -> dict[str, Any]:
    parents = [{"HyperParameterTuningJobName": parent}]
    config = {"ParentHyperParameterTuningJobs": parents, "WarmStartType": "IdenticalDataAndAlgorithm"}
    return asked(name) | {"WarmStartConfig": config}


def test_a_warm_start_learns_from_a_parent_of_this_world() -> None:
    with SimulatedSageMaker(rising, tunes=True) as world:
        code, message = refusal(client().create_hyper_parameter_tuning_job, **warm("child", "tune-1"))
        assert (code, "tune-1" in message) == ("ValidationException", True)
        create()
        code, message = refusal(client().create_hyper_parameter_tuning_job, **warm("child", "tune-1"))
        assert (code, "InProgress" in message) == ("ValidationException", True)
        world.run()
        create(warm("child", "TUNE-1"))
        world.run()
        told = describe("child")
        assert told[STATUS] == "Completed"
        assert told["WarmStartConfig"] == warm("child", "TUNE-1")["WarmStartConfig"]
        bests = [told["BestTrainingJob"], describe()["BestTrainingJob"]]
        overall = told["OverallBestTrainingJob"]
        assert value(overall) == pytest.approx(max(map(value, bests)))
        assert overall["TrainingJobArn"] in [best["TrainingJobArn"] for best in bests]


def test_one_engine_for_a_world() -> None:
    with pytest.raises(ValueError, match="one of tunes and on_create_tuning_job"):
        SimulatedSageMaker(tunes=True, on_create_tuning_job=lambda job: None)


# -- training that really runs --------------------------------------------------------------------------

SCRIPT = """
import argparse, pathlib, os, time
arguments = argparse.ArgumentParser()
arguments.add_argument("--rate", type=float, required=True)
arguments.add_argument("--pause", type=float, default=0.0)
given = arguments.parse_args()
for epoch in range(1, 4):
    print(f"amt-report accuracy={given.rate * (1 - 0.5 ** epoch)};", flush=True)
    time.sleep(given.pause)
pathlib.Path(os.environ["SM_MODEL_DIR"], "rate.txt").write_text(str(given.rate))
"""


@pytest.fixture
def script_mode(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Makes a request that runs the script above by SageMaker's training toolkit."""
    (tmp_path / "train.py").write_text(SCRIPT)

    def request(name: str = "tune-1", **static: str) -> dict[str, Any]:
        made = asked(name, limits={"MaxNumberOfTrainingJobs": 5, "MaxParallelTrainingJobs": 2})
        made["TrainingJobDefinition"]["StaticHyperParameters"] = {
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": f'"{tmp_path}"',
            **static,
        }
        return made

    return request


def test_real_training_is_tuned_to_the_end(script_mode: Callable[..., dict[str, Any]]) -> None:
    body = script_mode()
    # Which of real jobs is stopped early is a matter of their pace.
    config = {**body["HyperParameterTuningJobConfig"], "TrainingJobEarlyStoppingType": "Off"}
    with SimulatedSageMaker(commands={}, tunes=True) as world:
        create({**body, "HyperParameterTuningJobConfig": config})
        wait_for(lambda: describe()[STATUS] in ENDED, 60)
        told, entries = describe(), listed()
        assert told[STATUS] == "Completed", told
        assert told["TrainingJobStatusCounters"]["Completed"] == len(entries) == 5
        for entry in entries:
            rate = float(entry["TunedHyperParameters"]["rate"])
            assert value(entry) == pytest.approx(rate * 0.875)
        best = told["BestTrainingJob"]
        assert value(best) == max(map(value, entries))
        where = world.job(best["TrainingJobName"]).model_uri
        assert where == f"s3://bucket/models/{best['TrainingJobName']}/output/model.tar.gz"
        wait_for(lambda: not tuning_threads())
        lines = messages(client("logs"), best["TrainingJobName"]).popitem()[1]
        assert [line.partition(" ")[0] for line in lines] == ["amt-report"] * 3


def test_real_training_is_stopped_in_the_middle(script_mode: Callable[..., dict[str, Any]]) -> None:
    with SimulatedSageMaker(commands={}, tunes=True) as world:
        create(script_mode(pause="60"))
        wait_for(lambda: len(world.processes) == 2)
        client().stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune-1")
        # Two idle processes are gone in no time, so Stopping may be over before anybody looks.
        wait_for(lambda: describe()[STATUS] == "Stopped")
        assert [entry["TrainingJobStatus"] for entry in listed()] == ["Stopped", "Stopped"]
        assert world.processes == ()


def test_a_world_that_is_left_takes_its_tuning_jobs_with_it(
    script_mode: Callable[..., dict[str, Any]],
) -> None:
    with SimulatedSageMaker(commands={}, tunes=True) as world:
        create(script_mode(pause="60"))
        create(script_mode("tune-2", pause="60"))
        wait_for(lambda: len(world.processes) == 4)
        assert len(tuning_threads()) == 2
    assert tuning_threads() == []
    assert world.processes == ()


def test_real_training_is_tuned_behind_the_server(script_mode: Callable[..., dict[str, Any]]) -> None:
    world = SimulatedSageMaker(commands={}, tunes=True)
    with world.serve(credentials=KEYS) as url:
        client(url=url).create_hyper_parameter_tuning_job(**script_mode())
        wait_for(lambda: describe(url=url)[STATUS] in ENDED, 60)
        assert describe(url=url)[STATUS] == "Completed"
        assert len(listed(url=url)) == 5


# -- beside ---------------------------------------------------------------------------------------------


def test_the_time_of_the_next_event() -> None:
    with SimulatedSageMaker(JobScript([0.5], starting_seconds=25)) as world:
        assert world.next_event() is None
        client().create_training_job(**training())
        assert world.next_event() == world.clock.now() + 25
        world.advance(25)
        due = world.next_event()
        assert due is not None
        assert due > world.clock.now()


def test_an_unrecognized_client_can_be_injected() -> None:
    with SimulatedSageMaker() as world:
        invalid = Refusal("UnrecognizedClientException", "The security token in the request is invalid.")
        world.inject("ListTrainingJobs", invalid, times=1)
        assert refusal(client().list_training_jobs)[0] == "UnrecognizedClientException"
