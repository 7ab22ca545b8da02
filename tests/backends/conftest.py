"""A place for local training jobs, in which nothing is left running after a test."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from amt_flows.backends.local import LocalBackend
from amt_flows.backends.marked_processes import running_processes
from amt_flows.ports import JobReport, JobRequest, MetricPoint
from amt_flows.spec import TrainingJobTemplate

TUNING_JOB = "t"
OBJECTIVE = "acc"


def processes_of(place: Path) -> list[tuple[int, str]]:
    """Training processes and workers below a directory: (number, command line)."""
    found: list[tuple[int, str]] = []
    for one in running_processes():
        training = f"SAGEMAKER_BASE_DIR={place}/".encode() in one.environment
        if training or f"{place}/".encode() in one.command:
            found.append((one.pid, one.command.replace(b"\0", b" ").decode("utf-8", "replace")))
    return found


class Site:
    """A backend, and what tests do with it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.backend = LocalBackend(root)
        self.points: dict[str, list[MetricPoint]] = {}

    def sh(self, script: str, **template: Any) -> TrainingJobTemplate:
        return self.template("/bin/sh", "-c", script, **template)

    def python(self, script: str, **template: Any) -> TrainingJobTemplate:
        return self.template(sys.executable, "-I", "-S", "-u", "-c", script, **template)

    def template(self, *command: str, **template: Any) -> TrainingJobTemplate:
        settings = {"hyperparameters_as_arguments": False, "stop_grace_seconds": 10.0, **template}
        return TrainingJobTemplate(command=command, **settings)

    def request(self, template: TrainingJobTemplate, trial: int = 1, **changes: Any) -> JobRequest:
        fields: dict[str, Any] = {
            "name": f"{TUNING_JOB}-{trial:03d}-00000000",
            "tuning_job": TUNING_JOB,
            "trial": trial,
            "attempt": 1,
            "hyperparameters": {"rate": "0.1"},
            "fingerprint": "f",
            "template": template,
            "objective_metric": OBJECTIVE,
        }
        return JobRequest(**{**fields, **changes})

    def launch(self, template: TrainingJobTemplate, trial: int = 1, **changes: Any) -> str:
        request = self.request(template, trial, **changes)
        self.backend.launch(request)
        return request.name

    def directory(self, name: str) -> Path:
        return self.root / TUNING_JOB / "jobs" / name.lower()

    def report(self, name: str) -> JobReport:
        report = self.backend.poll(TUNING_JOB, [name])[0]
        self.points.setdefault(name, []).extend(report.points)
        return report

    def until(self, name: str, condition: Callable[[JobReport], bool], seconds: float = 120.0) -> JobReport:
        give_up_at = time.monotonic() + seconds
        while True:
            report = self.report(name)
            if condition(report):
                return report
            assert time.monotonic() < give_up_at, report
            self.backend.wait(0.2)

    def end(self, name: str, seconds: float = 120.0) -> JobReport:
        return self.until(name, lambda report: report.state.terminal, seconds)

    def run(self, template: TrainingJobTemplate, **changes: Any) -> JobReport:
        return self.end(self.launch(template, **changes))

    def until_printed(self, name: str, text: str) -> None:
        log = self.directory(name) / "output.log"
        self.until(name, lambda _: log.exists() and text in log.read_text(errors="replace"))

    def values(self, name: str, metric: str = OBJECTIVE) -> list[float]:
        points = [p for p in self.points.get(name, ()) if p.metric == metric]
        assert [p.epoch for p in points] == list(range(1, len(points) + 1))
        return [p.value for p in points]

    def stop(self, name: str, *, kill: bool = False) -> None:
        self.backend.stop(TUNING_JOB, [name], kill=kill)

    def end_everything(self) -> None:
        live = [job.name for job in self.backend.find(TUNING_JOB) if not job.state.terminal]
        self.backend.stop(TUNING_JOB, live, kill=True)
        for name in live:
            self.end(name)


def quoted(path: Path | str) -> str:
    return shlex.quote(str(path))


def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, "in vain waited for a condition"
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def _nothing_left_running(tmp_path: Path) -> Iterator[None]:
    yield
    # A worker that was launched a moment ago may have to start before it can see that it is to end.
    give_up_at = time.monotonic() + 240.0
    while (left := processes_of(tmp_path)) and time.monotonic() < give_up_at:
        time.sleep(0.01)
    assert left == [], [standing_of(pid) for pid, _ in left]


def standing_of(pid: int) -> str:
    """What a process does that should have ended: its state, and what it waits for in the system."""
    place = Path("/proc", str(pid))
    with suppress(OSError):
        state = place.joinpath("status").read_text().partition("State:")[2].partition("\n")[0]
        return f"{pid}:{state}, waits in {place.joinpath('wchan').read_text()}"
    return f"{pid}: has ended since"


@pytest.fixture
def site(tmp_path: Path, _nothing_left_running: None) -> Iterator[Site]:
    site = Site(tmp_path / "root")
    yield site
    site.end_everything()
