"""What early stopping is likely to save: the engine's own rule, on training curves of paper.

Nobody knows the curves before there are any, so this is an assumption with a seed: qualities spread evenly,
each curve rising towards its own quality at a speed of its own, so that some cross.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Final

from amt_flows.backends.simulated import Script, VirtualClock
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.plan.estimate import AnyConfiguration, Jumping, most_jobs
from amt_flows.plan.paper import on_paper
from amt_flows.rules.early_stopping import early_stopping_rule
from amt_flows.spec import ResourceLimits, TrainingJobTemplate, TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive

EPOCHS: Final = 20
"""Of a training job of which nothing is known."""
MOST_JOBS: Final = 40
"""Of a simulation: what is saved is a share, which more jobs hardly change."""
ROUNDS: Final = 5
"""Simulations, each with other curves: of a few jobs one alone says little."""
SPEEDS: Final = (2.0, 6.0)
"""How many times a curve's distance to its quality falls to 1/e while it is trained."""


@dataclass(frozen=True)
class EarlyStops:
    """``share`` of the training time is likely saved, and ``stopped`` of the training jobs are stopped (a
    share too), on curves of ``epochs`` epochs."""

    share: float
    stopped: float
    epochs: int


def likely_early_stops(spec: TuningSpec, epochs: int | None = None, tried: int = 0) -> EarlyStops | None:
    """None where early stopping is off. ``epochs``: how many a training job has, as far as it is known.
    ``tried``: as for :func:`most_jobs`."""
    if early_stopping_rule(spec) is None:
        return None
    length = epochs or EPOCHS
    if spec.hyperband is not None:
        length = spec.hyperband.max_resource
    jobs = min(most_jobs(spec, tried) or MOST_JOBS, MOST_JOBS)
    alone = _only_early_stopping(spec, jobs)
    trained = [epochs for seed in range(ROUNDS) for epochs in _epochs_trained(alone, length, seed)]
    stopped = sum(epochs < length for epochs in trained)
    return EarlyStops(1 - sum(trained) / (length * len(trained)), stopped / len(trained), length)


def _epochs_trained(spec: TuningSpec, length: int, seed: int) -> list[int]:
    """How far each training job got, of ``length`` epochs."""
    clock = VirtualClock()
    chance = random.Random(seed)
    backend = Jumping(clock, lambda hyperparameters: _script(chance, length, maximize=spec.maximize))
    tuning = Tuning.open(spec, backend, MemoryJournal(), clock=clock, strategy=AnyConfiguration())
    drive(tuning)
    return [job.curve.last_epoch for job in tuning.ledger.jobs.values()]


def _script(chance: random.Random, epochs: int, *, maximize: bool) -> Script:
    sign = 1.0 if maximize else -1.0
    quality, speed = chance.random(), chance.uniform(*SPEEDS)
    rise = (1 - math.exp(-speed * epoch / epochs) for epoch in range(1, epochs + 1))
    return Script([sign * quality * part for part in rise], 1.0)


def _only_early_stopping(spec: TuningSpec, jobs: int) -> TuningSpec:
    limits = ResourceLimits(
        max_parallel_training_jobs=spec.limits.max_parallel_training_jobs, max_number_of_training_jobs=jobs
    )
    grace = TrainingJobTemplate(stop_grace_seconds=spec.training_job.stop_grace_seconds)
    return on_paper(spec, limits, grace, early_stopping=spec.early_stopping, hyperband=spec.hyperband)
