"""Tuning jobs that SageMaker's own tuner runs, followed by us."""

from amt_flows.amt.following import attach_at, follow, open_at, stop_handed_off, stop_ours
from amt_flows.amt.handed_off import Following, HandedOff
from amt_flows.amt.parent import AmtParent, AmtParentJob, amt_parent

__all__ = [
    "AmtParent",
    "AmtParentJob",
    "Following",
    "HandedOff",
    "amt_parent",
    "attach_at",
    "follow",
    "open_at",
    "stop_handed_off",
    "stop_ours",
]
