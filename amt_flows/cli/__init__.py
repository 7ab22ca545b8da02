"""The command line."""

from amt_flows.cli import (
    beginning,
    cleaning,
    completion,
    doctor,
    extending,
    looking,
    planning,
    pools,
    running,
    tracking,
    trying,
)
from amt_flows.cli.group import main

__all__ = [
    "beginning",
    "cleaning",
    "completion",
    "doctor",
    "extending",
    "looking",
    "main",
    "planning",
    "pools",
    "running",
    "tracking",
    "trying",
]
