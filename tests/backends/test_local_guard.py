"""A worker that is killed, or whose files go away: nothing outlives it or is started twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from amt_flows.backends.local import LocalBackend
from amt_flows.backends.local_worker.processes import parent_of, process_state
from amt_flows.errors import BackendError
from amt_flows.ports import JobReport, JobState
from backends.conftest import until

if TYPE_CHECKING:
    from backends.conftest import Site

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs parent-death signals and subreapers")

# A child in a session of its own and without our environment; nothing tells it from anybody else's.
STRAY = """
import os, time
place = os.environ["SAGEMAKER_BASE_DIR"]
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        script = f"echo $$ > {place}/stray.tmp; mv {place}/stray.tmp {place}/stray; exec sleep 600"
        os.execve("/bin/sh", ["sh", "-c", script], {})
    os._exit(0)
time.sleep(600)
"""


def gone(pid: int) -> bool:
    state = process_state(pid)
    return state is None or state[0] in "ZX"


def pid_in(site: Site, name: str, file: str) -> int:
    path = site.directory(name) / file
    until(path.exists)
    return int(json.loads(path.read_text())["pid"])


def stray_of(site: Site, name: str) -> int:
    file = site.directory(name) / "stray"
    until(file.exists)
    return int(file.read_text())


def test_everything_ends_with_a_killed_worker_although_nobody_looks(site: Site) -> None:
    name = site.launch(site.python(STRAY))
    stray, training, worker = (
        stray_of(site, name),
        pid_in(site, name, "process.json"),
        pid_in(site, name, "claim"),
    )
    os.kill(worker, signal.SIGKILL)
    until(lambda: gone(training) and gone(stray))


def test_a_training_ends_even_when_worker_and_guard_are_killed(site: Site) -> None:
    name = site.launch(site.sh("echo ready; exec sleep 600"))
    site.until_printed(name, "ready")
    training, worker = pid_in(site, name, "process.json"), pid_in(site, name, "claim")
    guard = parent_of(worker)
    for pid in (guard, worker):
        os.kill(pid, signal.SIGKILL)
    until(lambda: gone(training))
    assert site.end(name).state is JobState.LOST


def test_a_worker_goes_on_without_its_guard(site: Site) -> None:
    name = site.launch(site.sh("echo ready; sleep 1; echo 'amt-report acc=0.5;'"))
    site.until_printed(name, "ready")
    os.kill(parent_of(pid_in(site, name, "claim")), signal.SIGKILL)
    assert site.end(name).state is JobState.COMPLETED
    assert site.values(name) == [0.5]


def test_a_request_to_end_the_session_is_the_workers_to_answer(site: Site) -> None:
    name = site.launch(site.sh("trap 'echo saved; exit 0' TERM; echo ready; sleep 600 & wait"))
    site.until_printed(name, "ready")
    os.killpg(os.getpgid(pid_in(site, name, "claim")), signal.SIGTERM)
    assert site.end(name).state is JobState.STOPPED
    assert "saved" in (site.directory(name) / "output.log").read_text()


@pytest.mark.parametrize("suspended", [False, True])
def test_nothing_outlives_kill(site: Site, suspended: bool) -> None:
    name = site.launch(site.python(STRAY))
    stray, training, worker = (
        stray_of(site, name),
        pid_in(site, name, "process.json"),
        pid_in(site, name, "claim"),
    )
    if suspended:
        os.kill(worker, signal.SIGSTOP)
    site.stop(name, kill=True)
    until(lambda: gone(training) and gone(stray) and gone(worker))
    assert site.end(name).state is JobState.STOPPED


# -- files that go away -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how", ["rm -rf $SAGEMAKER_BASE_DIR", "mv $SAGEMAKER_BASE_DIR $SAGEMAKER_BASE_DIR.old"]
)
def test_a_script_that_does_away_with_its_directory_is_ended_and_not_lost_before(
    site: Site, how: str
) -> None:
    marks = site.root.parent / "marks"
    name = site.launch(site.sh(f"cd /; echo $$ >> {marks}; {how}; exec sleep 600", stop_grace_seconds=1.0))
    until(lambda: marks.exists() and not (site.directory(name) / "request.json").exists())
    training = int(marks.read_text())
    seen: list[tuple[JobState, bool]] = []

    def ended(report: JobReport) -> bool:
        seen.append((report.state, gone(training)))
        return report.state.terminal

    report = site.until(name, ended)
    assert report.state is JobState.FAILED
    assert "removed or renamed while it ran" in (report.failure or "")
    assert all(over or not state.terminal for state, over in seen)


@pytest.mark.parametrize("kill", [False, True])
def test_a_job_without_a_directory_is_found_and_stopped_by_whoever_never_knew_it(
    site: Site, kill: bool
) -> None:
    name = site.launch(site.sh("cd /; echo ready; exec sleep 600", stop_grace_seconds=1.0))
    site.until_printed(name, "ready")
    worker, training = pid_in(site, name, "claim"), pid_in(site, name, "process.json")
    shutil.rmtree(site.directory(name))
    stranger = LocalBackend(site.root)
    found = {job.name: job for job in stranger.find("t")}
    assert not found[name].state.terminal
    assert (found[name].trial, found[name].attempt) == (1, 1)
    stranger.stop("t", [name], kill=kill)
    until(lambda: gone(worker) and gone(training))
    until(lambda: not stranger.find("t"))


@pytest.mark.parametrize("part", ["root", "root/t", "root/t/jobs"])
def test_no_job_is_lost_because_its_home_was_moved(site: Site, part: str) -> None:
    name = site.launch(site.sh("trap 'exit 0' TERM; echo ready; sleep 600 & wait"))
    site.until_printed(name, "ready")
    training = pid_in(site, name, "process.json")
    place = site.root.parent / part
    place.rename(site.root.parent / "moved")
    with pytest.raises(BackendError, match=f"{place}, has vanished while they ran") as raised:
        site.report(name)
    assert "put it back" in str(raised.value)
    site.stop(name)
    until(lambda: gone(training))
    (site.root.parent / "moved").rename(place)
    report = site.end(name)
    assert report.state is JobState.STOPPED


def test_a_worker_whose_directory_is_away_for_good_ends_by_itself(site: Site) -> None:
    name = site.launch(site.sh("cd /; echo ready; exec sleep 600"))
    site.until_printed(name, "ready")
    training = pid_in(site, name, "process.json")
    site.root.rename(site.root.parent / "moved")
    until(lambda: gone(training))
    (site.root.parent / "moved").rename(site.root)
    report = site.end(name)
    assert (report.state, report.infrastructure) == (JobState.FAILED, True)
    assert "removed or renamed" in (report.failure or "")


def test_a_job_that_can_not_be_told_in_writing_is_stopped_by_signal(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unwritable(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    for kill in (False, True):
        name = site.launch(
            site.sh("trap '' TERM; echo ready; sleep 600" if kill else "echo ready; sleep 600"), 1 + kill
        )
        site.until_printed(name, "ready")
        with monkeypatch.context() as patch:
            patch.setattr(Path, "touch", unwritable)
            site.stop(name, kill=kill)
        assert site.end(name).state is JobState.STOPPED


def test_a_fifo_in_place_of_a_file_hangs_nobody(site: Site) -> None:
    name = site.launch(
        site.sh("rm -f $SAGEMAKER_BASE_DIR/metrics.jsonl; mkfifo $SAGEMAKER_BASE_DIR/metrics.jsonl")
    )
    assert site.end(name).state is JobState.COMPLETED
