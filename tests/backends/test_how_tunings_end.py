"""How a tuning job ends means the same wherever it is driven: by our engine on our own simulation and on
SageMaker, and by SageMaker's own tuner, as the simulated service plays it and as a follower records it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from amt.scripted_amt import Plan, how, opened, scripted_world
from amt.scripted_amt import run as run_on_amt
from amt_flows.amt import follow
from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.errors import TuningJobFailed
from amt_flows.events import Outcome, TuningStatus, decisive
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import JobState
from amt_flows.results import describe, result_of
from amt_flows.results.result import finished_result
from amt_flows.run import tune_on_amt
from amt_flows.spec import TuningSpec
from amt_flows.testing.sagemaker import SimulatedSageMaker
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from backends.sagemaker_world import backend, client, session, spec
from worlds import spec as worlds_spec

WHY = "ValueError: the loss exploded"
Train = Callable[[Mapping[str, str]], Script]


def asked(**changes: Any) -> TuningSpec:
    values: dict[str, Any] = {
        "seed": 3,
        "limits": {"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 3},
    }
    return spec(**{**values, **changes})


def on_our_simulation(one: TuningSpec, train: Train) -> Ledger:
    clock = VirtualClock()
    tuning = Tuning.open(one, SimulatedBackend(clock, train), MemoryJournal(), clock=clock)
    drive(tuning)
    return tuning.ledger


def on_sagemaker(one: TuningSpec, train: Train) -> Ledger:
    with SimulatedSageMaker(train) as world:
        where = backend(world, poll_seconds=1.0, launch_seconds=0.0)
        tuning = Tuning.open(one, where, MemoryJournal(), clock=world.clock)
        drive(tuning)
        return tuning.ledger


def by_amt(one: TuningSpec, train: Train) -> Ledger:
    with SimulatedSageMaker(train, tunes=True) as world:
        return run_on_amt(world, one)


EVERYWHERE = pytest.mark.parametrize("run", [on_our_simulation, on_sagemaker, by_amt])
Run = Callable[[TuningSpec, Train], Ledger]


def why(ledger: Ledger) -> str:
    """What a person is told where there is room for one sentence."""
    reason = decisive(ledger.reasons)
    assert reason is not None
    return reason.message


def failing(hyperparameters: Mapping[str, str]) -> Script:
    return Script([0.5], 20.0, end=JobState.FAILED, failure=WHY)


def silent(hyperparameters: Mapping[str, str]) -> Script:
    return Script([], startup_seconds=20.0)


def nan(hyperparameters: Mapping[str, str]) -> Script:
    return Script([0.5, float("nan")], 20.0)


def long(hyperparameters: Mapping[str, str]) -> Script:
    return Script([0.5, 0.6, 0.7], 300.0)


# -- nothing to show for it -------------------------------------------------------------------------------


@EVERYWHERE
def test_a_tuning_job_whose_every_job_fails_is_failed_with_the_last_failures_reason(run: Run) -> None:
    ledger = run(asked(), failing)
    assert ledger.status is TuningStatus.FAILED
    assert ledger.best is None
    assert ledger.reasons[-1].rule == "NoUsableTrainingJob", "it stands behind what it ended by"
    assert WHY in why(ledger)
    with pytest.raises(TuningJobFailed, match="the loss exploded"):
        finished_result(_Ended(ledger))


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"max_cost": 1.0}, "no training job is at fault: raise the limit by `amt-flows extend"),
        ({"max_runtime_seconds": 10}, "none of them failed: let them complete by `amt-flows extend"),
        ({}, "mend the script"),
    ],
)
def test_the_remedy_blames_a_script_only_where_one_failed(changes: dict[str, Any], remedy: str) -> None:
    limits = {"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 1, **changes}
    job = {"command": ["true"], "price_per_hour": 3600.0, "max_runtime_seconds": 600}
    ledger = on_our_simulation(worlds_spec(limits=limits, training_job=job), failing if not changes else long)
    with pytest.raises(TuningJobFailed) as raised:
        finished_result(_Ended(ledger))
    assert remedy in raised.value.remedy
    if not ledger.jobs:
        assert "the limit is 1" in why(ledger), "where nothing was launched, the limit says all"


@EVERYWHERE
@pytest.mark.parametrize("train", [silent, nan])
def test_it_is_failed_whatever_made_its_jobs_unusable(run: Run, train: Train) -> None:
    ledger = run(asked(), train)
    assert ledger.status is TuningStatus.FAILED
    assert "accuracy" in why(ledger)


@pytest.mark.parametrize("run", [on_our_simulation, on_sagemaker])
@pytest.mark.parametrize(
    ("train", "said"),
    [
        (silent, "no usable value of accuracy in its output"),
        (nan, "no usable value of accuracy: the last one was nan"),
    ],
)
def test_the_reason_says_what_its_last_job_had_in_place_of_a_value(run: Run, train: Train, said: str) -> None:
    ledger = run(asked(), train)
    assert said in str(ledger.ended[-1].failure)
    assert said in why(ledger)


def test_the_reason_names_the_time_limit_of_a_job_that_told_nothing_before() -> None:
    limited = asked(training_job={"command": ["python", "train.py"], "max_runtime_seconds": 60})
    ledger = on_our_simulation(limited, lambda given: Script([float("nan")] * 900))
    assert "its time limit ended it; no usable value of accuracy" in why(ledger)


@EVERYWHERE
def test_it_is_failed_if_all_of_an_exhausted_space_fails(run: Run) -> None:
    grid = {
        "strategy": "Grid",
        "continuous": [],
        "categorical": [{"name": "optimizer", "values": ["sgd", "adam"]}],
        "limits": {"max_parallel_training_jobs": 2},
    }
    ledger = run(asked(**grid), failing)
    assert len(ledger.jobs) == 2
    assert ledger.status is TuningStatus.FAILED
    assert WHY in why(ledger)


@EVERYWHERE
def test_it_is_failed_if_its_time_is_up_before_a_job_has_completed(run: Run) -> None:
    limits = {"max_parallel_training_jobs": 1, "max_runtime_seconds": 300}
    ledger = run(asked(limits=limits), lambda given: Script([0.1] * 500, 20.0))
    assert ledger.status is TuningStatus.FAILED
    assert [job.has_usable_value for job in ledger.ended] == [True]
    assert "completed_and_stopped" in why(ledger)
    assert "MaxRuntimeInSeconds" in [reason.rule for reason in ledger.reasons] or run is by_amt


def test_a_job_stopped_by_the_time_limit_may_be_the_best_if_asked_for() -> None:
    limits = {"max_parallel_training_jobs": 1, "max_runtime_seconds": 300}
    one = asked(limits=limits, best_eligible="completed_and_stopped")
    ledger = on_our_simulation(one, lambda given: Script([0.1] * 500, 20.0))
    assert ledger.status is TuningStatus.COMPLETED
    assert ledger.best is not None


@pytest.mark.parametrize("run", [on_our_simulation, on_sagemaker])
def test_the_limit_of_failures_decides_before_any_other_that_the_last_job_meets(run: Run) -> None:
    seen: list[str] = []

    def second_fails(hyperparameters: Mapping[str, str]) -> Script:
        rate = hyperparameters["learning_rate"]
        if rate not in seen:
            seen.append(rate)
        if seen.index(rate) == 0:
            return Script([0.9], 20.0)
        return failing(hyperparameters)

    limits = {
        "max_parallel_training_jobs": 1,
        "max_number_of_training_jobs": 2,
        "max_failed_training_jobs_in_total": 1,
    }
    ledger = run(asked(limits=limits), second_fails)
    assert ledger.status is TuningStatus.FAILED
    assert ledger.reasons[0].rule == "MaxFailedTrainingJobs"


def test_what_was_stopped_by_hand_is_stopped_without_a_model_too() -> None:
    clock, journal = VirtualClock(), MemoryJournal()
    tuning = Tuning.open(
        asked(), SimulatedBackend(clock, lambda given: Script([0.1] * 9)), journal, clock=clock
    )
    drive(tuning, on_tick=lambda tuning, news: tuning.request_stop("enough"))
    assert tuning.ledger.status is TuningStatus.STOPPED
    assert tuning.ledger.best is None


def test_the_service_itself_says_failed_and_why() -> None:
    with SimulatedSageMaker(failing, tunes=True) as world:
        with pytest.raises(TuningJobFailed, match="the loss exploded"):
            tune_on_amt(asked(), journal=MemoryJournal(), session=session(), how=how(world))
        told = client("sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="demo")
    assert told["HyperParameterTuningJobStatus"] == "Failed"
    assert WHY in told["FailureReason"]


def test_amts_own_word_stays_in_describe_where_it_is_another() -> None:
    """A scripted AMT that calls it Completed, as nobody promises that the real one doesn't."""
    with scripted_world(failing, Plan([{"learning_rate": "0.5"}, {"learning_rate": "0.25"}])) as world:
        ledger = run_on_amt(world, asked())
    assert ledger.status is result_of(ledger, "").status is TuningStatus.FAILED
    assert WHY in why(ledger)
    assert describe(ledger, ledger.last_at)["HyperParameterTuningJobStatus"] == "Completed"


