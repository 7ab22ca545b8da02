"""Every way in which a local training job can end, each with real processes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from amt_flows.backends.local import backend as local
from amt_flows.backends.local import request as local_request
from amt_flows.backends.local.paths import JobPaths
from amt_flows.backends.local.process import read_json
from amt_flows.ports import JobRequest, JobState

if TYPE_CHECKING:
    from backends.conftest import Site


def worker_of(site: Site, name: str) -> int:
    return int(json.loads((site.directory(name) / "claim").read_text())["pid"])


def training_of(site: Site, name: str) -> int:
    return int(json.loads((site.directory(name) / "process.json").read_text())["pid"])


def is_gone(pid: int) -> bool:
    """Whether a process is dead; as a zombie it is."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


# -- by itself ----------------------------------------------------------------------------------------


def test_a_crash_at_once_shows_its_traceback(site: Site) -> None:
    report = site.run(site.python("print('amt-report acc=0.5;'); raise ValueError('no data')"))
    assert report.state is JobState.FAILED
    assert not report.infrastructure
    assert (report.failure or "").startswith("exit status 1; the last of its output:")
    assert "ValueError: no data" in (report.failure or "")
    assert site.values(report.name) == [0.5]
    assert report.artifact is None
    assert report.log == (site.directory(report.name) / "output.log").as_uri()


def test_the_failure_file_wins_and_is_cut_at_1024_characters(site: Site) -> None:
    script = "printf '%s' {} > $SAGEMAKER_BASE_DIR/output/failure; echo noise; exit 7"
    report = site.run(site.sh(script.format("é" * 2000)))
    assert report.state is JobState.FAILED
    assert report.failure == "é" * 1024


def test_an_empty_failure_file_says_nothing(site: Site) -> None:
    report = site.run(site.sh(": > $SAGEMAKER_BASE_DIR/output/failure; exit 7"))
    assert report.failure == "exit status 7, without any output"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("KILL", "killed by SIGKILL (out of memory?)"),
        ("SEGV", "killed by SIGSEGV"),
        ("TERM", "killed by SIGTERM"),
    ],
)
def test_a_signal_from_outside_is_a_failure_in_words(site: Site, name: str, words: str) -> None:
    report = site.run(site.sh(f"echo 'amt-report acc=0.5;'; kill -{name} $$; sleep 60"))
    assert report.state is JobState.FAILED
    assert (report.failure or "").startswith(words)
    assert site.values(report.name) == [0.5]


def test_a_shell_that_tells_of_a_signal(site: Site) -> None:
    report = site.run(site.sh("exit 137"))
    assert report.failure == "exit status 137 (as after SIGKILL), without any output"


def test_a_model_of_a_good_run_is_the_artifact(site: Site) -> None:
    report = site.run(site.sh("echo weights > $SM_MODEL_DIR/weights"))
    assert report.state is JobState.COMPLETED
    assert report.artifact == (site.directory(report.name) / "model").as_uri()


