"""A warm-started tuning job from opening to end: its record is enough, and only its own jobs count."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.session import Session
from botocore.validate import ParamValidator

from amt_flows.backends.simulated import SimulatedBackend, VirtualClock
from amt_flows.errors import SpecError
from amt_flows.events import Inherited, Opened
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.results import describe
from amt_flows.space.space import configuration_key
from amt_flows.spec import TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from amt_flows.tuning.warm_start import Parent, Reader, parent_from_ledger
from worlds import rising, run, spec

IDENTICAL, TRANSFER = "IdenticalDataAndAlgorithm", "TransferLearning"
STRATEGIES = ["Bayesian", "Random", "Grid", "QuasiRandom"]
CHOICES = [{"name": "learning_rate", "values": ["0.0001", "0.001", "0.01", "0.1", "0.5", "1.0"]}]


def parent() -> Parent:
    """A finished tuning job of ten jobs with learning rates of all sizes."""
    ledger, _ = run(spec(name="demo"))
    return parent_from_ledger(ledger)


def child(kind: str = IDENTICAL, **changes: Any) -> TuningSpec:
    start = {"type": kind, "parents": ["demo"]}
    return spec(**{"name": "child", "warm_start": start, "strategy": "Bayesian", **changes})


def open_tuning(
    asked: TuningSpec, parents: Reader | None, journal: MemoryJournal | None = None
) -> tuple[Tuning, SimulatedBackend]:
    backend = SimulatedBackend(VirtualClock(), rising)
    return Tuning.open(
        asked, backend, journal or MemoryJournal(), clock=backend.clock, parents=parents
    ), backend


def driven(asked: TuningSpec, parents: Reader | None, journal: MemoryJournal | None = None) -> Ledger:
    tuning, _ = open_tuning(asked, parents, journal)
    drive(tuning)
    return tuning.ledger


def test_what_parents_know_is_in_the_first_entry_of_the_record() -> None:
    journal, old = MemoryJournal(), parent()
    open_tuning(child(), lambda name: old, journal)
    opened, inherited = journal.read()[0]
    assert isinstance(opened, Opened)
    assert isinstance(inherited, Inherited)
    assert (inherited.parent, inherited.source, len(inherited.jobs)) == ("demo", "amt-flows", 10)


def test_a_parent_is_asked_once_and_a_later_controller_sees_the_same() -> None:
    journal, asked_for = MemoryJournal(), list[str]()
    old = parent()

    def read(name: str) -> Parent:
        asked_for.append(name)
        return old

    first, _ = open_tuning(child(), read, journal)
    first.propose(2)
    again, _ = open_tuning(child(), None, journal)
    assert asked_for == ["demo"]
    assert again.ledger.history() == first.ledger.history()
    assert len(again.ledger.history()) == 12


def test_nothing_is_written_when_a_parent_cant_be_one() -> None:
    journal = MemoryJournal()
    with pytest.raises(SpecError, match="has another objective"):
        open_tuning(child(objective={"metric_name": "loss"}), lambda name: parent(), journal)
    assert journal.read() == []


def test_identical_results_replace_the_initial_design_and_are_not_repeated() -> None:
    ledger = driven(child(), lambda name: parent())
    assert ledger.trials[1].source.startswith("bayesian/gp")
    inherited = {configuration_key(row.configuration) for row in ledger.history() if row.parent}
    own = [configuration_key(trial.configuration) for trial in ledger.trials.values()]
    assert len(own) == len(set(own)) == 10
    assert not inherited & set(own)


def test_similar_results_are_tried_again_from_the_best_on() -> None:
    old = parent()
    best = max(old.jobs, key=lambda job: job.value or 0.0)
    ledger = driven(child(TRANSFER), lambda name: old)
    assert ledger.trials[1].source == "warm start"
    assert ledger.trials[1].configuration == best.configuration
    sources = [ledger.trials[number].source for number in sorted(ledger.trials)]
    assert 1 <= sources.count("warm start") <= 3
    assert set(sources[sources.count("warm start") :]).isdisjoint({"warm start", "given"})


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kind", [IDENTICAL, TRANSFER])
def test_every_strategy_starts_with_the_given_one_and_repeats_nothing(strategy: str, kind: str) -> None:
    ranges: dict[str, Any] = {"continuous": [], "categorical": CHOICES}
    limits = {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 6}
    old = parent_from_ledger(run(spec(**ranges, limits={**limits, "max_number_of_training_jobs": 3}))[0])
    first = [{"learning_rate": 0.5}, {"learning_rate": "0.01"}]
    tried = {str(job.configuration["learning_rate"]) for job in old.jobs}
    asked = child(kind, **ranges, strategy=strategy, limits=limits, first_configurations=first)
    ledger = driven(asked, lambda name: old)
    rates = [ledger.trials[k].configuration["learning_rate"] for k in sorted(ledger.trials)]
    assert len(set(rates)) == len(rates)
    if kind == IDENTICAL:
        assert not tried & set(rates)
        untried = [one for one in ("0.5", "0.01") if one not in tried]
        assert rates[: len(untried)] == untried
        assert ledger.reasons[0].rule == "SpaceExhausted"
        assert "3 here, the others by parents" in ledger.reasons[0].message
    else:
        assert rates[:2] == ["0.5", "0.01"]
        assert ledger.trials[1].source == "given"
        assert len(rates) == 6, "a similar parent's configurations are free"


def test_completion_criteria_count_own_jobs_only() -> None:
    """The parent's best is beyond the target, and nothing can improve on it."""
    completion = {"target_objective_metric_value": 0.5, "max_number_of_training_jobs_not_improving": 3}
    old = parent()
    assert max(job.value or 0.0 for job in old.jobs) > 0.5
    tuning, _ = open_tuning(child(completion=completion), lambda name: old)
    assert tuning.check_completion() == ()
    drive(tuning)
    assert len(tuning.ledger.jobs) >= 1
    assert tuning.ledger.best is not None


