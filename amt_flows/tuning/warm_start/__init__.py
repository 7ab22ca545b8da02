"""Warm start: what earlier tuning jobs know, read once, when a tuning job is opened."""

from amt_flows.tuning.warm_start.parent import Parent, ParentJob, Reader, parent_from_amt, parent_from_ledger
from amt_flows.tuning.warm_start.reader import first_of, reader
from amt_flows.tuning.warm_start.table import parent_from_frame

__all__ = [
    "Parent",
    "ParentJob",
    "Reader",
    "first_of",
    "parent_from_amt",
    "parent_from_frame",
    "parent_from_ledger",
    "reader",
]
