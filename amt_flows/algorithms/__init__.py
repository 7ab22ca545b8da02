"""The algorithms of a tuning job (AMT's ``TrainingJobDefinitions``): as values, how their objectives compare,
and which of them gets the next trial."""

from amt_flows.algorithms.allocation import Turn, next_algorithm
from amt_flows.algorithms.values import Algorithm, algorithm_named, algorithms_of, not_comparable

__all__ = ["Algorithm", "Turn", "algorithm_named", "algorithms_of", "next_algorithm", "not_comparable"]
