"""What a power cut leaves of a local training job: files that are there and empty, and no process."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from amt_flows.backends.local import LocalBackend
from amt_flows.backends.local_worker.start import Training
from amt_flows.ports import JobState, Launch
from backends.conftest import TUNING_JOB, processes_of, until

if TYPE_CHECKING:
    from backends.conftest import Site

FILES = ("request.json", "command", "claim", "process.json")


def cut_power(site: Site, name: str) -> None:
    """End everything that runs for a job, which runs, at once."""
    until(lambda: (site.directory(name) / "process.json").exists())
    for pid, _ in processes_of(site.root):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not processes_of(site.root))


@pytest.mark.parametrize("torn", [*((file,) for file in FILES), FILES], ids="-".join)
def test_a_job_whose_files_were_torn_while_it_ran_is_lost_for_every_controller(
    site: Site, torn: tuple[str, ...]
) -> None:
    name = site.launch(site.sh("sleep 60"))
    cut_power(site, name)
    for file in torn:
        (site.directory(name) / file).write_bytes(b"")
    for _ in range(2):
        (report,) = LocalBackend(site.root).poll(TUNING_JOB, [name])
        assert report.state is JobState.LOST


def test_what_a_torn_job_left_running_after_all_is_ended(site: Site) -> None:
    name = site.launch(site.sh("setsid sleep 60 & sleep 60"))
    until(lambda: (site.directory(name) / "process.json").exists())
    site.until(name, lambda report: len(processes_of(site.root)) >= 4)
    worker = int(json.loads((site.directory(name) / "claim").read_text())["pid"])
    os.kill(worker, signal.SIGKILL)
    for file in ("claim", "process.json"):
        (site.directory(name) / file).write_bytes(b"")
    until(lambda: LocalBackend(site.root).poll(TUNING_JOB, [name])[0].state is JobState.LOST)
    until(lambda: processes_of(site.root) == [])


def test_a_torn_job_that_nobody_had_claimed_is_attached_to_and_lost(site: Site) -> None:
    template = site.sh("sleep 60")
    name = site.launch(template)
    cut_power(site, name)
    for file in ("request.json", "claim", "process.json"):
        (site.directory(name) / file).unlink()
    (site.directory(name) / "request.json").write_bytes(b"")
    again = LocalBackend(site.root)
    assert again.launch(site.request(template)) is Launch.ATTACHED
    assert again.poll(TUNING_JOB, [name])[0].state is JobState.LOST
    assert again.find(TUNING_JOB) == []
    again.stop(TUNING_JOB, [name], kill=True)
    assert again.poll(TUNING_JOB, [name])[0].state is JobState.LOST


def test_a_clock_that_is_set_back_takes_nothing_of_the_training_time(monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(1, -1, time.time())
    began = training.started_at
    monkeypatch.setattr(time, "time", lambda: began - 3600)
    assert 0 <= training.now() - began < 60
    monkeypatch.setattr(time, "time", lambda: began + 3600)
    assert training.now() == began + 3600
