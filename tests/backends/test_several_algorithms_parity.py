"""A tuning job of several algorithms is the same by our own engine on each backend, and by AMT's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amt.scripted_amt import run as followed
from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import Backend, Clock
from amt_flows.results import describe, training_jobs
from amt_flows.spec import TuningSpec
from amt_flows.testing.sagemaker import SimulatedSageMaker
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from backends.sagemaker_world import backend, client, spec, verbatim
from testing.sagemaker_requests import check_shape

FOREST_IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/forest:1"


def asked(**changes: Any) -> TuningSpec:
    forest = {
        "definition_name": "forest",
        "objective": {"metric_name": "oob"},
        "integer": [{"name": "trees", "min_value": 10, "max_value": 500}],
        "static_hyperparameters": {"criterion": "gini"},
        "training_job": {
            "sagemaker": verbatim(
                AlgorithmSpecification={"TrainingImage": FOREST_IMAGE, "TrainingInputMode": "File"}
            ),
            "metric_definitions": [{"name": "oob", "regex": r"oob=([-+.e0-9]+|nan)"}],
            "max_retry_attempts": 0,
            "max_runtime_seconds": 3600,
        },
    }
    template = {
        "sagemaker": verbatim(),
        "metric_definitions": [{"name": "accuracy", "regex": r"accuracy=([-+.e0-9]+|nan)"}],
        "max_retry_attempts": 0,
        "max_runtime_seconds": 7200,
    }
    limits = {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 12}
    values = {"strategy": "Bayesian", "limits": limits, "training_job": template, "seed": 3}
    return spec(definition_name="linear", other_definitions=[forest], **{**values, **changes})


def train(given: Mapping[str, str]) -> Script:
    """No two end at the same moment."""
    if "trees" in given:
        trees = int(given["trees"])
        return Script([0.5 + trees / 1250, 0.6 + trees / 1250], 10.0 + trees / 1000)
    rate = float(given["learning_rate"])
    return Script([0.3, 0.4 + rate / 10, 0.5 + rate / 100], 7.0 + rate)


def run(on: Backend, clock: Clock) -> Ledger:
    tuning = Tuning.open(asked(), on, MemoryJournal(), clock=clock)
    drive(tuning)
    return tuning.ledger


def to_next_event(world: SimulatedSageMaker, seconds: float) -> None:
    due = world.next_event()
    world.advance(seconds if due is None else max(seconds, due - world.clock.now()))


def told(ledger: Ledger) -> dict[str, Any]:
    return {
        "trials": [(t.number, t.definition, dict(t.configuration)) for t in ledger.trials.values()],
        # AMT tells final values in 32 bits.
        "jobs": {
            job.name: (list(job.curve), round(job.final_value or 0.0, 6), job.outcome)
            for job in ledger.jobs.values()
        },
        "best": None if ledger.best is None else ledger.best.name,
    }


def test_sagemaker_runs_what_the_simulation_runs_each_job_by_its_own_definition() -> None:
    clock = VirtualClock()
    ours = run(SimulatedBackend(clock, train), clock)
    with SimulatedSageMaker(train) as world:
        on = backend(
            world, poll_seconds=0.001, launch_seconds=0.0, sleep=lambda seconds: to_next_event(world, seconds)
        )
        theirs = run(on, world.clock)
        requests = {job.name: job.request for job in world.jobs}
    assert told(theirs) == told(ours)
    assert {trial.definition for trial in theirs.trials.values()} == {"linear", "forest"}
    assert theirs.leading_algorithm.name == "forest"
    assert len(theirs.jobs) == 12
    for name, request in requests.items():
        forest = theirs.trials[theirs.jobs[name].trial].definition == "forest"
        assert request["AlgorithmSpecification"]["TrainingImage"].endswith("/forest:1") is forest
        assert ("criterion" in request["HyperParameters"]) is forest
        assert request["StoppingCondition"]["MaxRuntimeInSeconds"] == (3600 if forest else 7200)
        metric = "oob" if forest else "accuracy"
        assert [one["Name"] for one in request["AlgorithmSpecification"]["MetricDefinitions"]] == [metric]
        assert theirs.jobs[name].final_value == theirs.jobs[name].metrics[metric]


def test_amts_own_tuner_and_ours_are_described_alike() -> None:
    """The service tunes it (by our engine, behind its API); its tuning job is followed as AMT's are."""
    clock = VirtualClock()
    ours = run(SimulatedBackend(clock, train), clock)
    with SimulatedSageMaker(train, tunes=True) as world:
        theirs = followed(world, asked())
        name = {"HyperParameterTuningJobName": "demo"}
        service_told = client("sagemaker").describe_hyper_parameter_tuning_job(**name)
        listed = client("sagemaker").list_training_jobs_for_hyper_parameter_tuning_job(MaxResults=100, **name)
    assert told(theirs) == told(ours)
    mine, other = describe(ours, ours.last_at), describe(theirs, theirs.last_at)
    check_shape("DescribeHyperParameterTuningJob", mine)
    for answer in (other, service_told):
        best = {**answer["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]}
        own = {**mine["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]}
        assert abs(best.pop("Value") - own.pop("Value")) < 1e-6
        assert best == own == {"Type": "Maximize", "MetricName": "oob"}
        assert answer["BestTrainingJob"]["TrainingJobDefinitionName"] == "forest"
        assert "TrainingJobDefinition" not in answer
        assert [one["DefinitionName"] for one in answer["TrainingJobDefinitions"]] == ["linear", "forest"]
        assert "ParameterRanges" not in answer["HyperParameterTuningJobConfig"]
    assert mine["TrainingJobDefinitions"] == other["TrainingJobDefinitions"]
    for entries in (listed, training_jobs(ours)):
        by_name = {
            e["TrainingJobName"]: e["TrainingJobDefinitionName"] for e in entries["TrainingJobSummaries"]
        }
        assert by_name == {job.name: theirs.trials[job.trial].definition for job in theirs.jobs.values()}
