"""How the tests are spread over processes, so that all cores are busy to the end."""

from __future__ import annotations

import os
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

FLOWS = "tests/flows/"
AFTER_TUNING = (
    "approval",
    "automations",
    "deploy",
    "deployments",
    "forms",
    "killed_flows",
    "readme_pipelines",
    "recipe_pipelines",
    "retune",
    "retune_by_amt",
    "tune_then_deploy",
)
"""The files about promotion and deployments; the others are about tuning, and take as long."""


LONG = (
    "amt/test_following",
    "backends/test_how_tunings_end",
    "backends/test_sagemaker_tuning",
    "chaos/test_simulation",
    "cli/test_cli",
    "cli/test_consoles",
    "deploy/test_hosting_kill",
    "testing/test_sagemaker_simulator_compare",
)
"""Files without a slow test that take long all the same: one that began last would be waited for."""


class TwoServers(LoadScopeScheduling):  # type: ignore[misc]
    """A file is one process's, as in xdist's ``loadfile``; and all flows are two processes': a Prefect server
    takes as long to start as twenty tests on it, and most of what they do is wait for it. The order is
    that of the collection, in which what takes longest comes first (:func:`longest_first`)."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if not file.startswith(FLOWS):
            return file
        after = file.removeprefix(f"{FLOWS}test_").removesuffix(".py") in AFTER_TUNING
        return f"{FLOWS} {'after tuning' if after else 'tuning'}"


def longest_first(items: list[pytest.Item]) -> None:
    """Flows, then files with slow tests, then long ones, then the others; a file's tests stay together."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    long = {f"tests/{file}.py" for file in LONG}

    def place(item: pytest.Item) -> tuple[bool, bool, bool]:
        file = item.nodeid.partition("::")[0]
        return not file.startswith(FLOWS), item.path not in slow, file not in long

    items.sort(key=place)


def processes(waiting: int) -> int:
    """One for each core, and as many as are always ``waiting``, for a process or a server."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        cores = os.cpu_count() or 1
    return cores + waiting
