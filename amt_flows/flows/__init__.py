"""Tuning jobs as Prefect flows: the only room of amt-flows that imports Prefect.

What is here is public: the flows, their steps as tasks for flows of one's own, and what they exchange.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from amt_flows.flows.ephemeral import patient_ephemeral_server, start_server_beyond_ctrl_c
from amt_flows.lazy import lazy_names

# Before anything imports Prefect: its settings are read then.
patient_ephemeral_server()

from amt_flows.flows.tuning.results import load_result  # noqa: E402
from amt_flows.flows.tuning.run_tuning import run_tuning  # noqa: E402
from amt_flows.flows.tuning.tune import tune  # noqa: E402

if TYPE_CHECKING:
    from amt_flows.flows.automations import (
        clean_up_after_crash,
        clean_up_when_silent,
        notify,
        promote_when_completed,
    )
    from amt_flows.flows.blocks import (
        LocalTraining,
        RayTraining,
        SageMakerTraining,
        TuningJob,
        TuningRecords,
        WorkPoolTraining,
    )
    from amt_flows.flows.promotion.approval import wait_for_approval
    from amt_flows.flows.promotion.deploy import (
        approve_model_package,
        compare_with_champion,
        create_endpoint_configuration,
        create_model,
        deploy_endpoint,
        promote_in_tasks,
        promote_local,
        promote_mlflow,
        register_model,
        roll_back_endpoint,
        roll_back_local,
        roll_back_mlflow,
    )
    from amt_flows.flows.promotion.outcome import Decision, Outcome
    from amt_flows.flows.promotion.promote import promote
    from amt_flows.flows.promotion.retune import retune
    from amt_flows.flows.promotion.tune_then_deploy import tune_then_deploy
    from amt_flows.flows.tuning.clean_up import Remedy, clean_up
    from amt_flows.flows.tuning.manage import extend_tuning, resume_tuning, stop_task, stop_tuning
    from amt_flows.flows.tuning.quick import tune_quick

_HOMES = {
    "Decision": "amt_flows.flows.promotion.outcome",
    "LocalTraining": "amt_flows.flows.blocks",
    "Outcome": "amt_flows.flows.promotion.outcome",
    "Remedy": "amt_flows.flows.tuning.clean_up",
    "RayTraining": "amt_flows.flows.blocks",
    "SageMakerTraining": "amt_flows.flows.blocks",
    "WorkPoolTraining": "amt_flows.flows.blocks",
    "TuningJob": "amt_flows.flows.blocks",
    "TuningRecords": "amt_flows.flows.blocks",
    "approve_model_package": "amt_flows.flows.promotion.deploy",
    "clean_up": "amt_flows.flows.tuning.clean_up",
    "clean_up_after_crash": "amt_flows.flows.automations",
    "clean_up_when_silent": "amt_flows.flows.automations",
    "compare_with_champion": "amt_flows.flows.promotion.deploy",
    "create_endpoint_configuration": "amt_flows.flows.promotion.deploy",
    "create_model": "amt_flows.flows.promotion.deploy",
    "deploy_endpoint": "amt_flows.flows.promotion.deploy",
    "extend_tuning": "amt_flows.flows.tuning.manage",
    "notify": "amt_flows.flows.automations",
    "promote": "amt_flows.flows.promotion.promote",
    "promote_in_tasks": "amt_flows.flows.promotion.deploy",
    "promote_local": "amt_flows.flows.promotion.deploy",
    "promote_mlflow": "amt_flows.flows.promotion.deploy",
    "promote_when_completed": "amt_flows.flows.automations",
    "register_model": "amt_flows.flows.promotion.deploy",
    "resume_tuning": "amt_flows.flows.tuning.manage",
    "retune": "amt_flows.flows.promotion.retune",
    "roll_back_endpoint": "amt_flows.flows.promotion.deploy",
    "roll_back_local": "amt_flows.flows.promotion.deploy",
    "roll_back_mlflow": "amt_flows.flows.promotion.deploy",
    "stop_task": "amt_flows.flows.tuning.manage",
    "stop_tuning": "amt_flows.flows.tuning.manage",
    "tune_quick": "amt_flows.flows.tuning.quick",
    "tune_then_deploy": "amt_flows.flows.promotion.tune_then_deploy",
    "wait_for_approval": "amt_flows.flows.promotion.approval",
}

__all__ = [
    "Decision",
    "LocalTraining",
    "Outcome",
    "RayTraining",
    "Remedy",
    "SageMakerTraining",
    "TuningJob",
    "TuningRecords",
    "WorkPoolTraining",
    "approve_model_package",
    "clean_up",
    "clean_up_after_crash",
    "clean_up_when_silent",
    "compare_with_champion",
    "create_endpoint_configuration",
    "create_model",
    "deploy_endpoint",
    "extend_tuning",
    "load_result",
    "notify",
    "promote",
    "promote_in_tasks",
    "promote_local",
    "promote_mlflow",
    "promote_when_completed",
    "register_model",
    "resume_tuning",
    "retune",
    "roll_back_endpoint",
    "roll_back_local",
    "roll_back_mlflow",
    "run_tuning",
    "start_server_beyond_ctrl_c",
    "stop_task",
    "stop_tuning",
    "tune",
    "tune_quick",
    "tune_then_deploy",
    "wait_for_approval",
]

# What only tunes needs nothing of the deploy side.
__getattr__, __dir__ = lazy_names(__name__, _HOMES, own=tuple(__all__))