# --- AMT's describe shape --------------------------------------------------------------------------------


def valid(answer: dict[str, Any]) -> dict[str, Any]:
    shape = Session().get_service_model("sagemaker").shape_for("DescribeHyperParameterTuningJobResponse")
    report = ParamValidator().validate(answer, shape)
    assert not report.has_errors(), report.generate_report()
    return answer


def test_the_overall_best_may_be_a_parents() -> None:
    old = parent()
    best = max(old.jobs, key=lambda job: job.value or 0.0)
    tuning, backend = open_tuning(child(), lambda name: old)
    answer = valid(describe(tuning.ledger, backend.clock.now()))
    assert "BestTrainingJob" not in answer
    assert answer["OverallBestTrainingJob"]["TrainingJobName"] == best.name
    assert answer["OverallBestTrainingJob"]["TuningJobName"] == "demo"
    final = answer["OverallBestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]
    assert final == {"Type": "Maximize", "MetricName": "accuracy", "Value": best.value}
    assert answer["WarmStartConfig"] == {
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "demo"}],
        "WarmStartType": IDENTICAL,
    }
    drive(tuning)
    answer = valid(describe(tuning.ledger, backend.clock.now()))
    assert tuning.ledger.best is not None
    assert (tuning.ledger.best.final_value or 0.0) > (best.value or 0.0)
    assert answer["OverallBestTrainingJob"]["TrainingJobName"] == answer["BestTrainingJob"]["TrainingJobName"]
    assert answer["OverallBestTrainingJob"]["TuningJobName"] == "child"


def test_with_similar_parents_there_is_no_overall_best() -> None:
    old = parent()
    answer = valid(describe(driven(child(TRANSFER), lambda name: old), 0.0))
    assert "OverallBestTrainingJob" not in answer
    assert answer["WarmStartConfig"]["WarmStartType"] == TRANSFER
    plain, _ = run(spec())
    assert {"OverallBestTrainingJob", "WarmStartConfig", "Autotune"}.isdisjoint(describe(plain, 0.0))
