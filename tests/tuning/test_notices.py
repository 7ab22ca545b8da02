"""What can't act within its limits is told before it runs, and once."""

from __future__ import annotations

from typing import Any

import pytest

from amt_flows.backends.simulated import SimulatedBackend, VirtualClock
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.plan.estimate import most_jobs
from amt_flows.rules.convergence import LEAST
from amt_flows.run import tune
from amt_flows.spec import TuningSpec
from amt_flows.tuning.notices import notices
from spec.samples import changed, good
from worlds import rising, run, spec

JOBS = "limits.max_number_of_training_jobs"
CONVERGENCE: dict[str, Any] = {"completion": {"complete_on_convergence": True}}
PATIENCE = {"completion": {"max_number_of_training_jobs_not_improving": 6}}
COMPARED = {"early_stopping": {"type": "Auto", "min_jobs": 6}}
GRID: dict[str, Any] = {"strategy": "Grid", "continuous": [], "limits": {}, **CONVERGENCE}


def fields(changes: dict[str, Any], place: str = "local") -> list[str]:
    told = notices(TuningSpec.parse(changed(good(), changes)), place)
    return [notice.partition(":")[0] for notice in told]


@pytest.mark.parametrize(
    ("rule", "too_few", "field"),
    [
        (CONVERGENCE, LEAST, "completion.complete_on_convergence"),
        (PATIENCE, 7, "completion.max_number_of_training_jobs_not_improving"),
        (COMPARED, 6, "early_stopping.min_jobs"),
    ],
)
def test_a_rule_without_room_to_act_is_told_and_one_with_room_is_not(
    rule: dict[str, Any], too_few: int, field: str
) -> None:
    assert field in fields({**rule, JOBS: too_few})
    assert field not in fields({**rule, JOBS: too_few + 1})


def test_a_grid_has_as_many_training_jobs_as_configurations() -> None:
    assert "completion.complete_on_convergence" in fields(GRID)


def test_of_the_convergence_of_amt_nobody_knows_when_it_acts() -> None:
    assert "completion.complete_on_convergence" not in fields(CONVERGENCE, "amt:eu-west-1")


@pytest.mark.parametrize("most", [99.0, 100.0])
def test_a_cost_that_one_job_might_pass_is_told_and_planned_as_no_job_at_all(most: float) -> None:
    job = {"command": ["true"], "price_per_hour": 36.0, "max_runtime_seconds": 9990, "stop_grace_seconds": 10}
    limits = {"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 3, "max_cost": most}
    priced = spec(training_job=job, limits=limits)
    ledger, _ = run(priced)
    assert any("limits.max_cost" in told for told in notices(priced, "local")) is (most < 100)
    assert (most_jobs(priced) == 0) is (most < 100) is (not ledger.jobs)


def test_the_rules_that_are_told_of_never_act_and_the_others_do() -> None:
    """The tuning job itself says so: every training job is as good as the last."""
    limits = {"max_parallel_training_jobs": 1}
    idle, _ = run(spec(**PATIENCE, limits={**limits, "max_number_of_training_jobs": 7}), same)
    assert [reason.rule for reason in idle.reasons][:1] == ["MaxNumberOfTrainingJobs"]
    acting, _ = run(spec(**PATIENCE, limits={**limits, "max_number_of_training_jobs": 8}), same)
    assert [reason.rule for reason in acting.reasons] == ["MaxNumberOfTrainingJobsNotImproving"]


def same(hyperparameters: object) -> Any:
    return rising({"learning_rate": "0.1"})


def test_running_says_what_the_plan_warns_of_and_says_it_once(caplog: pytest.LogCaptureFixture) -> None:
    backend, journal = SimulatedBackend(VirtualClock(), rising), MemoryJournal()
    asked = spec(**PATIENCE, limits={"max_number_of_training_jobs": 3})
    told = notices(asked, backend.address)
    assert told
    tune(asked, backend, journal=journal, progress=False)
    assert [record.getMessage() for record in caplog.records] == [f"Worth a look: {one}." for one in told]
    caplog.clear()
    tune(asked, backend, journal=journal, progress=False)
    (again,) = [record.getMessage() for record in caplog.records]
    assert again.startswith("Nothing was run: tuning job demo")


@pytest.mark.parametrize(
    ("field", "value", "unused", "used"),
    [
        ("training_job.resources", {"cpus": 0.1}, "sagemaker:eu-west-1", "local"),
        ("training_job.runtime_env", {"pip": ["a"]}, "local", "ray:http://head:8265"),
        ("training_job.job_variables", {"image": "a"}, "ray:http://head:8265", "work-pool:gpus"),
    ],
)
def test_what_another_place_would_use_is_told(
    field: str, value: dict[str, Any], unused: str, used: str
) -> None:
    assert field in fields({field: value}, unused)
    assert field not in fields({field: value}, used)
