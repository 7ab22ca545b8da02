"""Small worlds for tests: specs, ledgers written by hand, and tunings on a virtual clock."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.events import Ended, Launched, Observed, Opened, Outcome, Proposed
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.running_tuning_job import News
from amt_flows.spec import TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive


def spec(**changes: Any) -> TuningSpec:
    """A small valid spec: maximise ``accuracy`` over one learning rate at random, ten jobs, two at once."""
    values: dict[str, Any] = {
        "name": "demo",
        "objective": {"metric_name": "accuracy"},
        "continuous": [{"name": "learning_rate", "min_value": 0.0001, "max_value": 1.0}],
        "strategy": "Random",
        "limits": {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 10},
        "training_job": {"command": ["train"], "price_per_hour": None},
    }
    return TuningSpec(**{**values, **changes})


def opened(tuning_spec: TuningSpec | None = None) -> Ledger:
    """A ledger with nothing but its opening, at time 0."""
    tuning_spec = tuning_spec or spec()
    ledger = Ledger()
    ledger.apply(Opened(0.0, "demo", tuning_spec.fingerprint(), tuning_spec.to_json(), "test"))
    return ledger


def running_job(
    ledger: Ledger, trial: int, values: Sequence[float] = (), at: float | None = None, attempt: int = 1
) -> str:
    """Add a trial with one job that has emitted these values. Returns the job's name."""
    at = float(trial) if at is None else at
    name = f"demo-{trial:03d}-00000000" + f"-r{attempt}" * (attempt > 1)
    if attempt == 1:
        ledger.apply(Proposed(at, trial, {"learning_rate": 1 / (trial + 1)}, "test", ""))
    ledger.apply(Launched(at, name, trial, attempt))
    if values:
        ledger.apply(Observed(at, {name: tuple(enumerate(values, start=1))}))
    return name


def ended_job(
    ledger: Ledger,
    trial: int,
    values: Sequence[float] = (),
    outcome: Outcome = Outcome.COMPLETED,
    seconds: float = 1.0,
    attempt: int = 1,
) -> str:
    """Add a trial whose job has ended after these values, or a further attempt of one."""
    name = running_job(ledger, trial, values, attempt=attempt)
    metrics = {"accuracy": values[-1]} if values else {}
    ledger.apply(
        Ended(trial + seconds, name, outcome, float(trial), trial + seconds, metrics, None, None, None)
    )
    return name


Train = Callable[[Mapping[str, str]], Script]


def rising(hyperparameters: Mapping[str, str]) -> Script:
    """Ten epochs that approach an accuracy which is best near a learning rate of 0.1."""
    quality = 1.0 - abs(float(hyperparameters["learning_rate"]) - 0.1)
    return Script([quality * (1 - 0.5**epoch) for epoch in range(1, 11)])


def run(
    tuning_spec: TuningSpec, train: Train = rising, backend: SimulatedBackend | None = None
) -> tuple[Ledger, SimulatedBackend]:
    """Drive a tuning job to its end on a virtual clock."""
    backend = backend or SimulatedBackend(VirtualClock(), train)
    tuning = Tuning.open(tuning_spec, backend, MemoryJournal(), clock=backend.clock)
    drive(tuning)
    return tuning.ledger, backend


class _ControllerDied(BaseException):
    pass


def drive_until(tuning: Tuning, dies: Callable[[], bool]) -> None:
    """Drive a tuning job to the first round in which its controller dies, or to its end."""

    def tick(_: Tuning, __: News) -> None:
        if dies():
            raise _ControllerDied

    with contextlib.suppress(_ControllerDied):
        drive(tuning, on_tick=tick)


def drive_for(tuning: Tuning, rounds: int) -> None:
    """Drive a tuning job for some rounds, in the last of which its controller dies, or to its end."""
    ticks = itertools.count(1)
    drive_until(tuning, lambda: next(ticks) == rounds)
