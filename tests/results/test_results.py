"""Results: AMT's describe shapes fit botocore's own model, and a TuningResult says what happened."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

import botocore.session
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.events import Concluding, Converged, Ended, Finished, Outcome, Reason, StopAsked, TuningStatus
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.running_tuning_job import News
from amt_flows.ports import JobState
from amt_flows.results import TuningResult, describe, result_of, savings, spec_of, training_jobs
from amt_flows.results.amt_shapes import (
    objective_status_counters,
    training_job_status_counters,
    tuning_job_summary,
)
from amt_flows.results.ranking import ranked
from amt_flows.spec import TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from worlds import ended_job, opened, rising, run, running_job, spec

MODEL = botocore.session.get_session().get_service_model("sagemaker")


# -- a validator of answers: botocore checks requests only ------------------------------------------


def misfits(value: Any, shape: Any, at: str = "") -> Iterator[str]:
    """Everything in which ``value`` differs from a shape of botocore's service model."""
    check = {"structure": _structure, "list": _list, "map": _map}.get(shape.type_name)
    if check is not None:
        yield from check(value, shape, at)
        return
    right_type: Callable[[], bool] = {
        "string": lambda: isinstance(value, str),
        "integer": lambda: isinstance(value, int) and not isinstance(value, bool),
        "long": lambda: isinstance(value, int) and not isinstance(value, bool),
        "float": lambda: isinstance(value, float | int) and math.isfinite(value),
        "double": lambda: isinstance(value, float | int) and math.isfinite(value),
        "boolean": lambda: isinstance(value, bool),
        "timestamp": lambda: isinstance(value, datetime) and value.tzinfo is not None,
    }[shape.type_name]
    if not right_type():
        yield f"{at}: {value!r} is no {shape.type_name}"
        return
    size = len(value) if isinstance(value, str) else value
    yield from _bounds(size, shape, at)
    meta = shape.metadata
    if "enum" in meta and value not in meta["enum"]:
        yield f"{at}: {value!r} is none of {meta['enum']}"
    if "pattern" in meta and re.fullmatch(meta["pattern"], value, re.DOTALL) is None:
        yield f"{at}: {value!r} doesn't match {meta['pattern']}"


def _bounds(size: Any, shape: Any, at: str) -> Iterator[str]:
    if "min" in shape.metadata and size < shape.metadata["min"]:
        yield f"{at}: {size} is below {shape.metadata['min']}"
    if "max" in shape.metadata and size > shape.metadata["max"]:
        yield f"{at}: {size} is above {shape.metadata['max']}"


def _structure(value: Any, shape: Any, at: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{at}: {value!r} is no structure"
        return
    for name in shape.required_members:
        if name not in value:
            yield f"{at}.{name}: is missing"
    for name, member in value.items():
        if name in shape.members:
            yield from misfits(member, shape.members[name], f"{at}.{name}")
        else:
            yield f"{at}.{name}: no such member"


def _list(value: Any, shape: Any, at: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{at}: {value!r} is no list"
        return
    yield from _bounds(len(value), shape, at)
    for i, item in enumerate(value):
        yield from misfits(item, shape.member, f"{at}[{i}]")


def _map(value: Any, shape: Any, at: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{at}: {value!r} is no map"
        return
    yield from _bounds(len(value), shape, at)
    for key, item in value.items():
        yield from misfits(key, shape.key, f"{at} key")
        yield from misfits(item, shape.value, f"{at}[{key}]")


def output(operation: str) -> Any:
    return MODEL.operation_model(operation).output_shape


def assert_fits(ledger: Ledger, now: float) -> None:
    """The three answers about a tuning job fit their shapes."""
    answers = {
        "DescribeHyperParameterTuningJob": describe(ledger, now),
        "ListTrainingJobsForHyperParameterTuningJob": training_jobs(ledger),
        "ListHyperParameterTuningJobs": {"HyperParameterTuningJobSummaries": [tuning_job_summary(ledger)]},
    }
    for operation, answer in answers.items():
        assert list(misfits(answer, output(operation), operation)) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"HyperParameterTuningJobName": "-x"}, "doesn't match"),
        ({"HyperParameterTuningJobName": "x" * 33}, "above 32"),
        ({"HyperParameterTuningJobStatus": "Done"}, "none of"),
        ({"CreationTime": 5.0}, "no timestamp"),
        ({"CreationTime": datetime(2026, 1, 1)}, "no timestamp"),
        ({"ObjectiveStatusCounters": {"Succeeded": True}}, "no integer"),
        ({"ConsumedResources": {"RuntimeInSeconds": 1.5}}, "no integer"),
        ({"FailureReason": "x" * 1025}, "above 1024"),
        ({"Mystery": 1}, "no such member"),
        ({"HyperParameterTuningJobConfig": {"Strategy": "Random"}}, "ResourceLimits: is missing"),
        ({"TrainingJobDefinitions": []}, "below 1"),
        ({"TrainingJobDefinition": {"StaticHyperParameters": {"a": 1}}}, "no string"),
    ],
)
def test_the_validator_itself_can_fail(change: dict[str, Any], complaint: str) -> None:
    answer = {**describe(opened(), 0.0), **change}
    assert any(complaint in misfit for misfit in misfits(answer, output("DescribeHyperParameterTuningJob")))


