"""Tuning jobs as Prefect flows: the only room of amt-flows that imports Prefect.

Modules are loaded at once, not lazily: the flow ``tune`` bears the name of its module, and a lazy
attribute would answer with whichever of the two was asked for first.
"""

from amt_flows.flows.ephemeral import patient_ephemeral_server

patient_ephemeral_server()

from amt_flows.flows.results import load_result  # noqa: E402
from amt_flows.flows.tune import tune  # noqa: E402
from amt_flows.flows.tuning import run_tuning  # noqa: E402

__all__ = ["load_result", "patient_ephemeral_server", "run_tuning", "tune"]
