"""The command line."""

from amt_flows.cli import looking, running
from amt_flows.cli.group import main

__all__ = ["looking", "main", "running"]
