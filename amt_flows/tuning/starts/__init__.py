"""What is tried first because it is known to work: the user's own defaults, and good configurations of
algorithms that are well known. Found out once, when a tuning job is opened; from then on it is the
record's."""

from amt_flows.tuning.starts.starting import Starts, starts_of

__all__ = ["Starts", "starts_of"]
