"""A pipeline of a user's own, with ours as a step of it."""

from __future__ import annotations

from typing import Any

from prefect import flow

from amt_flows.deploy import Target
from amt_flows.flows import tune_then_deploy
from amt_flows.spec import TuningSpec


@flow(name="own pipeline around tune-then-deploy", persist_result=True)
def pipeline(spec: dict[str, Any], target: dict[str, Any], home: str, ask_for_approval: bool) -> bool:
    outcome = tune_then_deploy(
        TuningSpec.parse(spec), Target(**target), home=home, ask_for_approval=ask_for_approval
    )
    return outcome.promoted
