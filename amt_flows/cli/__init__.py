"""The command line."""

from amt_flows.cli import completion, looking, planning, running
from amt_flows.cli.group import main

__all__ = ["completion", "looking", "main", "planning", "running"]
