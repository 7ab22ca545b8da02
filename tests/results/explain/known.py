"""Ledgers of tuning jobs whose objective is a known function of the hyperparameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from amt_flows.events import Ended, Event, Launched, Opened, Outcome, Proposed
from amt_flows.ledger.ledger import Ledger
from amt_flows.space.space import Space, Value
from amt_flows.spec import TuningSpec
from amt_flows.strategies.quasirandom import sobol_points
from worlds import spec

METRIC = "accuracy"


def numbers(
    *names: str, low: float = 0.0, high: float = 1.0, scaling: str = "Linear"
) -> list[dict[str, Any]]:
    return [{"name": n, "min_value": low, "max_value": high, "scaling_type": scaling} for n in names]


def minimised(**ranges: Any) -> TuningSpec:
    """A spec over these ranges whose objective is smaller when better."""
    return spec(**{"continuous": [], **ranges}, objective={"metric_name": METRIC, "type": "Minimize"})


def spread(space: Space, amount: int) -> list[dict[str, Value]]:
    return [space.decode(next(sobol_points(space.dimension, number=n, seed=1))) for n in range(amount)]


def job_name(trial: int) -> str:
    return f"demo-{trial:03d}-00000000"


def job_events(
    trial: int, configuration: Mapping[str, Value], value: float, outcome: Outcome = Outcome.COMPLETED
) -> Sequence[Event]:
    name = job_name(trial)
    metrics = {} if outcome is Outcome.NO_METRIC else {METRIC: value}
    return (
        Proposed(trial, trial, configuration, "random", "drawn"),
        Launched(trial, name, trial, 1),
        Ended(trial + 1.0, name, outcome, float(trial), trial + 1.0, metrics, None, None, None),
    )


def known(
    tuning_spec: TuningSpec, function: Callable[[Mapping[str, Any]], float], amount: int = 60
) -> Ledger:
    """The ledger of ``amount`` completed jobs, spread evenly over the space."""
    ledger = Ledger()
    ledger.apply(Opened(0.0, "demo", tuning_spec.fingerprint(), tuning_spec.to_json(), "test"))
    for trial, configuration in enumerate(spread(tuning_spec.space(), amount), start=1):
        for event in job_events(trial, configuration, function(configuration)):
            ledger.apply(event)
    return ledger
