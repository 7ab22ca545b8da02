"""A plan for SageMaker's own tuner speaks of its rules, and every plan tells the guide's estimate."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from amt_flows.backends.places import SageMakerTuner
from amt_flows.backends.simulated import SimulatedBackend, VirtualClock
from amt_flows.plan.dry_run import Plan, plan
from amt_flows.plan.early_stops import likely_early_stops
from amt_flows.plan.text import plan_text
from amt_flows.spec import TuningSpec
from amt_flows.spec.amt_fields import CONFIG, ONE
from spec.bodies import bayesian
from spec.samples import changed
from worlds import rising, spec


def body(**changes: Any) -> TuningSpec:
    return TuningSpec.parse(changed(bayesian(), changes))


def printed(made: Plan) -> str:
    console = Console(file=io.StringIO(), width=300, highlight=False)
    with console.capture() as captured:
        console.print(plan_text(made))
    return captured.get()


def by_us(asked: TuningSpec, **options: Any) -> Plan:
    return plan(asked, SimulatedBackend(VirtualClock(), rising), first_jobs=0, **options)


def by_amt(asked: TuningSpec, **options: Any) -> Plan:
    return plan(asked, SageMakerTuner("eu-west-1"), **options)


OURS = ("as Failed", "in a row", "of at least", "10% of", "nor while it may still reach")


def test_a_plan_for_amt_has_none_of_our_guards_and_a_plan_for_us_has() -> None:
    text = printed(by_amt(body()))
    assert not [words for words in OURS if words in text]
    assert "convergence as AMT detects it" in text
    assert "AMT stops a job whose objective at an epoch is worse than the median" in text
    assert [words for words in OURS if words in printed(by_us(body()))] == list(OURS)


def test_what_is_likely_by_amt_follows_the_bare_rule_of_its_guide() -> None:
    made = by_amt(body(), job_seconds=600.0)
    bare = body().model_copy(
        update={
            "early_stopping": spec(
                early_stopping={"type": "Auto", "min_jobs": 1, "grace_epochs": 0}
            ).early_stopping
        }
    )
    stops = likely_early_stops(bare)
    assert made.likely is not None
    assert stops is not None
    assert made.likely.saved_share == stops.share


def test_of_the_hyperband_of_amt_nothing_is_assumed() -> None:
    asked = body(
        **{
            f"{CONFIG}.Strategy": "Hyperband",
            f"{CONFIG}.StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 27}},
            f"{CONFIG}.TrainingJobEarlyStoppingType": "Off",
        }
    )
    made = by_amt(asked, job_seconds=600.0)
    assert made.likely is None
    assert "AMT's Hyperband stops jobs" in made.early_stopping


@pytest.mark.parametrize(
    ("resources", "instances"),
    [
        ({f"{ONE}.ResourceConfig.InstanceCount": 3}, 3),
        (
            {
                f"{ONE}.ResourceConfig": {
                    "VolumeSizeInGB": 5,
                    "InstanceGroups": [
                        {"InstanceType": "ml.m5.large", "InstanceCount": n, "InstanceGroupName": f"g{n}"}
                        for n in (1, 4)
                    ],
                }
            },
            5,
        ),
    ],
)
def test_the_guide_s_estimate_of_the_compute_time_is_told(resources: dict[str, Any], instances: int) -> None:
    """MaxRuntimeInSeconds 86400, MaxParallelTrainingJobs 5."""
    for made in (by_amt(body(**resources)), by_us(body(**resources))):
        assert made.compute_seconds == 86_400 * 5 * instances
        assert f"at most about {86_400 * 5 * instances} s (" in printed(made)
        assert f"1 d x 5 training jobs at once x {instances} instance" in printed(made)


def test_without_a_limit_of_the_run_time_there_is_no_such_estimate() -> None:
    assert by_us(spec()).compute_seconds is None
    assert "by AMT's formula" not in printed(by_us(spec()))
