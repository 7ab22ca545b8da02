"""Tuning jobs as Prefect flows: the only room of amt-flows that imports Prefect.

What is here is public: the flows, their steps as tasks for flows of one's own, and what they exchange.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from amt_flows.flows.ephemeral import patient_ephemeral_server

# Before anything imports Prefect: its settings are read then.
patient_ephemeral_server()

from amt_flows.flows.tuning.results import load_result  # noqa: E402
from amt_flows.flows.tuning.run_tuning import run_tuning  # noqa: E402
from amt_flows.flows.tuning.tune import tune  # noqa: E402

if TYPE_CHECKING:
    from amt_flows.flows.blocks import LocalTraining, SageMakerTraining, TuningJob, TuningRecords
    from amt_flows.flows.promotion.approval import wait_for_approval
    from amt_flows.flows.promotion.deploy import (
        approve_model_package,
        compare_with_champion,
        create_endpoint_configuration,
        create_model,
        deploy_endpoint,
        promote_in_tasks,
        promote_local,
        register_model,
        roll_back_endpoint,
        roll_back_local,
    )
    from amt_flows.flows.promotion.outcome import Decision, Outcome
    from amt_flows.flows.promotion.promote import promote
    from amt_flows.flows.promotion.retune import retune
    from amt_flows.flows.promotion.tune_then_deploy import tune_then_deploy
    from amt_flows.flows.tuning.clean_up import Remedy, clean_up
    from amt_flows.flows.tuning.manage import resume_tuning, stop_task, stop_tuning

_HOMES = {
    "Decision": "promotion.outcome",
    "LocalTraining": "blocks",
    "Outcome": "promotion.outcome",
    "Remedy": "tuning.clean_up",
    "SageMakerTraining": "blocks",
    "TuningJob": "blocks",
    "TuningRecords": "blocks",
    "approve_model_package": "promotion.deploy",
    "clean_up": "tuning.clean_up",
    "compare_with_champion": "promotion.deploy",
    "create_endpoint_configuration": "promotion.deploy",
    "create_model": "promotion.deploy",
    "deploy_endpoint": "promotion.deploy",
    "promote": "promotion.promote",
    "promote_in_tasks": "promotion.deploy",
    "promote_local": "promotion.deploy",
    "register_model": "promotion.deploy",
    "resume_tuning": "tuning.manage",
    "retune": "promotion.retune",
    "roll_back_endpoint": "promotion.deploy",
    "roll_back_local": "promotion.deploy",
    "stop_task": "tuning.manage",
    "stop_tuning": "tuning.manage",
    "tune_then_deploy": "promotion.tune_then_deploy",
    "wait_for_approval": "promotion.approval",
}

__all__ = [
    "Decision",
    "LocalTraining",
    "Outcome",
    "Remedy",
    "SageMakerTraining",
    "TuningJob",
    "TuningRecords",
    "approve_model_package",
    "clean_up",
    "compare_with_champion",
    "create_endpoint_configuration",
    "create_model",
    "deploy_endpoint",
    "load_result",
    "patient_ephemeral_server",
    "promote",
    "promote_in_tasks",
    "promote_local",
    "register_model",
    "resume_tuning",
    "retune",
    "roll_back_endpoint",
    "roll_back_local",
    "run_tuning",
    "stop_task",
    "stop_tuning",
    "tune",
    "tune_then_deploy",
    "wait_for_approval",
]


def __getattr__(name: str) -> object:
    # Loaded on first use: what only tunes needs nothing of the deploy side.
    if name in _HOMES:
        return getattr(import_module(f"amt_flows.flows.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'amt_flows.flows' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
