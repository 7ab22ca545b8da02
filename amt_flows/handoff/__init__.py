"""Tuning jobs that SageMaker's own tuner runs, followed by us."""

from amt_flows.handoff.handed_off import Following, HandedOff
from amt_flows.handoff.parent import AmtParent, AmtParentJob, amt_parent
from amt_flows.handoff.tune import attach_to_amt, follow, open_at, stop_handed_off, to_its_end, tune_on_amt

__all__ = [
    "AmtParent",
    "AmtParentJob",
    "Following",
    "HandedOff",
    "amt_parent",
    "attach_to_amt",
    "follow",
    "open_at",
    "stop_handed_off",
    "to_its_end",
    "tune_on_amt",
]
