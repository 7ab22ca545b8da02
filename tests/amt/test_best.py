"""AMT and we find the same best training job, whatever the jobs came to."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hypothesis import example, given, settings
from hypothesis import strategies as st

from amt.scripted_amt import Plan, run, scripted_world
from amt_flows.events import Ended
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.results import describe, result_of, training_jobs
from amt_flows.spec import TuningSpec
from amt_flows.testing.sagemaker import End, JobScript
from backends.sagemaker_world import client, spec
from spec.bodies import two_algorithms
from testing.sagemaker_requests import check_shape

# A few values, so that equals are common, and two that differ by less than AMT's 32 bits can tell.
VALUES = st.sampled_from([0.0, -1.5, 0.25, 0.5, 0.5000000001, 1e-30, math.nan, math.inf, -math.inf])
ENDS = st.sampled_from([End.COMPLETE, End.COMPLETE, End.COMPLETE, End.FAIL])


def told_best(name: str = "demo") -> str | None:
    told = client("sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    best = told.get("BestTrainingJob")
    return None if best is None else str(best["TrainingJobName"])


@settings(max_examples=12, deadline=None)
@example([([0.5], End.COMPLETE), ([0.5000000001], End.COMPLETE)], "Maximize")
@example([([0.5000000001], End.COMPLETE), ([0.5], End.COMPLETE)], "Minimize")
@given(
    st.lists(st.tuples(st.lists(VALUES, max_size=3), ENDS), min_size=1, max_size=6),
    st.sampled_from(["Maximize", "Minimize"]),
)
def test_we_agree_on_the_best(jobs: list[tuple[list[float], End]], direction: str) -> None:
    plan = Plan([{"learning_rate": str(i + 1)} for i in range(len(jobs))])
    asked = spec(
        objective={"metric_name": "accuracy", "type": direction},
        continuous=[{"name": "learning_rate", "min_value": 1, "max_value": 10}],
    )

    def train(given: Mapping[str, str]) -> JobScript:
        values, end = jobs[int(float(given["learning_rate"])) - 1]
        return JobScript(values, end=end, seconds_per_epoch=20)

    with scripted_world(train, plan) as world:
        ledger = run(world, asked)
        assert (ledger.best and ledger.best.name) == told_best()


def test_of_equals_the_one_that_ended_first_is_the_best_also_when_both_are_heard_of_at_once() -> None:
    lengths = {"1.0": 8, "2.0": 6}

    def train(given: Mapping[str, str]) -> JobScript:
        return JobScript([0.5] * lengths[given["learning_rate"]], seconds_per_epoch=1)

    plan = Plan([{"learning_rate": rate} for rate in lengths], objective_lag=3)
    asked = spec(continuous=[{"name": "learning_rate", "min_value": 1, "max_value": 10}])
    with scripted_world(train, plan) as world:
        journal = MemoryJournal()
        ledger = run(world, asked, journal)
        ends = [[e.job for e in entry if isinstance(e, Ended)] for entry in journal.read()]
        assert [jobs for jobs in ends if jobs] == [[world.jobs[1].name, world.jobs[0].name]]
        assert (ledger.best and ledger.best.name) == told_best() == world.jobs[1].name


def comparable() -> TuningSpec:
    body = two_algorithms()
    body["TrainingJobDefinitions"][1]["TuningObjective"] = {"Type": "Maximize", "MetricName": "net:auc"}
    body["TrainingJobDefinitions"][1]["AlgorithmSpecification"]["MetricDefinitions"] = [
        {"Name": "net:auc", "Regex": r"net-auc=(\S+)"},
        # What the other algorithm is judged by, this one prints too.
        {"Name": "validation:auc", "Regex": r"valid-auc=(\S+)"},
    ]
    return TuningSpec.parse(body)


def several(given: Mapping[str, str]) -> JobScript:
    if "trees" in given:
        return JobScript([int(given["trees"]) / 1000] * 3)
    return JobScript([{"net:auc": float(given["lr"]), "validation:auc": 0.9999}] * 4)


def test_several_algorithms_are_followed_as_one_tuning_job() -> None:
    plan = Plan(
        [{"trees": "100"}, {"lr": "0.02"}, {"lr": "0.09"}, {"trees": "50"}],
        definitions=["forest", "net", "net", "forest"],
    )
    with scripted_world(several, plan) as world:
        ledger = run(world, comparable())
        best = ledger.best
        assert best is not None
        assert best.name == told_best("two")
        assert {trial.source for trial in ledger.trials.values()} == {"amt"}
        assert [trial.definition for trial in ledger.trials.values()] == ["forest", "net", "net", "forest"]
        assert [dict(trial.configuration) for trial in ledger.trials.values()] == [
            {"trees": 100},
            {"lr": 0.02},
            {"lr": 0.09},
            {"trees": 50},
        ]
        # Each job's curve is that of its own objective.
        assert [job.curve.last_value for job in ledger.jobs.values()] == [0.1, 0.02, 0.09, 0.05]
        assert [len(job.curve) for job in ledger.jobs.values()] == [3, 4, 4, 3]
        listed = client("sagemaker").list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName="two"
        )
        theirs = {e["TrainingJobName"]: e for e in listed["TrainingJobSummaries"]}
    told = training_jobs(ledger)
    check_shape("ListTrainingJobsForHyperParameterTuningJob", told)
    check_shape("DescribeHyperParameterTuningJob", describe(ledger, ledger.last_at))
    for summary in told["TrainingJobSummaries"]:
        other = theirs[summary["TrainingJobName"]]
        for member in ("TrainingJobDefinitionName", "TrainingJobStatus", "ObjectiveStatus"):
            assert summary[member] == other[member]
    result = result_of(ledger, "")
    assert result.columns()[:2] == ["trees", "lr"]
    assert [(row["trees"], row["lr"]) for row in result.rows()] == [
        (100, None),
        (None, 0.09),
        (50, None),
        (None, 0.02),
    ]