# -- AMT's shapes ---------------------------------------------------------------------------------


def all_sorts(hyperparameters: Mapping[str, str]) -> Script:
    """By learning rate: failing, breaking down, NaN, without a metric, or ever better until it is stopped."""
    rate = float(hyperparameters["learning_rate"])
    if rate < 0.001:
        return Script([0.1], end=JobState.FAILED, failure="Traceback\n" + "x" * 5000)
    if rate < 0.004:
        return Script([0.2], end=JobState.FAILED, infrastructure=True, failure="the machine burned down")
    if rate < 0.01:
        return Script([math.nan] * 3)
    if rate < 0.02:
        return Script([])
    return Script([rate * (1 - 0.5**epoch) for epoch in range(1, 9)], stopping_seconds=1.5)


def test_at_every_moment_of_a_mixed_tuning_the_answers_fit_amts_shapes() -> None:
    tuning_spec = spec(
        limits={"max_parallel_training_jobs": 3, "max_number_of_training_jobs": 40},
        completion={"complete_on_convergence": True, "max_number_of_training_jobs_not_improving": 30},
        early_stopping={"type": "Auto", "min_jobs": 2},
        integer=[{"name": "depth", "min_value": 1, "max_value": 9}],
        categorical=[{"name": "kind", "values": ["a", "b"]}],
    )
    backend = SimulatedBackend(VirtualClock(), all_sorts)
    tuning = Tuning.open(tuning_spec, backend, MemoryJournal(), clock=backend.clock)
    assert_fits(tuning.ledger, tuning.now())
    drive(tuning, on_tick=lambda tuning, news: assert_fits(tuning.ledger, tuning.now()))
    assert_fits(tuning.ledger, tuning.now() + 1e6)
    outcomes = {job.outcome for job in tuning.ledger.ended}
    expected = {
        Outcome.COMPLETED,
        Outcome.STOPPED_EARLY,
        Outcome.FAILED,
        Outcome.INFRASTRUCTURE,
        Outcome.NO_METRIC,
    }
    assert expected <= outcomes, "the tuning was to meet every sort of end"


def hand_written() -> dict[str, Ledger]:
    """States that a drive passes through too quickly, or not at all."""
    ledgers = {name: opened() for name in ("opened", "running", "stopping", "stopped", "nan", "converged")}
    running_job(ledgers["running"], 1, [0.1, math.inf])
    stopping = running_job(ledgers["stopping"], 1, [0.5])
    for name in ("stopping", "stopped"):
        reason = Reason("StoppedByUser", "enough")
        ledgers[name].apply(Concluding(2.0, TuningStatus.STOPPED, (reason,)))
    ledgers["stopping"].apply(StopAsked(2.5, (stopping,), False, "enough"))
    ended_job(ledgers["stopped"], 1, [0.2], Outcome.STOPPED)
    ledgers["stopped"].apply(Finished(4.0, TuningStatus.STOPPED))
    ended_job(ledgers["nan"], 1, [0.2, math.nan])
    ended_job(ledgers["nan"], 2, [math.inf])
    ended_job(ledgers["nan"], 3, [], Outcome.LOST)
    ended_job(ledgers["nan"], 4, [0.3], Outcome.TIMED_OUT)
    ended_job(ledgers["converged"], 1, [0.2])
    ledgers["converged"].apply(Converged(3.0, Reason("CompleteOnConvergence", "flat", {"count": 40})))
    return ledgers


@pytest.mark.parametrize("state", list(hand_written()))
def test_the_answers_fit_amts_shapes_when(state: str) -> None:
    assert_fits(hand_written()[state], 10.0)


