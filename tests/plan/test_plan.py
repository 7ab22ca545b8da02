"""A plan says what running would do, and does none of it."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from amt_flows.backends.local import LocalBackend
from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.plan.dry_run import Plan, plan
from amt_flows.plan.estimate import estimate, most_cost, most_jobs
from amt_flows.plan.text import plan_text
from amt_flows.spec import TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from worlds import opened, rising, run, spec

SPACES: dict[str, dict[str, Any]] = {
    "Random": {},
    "QuasiRandom": {"integer": [{"name": "depth", "min_value": 1, "max_value": 64}]},
    "Bayesian": {"categorical": [{"name": "kind", "values": ["a", "b"]}]},
    "Grid": {
        "continuous": [{"name": "learning_rate", "min_value": 0.0, "max_value": 1.0, "step": 0.25}],
        "limits": {"max_parallel_training_jobs": 2},
    },
}


def paper() -> SimulatedBackend:
    return SimulatedBackend(VirtualClock(), rising)


def planned(tuning_spec: TuningSpec, **options: Any) -> Plan:
    return plan(tuning_spec, paper(), **options)


def printed(made: Plan, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(plan_text(made))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


# -- nothing happens ------------------------------------------------------------------------------


def test_a_plan_launches_nothing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    backend = paper()
    plan(spec(), backend, job_seconds=60.0)
    assert backend.launches == []
    home = tmp_path / "home"
    made = plan(spec(training_job={"command": ["sh"]}), LocalBackend(home), job_seconds=60.0)
    assert made.problems == ()
    assert list(tmp_path.iterdir()) == []


def test_no_value_of_the_environment_is_told() -> None:
    made = planned(spec(training_job={"command": ["train"], "environment": {"API_KEY": "hunter2"}}))
    assert made.first_jobs[0].environment == ("API_KEY",)
    assert "SM_MODEL_DIR" in made.first_jobs[0].contract_environment
    assert "hunter2" not in json.dumps(made.to_json())
    text = printed(made)
    assert "hunter2" not in text
    assert "environment: API_KEY" in text


# -- the first training jobs ----------------------------------------------------------------------


@pytest.mark.parametrize("strategy", list(SPACES))
def test_the_first_training_jobs_are_those_that_are_launched(strategy: str) -> None:
    limits = {"limits": {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 5}}
    tuning_spec = spec(**{**limits, "strategy": strategy, "seed": 7, **SPACES[strategy]})
    made = planned(tuning_spec, first_jobs=4)
    _, backend = run(tuning_spec)
    launched = [backend.jobs[name.lower()].request for name in backend.launches[:4]]
    assert [job.name for job in made.first_jobs] == [request.name for request in launched]
    assert [job.hyperparameters for job in made.first_jobs] == [dict(r.hyperparameters) for r in launched]


def test_the_command_line_is_the_one_to_type() -> None:
    made = planned(spec(training_job={"command": ["/opt/my tools/train", "--fast"]}, seed=1), first_jobs=1)
    (job,) = made.first_jobs
    assert (
        job.command == f"'/opt/my tools/train' --fast --learning_rate {job.hyperparameters['learning_rate']}"
    )


def test_a_function_is_shown_as_its_call() -> None:
    (job,) = planned(spec(training_job={"function": "my.module:train"}), first_jobs=1).first_jobs
    assert job.command == f"my.module:train(learning_rate={job.hyperparameters['learning_rate']})"


def test_hyperparameters_that_are_no_arguments_are_shown_beside_the_command() -> None:
    template = {"command": ["train"], "hyperparameters_as_arguments": False}
    made = planned(spec(training_job=template, static_hyperparameters={"rounds": 5}), first_jobs=1)
    assert made.first_jobs[0].command == "train"
    text = printed(made)
    assert "hyperparameters: rounds=5 learning_rate=" in text


def test_a_hyperparameter_is_in_the_command_only_under_its_own_name() -> None:
    values = {"hyperparameters_as_arguments": False, "command": ["train", "--rate", "7"]}
    text = printed(planned(spec(training_job=values, static_hyperparameters={"rat": 5}), first_jobs=1))
    assert "hyperparameters: rat=5" in text


def test_no_more_jobs_are_shown_than_there_will_be() -> None:
    assert len(planned(spec(limits={"max_number_of_training_jobs": 2}), first_jobs=5).first_jobs) == 2
    assert planned(spec(), first_jobs=0).first_jobs == ()


def test_a_spec_without_a_name_is_planned_all_the_same() -> None:
    made = planned(spec(name=None))
    assert made.name is None
    assert made.first_jobs[0].name.startswith("unnamed-001-")
    assert "gets one when it is run" in printed(made)


def test_a_tuning_job_that_only_its_cost_ends_has_first_jobs_too() -> None:
    template = {"command": ["train"], "price_per_hour": 1.0, "max_runtime_seconds": 60}
    made = planned(spec(limits={"max_cost": 0.001}, training_job=template))
    assert len(made.first_jobs) == 3


def test_what_cannot_be_driven_is_refused_but_described() -> None:
    ranges = {"continuous": [{"name": "x", "min_value": 0.0, "max_value": 1.0}]}
    other = {"definition_name": "other", "objective": {"metric_name": "loss", "type": "Minimize"}, **ranges}
    made = planned(spec(definition_name="one", other_definitions=[other]), job_seconds=5.0)
    assert [problem.field for problem in made.problems] == ["other_definitions[0].objective.type"]
    assert (made.first_jobs, made.estimate) == ((), None)
    assert "It can't run here" in printed(made)


def test_hyperband_is_in_words() -> None:
    words = planned(spec(strategy="Hyperband", hyperband={"max_resource": 9})).early_stopping
    assert words == (
        "a job goes on from epoch 1, 3 only among the best 1 in 3 of its bracket there; epoch 9 is the last"
    )


def test_what_the_backend_refuses_is_in_the_plan(tmp_path: Path) -> None:
    made = plan(spec(training_job={"command": ["no-such-program-anywhere"]}), LocalBackend(tmp_path))
    assert any("no-such-program-anywhere" in str(problem) for problem in made.problems)
    assert "no-such-program-anywhere" in printed(made)


def test_advice_on_the_spec_is_in_the_plan() -> None:
    made = planned(spec(objective={"metric_name": "loss", "type": "Maximize"}))
    assert any("objective.type" in warning for warning in made.warnings)
    assert "Worth a look" in printed(made)


# -- the space and the end ------------------------------------------------------------------------


def test_the_space_is_told_with_its_scaling_settled_and_its_sizes() -> None:
    made = planned(
        spec(
            continuous=[
                {"name": "rate", "min_value": 1e-5, "max_value": 1.0},
                {"name": "momentum", "min_value": 0.5, "max_value": 0.9, "scaling_type": "Linear"},
                {"name": "dropout", "min_value": 0.0, "max_value": 0.5, "step": 0.1},
            ],
            integer=[{"name": "batch", "min_value": 8, "max_value": 64, "step": 8}],
            categorical=[{"name": "kind", "values": ["a", "b", "c"]}],
        )
    )
    rows = [(row.name, row.kind, row.range, row.scaling, row.values) for row in made.ranges]
    assert rows == [
        ("rate", "continuous", "1e-05 to 1", "Logarithmic (Auto)", None),
        ("momentum", "continuous", "0.5 to 0.9", "Linear", None),
        ("dropout", "continuous", "0 to 0.5 in steps of 0.1", "Linear (Auto)", 6),
        ("batch", "integer", "8 to 64 in steps of 8", "Linear (Auto)", 8),
        ("kind", "categorical", "a, b, c", "", 3),
    ]
    assert made.configurations is None
    text = printed(made)
    assert all(name in text for name, *_ in rows)


def test_a_finite_space_is_counted() -> None:
    made = planned(spec(**SPACES["Grid"], strategy="Grid"))
    assert (made.configurations, made.most_jobs) == (5, 5)
    assert "all 5 configurations tried" in made.criteria


def test_every_way_to_end_is_in_words() -> None:
    made = planned(
        spec(
            objective={"metric_name": "error", "type": "Minimize"},
            limits={
                "max_number_of_training_jobs": 20,
                "max_runtime_seconds": 5400,
                "max_cost": 12.5,
                "max_failed_training_jobs_in_total": 9,
            },
            completion={
                "target_objective_metric_value": 0.05,
                "target_on_epochs": True,
                "max_number_of_training_jobs_not_improving": 8,
                "min_relative_improvement": 0.01,
                "complete_on_convergence": True,
            },
            training_job={"command": ["train"], "price_per_hour": 1.0, "max_runtime_seconds": 60},
        )
    )
    assert made.criteria == (
        "20 training jobs launched and ended",
        "8 training jobs in a row without improving the best by more than 0.01",
        "1 h 30 min since it was created; running jobs are stopped",
        "error of 0.05 or less reached, by any epoch of a running job too",
        "convergence: 40 jobs in a row without improving the best by 1%, 25 not at all, of at least 50",
        "one more training job might make it cost more than 12.50",
        "as Failed: 5 failed jobs and not one success",
        "as Failed: 9 failed jobs",
    )


def test_early_stopping_is_in_words() -> None:
    assert planned(spec()).early_stopping == "off"
    policy = {"type": "Auto", "min_jobs": 3, "grace_epochs": 4, "compare_with": "ended"}
    words = planned(spec(early_stopping=policy)).early_stopping
    guards = "not before 4 epochs, nor while it may still reach the best"
    assert words.endswith(f"3 or more ended jobs, but {guards}")


# -- how much -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jobs", "parallel", "seconds"), [(10, 2, 60.0), (7, 3, 60.0), (1, 4, 5.0), (30, 1, 0.5)]
)
def test_the_estimate_is_what_the_engine_takes(jobs: int, parallel: int, seconds: float) -> None:
    limits = {"max_parallel_training_jobs": parallel, "max_number_of_training_jobs": jobs}
    tuning_spec = spec(limits=limits, training_job={"command": ["train"], "price_per_hour": 7.2})
    found = estimate(tuning_spec, seconds)
    backend = SimulatedBackend(VirtualClock(), lambda hyperparameters: Script([0.5], seconds))
    tuning = Tuning.open(tuning_spec, backend, MemoryJournal(), clock=backend.clock)
    drive(tuning)
    assert found is not None
    assert tuning.ledger.finished_at is not None
    assert found.runtime_seconds == pytest.approx(
        tuning.ledger.finished_at - tuning.ledger.opened_at, abs=0.01
    )
    assert found.runtime_seconds == pytest.approx(math.ceil(jobs / parallel) * seconds, abs=0.01)
    assert found.jobs == jobs
    assert found.training_seconds == pytest.approx(jobs * seconds)
    assert found.cost == pytest.approx(jobs * seconds * 7.2 / 3600)
    assert not found.is_cut_short


def test_a_limit_of_time_ends_the_estimate_on_time() -> None:
    found = estimate(spec(limits={"max_parallel_training_jobs": 2, "max_runtime_seconds": 250}), 100.0)
    assert found is not None
    assert found.jobs == 6
    assert found.runtime_seconds == pytest.approx(250, abs=0.01)
    assert "250 s allowed" in found.ends_because


def test_a_limit_of_cost_ends_the_estimate() -> None:
    template = {"command": ["train"], "price_per_hour": 3600.0, "max_runtime_seconds": 20}
    template["stop_grace_seconds"] = 0
    found = estimate(spec(limits={"max_cost": 100}, training_job=template), 10.0)
    assert found is not None
    # A place for the worst case, 20, is kept free: nine at 10 each leave room for none.
    assert found.jobs == 9
    assert found.cost == pytest.approx(90.0)


def test_criteria_on_the_objective_and_early_stopping_do_not_shorten_the_estimate() -> None:
    tuning_spec = spec(
        completion={"target_objective_metric_value": -9.0, "max_number_of_training_jobs_not_improving": 1},
        early_stopping={"type": "Auto", "min_jobs": 1},
    )
    found = estimate(tuning_spec, 10.0)
    assert found is not None
    assert found.jobs == 10


def test_what_only_the_objective_ends_has_no_estimate_and_no_bound() -> None:
    tuning_spec = spec(limits={}, completion={"target_objective_metric_value": 0.9})
    made = planned(tuning_spec, job_seconds=10.0)
    assert (made.estimate, made.most_jobs) == (None, None)
    assert "no limit to the number of training jobs" in printed(made)


def test_a_finite_space_bounds_what_only_the_objective_ends() -> None:
    values = {**SPACES["Grid"], "limits": {}}
    tuning_spec = spec(**values, completion={"target_objective_metric_value": 0.9})
    found = planned(tuning_spec, job_seconds=10.0).estimate
    assert found is not None
    assert (found.jobs, found.is_cut_short) == (5, False)


def test_a_very_long_tuning_job_is_followed_only_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amt_flows.plan.estimate.MOST_SIMULATED_JOBS", 50)
    made = planned(spec(limits={"max_runtime_seconds": 10**6}), job_seconds=1.0)
    assert made.estimate is not None
    assert (made.estimate.jobs, made.estimate.is_cut_short) == (50, True)
    assert "more than 50 training jobs" in printed(made)


def priced(**changes: Any) -> TuningSpec:
    template = {"command": ["train"], "price_per_hour": 3600.0, "stop_grace_seconds": 10}
    return spec(**{"training_job": {**template, **changes.pop("job", {})}, **changes})


@pytest.mark.parametrize(
    ("tuning_spec", "cost"),
    [
        (spec(), None),
        (priced(), math.inf),
        (priced(job={"max_runtime_seconds": 50}), 10 * 60.0),
        (priced(limits={"max_number_of_training_jobs": 10, "max_runtime_seconds": 100}), 110.0),
        (
            priced(
                job={"max_runtime_seconds": 50}, limits={"max_cost": 99, "max_number_of_training_jobs": 10}
            ),
            99.0,
        ),
        (priced(limits={"max_parallel_training_jobs": 4, "max_runtime_seconds": 100}), 440.0),
    ],
)
def test_the_worst_case_is_the_least_of_all_bounds(tuning_spec: TuningSpec, cost: float | None) -> None:
    assert most_cost(tuning_spec) == cost
    made = planned(tuning_spec)
    json.dumps(made.to_json(), allow_nan=False)
    text = printed(made)
    assert ("cost without a bound" in text) is (cost == math.inf)
    assert ("cost unknown" in text) is (cost is None)


def test_the_most_jobs_are_the_least_of_the_limit_and_the_space() -> None:
    assert most_jobs(spec()) == 10
    five = {"continuous": SPACES["Grid"]["continuous"]}
    assert most_jobs(spec(**five)) == 5


# -- a name that is known -------------------------------------------------------------------------


def test_a_plan_says_what_becomes_of_a_tuning_job_of_the_same_name() -> None:
    tuning_spec = spec()
    goes_on = planned(tuning_spec, existing=opened(tuning_spec))
    assert "goes on with the tuning job" in printed(goes_on)
    ledger, _ = run(tuning_spec)
    assert "returns the result there is (Completed, 10 training jobs)" in printed(
        planned(tuning_spec, existing=ledger)
    )
    other = planned(spec(seed=5), existing=ledger)
    assert other.existing is not None
    assert other.existing.differences == ("seed: (default) -> 5",)
    assert "choose another name" in printed(other)


def test_a_plan_is_json() -> None:
    made = planned(spec(), job_seconds=60.0, existing=opened())
    data = json.loads(json.dumps(made.to_json(), allow_nan=False))
    assert data["estimate"]["jobs"] == 10
    assert data["ranges"][0]["name"] == "learning_rate"
    assert data["fingerprint"] == spec().fingerprint()
    assert data["first_jobs"][0]["name"].startswith("demo-001-")


def test_each_algorithm_may_reach_the_target_by_its_own_metric() -> None:
    ranges = {"continuous": [{"name": "x", "min_value": 0.0, "max_value": 1.0}]}
    other = {"definition_name": "other", "objective": {"metric_name": "auc", "type": "Maximize"}, **ranges}
    both = {"definition_name": "one", "other_definitions": [other]}
    target = {"completion": {"target_objective_metric_value": 0.9}}
    assert "accuracy or auc of 0.9 or more reached" in planned(spec(**both, **target)).criteria
    assert "accuracy of 0.9 or more reached" in planned(spec(**target)).criteria
