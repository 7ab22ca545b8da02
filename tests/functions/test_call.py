"""A call of ``tune`` says what a spec says, and what is wrong with it is told before anything is launched."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import amt_flows as amt
from amt_flows.errors import BackendError, SpecError


class Kind(enum.Enum):
    SGD = "sgd"


JOBS: dict[str, Any] = {"maximize": "accuracy", "jobs": 3}


def train(learning_rate: float, depth: int = 3, optimizer: str = "sgd") -> float:
    return learning_rate * depth * len(optimizer)


def refusal(call: Any, *args: Any, **settings: Any) -> str:
    with pytest.raises((SpecError, BackendError)) as refused:
        call(*args, **settings)
    return str(refused.value)


def test_the_call_and_the_spec_are_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.py").write_text("def train(learning_rate, depth, optimizer): return 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    import shop  # type: ignore[import-not-found]

    spec = amt.spec_of(
        shop.train,
        {
            "learning_rate": amt.Continuous(1e-5, 1, "Logarithmic", only_when={"optimizer": ["sgd"]}),
            "depth": amt.Integer(1, 8),
            "optimizer": ["sgd", "adam"],
        },
        minimize="loss",
        jobs=20,
        parallel=2,
        seconds=60,
        target=0.1,
        early_stopping=True,
        seed=4,
        parents="monday",
        name="tuesday",
        strategy="Random",
    )
    assert spec == amt.TuningSpec.parse(
        {
            "name": "tuesday",
            "strategy": "Random",
            "seed": 4,
            "objective": {"metric_name": "loss", "type": "Minimize"},
            "continuous": [
                {
                    "name": "learning_rate",
                    "min_value": 1e-5,
                    "max_value": 1,
                    "scaling_type": "Logarithmic",
                    "only_when": {"name": "optimizer", "values": ["sgd"]},
                }
            ],
            "integer": [{"name": "depth", "min_value": 1, "max_value": 8}],
            "categorical": [{"name": "optimizer", "values": ["sgd", "adam"]}],
            "limits": {
                "max_number_of_training_jobs": 20,
                "max_parallel_training_jobs": 2,
                "max_runtime_seconds": 60,
            },
            "completion": {"target_objective_metric_value": 0.1},
            "early_stopping": {"type": "Auto"},
            "warm_start": {"type": "TransferLearning", "parents": ["monday"]},
            "training_job": {"function": "shop:train", "working_directory": str(tmp_path)},
        }
    )
    (tmp_path / "tuning.toml").write_text(spec.to_toml())
    assert amt.TuningSpec.load(tmp_path / "tuning.toml") == spec


def test_amts_names_and_a_specs_ranges_will_do() -> None:
    ranges = [amt.ContinuousRange(name="learning_rate", min_value=0, max_value=1)]
    short = amt.spec_of(train, {"learning_rate": amt.Continuous(0, 1)}, maximize="a", jobs=3, parallel=2)
    long: dict[str, Any] = {"MaxNumberOfTrainingJobs": 3, "max_parallel_training_jobs": 2}
    assert amt.spec_of(train, ranges, maximize="a", **long) == short


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"n_trials": 3}, "write `jobs`"),
        ({"max_job": 3}, "write `jobs`"),
        ({"n_jobs": 3}, "write `parallel`"),
        ({"timeout": 3}, "write `seconds`"),
        ({"maximise": "x"}, "write `maximize`"),
        ({"storage": "x"}, "write `home`"),
        ({"direction": "x"}, "write `maximize` or `minimize`"),
        ({"max_cost": 3}, "write it into a TuningSpec, as `limits.max_cost`"),
        ({"minimize": "x"}, "say one of the two"),
        ({"max_number_of_training_jobs": 4}, "is said twice"),
        ({"jobs": 0}, "jobs: "),
        ({"strategy": "Bayes"}, "Bayesian"),
        ({"home": 3}, "write a directory"),
        ({"backend": "locl"}, "write 'local'"),
        ({"backend": "ray"}, "write 'ray:http://head:8265'"),
    ],
)
def test_a_wrong_setting_is_answered_with_the_right_one(settings: dict[str, Any], said: str) -> None:
    space = {"learning_rate": amt.Continuous(0, 1)}
    assert said in refusal(amt.tune, train, space, **{**JOBS, **settings})


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"learning_rat": amt.Continuous(0, 1)}, "write `learning_rate`"),
        ({"depth": amt.Integer(1, 3)}, "space['learning_rate']: the function needs it"),
        ({"learning_rate": 3}, "is no range"),
        ({"learning_rate": amt.Continuous(1, 0)}, "space['learning_rate']"),
        ({"learning_rate": (0.1, 1)}, "write Continuous(0.1, 1) for a range"),
        ({"learning_rate": list(Kind)}, "annotate"),
        ({"learning_rate": (0, 1), "optimizer": "sgd"}, "space['optimizer']: is no range"),
        (3, "is no space"),
        ([("learning_rate", 1)], "space[0]: has no name"),
    ],
)
def test_a_wrong_space_is_answered_with_the_right_one(space: Any, said: str) -> None:
    assert said in refusal(amt.tune, train, space, **JOBS)


def test_a_wrong_range_is_answered_with_the_right_one() -> None:
    wrong: dict[str, Any] = {"low": 1, "high": 3}
    assert "Integer.low: is no setting of this range; write `min_value`" in refusal(amt.Integer, **wrong)
    scaling: Any = "Log"
    space = {"learning_rate": amt.Continuous(1, 3, scaling)}
    assert "write `Logarithmic`" in refusal(amt.tune, train, space, **JOBS)
    assert "write a list of values" in refusal(amt.Categorical, "adam")


def test_where_it_runs_is_no_part_of_a_spec() -> None:
    elsewhere: dict[str, Any] = {"backend": "local"}
    space = {"learning_rate": amt.Continuous(0, 1)}
    assert "give it to `amt_flows.tune`" in refusal(amt.spec_of, train, space, **JOBS, **elsewhere)
    nowhere: dict[str, Any] = {"home": 3}
    assert "write a directory" in refusal(amt.spec_of, train, space, **JOBS, **nowhere)


def test_a_function_that_takes_no_names_is_told_how_it_can() -> None:
    rates = [np.float64(0.1), np.float64(0.2)]
    space: Any = {"learning_rate": rates}
    assert amt.spec_of(train, space, **JOBS) == amt.spec_of(train, {"learning_rate": [0.1, 0.2]}, **JOBS)
    assert "`lambda **config: train(config)`" in refusal(amt.tune, lambda config: 1, space, **JOBS)
    assert "by position only" in refusal(amt.tune, lambda learning_rate, /: 1, space, **JOBS)


def test_a_spec_says_everything_itself() -> None:
    spec = amt.spec_of(train, {"learning_rate": amt.Continuous(0, 1)}, maximize="accuracy", jobs=3)
    settings: Any = {"jobs": 4}
    assert "write it into the spec" in refusal(amt.tune, spec, **settings)