def test_a_failed_tuning_job_tells_why_within_amts_length() -> None:
    def fail(hyperparameters: Mapping[str, str]) -> Script:
        return Script([], end=JobState.FAILED, failure="y" * 3000)

    ledger, backend = run(spec(), fail)
    answer = describe(ledger, backend.clock.now())
    assert_fits(ledger, backend.clock.now())
    assert answer["HyperParameterTuningJobStatus"] == "Failed"
    assert "training jobs failed and none succeeded" in answer["FailureReason"]
    assert len(training_jobs(ledger)["TrainingJobSummaries"][0]["FailureReason"]) == 1024
    assert "BestTrainingJob" not in answer


def test_a_completed_tuning_job_is_described_with_its_best_and_its_times() -> None:
    ledger, _ = run(spec())
    answer = describe(ledger, 1e12)
    assert answer["HyperParameterTuningJobStatus"] == "Completed"
    assert "FailureReason" not in answer
    best = max(job.final_value for job in ledger.ended if job.final_value is not None)
    assert answer["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"] == {
        "Type": "Maximize",
        "MetricName": "accuracy",
        "Value": best,
    }
    first = training_jobs(ledger)["TrainingJobSummaries"][0]
    assert first == answer["BestTrainingJob"]
    assert float(first["TunedHyperParameters"]["learning_rate"]) == pytest.approx(0.1, abs=0.1)
    assert first["TrainingEndTime"] - first["TrainingStartTime"] == pd.Timedelta(seconds=10)
    # The wall clock counts to the end of the tuning job, not to the moment somebody asks.
    assert answer["ConsumedResources"]["RuntimeInSeconds"] == 50


def test_the_configuration_is_described_with_its_defaults() -> None:
    tuning_spec = spec(
        strategy="QuasiRandom",
        limits={"max_parallel_training_jobs": 2, "max_runtime_seconds": 600, "max_cost": 5},
        completion={"target_objective_metric_value": 0.9, "max_number_of_training_jobs_not_improving": 7},
        training_job={"command": ["train"], "price_per_hour": 1, "max_runtime_seconds": 60},
        seed=3,
    )
    config = describe(opened(tuning_spec), 0.0)["HyperParameterTuningJobConfig"]
    assert config == {
        "Strategy": "Random",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "accuracy"},
        "ResourceLimits": {"MaxParallelTrainingJobs": 2, "MaxRuntimeInSeconds": 600},
        "ParameterRanges": {
            "IntegerParameterRanges": [],
            "ContinuousParameterRanges": [
                {"Name": "learning_rate", "MinValue": "0.0001", "MaxValue": "1.0", "ScalingType": "Auto"}
            ],
            "CategoricalParameterRanges": [],
        },
        "TrainingJobEarlyStoppingType": "Off",
        "TuningJobCompletionCriteria": {
            "TargetObjectiveMetricValue": 0.9,
            "BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 7},
        },
        "RandomSeed": 3,
    }


def sagemaker_request() -> dict[str, Any]:
    return {
        "HyperParameterTuningJobName": "demo",
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:logloss"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 20, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {
                "ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0.1", "MaxValue": "0.5"}]
            },
        },
        "TrainingJobDefinition": {
            "AlgorithmSpecification": {
                "TrainingImage": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/xgboost:1",
                "TrainingInputMode": "File",
            },
            "RoleArn": "arn:aws:iam::123456789012:role/training",
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
    }


def test_a_spec_that_says_how_jobs_run_on_sagemaker_is_described_with_its_definition() -> None:
    ledger = opened(TuningSpec.parse(sagemaker_request()))
    definition = describe(ledger, 0.0)["TrainingJobDefinition"]
    assert definition["RoleArn"] == "arn:aws:iam::123456789012:role/training"
    assert_fits(ledger, 0.0)


def test_a_local_spec_is_described_without_the_definition_that_it_does_not_have() -> None:
    assert "TrainingJobDefinition" not in describe(opened(), 0.0)


