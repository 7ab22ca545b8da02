"""The loop that drives a tuning job, and what is done with one from outside of its loop."""