# -- the target -------------------------------------------------------------------------------------------


def rises_and_falls(hyperparameters: Mapping[str, str]) -> Script:
    return Script([0.5, 0.7, 0.95, 0.6, 0.6, 0.6, 0.6], 20.0)


@pytest.mark.parametrize("run", [on_our_simulation, on_sagemaker])
def test_the_job_whose_epoch_met_the_target_is_the_result(run: Run) -> None:
    completion = {"target_objective_metric_value": 0.9, "target_on_epochs": True}
    ledger = run(asked(completion=completion), rises_and_falls)
    assert ledger.status is TuningStatus.COMPLETED
    assert ledger.reasons[0].rule == "TargetObjectiveMetricValue"
    assert ledger.best is not None
    assert ledger.reasons[0].message.startswith(ledger.best.name)
    assert result_of(ledger, "").jobs[0].name == ledger.best.name


def test_it_is_so_if_its_next_value_is_none_at_all_and_another_has_a_better_last_one() -> None:
    curves = iter([[0.8], [0.5, 0.95, float("nan"), 0.1]])
    completion = {"target_objective_metric_value": 0.9, "target_on_epochs": True}

    def train(given: Mapping[str, str]) -> Script:
        return Script(next(curves), 20.0, stopping_seconds=21.0)

    ledger = on_our_simulation(asked(completion=completion), train)
    assert [job.outcome for job in ledger.ended] == [Outcome.COMPLETED, Outcome.STOPPED]
    assert ledger.best is ledger.ended[1]
    assert ledger.best.has_usable_value