def test_counters_put_every_outcome_where_amt_does() -> None:
    ledger = opened()
    for trial, (values, outcome) in enumerate(
        [
            ([0.5], Outcome.COMPLETED),
            ([math.nan], Outcome.COMPLETED),
            ([], Outcome.NO_METRIC),
            ([0.4], Outcome.STOPPED_EARLY),
            ([0.4], Outcome.TIMED_OUT),
            ([], Outcome.STOPPED),
            ([0.3], Outcome.FAILED),
            ([], Outcome.INFRASTRUCTURE),
            ([], Outcome.LOST),
        ],
        start=1,
    ):
        ended_job(ledger, trial, values, outcome)
    running_job(ledger, 10, [0.1])
    ledger.apply(StopAsked(20.0, (running_job(ledger, 11),), True, "poor"))
    assert training_job_status_counters(ledger) == {
        "Completed": 3,
        "InProgress": 2,
        "RetryableError": 2,
        "NonRetryableError": 1,
        "Stopped": 3,
    }
    # A job that failed, or emitted nothing usable, has a failed objective.
    assert objective_status_counters(ledger) == {"Succeeded": 3, "Pending": 2, "Failed": 6}
    statuses = {
        summary["TrainingJobName"]: summary["TrainingJobStatus"]
        for summary in training_jobs(ledger)["TrainingJobSummaries"]
    }
    assert statuses["demo-010-00000000"] == "InProgress"
    assert statuses["demo-011-00000000"] == "Stopping"
    assert len(statuses) == 11


def test_completion_details_count_improvements_as_asked_and_tell_when_convergence_was_found() -> None:
    ledger = opened(spec(completion={"min_relative_improvement": 0.1, "target_objective_metric_value": 1.0}))
    for trial, value in enumerate([0.5, 0.51, 0.52], start=1):
        ended_job(ledger, trial, [value])
    details = describe(ledger, 9.0)["TuningJobCompletionDetails"]
    assert details == {"NumberOfTrainingJobsObjectiveNotImproving": 2}
    ledger.apply(Converged(8.0, Reason("CompleteOnConvergence", "flat")))
    details = describe(ledger, 9.0)["TuningJobCompletionDetails"]
    assert details["ConvergenceDetectedTime"] == datetime.fromtimestamp(8.0, timezone.utc)


# -- the order of training jobs -------------------------------------------------------------------


def test_jobs_are_listed_best_first_then_cut_short_then_running_then_failed() -> None:
    ledger = opened()
    ended_job(ledger, 1, [0.95], Outcome.FAILED)
    running_job(ledger, 2, [0.2])
    ended_job(ledger, 3, [0.9], Outcome.STOPPED_EARLY)
    ended_job(ledger, 4, [0.5])
    ended_job(ledger, 5, [0.7])
    ended_job(ledger, 6, [math.nan])
    running_job(ledger, 7, [0.3])
    assert [job.trial for job in ranked(ledger)] == [5, 4, 3, 7, 2, 1, 6]


def test_of_equal_jobs_the_one_listed_first_is_the_best() -> None:
    ledger = opened()
    names = [running_job(ledger, trial, [0.5]) for trial in (1, 2, 3)]
    for name in (names[1], names[0], names[2]):
        ledger.apply(Ended(9.0, name, Outcome.COMPLETED, 1.0, 9.0, {"accuracy": 0.5}, None, None, None))
    best = ledger.best
    assert best is not None
    assert best.name == names[1]
    assert [job.name for job in ranked(ledger)] == [names[1], names[0], names[2]]


# -- TuningResult ---------------------------------------------------------------------------------


