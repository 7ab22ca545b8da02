"""Several objectives on SageMaker: every metric is read from the training jobs' output, by any controller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.results import result_of
from amt_flows.testing.sagemaker import SimulatedSageMaker
from amt_flows.testing.sagemaker.scripts import JobScript
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from amt_flows.tuning.recover import recover
from backends.sagemaker_world import OBJECTIVE, backend, spec

OTHERS: Any = [{"metric_name": "size", "type": "Minimize"}, {"metric_name": "images/s"}]


def told(hyperparameters: Mapping[str, str]) -> dict[str, float]:
    rate = float(hyperparameters["learning_rate"])
    return {OBJECTIVE: rate, "size": 10 * rate, "images/s": 1 / rate}


def train(hyperparameters: Mapping[str, str]) -> JobScript:
    first = dict.fromkeys(told(hyperparameters), 100.0)
    return JobScript([first, told(hyperparameters)], seconds_per_epoch=20.0)


def test_every_objective_is_read_and_a_lost_record_tells_them_again() -> None:
    asked = spec(other_objectives=OTHERS, limits={"max_number_of_training_jobs": 4})
    with SimulatedSageMaker(train) as world:
        tuning = Tuning.open(asked, backend(world), MemoryJournal(), clock=world.clock)
        drive(tuning)
        result = result_of(tuning.ledger, "memory:")
        for row in tuning.ledger.history():
            wanted = told({name: str(value) for name, value in row.configuration.items()})
            assert row.loss == -wanted[OBJECTIVE]
            assert row.other_losses == (wanted["size"], -wanted["images/s"])
        # What is better in one objective is worse in another.
        assert len(result.pareto_front) == 4
        again = recover(asked, lambda: backend(world), MemoryJournal(), clock=world.clock)
        assert result_of(again, "memory:").pareto_front == result.pareto_front
