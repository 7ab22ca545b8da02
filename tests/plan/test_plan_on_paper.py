"""How long training jobs take changes nothing about whether they can run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from amt_flows.backends.simulated import SimulatedBackend, VirtualClock
from amt_flows.plan.dry_run import Plan, plan
from amt_flows.spec import TuningSpec
from spec.bodies import bayesian
from spec.generated import own_tuning_jobs
from worlds import rising, spec


def planned(tuning_spec: TuningSpec, **options: Any) -> Plan:
    return plan(tuning_spec, SimulatedBackend(VirtualClock(), rising), first_jobs=0, **options)


@pytest.mark.parametrize(
    "valid",
    [
        TuningSpec.parse({k: v for k, v in bayesian().items() if k != "WarmStartConfig"}),
        spec(strategy="Bayesian", limits={"max_number_of_training_jobs": 9, "prefer_cheap": True}),
        spec(
            strategy="Hyperband",
            hyperband={"max_resource": 9, "proposals": "model"},
            limits={"max_number_of_training_jobs": 9, "prefer_cheap": True},
        ),
        spec(other_objectives=[{"metric_name": "size", "type": "Minimize"}]),
    ],
    ids=["spot", "cheap", "hyperband", "two objectives"],
)
def test_a_valid_spec_stays_valid_once_lengths_are_known(valid: TuningSpec) -> None:
    made = planned(valid, job_seconds=600.0)
    assert made.problems == ()
    assert made.estimate is not None


@given(data=own_tuning_jobs())
@settings(max_examples=15, deadline=None)
def test_no_valid_spec_is_refused_for_a_length(data: dict[str, Any]) -> None:
    valid = TuningSpec.parse(data)
    assert planned(valid, job_seconds=86_400.0).problems == planned(valid).problems