def test_without_a_model_there_is_no_artifact(site: Site) -> None:
    assert site.run(site.sh("true")).artifact is None


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("no-such-program-here",), "there is no program 'no-such-program-here' on the search path"),
        (("/no/such/program",), "'/no/such/program' can't be started: there is no such program"),
        (("./closed",), "it is not executable"),
        (("./plain",), "neither a binary nor a script"),
        (("./lost",), "not the interpreter that its first line names"),
    ],
)
def test_a_command_that_can_not_be_started(
    site: Site, tmp_path: Path, command: tuple[str, ...], words: str
) -> None:
    lost = "#!/no/such/interpreter\n"
    for name, text, mode in (("closed", "", 0o644), ("plain", "echo hello\n", 0o755), ("lost", lost, 0o755)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    report = site.run(site.template(*command, working_directory=str(tmp_path)))
    assert report.state is JobState.FAILED
    assert not report.infrastructure
    assert words in (report.failure or "")


def test_a_working_directory_that_goes_while_its_job_starts(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "missing", lambda template, root: None)  # it was there still
    report = site.run(site.sh("true", working_directory=str(tmp_path / "gone")))
    assert report.state is JobState.FAILED
    assert "the working directory" in (report.failure or "")


# -- what it leaves behind ----------------------------------------------------------------------------

DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()                      # out of the session, so out of the group
    if os.fork() == 0:
        open(os.environ["SAGEMAKER_BASE_DIR"] + "/daemon", "w").write(str(os.getpid()))
        time.sleep(600)              # its end of the pipe stays open
    os._exit(0)
while not os.path.exists(os.environ["SAGEMAKER_BASE_DIR"] + "/daemon"):
    time.sleep(0.005)
print("amt-report acc=0.5;")
"""


def test_a_background_child_ends_with_its_training(site: Site) -> None:
    script = "sleep 600 & echo $! > $SAGEMAKER_BASE_DIR/child; echo 'amt-report acc=0.5;'"
    report = site.run(site.sh(script))
    assert report.state is JobState.COMPLETED
    assert site.values(report.name) == [0.5]
    assert is_gone(int((site.directory(report.name) / "child").read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a daemon can leave")
def test_a_daemon_in_a_session_of_its_own_ends_too(site: Site) -> None:
    report = site.run(site.python(DAEMON))
    assert report.state is JobState.COMPLETED
    assert is_gone(int((site.directory(report.name) / "daemon").read_text()))


def test_output_may_be_closed_long_before_the_end(site: Site) -> None:
    report = site.run(site.sh("echo 'amt-report acc=0.5;'; exec >&- 2>&-; sleep 0.2; exit 3"))
    assert report.state is JobState.FAILED
    assert site.values(report.name) == [0.5]


# -- stopped ------------------------------------------------------------------------------------------


def test_a_silent_job_is_stopped(site: Site) -> None:
    name = site.launch(site.sh("exec sleep 600"))
    site.until(name, lambda report: report.state is JobState.RUNNING)
    site.stop(name)
    report = site.end(name)
    assert report.state is JobState.STOPPED
    assert not report.timed_out
    assert report.failure is None


def test_a_job_saves_its_work_in_its_grace_time(site: Site) -> None:
    script = (
        "trap 'echo saved > $SM_MODEL_DIR/m; echo amt-report acc=0.75\\;; exit 1' TERM; echo ready; "
        "while :; do sleep 0.01; done"
    )
    name = site.launch(site.sh(script))
    site.until_printed(name, "ready")
    site.stop(name)
    report = site.end(name)
    assert report.state is JobState.STOPPED
    assert site.values(name) == [0.75]
    assert report.artifact == (site.directory(name) / "model").as_uri()


def test_a_program_behind_a_shell_saves_its_work_too(site: Site) -> None:
    # The shell dies of SIGTERM at once; what it started gets its grace time all the same.
    save = "sleep 0.3; echo saved > $SM_MODEL_DIR/m; exit 0"
    inner = f"trap '{save}' TERM; echo ready; while :; do sleep 0.01; done"
    name = site.launch(site.sh('/bin/sh -c "$INNER"; echo not reached', environment={"INNER": inner}))
    site.until_printed(name, "ready")
    site.stop(name)
    report = site.end(name)
    assert report.state is JobState.STOPPED
    assert (site.directory(name) / "model/m").read_text() == "saved\n"


def test_who_ignores_the_request_is_killed_after_the_grace_time(site: Site) -> None:
    script = "trap '' TERM; echo ready; sleep 600 & wait; sleep 600"
    name = site.launch(site.sh(script, stop_grace_seconds=0.3))
    site.until_printed(name, "ready")
    started = time.monotonic()
    site.stop(name)
    assert site.report(name).state is JobState.STOPPING
    assert site.end(name).state is JobState.STOPPED
    assert time.monotonic() - started > 0.25


def test_kill_does_not_wait_for_the_grace_time(site: Site) -> None:
    name = site.launch(site.sh("trap '' TERM; echo ready; sleep 600", stop_grace_seconds=600))
    site.until_printed(name, "ready")
    site.stop(name)
    site.stop(name, kill=True)
    assert site.end(name, seconds=5).state is JobState.STOPPED


def test_a_job_that_was_over_before_the_request_took_effect_is_completed(site: Site) -> None:
    name = site.launch(site.sh("echo ready; exit 0"))
    site.until_printed(name, "ready")
    worker = worker_of(site, name)
    site.until(name, lambda _: is_gone(training_of(site, name)) or is_gone(worker))
    site.stop(name)
    assert site.end(name).state is JobState.COMPLETED


def test_a_time_limit_keeps_the_metric(site: Site) -> None:
    script = "echo 'amt-report acc=0.5;'; echo x > $SM_MODEL_DIR/m; exec sleep 600"
    report = site.run(site.sh(script, max_runtime_seconds=1))
    assert report.state is JobState.STOPPED
    assert report.timed_out
    assert site.values(report.name) == [0.5]
    assert report.artifact is not None
    assert report.started_at is not None
    assert report.ended_at is not None
    assert 0.9 < report.ended_at - report.started_at < 5


def test_a_time_limit_has_a_grace_time_and_an_end(site: Site) -> None:
    script = "trap '' TERM; sleep 600"
    report = site.run(site.sh(script, max_runtime_seconds=1, stop_grace_seconds=0.1))
    assert report.state is JobState.STOPPED
    assert report.timed_out


def test_sigterm_to_the_worker_stops_the_job(site: Site) -> None:
    name = site.launch(site.sh("echo ready; exec sleep 600"))
    site.until_printed(name, "ready")
    os.kill(worker_of(site, name), signal.SIGTERM)
    assert site.end(name).state is JobState.STOPPED


def test_ctrl_c_does_not_reach_a_job(site: Site) -> None:
    go_on = site.root / "go-on"
    wait = f"until [ -e {shlex.quote(str(go_on))} ]; do sleep 0.02; done"
    name = site.launch(site.sh(f"echo ready; {wait}; echo 'amt-report acc=0.5;'"))
    site.until_printed(name, "ready")
    for number in (signal.SIGINT, signal.SIGHUP):
        os.kill(worker_of(site, name), number)
    go_on.touch()
    assert site.end(name).state is JobState.COMPLETED
    assert site.values(name) == [0.5]


def test_a_script_gets_signals_as_any_program_does(site: Site) -> None:
    report = site.run(site.sh("grep -E 'Sig(Ign|Blk)' /proc/self/status"))
    log = (site.directory(report.name) / "output.log").read_text()
    # Above these are those that the C library keeps for its threads.
    assert [int(line.split()[1], 16) & 0x7FFFFFFF for line in log.splitlines()] == [0, 0]


# -- the worker dies ----------------------------------------------------------------------------------


def test_a_job_whose_worker_was_killed_is_lost_and_nothing_runs_on(site: Site) -> None:
    name = site.launch(site.sh("echo 'amt-report acc=0.5;'; sleep 600 & sleep 600"))
    site.until(name, lambda _: site.values(name) == [0.5])
    training = training_of(site, name)
    os.kill(worker_of(site, name), signal.SIGKILL)
    report = site.end(name)
    assert report.state is JobState.LOST
    assert "its worker process is gone" in (report.failure or "")
    assert is_gone(training)
    assert site.values(name) == [0.5]
    # For the next controller too, and a second look changes nothing.
    assert type(site.backend)(site.root).poll("t", [name])[0].state is JobState.LOST


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_even_a_daemon_of_a_lost_job_is_ended(site: Site) -> None:
    name = site.launch(site.python(DAEMON + "time.sleep(600)"))
    site.until(name, lambda _: site.values(name) == [0.5])
    os.kill(worker_of(site, name), signal.SIGKILL)
    assert site.end(name).state is JobState.LOST
    assert is_gone(int((site.directory(name) / "daemon").read_text()))


@pytest.mark.parametrize("kill", [False, True])
def test_stopping_ends_what_a_dead_worker_left_running(site: Site, kill: bool) -> None:
    name = site.launch(site.sh("trap '' TERM; echo ready; sleep 600"))
    site.until_printed(name, "ready")
    worker, training = worker_of(site, name), training_of(site, name)
    os.kill(worker, signal.SIGKILL)
    while not is_gone(worker):
        time.sleep(0.001)
    site.stop(name, kill=kill)
    assert is_gone(training)
    assert site.end(name).state is JobState.LOST


def test_a_worker_that_hangs_can_be_rid_of_its_training(site: Site) -> None:
    name = site.launch(site.sh("echo ready; exec sleep 600"))
    site.until_printed(name, "ready")
    worker, training = worker_of(site, name), training_of(site, name)
    os.kill(worker, signal.SIGSTOP)
    site.stop(name, kill=True)
    try:
        give_up_at = time.monotonic() + 60
        while not is_gone(training) and time.monotonic() < give_up_at:
            time.sleep(0.005)
        assert is_gone(training)
        # Whoever waits for its end must not wait for somebody to wake it.
        assert is_gone(worker)
    finally:
        if not is_gone(worker):
            os.kill(worker, signal.SIGCONT)
    assert site.end(name).state is JobState.STOPPED


def test_a_worker_that_can_not_use_its_request_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(monkeypatch, lambda scratch: (scratch / "request.json").write_text('{"metrics": []}'))
    report = site.run(site.sh("sleep 600"))
    assert report.state is JobState.FAILED
    assert report.infrastructure
    assert "the worker of this job failed: KeyError" in (report.failure or "")


# -- the disk is full ---------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("code", [0, 1])
def test_a_full_disk_is_told_from_a_failure_of_the_training(
    site: Site, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    prepare(monkeypatch, lambda scratch: (scratch / "output.log").symlink_to("/dev/full"))
    report = site.run(site.sh(f"echo 'amt-report acc=0.5;'; exit {code}"))
    assert report.state is (JobState.FAILED if code else JobState.COMPLETED)
    assert report.infrastructure is bool(code)
    assert ("No space left on device" in (report.failure or "")) is bool(code)
    assert site.values(report.name) == [0.5]


@pytest.mark.parametrize("code", [0, 1])
def test_metrics_that_can_not_be_written_are_a_failure_of_the_machine(
    site: Site, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    prepare(monkeypatch, lambda scratch: (scratch / "metrics.jsonl").mkdir())
    report = site.run(site.sh(f"echo 'amt-report acc=0.5;'; exit {code}"))
    assert report.state is JobState.FAILED
    assert report.infrastructure
    assert "Is a directory" in (report.failure or "")


def prepare(monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]) -> None:
    """Change the directories of jobs before their workers see them."""

    def build_and_change(request: JobRequest, paths: JobPaths, scratch: Path) -> None:
        local_request.build(request, paths, scratch)
        change(scratch)

    monkeypatch.setattr(local, "build", build_and_change)


def test_the_next_attempt_finds_the_checkpoints_of_the_one_that_was_lost(site: Site) -> None:
    script = (
        'cat "$SM_CHECKPOINT_DIR"/* 2>/dev/null; echo $ATTEMPT >> "$SM_CHECKPOINT_DIR/epochs"; echo saved; '
    )
    first = site.launch(site.sh(script + "sleep 60", environment={"ATTEMPT": "1"}))
    site.until_printed(first, "saved")
    claim = read_json(site.directory(first) / "claim")
    assert claim is not None
    os.kill(claim["pid"], signal.SIGKILL)
    assert site.end(first).state is JobState.LOST
    for attempt in (2, 3):
        again = site.sh(script, environment={"ATTEMPT": str(attempt)})
        report = site.run(again, name=f"{first}-r{attempt}", attempt=attempt)
        assert report.state is JobState.COMPLETED
    assert (site.directory(f"{first}-r3") / "output.log").read_text().split() == ["1", "2", "saved"]
