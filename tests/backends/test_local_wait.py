"""Waiting for local jobs: prompt, for every controller, and without leaving a trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from amt_flows.backends.local import LocalBackend
from amt_flows.backends.local import backend as local
from amt_flows.backends.local import watch as local_watch
from amt_flows.backends.local_worker.processes import identity
from amt_flows.ports import JobState

if TYPE_CHECKING:
    from backends.conftest import Site


def seconds_until_ended(backend: LocalBackend, name: str, ended_at: float | None = None) -> float:
    """From the job's end to the moment at which the backend says so, waking up by itself only."""
    while True:
        report = backend.poll("t", [name])[0]
        if report.state.terminal:
            assert report.ended_at is not None
            return time.time() - (ended_at or report.ended_at)
        backend.wait(30)


def descriptors(root: Path) -> int:
    """How many FIFOs below a directory and how many process descriptors are open here."""
    targets = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            targets.append(str(link.readlink()))
        except OSError:
            continue  # the one that read the directory
    return sum(target.startswith(str(root)) or "pidfd" in target for target in targets)


PROMPTLY = 10.0
"""Seconds within which a busy machine does what it is woken for; :func:`rarely` looks by itself later."""


@pytest.fixture
def rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend looks by itself, without being woken, after a time that nobody takes for prompt."""
    monkeypatch.setattr(local, "LIVENESS_SECONDS", 25.0)


@pytest.mark.usefixtures("rarely")
def test_every_controller_is_woken(site: Site) -> None:
    """Also those that did not launch the job. With one FIFO for all, the first takes the others' bytes."""
    name = site.launch(site.sh("sleep 0.3"))
    others = [LocalBackend(site.root) for _ in range(3)]
    delays: list[float] = []

    def watch(backend: LocalBackend) -> None:
        delays.append(seconds_until_ended(backend, name))

    threads = [threading.Thread(target=watch, args=(b,)) for b in (site.backend, *others)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(delays) == 4
    assert max(delays) < PROMPTLY


def test_a_new_value_wakes(site: Site) -> None:
    name = site.launch(site.sh("sleep 0.2; echo 'amt-report acc=0.5;'; exec sleep 600"))
    site.until(name, lambda report: report.state is JobState.RUNNING)
    started = time.monotonic()
    while not site.values(name):
        site.backend.wait(30)
        site.report(name)
    assert time.monotonic() - started < PROMPTLY


def test_a_stream_of_values_does_not_wake_for_each(site: Site) -> None:
    script = "i=0; while [ $i -lt 2000 ]; do echo 'amt-report acc=0.5;'; i=$((i+1)); done; sleep 0.1"
    name = site.launch(site.sh(script))
    wakes, started = 0, time.monotonic()
    while not site.report(name).state.terminal:
        site.backend.wait(30)
        wakes += 1
    assert len(site.values(name)) == 2000
    assert wakes <= 20 + (time.monotonic() - started) / 0.02


@pytest.mark.parametrize("pidfd", [True, False])
def test_the_end_of_a_killed_worker_is_noticed(
    site: Site, monkeypatch: pytest.MonkeyPatch, pidfd: bool
) -> None:
    if pidfd:
        monkeypatch.setattr(local, "LIVENESS_SECONDS", 25.0)
    else:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    name = site.launch(site.sh("echo ready; exec sleep 600"))
    site.until_printed(name, "ready")
    successor = LocalBackend(site.root)
    successor.poll("t", [name])
    successor.wait(0.0)
    killed_at = time.time()
    os.kill(json.loads((site.directory(name) / "claim").read_text())["pid"], signal.SIGKILL)
    assert seconds_until_ended(successor, name, killed_at) < PROMPTLY


def test_without_a_fifo_the_files_tell(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_watch, "_open_fifo", lambda directory: None)
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    name = site.launch(site.sh("sleep 0.1"))
    assert seconds_until_ended(site.backend, name) < PROMPTLY


def test_waiting_returns_when_the_time_is_over(site: Site) -> None:
    name = site.launch(site.sh("exec sleep 600"))
    site.until(name, lambda report: report.state is JobState.RUNNING)
    while True:  # until nothing more is to be heard of its start
        started = time.monotonic()
        site.backend.wait(0.7)
        if time.monotonic() - started >= 0.69:
            break
    assert time.monotonic() - started < PROMPTLY


def test_with_nothing_to_wait_for_time_passes(tmp_path: Path) -> None:
    started = time.monotonic()
    LocalBackend(tmp_path / "none").wait(0.2)
    assert time.monotonic() - started >= 0.2
    assert list(tmp_path.iterdir()) == []


def test_tuning_jobs_share_a_root(site: Site) -> None:
    request = site.request(
        site.sh("sleep 0.1; echo 'amt-report acc=0.25;'"), tuning_job="u", name="u-001-00000000"
    )
    site.backend.launch(request)
    mine = site.launch(site.sh("echo 'amt-report acc=0.5;'"))
    other = LocalBackend(site.root)
    while not all(r.state.terminal for r in other.poll("u", [request.name])):
        other.wait(30)
    site.end(mine)
    assert site.values(mine) == [0.5]
    assert [p.value for p in site.backend.poll("u", [request.name])[0].points] == [0.25]
    assert [job.name for job in other.find("t")] == [mine]
    assert [job.name for job in other.find("u")] == [request.name]


def test_looking_creates_nothing(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "root")
    assert backend.find("t") == ()
    assert backend.poll("t", ["t-001-00000000"])[0].state is JobState.LOST
    backend.stop("t", ["t-001-00000000"])
    backend.wait(0.0)
    assert list(tmp_path.iterdir()) == []


def test_looking_at_an_ended_tuning_job_changes_nothing(site: Site) -> None:
    name = site.run(site.sh("true")).name
    before = {p: p.lstat().st_mtime_ns for p in site.root.rglob("*") if p.parent.name != "wake"}
    viewer = LocalBackend(site.root)
    viewer.find("t")
    viewer.poll("t", [name])
    viewer.stop("t", [name], kill=True)
    viewer.wait(0.0)
    assert {p: p.lstat().st_mtime_ns for p in site.root.rglob("*") if p.parent.name != "wake"} == before


def test_a_backend_that_is_let_go_leaves_no_fifo_no_descriptor_and_no_warning(site: Site) -> None:
    name = site.launch(site.sh("exec sleep 600"))
    before = descriptors(site.root)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backend = LocalBackend(site.root)
        backend.poll("t", [name])
        backend.wait(0.0)
        backend.wait(0.0)
        assert len(list((site.root / "t/wake").iterdir())) == 1
        assert descriptors(site.root) > before
        del backend
    assert list((site.root / "t/wake").iterdir()) == []
    assert descriptors(site.root) == before


def test_the_fifo_of_a_dead_controller_is_removed_after_a_while(site: Site) -> None:
    wake = site.root / "t/wake"
    wake.mkdir(parents=True)
    for name, age in (("old", 120), ("new", 0)):
        os.mkfifo(wake / name)
        os.utime(wake / name, (time.time() - age,) * 2)
    site.run(site.sh("true"))
    assert (wake / "new").exists()
    assert not (wake / "old").exists()


def test_liveness_is_looked_at_twice_a_second() -> None:
    assert local.LIVENESS_SECONDS <= 0.5


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux wakes for the end of a process")
def test_a_process_that_has_ended_before_it_could_be_followed_is_told_of_once() -> None:
    watch = local_watch.Watch()
    with subprocess.Popen(["sleep", "600"]) as process:
        known = identity(process.pid)
        process.kill()
    assert watch.follow([known]) is True
    assert watch.follow([known]) is False, "whoever waits for its job's end must not spin"
    watch.close()
