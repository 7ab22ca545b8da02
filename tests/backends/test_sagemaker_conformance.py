from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from amt_flows.backends.sagemaker import SageMakerBackend
from amt_flows.spec import TrainingJobTemplate
from amt_flows.testing.backend_conformance import (
    CURVE,
    FIRST_VALUES,
    REASON,
    BackendConformance,
    Behaviour,
)
from amt_flows.testing.sagemaker import SimulatedSageMaker
from amt_flows.testing.sagemaker.scripts import End, JobScript
from backends.sagemaker_world import backend, template

SCRIPTS = {
    Behaviour.SUCCEED: JobScript(CURVE),
    Behaviour.FAIL: JobScript(CURVE[:1], end=End.FAIL, failure=REASON),
    Behaviour.RUN: JobScript(FIRST_VALUES, end=End.HANG),
    Behaviour.IGNORE_STOP: JobScript(FIRST_VALUES, end=End.HANG, stopping_seconds=600),
}


def train(hyperparameters: Mapping[str, str]) -> JobScript:
    return SCRIPTS[Behaviour(hyperparameters["behaviour"])]


class TestSageMakerBackend(BackendConformance):
    def setup_method(self) -> None:
        # Not a fixture: the suite's own one needs the world when it ends what a test left running.
        self.world = SimulatedSageMaker(train)
        self.world.__enter__()

    def teardown_method(self) -> None:
        self.world.__exit__(None, None, None)

    def make(self, place: Path) -> SageMakerBackend:
        return backend(self.world)

    def template(self, behaviour: Behaviour) -> TrainingJobTemplate:
        return template()
