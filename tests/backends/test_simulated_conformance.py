"""The world that most tests run in keeps the same contract as the real ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.ports import JobState
from amt_flows.spec import TrainingJobTemplate
from amt_flows.testing.backend_conformance import (
    CURVE,
    FIRST_VALUES,
    REASON,
    BackendConformance,
    Behaviour,
)

SCRIPTS = {
    Behaviour.SUCCEED: Script(CURVE),
    Behaviour.FAIL: Script(CURVE[:1], end=JobState.FAILED, failure=REASON),
    Behaviour.RUN: Script(FIRST_VALUES, hangs=True),
    Behaviour.IGNORE_STOP: Script(FIRST_VALUES, hangs=True, stopping_seconds=5.0),
}


def train(hyperparameters: Mapping[str, str]) -> Script:
    return SCRIPTS[Behaviour(hyperparameters["behaviour"])]


class TestSimulatedBackend(BackendConformance):
    def setup_method(self) -> None:
        self.world = SimulatedBackend(VirtualClock(), train)

    def make(self, place: Path) -> SimulatedBackend:
        return self.world.view()

    def template(self, behaviour: Behaviour) -> TrainingJobTemplate:
        return TrainingJobTemplate(command=("train",), stop_grace_seconds=5.0)
