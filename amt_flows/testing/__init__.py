"""For tests of amt-flows and of what users build on it: whole tuning jobs in no time, a simulated SageMaker,
and the conformance suites of backends, journals, strategies and trackers.

What is here is public. The simulated SageMaker needs the extra ``amt-flows[simulator]``, the suites pytest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from amt_flows.lazy import lazy_names

if TYPE_CHECKING:
    from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
    from amt_flows.ledger.journals.memory import MemoryJournal
    from amt_flows.testing.backend_conformance import BackendConformance, Behaviour, Controller
    from amt_flows.testing.journal_conformance import JournalConformance
    from amt_flows.testing.sagemaker import (
        AcceleratedClock,
        Chance,
        Command,
        Credentials,
        End,
        JobScript,
        Lags,
        Quotas,
        Refusal,
        SimulatedSageMaker,
        SimulatedTrainingJob,
        SimulatedTuningJob,
        TokenBucket,
        access_denied,
        connection_lost,
        expired_credentials,
        internal_failure,
        limit_exceeded,
        service_unavailable,
        throttled,
        validation,
    )
    from amt_flows.testing.simulation import simulate
    from amt_flows.testing.strategy_conformance import StrategyConformance
    from amt_flows.testing.tracker_conformance import TrackerConformance

_HOMES = {
    "AcceleratedClock": "amt_flows.testing.sagemaker",
    "BackendConformance": "amt_flows.testing.backend_conformance",
    "Behaviour": "amt_flows.testing.backend_conformance",
    "Chance": "amt_flows.testing.sagemaker",
    "Command": "amt_flows.testing.sagemaker",
    "Controller": "amt_flows.testing.backend_conformance",
    "Credentials": "amt_flows.testing.sagemaker",
    "End": "amt_flows.testing.sagemaker",
    "JobScript": "amt_flows.testing.sagemaker",
    "JournalConformance": "amt_flows.testing.journal_conformance",
    "Lags": "amt_flows.testing.sagemaker",
    "MemoryJournal": "amt_flows.ledger.journals.memory",
    "Quotas": "amt_flows.testing.sagemaker",
    "Refusal": "amt_flows.testing.sagemaker",
    "Script": "amt_flows.backends.simulated",
    "SimulatedBackend": "amt_flows.backends.simulated",
    "SimulatedSageMaker": "amt_flows.testing.sagemaker",
    "SimulatedTrainingJob": "amt_flows.testing.sagemaker",
    "SimulatedTuningJob": "amt_flows.testing.sagemaker",
    "StrategyConformance": "amt_flows.testing.strategy_conformance",
    "TokenBucket": "amt_flows.testing.sagemaker",
    "TrackerConformance": "amt_flows.testing.tracker_conformance",
    "VirtualClock": "amt_flows.backends.simulated",
    "access_denied": "amt_flows.testing.sagemaker",
    "connection_lost": "amt_flows.testing.sagemaker",
    "expired_credentials": "amt_flows.testing.sagemaker",
    "internal_failure": "amt_flows.testing.sagemaker",
    "limit_exceeded": "amt_flows.testing.sagemaker",
    "service_unavailable": "amt_flows.testing.sagemaker",
    "simulate": "amt_flows.testing.simulation",
    "throttled": "amt_flows.testing.sagemaker",
    "validation": "amt_flows.testing.sagemaker",
}

__all__ = [
    "AcceleratedClock",
    "BackendConformance",
    "Behaviour",
    "Chance",
    "Command",
    "Controller",
    "Credentials",
    "End",
    "JobScript",
    "JournalConformance",
    "Lags",
    "MemoryJournal",
    "Quotas",
    "Refusal",
    "Script",
    "SimulatedBackend",
    "SimulatedSageMaker",
    "SimulatedTrainingJob",
    "SimulatedTuningJob",
    "StrategyConformance",
    "TokenBucket",
    "TrackerConformance",
    "VirtualClock",
    "access_denied",
    "connection_lost",
    "expired_credentials",
    "internal_failure",
    "limit_exceeded",
    "service_unavailable",
    "simulate",
    "throttled",
    "validation",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
