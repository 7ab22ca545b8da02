"""A training job of another container or machine: its lease tells whether it is looked after."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from amt_flows.backends.local import LocalBackend
from amt_flows.backends.local.paths import JobPaths
from amt_flows.backends.local.state import LEASE_MARGIN_SECONDS, Leases
from amt_flows.backends.local_worker.lease import Lease, lease_text
from amt_flows.backends.local_worker.processes import process_state
from amt_flows.ports import JobState
from backends.conftest import until

if TYPE_CHECKING:
    from backends.conftest import Site


def gone(pid: int) -> bool:
    state = process_state(pid)
    return state is None or state[0] in "ZX"


def test_a_lease_runs_out_by_our_own_stop_watch_once_it_stands_still(tmp_path: Path) -> None:
    now = [1000.0]
    leases, paths = Leases(lambda: now[0]), JobPaths(tmp_path)
    full = 60.0 + LEASE_MARGIN_SECONDS
    for count in range(3):
        paths.lease.write_bytes(lease_text(count, 60.0))
        assert not leases.has_run_out(paths)
        now[0] += full - 1
        assert not leases.has_run_out(paths)
    now[0] += 1
    assert leases.has_run_out(paths)
    # Whoever has just come waits from the beginning; nobody's clock is in the file.
    assert not Leases(lambda: now[0]).has_run_out(paths)
    paths.lease.write_bytes(lease_text(3, 60.0))
    assert not leases.has_run_out(paths)


def test_a_worker_renews_its_lease_and_tells_its_guard(tmp_path: Path) -> None:
    (tmp_path / "lease").write_bytes(lease_text(0, 8.0))
    reader, writer = os.pipe()
    lease = Lease(str(tmp_path), group=77, lifeline=writer)
    for count in (1, 2):
        lease.renew()
        assert (tmp_path / "lease").read_bytes() == lease_text(count, 8.0)
        assert os.read(reader, 100) == b"77 8.0\n"
    assert not lease.has_run_out
    taken_over = [lease.is_taken_over]
    (tmp_path / "end.json").touch()
    taken_over.append(lease.is_taken_over)
    assert taken_over == [False, True]
    os.close(reader)
    lease.renew()  # the guard was killed
    os.close(writer)


def seen_from_elsewhere(site: Site, name: str) -> LocalBackend:
    """A backend for which the job's worker is one of another space of numbers, with no lock that it sees."""
    claim = site.directory(name) / "claim"
    content = json.loads(claim.read_text())
    claim.unlink()
    claim.write_text(json.dumps({**content, "space": "pid:[1]"}))
    return LocalBackend(site.root)


def test_a_job_that_can_not_be_seen_is_not_lost_while_its_lease_is_renewed(
    tmp_path: Path, site: Site
) -> None:
    site.backend = LocalBackend(site.root, lease_seconds=2)
    name = site.launch(site.sh("echo ready; exec sleep 600"))
    site.until_printed(name, "ready")
    training = int(json.loads((site.directory(name) / "process.json").read_text())["pid"])
    elsewhere = seen_from_elsewhere(site, name)
    for _ in range(6):
        assert elsewhere.poll("t", [name])[0].state is JobState.RUNNING
        time.sleep(0.5)
    elsewhere.stop("t", [name])
    until(lambda: elsewhere.poll("t", [name])[0].state is JobState.STOPPED)
    assert gone(training)


def test_a_worker_that_stands_still_is_ended_when_its_lease_runs_out_and_only_then_is_its_job_lost(
    site: Site,
) -> None:
    site.backend = LocalBackend(site.root, lease_seconds=1.5)
    name = site.launch(site.sh("echo ready; exec sleep 600"))
    site.until_printed(name, "ready")
    training, worker = (
        int(json.loads((site.directory(name) / file).read_text())["pid"])
        for file in ("process.json", "claim")
    )
    elsewhere = seen_from_elsewhere(site, name)
    os.kill(worker, signal.SIGSTOP)
    began = time.monotonic()
    states: list[tuple[JobState, bool]] = []
    while not states or not states[-1][0].terminal:
        over = gone(training)
        states.append((elsewhere.poll("t", [name])[0].state, over))
        assert time.monotonic() - began < 60
        time.sleep(0.05)
    assert states[-1] == (JobState.LOST, True)
    assert time.monotonic() - began > LEASE_MARGIN_SECONDS
    assert "did not renew its lease" in (elsewhere.poll("t", [name])[0].failure or "")


def test_a_worker_that_can_not_renew_its_lease_ends_its_training(site: Site) -> None:
    site.backend = LocalBackend(site.root, lease_seconds=1.5)
    name = site.launch(site.sh("trap '' TERM; echo ready; while :; do sleep 1; done"))
    site.until_printed(name, "ready")
    (site.directory(name) / "lease").unlink()
    (site.directory(name) / "lease").mkdir()
    report = site.end(name)
    assert (report.state, report.infrastructure) == (JobState.FAILED, True)
    assert "could not renew its lease" in (report.failure or "")


def test_a_worker_whose_job_was_taken_over_ends_its_training_and_leaves_the_end_alone(site: Site) -> None:
    site.backend = LocalBackend(site.root, lease_seconds=1.5)
    name = site.launch(site.sh("trap '' TERM; echo ready; while :; do sleep 1; done"))
    site.until_printed(name, "ready")
    training = int(json.loads((site.directory(name) / "process.json").read_text())["pid"])
    (site.directory(name) / "end.json").write_text('{"state": "lost", "ended_at": 1.0}')
    until(lambda: gone(training))
    time.sleep(0.5)
    assert json.loads((site.directory(name) / "end.json").read_text()) == {"state": "lost", "ended_at": 1.0}


def test_where_the_process_can_be_seen_nobody_waits_for_a_lease(site: Site) -> None:
    site.backend = LocalBackend(site.root, lease_seconds=3600)
    name = site.launch(site.sh("echo ready; exec sleep 600"))
    site.until_printed(name, "ready")
    worker = int(json.loads((site.directory(name) / "claim").read_text())["pid"])
    os.kill(worker, signal.SIGKILL)
    assert site.end(name).state is JobState.LOST


@pytest.mark.parametrize("seconds", [0, 0.5, 1e6, float("nan")])
def test_a_lease_of_no_sensible_length_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="from 1 to 86400 seconds"):
        LocalBackend(lease_seconds=seconds)
