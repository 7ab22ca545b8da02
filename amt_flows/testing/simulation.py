"""A whole tuning job in no time: training jobs that follow a script, on a virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.names import made_up_name
from amt_flows.ports import Journal
from amt_flows.results import TuningResult
from amt_flows.results.result import finished_result
from amt_flows.spec import TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive


def simulate(
    spec: TuningSpec, train: Callable[[Mapping[str, str]], Script], *, journal: Journal | None = None
) -> TuningResult:
    """What :func:`amt_flows.tune` would come to if each training job did what ``train`` makes of its
    hyperparameters. Nothing is started, and a day takes a moment: proposals, early stopping and completion
    are the real ones, the clock is not. The record is kept in memory unless a journal is given.

    Raises SpecError, and TuningJobFailed when the tuning job ends as Failed.
    """
    spec = spec if spec.name is not None else spec.named(made_up_name())
    clock = VirtualClock()
    tuning = Tuning.open(spec, SimulatedBackend(clock, train), journal or MemoryJournal(), clock=clock)
    drive(tuning)
    return finished_result(tuning)
