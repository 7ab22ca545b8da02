"""The command line."""

from amt_flows.cli.commands import main

__all__ = ["main"]