def strictly_read(text: str) -> Any:
    """Parse JSON as other languages do: no bare NaN, no bare Infinity."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_a_result_survives_json() -> None:
    ledger, _ = run(spec(early_stopping={"type": "Auto", "min_jobs": 2}))
    result = result_of(ledger, "file:///x/journal")
    again = TuningResult.model_validate_json(result.model_dump_json())
    assert again == result
    assert spec_of(again) == ledger.spec
    assert again.best is not None
    assert isinstance(again.best.hyperparameters["learning_rate"], float)


@given(
    st.lists(st.floats(), max_size=4),
    st.floats(),
    st.dictionaries(st.text(max_size=5), st.floats(), max_size=2),
)
def test_no_metric_value_is_too_strange_for_json(
    values: list[float], last: float, others: dict[str, float]
) -> None:
    ledger = opened()
    name = running_job(ledger, 1, values)
    metrics = {"accuracy": last, **others}
    ledger.apply(Ended(3.0, name, Outcome.COMPLETED, 1.0, 3.0, metrics, None, None, None))
    result = result_of(ledger, "memory:")
    text = result.model_dump_json()
    strictly_read(text)
    # repr, since NaN is not equal to itself.
    assert repr(TuningResult.model_validate_json(text)) == repr(result)


def test_hyperparameters_keep_their_types_through_json() -> None:
    tuning_spec = spec(
        integer=[{"name": "depth", "min_value": 1, "max_value": 9}],
        categorical=[{"name": "layers", "values": [1, 2]}],
        continuous=[{"name": "learning_rate", "min_value": 0.0, "max_value": 9.0, "step": 3.0}],
        limits={"max_number_of_training_jobs": 3},
    )
    ledger, _ = run(tuning_spec)
    result = TuningResult.model_validate(strictly_read(result_of(ledger, "memory:").model_dump_json()))
    types = {name: type(value) for name, value in result.jobs[0].hyperparameters.items()}
    assert types == {"learning_rate": float, "depth": int, "layers": str}


def test_rows_have_the_columns_of_the_sdks_analytics_and_typed_hyperparameters() -> None:
    ledger, _ = run(spec())
    frame = result_of(ledger, "memory:").to_frame()
    assert list(frame.columns) == [
        "learning_rate",
        "TrainingJobName",
        "TrainingJobStatus",
        "FinalObjectiveValue",
        "TrainingStartTime",
        "TrainingEndTime",
        "TrainingElapsedTimeSeconds",
        "Outcome",
        "Epochs",
        "ModelUri",
        "LogUri",
    ]
    assert frame["learning_rate"].dtype == "float64"
    assert frame["FinalObjectiveValue"].is_monotonic_decreasing
    elapsed = (frame["TrainingEndTime"] - frame["TrainingStartTime"]).dt.total_seconds()
    assert elapsed.tolist() == pytest.approx(frame["TrainingElapsedTimeSeconds"].tolist())


def test_a_row_has_the_addresses_of_the_model_and_the_log_as_they_were_recorded() -> None:
    ledger = opened()
    name = running_job(ledger, 1, [0.5])
    values = {"accuracy": 0.5}
    model, log = "s3://bucket/a%20b/model.tar.gz", "file:///logs/a%20b.log"
    ledger.apply(Ended(3.0, name, Outcome.COMPLETED, 1.0, 3.0, values, model, log, None))
    running_job(ledger, 2)
    first, second = result_of(ledger, "memory:").rows()
    assert (first["ModelUri"], first["LogUri"]) == (model, log)
    assert (second["ModelUri"], second["LogUri"]) == (None, None)


def test_a_frame_without_jobs_has_its_columns_all_the_same() -> None:
    frame = result_of(opened(), "memory:").to_frame()
    assert len(frame) == 0
    assert "learning_rate" in frame.columns
    assert "FinalObjectiveValue" in frame.columns


def test_a_hyperparameter_keeps_its_column_beside_ours_of_the_same_name() -> None:
    ledger, _ = run(
        spec(
            continuous=[],
            integer=[{"name": "Epochs", "min_value": 77, "max_value": 78}],
            limits={"max_number_of_training_jobs": 1},
        ),
        lambda hyperparameters: Script([0.5]),
    )
    (row,) = result_of(ledger, "memory:").rows()
    assert row["Epochs"] in (77, 78)


def test_a_result_counts_time_and_money_over_all_jobs() -> None:
    ledger = opened(spec(training_job={"command": ["train"], "price_per_hour": 36.0}))
    ended_job(ledger, 1, [0.5], seconds=10)
    ended_job(ledger, 2, [], Outcome.FAILED, seconds=5)
    running_job(ledger, 3, at=20.0)
    result = result_of(ledger, "memory:", now=25.0)
    # A running job counts from its launch: when it started is known at its end.
    assert result.training_seconds == 10 + 5 + 5
    assert result.cost == pytest.approx(0.2)
    assert result.runtime_seconds == 25.0
    assert result.jobs[1].training_seconds == 5.0


def test_without_a_price_there_is_no_cost() -> None:
    ledger, _ = run(spec())
    assert result_of(ledger, "memory:").cost is None


def test_a_running_job_shows_its_latest_value_but_no_final_one() -> None:
    ledger = opened()
    running_job(ledger, 1, [0.1, 0.2])
    (job,) = result_of(ledger, "memory:", now=5.0).jobs
    assert (job.objective_value, job.latest_value, job.epochs) == (None, 0.2, 2)


def test_savings_are_the_epochs_left_out_at_each_jobs_own_pace() -> None:
    ledger = opened(spec(early_stopping={"type": "Auto"}))
    for trial in (1, 2, 3):
        ended_job(ledger, trial, [0.5] * 10, seconds=10)
    ended_job(ledger, 4, [0.1] * 4, Outcome.STOPPED_EARLY, seconds=8)  # 2 s an epoch, 6 left out
    ended_job(ledger, 5, [0.1] * 12, Outcome.STOPPED_EARLY, seconds=12)  # longer than the others: nothing
    saved = savings(ledger)
    assert (saved.stopped_jobs, saved.seconds) == (2, 12.0)
    assert saved.share == pytest.approx(12 / (12 + 30 + 8 + 12))


@pytest.mark.parametrize("completed", [0, 3])
def test_nothing_is_saved_when_nothing_was_stopped_early_or_nothing_completed(completed: int) -> None:
    ledger = opened(spec(early_stopping={"type": "Auto"}))
    for trial in range(1, completed + 1):
        ended_job(ledger, trial, [0.5] * 10, seconds=10)
    if not completed:
        ended_job(ledger, 9, [0.1], Outcome.STOPPED_EARLY)
    saved = savings(ledger)
    assert (saved.seconds, saved.share) == (0.0, 0.0)
    assert saved.stopped_jobs == (0 if completed else 1)


def test_the_headline_says_how_it_stands_and_why() -> None:
    ledger = opened()
    assert result_of(ledger, "memory:").headline == "InProgress: no completed training job yet; still running"
    ended_job(ledger, 1, [0.25])
    assert "best accuracy = 0.25 (demo-001-00000000); still running" in result_of(ledger, "memory:").headline
    ledger.apply(Concluding(5.0, TuningStatus.COMPLETED, (Reason("Target", "0.2 was reached"),)))
    ledger.apply(Finished(6.0, TuningStatus.COMPLETED))
    headline = result_of(ledger, "memory:").headline
    assert headline == "Completed: best accuracy = 0.25 (demo-001-00000000); 0.2 was reached"


def test_the_headline_of_a_tuning_job_that_ended_without_a_best() -> None:
    ledger, _ = run(spec(), lambda hyperparameters: Script([]))
    assert result_of(ledger, "memory:").headline.startswith("Failed: no usable training job; ")


def test_a_result_of_a_running_tuning_job_is_never_older_than_what_is_known() -> None:
    seen: list[float] = []

    def look(tuning: Tuning, news: News) -> None:
        seen.append(result_of(tuning.ledger, "memory:", now=0.0).runtime_seconds)

    backend = SimulatedBackend(VirtualClock(), rising)
    drive(Tuning.open(spec(), backend, MemoryJournal(), clock=backend.clock), on_tick=look)
    assert min(seen) >= 0
    assert seen == sorted(seen)


def test_hyperbands_resources_and_value_hints_are_described_as_they_were_asked_for() -> None:
    body = sagemaker_request()
    config = body["HyperParameterTuningJobConfig"]
    resources = {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 27}}
    config |= {"Strategy": "Hyperband", "StrategyConfig": resources}
    config["ParameterRanges"]["AutoParameters"] = [{"Name": "max_depth", "ValueHint": "6"}]
    clock = VirtualClock()
    asked = TuningSpec.parse(body)
    tuning = Tuning.open(asked, SimulatedBackend(clock, rising), MemoryJournal(), clock=clock)
    told = describe(tuning.ledger, 0.0)["HyperParameterTuningJobConfig"]
    assert tuning.ledger.spec.integer, "a range was chosen"
    assert told["StrategyConfig"] == resources
    assert told["ParameterRanges"]["AutoParameters"] == [{"Name": "max_depth", "ValueHint": "6"}]
    assert told["ParameterRanges"]["IntegerParameterRanges"] == []
    assert_fits(tuning.ledger, clock.now())


def test_instances_are_described_in_both_shapes_whichever_was_asked_for() -> None:
    body = sagemaker_request()
    plain = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5}
    told = describe(opened(TuningSpec.parse(body)), 0.0)["TrainingJobDefinition"]
    assert told["ResourceConfig"] == told["HyperParameterTuningResourceConfig"] == plain

    del body["TrainingJobDefinition"]["ResourceConfig"]
    configs = [plain, {**plain, "InstanceType": "ml.m5.xlarge"}]
    body["TrainingJobDefinition"]["HyperParameterTuningResourceConfig"] = {"InstanceConfigs": configs}
    ledger = opened(TuningSpec.parse(body))
    told = describe(ledger, 0.0)["TrainingJobDefinition"]
    assert told["ResourceConfig"] == plain
    assert told["HyperParameterTuningResourceConfig"]["InstanceConfigs"] == configs
    assert_fits(ledger, 0.0)
