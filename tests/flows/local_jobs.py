"""Tuning jobs whose training jobs are real processes, and where those processes are."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from amt_flows.backends.marked_processes import running_processes
from amt_flows.spec import TuningSpec

SHORT = 'for i in 1 2 3; do echo "accuracy=0.$i$2;"; sleep 0.05; done'
ENDLESS = 'while :; do echo "accuracy=0.5;"; sleep 0.1; done'


def local_spec(name: str | None, script: str, jobs: int = 4) -> TuningSpec:
    """Two shell scripts at a time, each with one hyperparameter as its second argument."""
    return TuningSpec.parse(
        {
            "name": name,
            "objective": {"metric_name": "accuracy"},
            "integer": [{"name": "x", "min_value": 1, "max_value": 99}],
            "strategy": "Random",
            "limits": {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": jobs},
            "training_job": {
                "command": ["sh", "-c", script, "train"],
                "metric_definitions": [{"name": "accuracy", "regex": r"accuracy=([0-9.]+);"}],
                "stop_grace_seconds": 2,
            },
        }
    )


def workers(home: Path) -> list[int]:
    """The processes that work on training jobs below a directory, one for each job: as it starts, a worker is
    two for a moment."""
    mark = f"{home}/".encode()
    found = dict[bytes, int]()
    for process in running_processes():
        below = [one for one in process.command.split(b"\0") if one.startswith(mark)]
        found |= dict.fromkeys(below[:1], process.pid)
    return list(found.values())


def end_all(home: Path) -> None:
    """Kill whatever works on training jobs below a directory, or was started to train one. A test that failed
    halfway, or whose subject is a crash, would leave it running for ever."""
    for one in running_processes():
        if one.mentions(f"{home}/"):
            with contextlib.suppress(OSError):  # it has ended
                os.kill(one.pid, signal.SIGKILL)


def eventually(true: Callable[[], bool], timeout: float = 180.0) -> bool:
    """Whether something comes true in time."""
    give_up_at = time.monotonic() + timeout
    while not true():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.1)
    return True
