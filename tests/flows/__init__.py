"""Tests of the flows. A package, so that the Prefect server of all of them ends when the last of them has."""
