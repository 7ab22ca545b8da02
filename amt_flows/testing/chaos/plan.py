"""What one simulated schedule is made of, all of it drawn from its seed."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from amt_flows.backends.simulated import Script
from amt_flows.ports import JobState
from amt_flows.spec import StrategyType, TuningSpec
from amt_flows.testing.chaos.faults import STRIKING, Fault

METRIC = "accuracy"
OTHER_METRIC = "recall"
MAX_RUNTIME_SECONDS = 20
GRACE_SECONDS = 4.0
DOLLARS_A_SECOND = 1.0 / 24


@dataclass(frozen=True)
class Plan:
    """``rate`` is the chance that a fault strikes where a controller meets its journal or its backend;
    after ``faults`` of them there is peace. ``on_disk``: the journal is a real directory."""

    seed: int
    spec: TuningSpec
    kinds: tuple[Fault, ...]
    faults: int
    rate: float
    capacity: int | None
    on_disk: bool
    machines_break: bool
    """Whether training jobs fail for reasons of infrastructure."""
    seconds_per_epoch: float = 1.0
    """About; how long faults last goes by it."""


def plan_of(seed: int) -> Plan:
    chance = random.Random(f"plan {seed}")
    some = chance.random() < 0.7
    kinds = tuple(kind for kind in STRIKING if not some or chance.random() < 0.5)
    return Plan(
        seed=seed,
        spec=_perhaps_by_hyperband(
            _perhaps_with_another_algorithm(_spec(seed, chance), random.Random(f"algorithms {seed}")),
            random.Random(f"hyperband {seed}"),
        ),
        kinds=kinds,
        faults=chance.choice((0, 2, 5, 10, 20, 40)) if kinds else 0,
        rate=chance.choice((0.02, 0.05, 0.1, 0.3)),
        capacity=chance.choice((None, None, 1, 2, 4)),
        on_disk=chance.random() < 0.2,
        machines_break=chance.random() < 0.6,
    )


def _spec(seed: int, chance: random.Random) -> TuningSpec:
    def maybe(value: Any, probability: float = 0.3) -> Any:
        return value if chance.random() < probability else None

    strategy = chance.choice(("Random", "Random", "QuasiRandom", "Grid"))
    grid = strategy == "Grid"
    size = chance.randint(2 if grid else 1, 14)
    limits = {
        "max_parallel_training_jobs": chance.randint(1, 4),
        "max_number_of_training_jobs": None if grid and chance.random() < 0.5 else size,
        "max_runtime_seconds": maybe(chance.randint(5, 60)),
        "max_cost": maybe(chance.uniform(0.8, 14)),
        "max_failed_training_jobs": chance.choice((3, 8)),
    }
    target = maybe(chance.uniform(0.8, 1.0), 0.2)
    return TuningSpec(
        name="chaos",
        seed=seed,
        objective={"metric_name": METRIC, "type": chance.choice(("Maximize", "Minimize"))},
        strategy=strategy,
        continuous=[] if grid else [{"name": "x", "min_value": 0.001, "max_value": 1.0}],
        integer=[{"name": "n", "min_value": 1, "max_value": size}] if grid else [],
        limits=limits,
        completion={
            "max_number_of_training_jobs_not_improving": maybe(chance.randint(1, 8)),
            "target_objective_metric_value": target,
            "target_on_epochs": target is not None and chance.random() < 0.5,
        },
        early_stopping={"type": chance.choice(("Off", "Auto")), "min_jobs": chance.randint(1, 3)},
        best_eligible=chance.choice(("completed", "completed_and_stopped")),
        training_job={
            "command": ["train"],
            "max_runtime_seconds": MAX_RUNTIME_SECONDS,
            "stop_grace_seconds": GRACE_SECONDS,
            "price_per_hour": 3600 * DOLLARS_A_SECOND,
            "max_retry_attempts": chance.randint(0, 4),
        },
    )


def _perhaps_with_another_algorithm(spec: TuningSpec, chance: random.Random) -> TuningSpec:
    """The same tuning job, or one that also tunes an algorithm with the very same ranges."""
    if chance.random() < 0.7:
        return spec
    content = spec.to_json()
    other: dict[str, Any] = {
        "definition_name": "second",
        "objective": {"metric_name": OTHER_METRIC, "type": spec.objective.type.value},
        "static_hyperparameters": {"algorithm": "second"},
    }
    other |= {name: content[name] for name in ("continuous", "integer", "training_job") if name in content}
    most = spec.limits.max_number_of_training_jobs
    if spec.strategy is StrategyType.GRID and most is not None:
        content["limits"]["max_number_of_training_jobs"] = 2 * most
    several = {"definition_name": "first", "other_definitions": [other], "early_stopping": {"type": "Off"}}
    return TuningSpec(**{**content, **several})


def _perhaps_by_hyperband(spec: TuningSpec, chance: random.Random) -> TuningSpec:
    """The same tuning job, or one by Hyperband, whose stopped jobs go on from their checkpoints."""
    if spec.strategy is not StrategyType.RANDOM or spec.other_definitions or chance.random() < 0.6:
        return spec
    content = spec.to_json()
    # No job gets as far as to be ended as completed.
    content["hyperband"] = {"min_resource": 1, "max_resource": 9, "resume_stopped": True}
    content["limits"]["max_number_of_training_jobs"] = chance.randint(8, 30)
    return TuningSpec(**{**content, "strategy": "Hyperband", "early_stopping": {"type": "Off"}})


def resumes(spec: TuningSpec) -> bool:
    """Whether stopped jobs may be gone on with."""
    return spec.hyperband is not None and spec.hyperband.resume_stopped


class Trainer:
    """What training jobs do: drawn from the seed and the configuration, so that a second attempt meets the
    same fate, but for a machine that broke. Counts the faults among it."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._starts: dict[tuple[str, ...], int] = {}

    def __call__(self, hyperparameters: Mapping[str, str]) -> tuple[Script, Fault | None]:
        key = tuple(hyperparameters.values())
        number = self._starts[key] = self._starts.get(key, 0) + 1
        fate = random.Random(f"{self._plan.seed} {key}")
        kind = fate.random()
        length = fate.randint(1, 8)
        values = [fate.random() for _ in range(length)]
        healthy = Script(
            values,
            seconds_per_epoch=fate.uniform(0.3, 3),
            startup_seconds=fate.uniform(0, 2),
            stopping_seconds=fate.uniform(0, GRACE_SECONDS),
            checkpoints=resumes(self._plan.spec),
        )
        if kind < 0.08:
            return replace(healthy, end=JobState.FAILED), Fault.CRASHED
        if kind < 0.16 and self._plan.machines_break and number <= fate.randint(1, 3):
            broken = replace(healthy, values=values[:2], end=JobState.FAILED, infrastructure=True)
            return broken, Fault.INFRASTRUCTURE
        if kind < 0.22:
            return replace(healthy, values=values[:2], hangs=True), Fault.HUNG
        if kind < 0.30:
            odd = fate.choice(([], [*values, math.nan], [math.inf, *values], [-math.inf]))
            return replace(healthy, values=odd), Fault.NOT_A_NUMBER
        return healthy, None
