"""One tuning job of several algorithms: each with its own space, objective, settings and price."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.errors import JournalError, Problem, SpecError
from amt_flows.events import Opened, Outcome, Proposed, event_from_json, event_to_json
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.running_tuning_job import News
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.ports import JobRequest, JobState, Launch
from amt_flows.results import describe, result_of, training_jobs
from amt_flows.rules.budget import committed_cost, worst_case_cost
from amt_flows.spec import TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from amt_flows.tuning.recover import recover
from worlds import drive_for, run, spec

FOREST: dict[str, Any] = {
    "definition_name": "forest",
    "objective": {"metric_name": "oob-accuracy"},
    "integer": [{"name": "trees", "min_value": 10, "max_value": 500}],
    "static_hyperparameters": {"criterion": "gini"},
    "training_job": {"command": ["grow"], "max_retry_attempts": 0},
}


def several(*others: dict[str, Any], **changes: Any) -> TuningSpec:
    """``linear`` and ``forest``, and whatever is given in its place."""
    limits = {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 16}
    values: dict[str, Any] = {"definition_name": "linear", "limits": limits, **changes}
    return spec(**values, other_definitions=list(others or (FOREST,)))


def train(given: Mapping[str, str]) -> Script:
    """The forest is the better one, most so with 300 trees."""
    if "trees" in given:
        return Script([0.9 - abs(int(given["trees"]) - 300) / 3000])
    return Script([0.7 - abs(math.log10(float(given["learning_rate"])) + 1) / 10])


def world() -> SimulatedBackend:
    return SimulatedBackend(VirtualClock(), train)


def tuned(asked: TuningSpec) -> tuple[Ledger, SimulatedBackend]:
    return run(asked, backend=world())


def counts(ledger: Ledger) -> Counter[str]:
    return Counter(trial.definition for trial in ledger.trials.values())


# -- each its own ------------------------------------------------------------------------------------------


def test_each_job_is_launched_as_its_own_definition_says() -> None:
    ledger, backend = tuned(several(static_hyperparameters={"penalty": "l2"}, tags={"team": "vision"}))
    for job in backend.jobs.values():
        request = job.request
        trial = ledger.trials[request.trial]
        assert request.definition == trial.definition
        assert request.tags == {"team": "vision"}
        if request.definition == "forest":
            assert set(request.hyperparameters) == {"trees", "criterion"}
            assert (request.template.command, request.objective_metric) == (("grow",), "oob-accuracy")
        else:
            assert set(request.hyperparameters) == {"learning_rate", "penalty"}
            assert (request.template.command, request.objective_metric) == (("train",), "accuracy")
    assert counts(ledger) == {"linear": 8, "forest": 8}


def test_the_best_is_that_of_all_and_says_whose_it_is() -> None:
    ledger, _ = tuned(several(strategy="Bayesian"))
    values = {job.name: job.final_value for job in ledger.ended}
    assert ledger.best is not None
    assert ledger.best.final_value == max(value for value in values.values() if value)
    result = result_of(ledger, "")
    assert result.best is not None
    assert (result.best.definition, result.objective_metric) == ("forest", "oob-accuracy")
    assert "best oob-accuracy" in result.headline
    assert counts(ledger)["forest"] > counts(ledger)["linear"] >= 3


def test_a_row_a_job_with_the_columns_of_all_and_the_definition() -> None:
    ledger, _ = tuned(several())
    result = result_of(ledger, "")
    assert result.columns()[:2] == ["learning_rate", "trees"]
    for row in result.rows():
        mine, other = (
            ("trees", "learning_rate")
            if row["TrainingJobDefinitionName"] == "forest"
            else (
                "learning_rate",
                "trees",
            )
        )
        assert (row[mine] is None, row[other]) == (False, None)


def test_two_algorithms_of_one_space_are_two() -> None:
    """The same configuration in both is no repetition, and no two jobs get one name."""
    twin = {
        "definition_name": "twin",
        "objective": {"metric_name": "accuracy"},
        "categorical": [{"name": "kind", "values": ["a", "b", "c"]}],
        "training_job": {"command": ["train"]},
    }
    values: dict[str, Any] = {"continuous": [], "categorical": twin["categorical"], "strategy": "Grid"}
    limits = {"max_parallel_training_jobs": 2}
    backend = SimulatedBackend(VirtualClock(), lambda given: Script([0.5]))
    ledger, _ = run(several(twin, **values, limits=limits), backend=backend)
    tried = [(trial.definition, trial.configuration["kind"]) for trial in ledger.trials.values()]
    assert sorted(tried) == [(name, kind) for name in ("linear", "twin") for kind in "abc"]
    assert [name for name, _ in tried] == ["linear", "twin"] * 3
    digests = {job.request.name.split("-")[2] for job in backend.jobs.values()}
    assert len(digests) == 6


def test_when_one_has_nothing_left_the_others_go_on() -> None:
    few = {**FOREST, "integer": [{"name": "trees", "min_value": 1, "max_value": 3}]}
    ledger, _ = tuned(several(few))
    assert counts(ledger) == {"linear": 13, "forest": 3}
    assert ledger.reasons[0].rule == "MaxNumberOfTrainingJobs"


@pytest.mark.parametrize("strategy", ["QuasiRandom", "Bayesian"])
def test_each_sees_all_of_its_range_though_it_gets_every_other_trial_only(strategy: str) -> None:
    """Every other point of a Sobol sequence lies in one half of the first axis."""
    names = ("one", "two", "three", "four")
    ranges = {"continuous": [{"name": "x", "min_value": 0.0, "max_value": 1.0, "scaling_type": "Linear"}]}
    more = [{**FOREST, "definition_name": name, "integer": [], **ranges} for name in names[1:]]
    limits = {"max_number_of_training_jobs": 16}
    asked = several(*more, definition_name="one", strategy=strategy, limits=limits, **ranges)
    ledger, _ = run(asked, backend=SimulatedBackend(VirtualClock(), lambda given: Script([0.5])))
    for name in names:
        its = [t.configuration["x"] for t in ledger.trials.values() if t.definition == name]
        assert min(map(float, its)) < 0.5 < max(map(float, its))
    assert len({t.configuration["x"] for t in ledger.trials.values()}) == 16


def test_only_jobs_of_its_own_algorithm_are_a_jobs_rivals_in_hyperband() -> None:
    hyperband = {"max_resource": 9}
    weak, strong = Script([0.1] * 9), Script([0.9] * 9)
    backend = SimulatedBackend(VirtualClock(), lambda given: strong if "trees" in given else weak)
    limits = {"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 12}
    asked = several(strategy="Hyperband", hyperband=hyperband, limits=limits)
    ledger, _ = run(asked, backend=backend)
    # Equals all go on: no weak one was compared with a strong one.
    assert all(job.curve.last_epoch == 9 for job in ledger.jobs.values())


# -- limits ------------------------------------------------------------------------------------------------


def test_each_costs_what_its_own_hour_costs_and_no_limit_is_passed() -> None:
    priced = {
        "command": ["train"],
        "price_per_hour": 36.0,
        "max_runtime_seconds": 10,
        "stop_grace_seconds": 0,
    }
    dear = {**priced, "price_per_hour": 360.0}
    limits = {"max_parallel_training_jobs": 3, "max_cost": 5.0}
    asked = several({**FOREST, "training_job": dear}, training_job=priced, limits=limits)
    backend = SimulatedBackend(VirtualClock(), lambda given: Script([0.5] * 2))
    tuning = Tuning.open(asked, backend, MemoryJournal(), clock=backend.clock)
    most = 0.0

    def look(tuning: Tuning, news: News) -> None:
        nonlocal most
        most = max(most, committed_cost(tuning.ledger))

    drive(tuning, on_tick=look)
    assert worst_case_cost(asked) == pytest.approx(1.0)
    assert most <= 5.0
    rates = {"linear": 0.01, "forest": 0.1}
    spent = sum(2 * rates[tuning.ledger.algorithm_of(job).name] for job in tuning.ledger.jobs.values())
    assert committed_cost(tuning.ledger) == pytest.approx(spent)
    assert result_of(tuning.ledger, "").cost == pytest.approx(spent)
    assert 4.0 < spent <= 5.0
    assert tuning.ledger.reasons[0].rule == "MaxCost"


def test_each_trial_is_tried_again_as_often_as_its_own_definition_allows() -> None:
    def machine_breaks(given: Mapping[str, str]) -> Script:
        return Script([0.5], end=JobState.FAILED, infrastructure=True)

    limits = {"max_number_of_training_jobs": 8, "max_failed_training_jobs": 8}
    template = {"command": ["train"], "max_retry_attempts": 2}
    asked = several(training_job=template, limits=limits)
    ledger, _ = run(asked, backend=SimulatedBackend(VirtualClock(), machine_breaks))
    attempts = Counter(ledger.trials[job.trial].definition for job in ledger.jobs.values() if job.attempt > 1)
    assert set(attempts) == {"linear"}


def test_objectives_that_cant_be_compared_are_refused_before_anything_is_launched() -> None:
    backend = world()
    asked = several({**FOREST, "objective": {"metric_name": "loss", "type": "Minimize"}})
    with pytest.raises(SpecError, match="can't be compared") as caught:
        Tuning.open(asked, backend, MemoryJournal(), clock=backend.clock)
    assert [problem.field for problem in caught.value.problems] == ["other_definitions[0].objective.type"]
    assert not backend.launches


class Picky(SimulatedBackend):
    def check(self, spec: TuningSpec) -> list[Problem]:
        problems = [Problem("backend.root", "/", "is full")]
        if spec.training_job.command == ("grow",):
            problems.append(Problem("training_job.command", "grow", "there is no such program"))
        return problems


def test_what_a_backend_finds_wrong_is_told_by_its_place_in_the_spec_and_once() -> None:
    backend = Picky(VirtualClock(), train)
    with pytest.raises(SpecError) as caught:
        Tuning.open(several(), backend, MemoryJournal(), clock=backend.clock)
    fields = [problem.field for problem in caught.value.problems]
    assert fields == ["backend.root", "other_definitions[0].training_job.command"]


def test_secrets_of_every_algorithm_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREST_KEY", "swordfish")
    template = {"command": ["grow"], "secret_environment": ["FOREST_KEY"]}
    failing = Script([], end=JobState.FAILED, failure="401 for swordfish")
    backend = SimulatedBackend(VirtualClock(), lambda given: failing)
    ledger, _ = run(several({**FOREST, "training_job": template}), backend=backend)
    assert all("swordfish" not in (job.failure or "") for job in ledger.jobs.values())
    assert any("401" in (job.failure or "") for job in ledger.jobs.values())


# -- the record --------------------------------------------------------------------------------------------


def fate(job: TrainingJob) -> tuple[Any, ...]:
    return job.name, job.trial, job.attempt, job.final_value, job.outcome


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
@pytest.mark.parametrize("ticks", [1, 3, 4, 7, 11])
def test_a_controller_that_dies_changes_nothing(ticks: int, strategy: str) -> None:
    asked = several(strategy=strategy, seed=5)
    whole, _ = tuned(asked)
    backend, journal = world(), MemoryJournal()
    drive_for(Tuning.open(asked, backend, journal, clock=backend.clock), ticks)
    again = Tuning.open(asked, backend.view(), journal, clock=backend.clock)
    drive(again)
    assert list(map(fate, again.ledger.jobs.values())) == list(map(fate, whole.jobs.values()))
    assert list(again.ledger.trials.values()) == list(whole.trials.values())
    assert len(backend.launches) == len(set(backend.launches)) == 16
    assert list(Ledger.replay(journal.read()).trials.values()) == list(whole.trials.values())


def test_a_lost_record_is_rebuilt_from_the_jobs_names_and_hyperparameters() -> None:
    twin = {**FOREST, "definition_name": "twin", "static_hyperparameters": {"criterion": "gini"}}
    asked = several(FOREST, twin, strategy="Bayesian")
    whole, backend = tuned(asked)
    ledger = recover(asked, backend.view, MemoryJournal(), clock=backend.clock)
    for number, trial in whole.trials.items():
        found = ledger.trials[number]
        same = (found.definition, found.configuration, found.ordinal)
        assert same == (trial.definition, trial.configuration, trial.ordinal)
    assert ledger.best is not None
    assert whole.best is not None
    assert ledger.best.name == whole.best.name


class Renaming(SimulatedBackend):
    def launch(self, request: JobRequest) -> Launch:
        return super().launch(JobRequest(**{**vars(request), "hyperparameters": {"trees": "11"}}))


def test_a_job_that_is_of_no_algorithm_is_told_and_not_guessed() -> None:
    asked = several()
    _, backend = run(asked, backend=Renaming(VirtualClock(), lambda given: Script([0.5])))
    with pytest.raises(JournalError, match="which of 2 algorithms"):
        recover(asked, backend.view, MemoryJournal(), clock=backend.clock)


def test_journals_from_before_there_was_a_definition_are_read() -> None:
    """Those of one algorithm, and those of several that AMT tuned: these had it in the source."""
    plain = event_to_json(Proposed(1.0, 1, {"trees": 20}, "amt/forest", ""))
    del plain["definition"]
    event = event_from_json(plain)
    assert event == Proposed(1.0, 1, {"trees": 20}, "amt/forest", "")
    for asked, expected in ((several(), ("amt", "forest")), (spec(), ("amt/forest", ""))):
        ledger = Ledger.replay([[Opened(0.0, "demo", asked.fingerprint(), asked.to_json(), "x"), event]])
        trial = ledger.trials[1]
        assert (trial.source, trial.definition) == expected


def test_amts_answers_name_the_definition_and_its_own_objective() -> None:
    ledger, _ = tuned(several())
    told = describe(ledger, ledger.last_at)
    assert told["BestTrainingJob"]["TrainingJobDefinitionName"] == "forest"
    metric = told["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]
    assert (metric["MetricName"], metric["Type"]) == ("oob-accuracy", "Maximize")
    assert {"ParameterRanges", "HyperParameterTuningJobObjective"}.isdisjoint(
        told["HyperParameterTuningJobConfig"]
    )
    listed = training_jobs(ledger)["TrainingJobSummaries"]
    names = {entry["TrainingJobName"]: entry["TrainingJobDefinitionName"] for entry in listed}
    assert names == {job.name: ledger.trials[job.trial].definition for job in ledger.jobs.values()}


def test_one_of_them_can_be_looked_at_alone() -> None:
    ledger, _ = tuned(several())
    alone = ledger.of_one_algorithm()
    assert list(alone.spec.space().names) == ["trees"]
    assert {trial.definition for trial in alone.trials.values()} == {"forest"}
    assert len(alone.jobs) == len(alone.ended) == counts(ledger)["forest"]
    assert alone.best is ledger.best
    assert [row.configuration for row in alone.history()] == [
        row.configuration for row in ledger.history(ledger.leading_algorithm)
    ]
    single, _ = run(spec())
    assert single.of_one_algorithm() is single


def test_ranges_left_to_us_are_chosen_for_every_algorithm() -> None:
    hint = {"auto_parameters": [{"name": "trees", "value_hint": "100"}], "integer": []}
    ledger, _ = tuned(several({**FOREST, **hint}))
    assert all("trees" in t.configuration for t in ledger.trials.values() if t.definition == "forest")
    assert any(sentence.startswith("forest: trees:") for sentence in ledger.chosen)
    assert {job.outcome for job in ledger.jobs.values()} == {Outcome.COMPLETED}
