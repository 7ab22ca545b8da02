"""What a tuning job found out about its hyperparameters, and why it did what it did, from its ledger alone.

Importing this loads numpy and scipy.
"""

from amt_flows.results.explain.dependence import BestRegion, DependencePoint, best_region, dependence
from amt_flows.results.explain.importance import Importance, importance
from amt_flows.results.explain.surface import NothingToExplain, predictability
from amt_flows.results.explain.why import UnknownTrainingJob, Why, why

__all__ = [
    "BestRegion",
    "DependencePoint",
    "Importance",
    "NothingToExplain",
    "UnknownTrainingJob",
    "Why",
    "best_region",
    "dependence",
    "importance",
    "predictability",
    "why",
]