def test_an_early_stopped_jobs_last_value_that_meets_the_target_makes_it_the_best() -> None:
    """It was condemned by its first epoch, and emitted one more that meets the target."""
    curves = iter([[0.5, 0.8, 0.8], [0.1, 0.95, 0.2]])
    one = asked(
        early_stopping={"type": "Auto", "min_jobs": 1, "grace_epochs": 0},
        completion={"target_objective_metric_value": 0.9},
    )

    def train(given: Mapping[str, str]) -> Script:
        return Script(next(curves), 20.0, stopping_seconds=25.0)

    ledger = on_our_simulation(one, train)
    assert ledger.ended[1].outcome is Outcome.STOPPED_EARLY
    assert ledger.best is ledger.ended[1]
    assert ledger.reasons[0].rule == "TargetObjectiveMetricValue"


def test_a_job_that_failed_after_its_epoch_met_the_target_has_not_met_it() -> None:
    fates = iter([Script([0.95], 20.0, end=JobState.FAILED, failure=WHY), Script([0.5], 20.0)])
    completion = {"target_objective_metric_value": 0.9, "target_on_epochs": True}
    limits = {"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 2}
    ledger = on_our_simulation(asked(completion=completion, limits=limits), lambda given: next(fates))
    assert ledger.reasons[0].rule == "MaxNumberOfTrainingJobs"
    assert ledger.best is ledger.ended[1]


# -- ties -------------------------------------------------------------------------------------------------


@EVERYWHERE
@pytest.mark.parametrize("level", [0.1, 0.7, 1e-9, 12345.678])
def test_equal_curves_never_stop_each_other(run: Run, level: float) -> None:
    one = asked(
        objective={"metric_name": "accuracy", "type": "Minimize"},
        early_stopping={"type": "Auto"},
        limits={"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 5},
    )
    ledger = run(one, lambda given: Script([level] * 9, 20.0, startup_seconds=20.0))
    assert [job.outcome for job in ledger.ended] == [Outcome.COMPLETED] * 5


# -- who stopped it ---------------------------------------------------------------------------------------


def test_a_job_that_a_person_stopped_on_sagemaker_is_not_stopped_with_the_tuning_job() -> None:
    with SimulatedSageMaker(lambda given: Script([0.5] * 9, 20.0)) as world:
        tuning = Tuning.open(asked(), backend(world), MemoryJournal(), clock=world.clock)
        drive(tuning, on_tick=lambda tuning, news: _stop_first_in_the_console(world))
        ledger = tuning.ledger
    assert [job.outcome for job in ledger.ended] == [Outcome.STOPPED_OUTSIDE, *[Outcome.COMPLETED] * 2]
    assert result_of(ledger, "").jobs[-1].outcome == "stopped from outside"
    assert ledger.status is TuningStatus.COMPLETED


def test_it_is_so_where_amt_drives() -> None:
    with SimulatedSageMaker(lambda given: Script([0.5] * 9, 20.0), tunes=True) as world:
        handed_off = opened(world, asked())
        follow(handed_off, on_tick=lambda followed, news: _stop_first_in_the_console(world))
        ledger = handed_off.ledger
    assert [job.outcome for job in ledger.ended] == [Outcome.STOPPED_OUTSIDE, *[Outcome.COMPLETED] * 2]


def _stop_first_in_the_console(world: SimulatedSageMaker) -> None:
    if world.jobs and world.jobs[0].status == "InProgress" and len(world.jobs[0].emissions) >= 3:
        client("sagemaker").stop_training_job(TrainingJobName=world.jobs[0].name)


class _Ended:
    held_up_by: str | None = None

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.journal = ledger, MemoryJournal()

    def now(self) -> float:
        return self.ledger.last_at

    def request_stop(self, reason: str) -> None:
        raise AssertionError
