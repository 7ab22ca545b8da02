"""Real processes, really killed: each scene starts a tuning job of shell scripts on this machine, does
something to its processes or files, runs it again, and looks at what ran."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from amt_flows.backends.local.controller import process_here
from amt_flows.errors import BackendError, Fenced, JournalError, TuningInterrupted, TuningJobFailed
from amt_flows.ledger.journals.entries import entry_index, entry_name
from amt_flows.testing.chaos.faults import Fault
from amt_flows.testing.chaos.simulation import Tell, Told
from amt_flows.testing.chaos.stage import GRACE_SECONDS, MACHINE, Stage
from amt_flows.testing.chaos.surroundings import Surroundings

Scene = Callable[[Stage], None]
CRASHES = 4

STOPPED_CODES = (0, TuningJobFailed.exit_code)


def play_scene(
    name: str, seed: int, tell: Tell = lambda line: None, around: Surroundings | None = None
) -> Told:
    """Play a scene; ``seed`` decides its times, as far as a real machine keeps to them."""
    directory = Path(tempfile.mkdtemp(prefix="amt-flows-chaos-"))
    stage = Stage(directory, random.Random(f"{name} {seed}"), around)
    if seed % 2:
        # Every other time, what is struck shares an import.
        _share_an_import(stage)
    try:
        SCENES[name](stage)
        stage.judge()
        tell(
            f"{name}: {len(stage.controllers)} controllers, {dict(stage.faults)}, {len(stage.starts())} runs"
        )
        launched = len(stage.ledger().jobs)
    finally:
        stage.clear()
        shutil.rmtree(directory, ignore_errors=True)
    for violation in stage.violations:
        tell(f"BROKEN, {violation.promise}: {violation.seen}")
    return Told(seed, stage.faults, launched, len(stage.controllers), tuple(stage.violations))


def the_controller_is_killed(stage: Stage) -> None:
    for crash in range(CRASHES):
        process = stage.start_and_wait(stage.has_run(crash + 1))
        stage.pause(0.6)
        stage.strike(process, signal.SIGKILL, Fault.KILLED)
        stage.ended(process)
    stage.run_to_end()


def the_controller_is_killed_anywhere(stage: Stage) -> None:
    """Also while it starts, reads its record, or has nothing to do."""
    for _ in range(CRASHES):
        process = stage.start()
        time.sleep(stage.chance.uniform(0.3, 1.5))
        stage.strike(process, signal.SIGKILL, Fault.KILLED)
        stage.ended(process)
    stage.run_to_end()


def workers_are_killed(stage: Stage) -> None:
    _kill_some(stage, stage.worker_pids, Fault.WORKER_KILLED)


def fork_servers_are_killed(stage: Stage) -> None:
    """Also in the middle of the import that training jobs wait for; those that it has begun go on."""
    _share_an_import(stage)
    process = stage.start()
    for _ in range(4):
        stage.wait_until(lambda: process.poll() is not None or bool(stage.fork_server_pids()))
        stage.pause(0.5)
        for pid in stage.fork_server_pids():
            stage.strike(pid, signal.SIGKILL, Fault.FORK_SERVER_KILLED)
    code, text = stage.ended(process)
    if code != 0:
        stage.broken("unended", f"the tuning job ended with {code}: {text.strip()[-300:]}")
    if stage.fork_server_pids():
        stage.broken("orphaned", "a fork server outlived its tuning job")
    again = [job.name for job in stage.ledger().jobs.values() if job.attempt > 1]
    if again:
        stage.broken("doubled", f"{again} were run, although no training job was harmed")


def _share_an_import(stage: Stage) -> None:
    if stage.chance.random() < 0.5:
        stage.use_a_function()
    else:
        stage.use_a_script()


def controller_and_fork_server_are_killed(stage: Stage) -> None:
    _share_an_import(stage)
    for _ in range(2):
        process = stage.start_and_wait(lambda: bool(stage.fork_server_pids()))
        stage.pause(0.8)
        stage.strike(process, signal.SIGKILL, Fault.KILLED)
        if stage.chance.random() < 0.5:
            for pid in stage.fork_server_pids():
                stage.strike(pid, signal.SIGKILL, Fault.FORK_SERVER_KILLED)
        stage.ended(process)
        if not stage.wait_until(lambda: not stage.fork_server_pids(), GRACE_SECONDS + 10):
            stage.broken("orphaned", "a fork server outlived its controller")
    stage.run_to_end()


def trainings_are_killed(stage: Stage) -> None:
    _kill_some(stage, stage.training_pids, Fault.TRAINING_KILLED)


def _kill_some(stage: Stage, victims: Callable[[], list[int]], fault: Fault) -> None:
    process = stage.start()
    for _ in range(3):
        stage.wait_until(lambda: process.poll() is not None or bool(victims()))
        stage.pause(0.3)
        for pid in victims()[:1]:
            stage.strike(pid, signal.SIGKILL, fault)
    code, text = stage.ended(process)
    if code != 0:
        stage.broken("unended", f"the tuning job ended with {code}: {text.strip()[-300:]}")


def controller_and_workers_are_killed(stage: Stage) -> None:
    for _ in range(2):
        process = stage.start_and_wait(lambda: bool(stage.worker_pids()))
        stage.pause(0.3)
        stage.strike(process, signal.SIGKILL, Fault.KILLED)
        for pid in stage.worker_pids():
            stage.strike(pid, signal.SIGKILL, Fault.WORKER_KILLED)
        stage.ended(process)
    stage.run_to_end()


def the_power_is_cut(stage: Stage) -> None:
    """Everything dies at once, the last entry of the journal is torn, and so is what was not flushed of the
    running training jobs."""
    for _ in range(2):
        process = stage.start_and_wait(lambda: bool(stage.training_pids()))
        stage.pause(0.4)
        everything = [process.pid, *stage.processes()]
        for pid in everything:
            stage.strike(pid, signal.SIGKILL, Fault.POWER_CUT)
        stage.ended(process)
        stage.wait_until(lambda: not stage.processes())
        entries = sorted(path for path in stage.journal.iterdir() if entry_index(path.name) >= 0)
        text = entries[-1].read_bytes()
        entries[-1].write_bytes(text[: stage.chance.randrange(len(text))])
        stage.faults[Fault.TORN.value] += 1
        for directory in stage.job_directories():
            for file in ("request.json", "command", "claim", "process.json"):
                if (directory / file).exists() and stage.chance.random() < 0.5:
                    (directory / file).write_bytes(b"")
    stage.run_to_end()


def a_frozen_controller_wakes_up(stage: Stage) -> None:
    """It is stopped, a second one takes over, and then it goes on as if nothing had happened."""
    first = stage.start_and_wait(lambda: bool(stage.starts()))
    stage.pause(0.5)
    stage.strike(first, signal.SIGSTOP, Fault.FROZEN)
    second = stage.start()
    stage.faults[Fault.RIVAL.value] += 1
    stage.wait_until(
        lambda: second.poll() is not None or stage.ledger().controller.startswith(process_here(second.pid))
    )
    stage.pause(0.8)
    first.send_signal(signal.SIGCONT)
    _expect(stage, stage.ended(first), Fenced.exit_code, process_here(second.pid))
    _expect(stage, stage.ended(second), 0)


def two_are_started_at_once(stage: Stage) -> None:
    first, second = stage.start(), stage.start()
    stage.faults[Fault.RIVAL.value] += 1
    ends = [stage.ended(first), stage.ended(second)]
    winner = second if ends[1][0] == 0 else first
    for end in ends:
        if end[0] != 0:
            _expect(stage, end, Fenced.exit_code, process_here(winner.pid))
    if all(code != 0 for code, _ in ends):
        stage.broken("unended", "of two controllers neither came to the end")


def the_disk_is_full(stage: Stage) -> None:
    """The controller may not make a file longer than a byte: its journal can't be written any more."""
    process = stage.start_and_wait(lambda: bool(stage.training_pids()))
    stage.pause(0.3)
    try:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    except ProcessLookupError:  # on a busy machine it has come to its end meanwhile
        return
    stage.faults[Fault.DISK_FULL.value] += 1
    struck_at = time.time()
    _expect_in_time(stage, stage.ended(process), struck_at, JournalError.exit_code, "can't be written")
    stage.expect_no_process()
    stage.run_to_end()


def ctrl_c_is_pressed_twice(stage: Stage) -> None:
    process = stage.start_and_wait(lambda: bool(stage.training_pids()))
    stage.strike(process, signal.SIGINT, Fault.INTERRUPTED)
    time.sleep(0.05)
    stage.strike(process, signal.SIGINT, Fault.INTERRUPTED)
    code, text = stage.ended(process)
    # The second may come when the tuning job has ended already.
    if code not in (*STOPPED_CODES, TuningInterrupted.exit_code):
        stage.broken("crashed", f"Ctrl-C twice ended it with {code}: {text.strip()[-300:]}")
    stage.expect_no_process()
    stage.run_to_end(codes=STOPPED_CODES)


def everything_that_looks_after_a_training_is_killed(stage: Stage) -> None:
    """Controller and workers; what they had started is gone within seconds, although nobody looks."""
    process = stage.start_and_wait(lambda: bool(stage.training_pids()))
    stage.strike(process, signal.SIGKILL, Fault.KILLED)
    for pid in stage.worker_pids():
        stage.strike(pid, signal.SIGKILL, Fault.WORKER_KILLED)
    stage.ended(process)
    stage.expect_no_process()
    stage.run_to_end()


def the_home_is_moved_away(stage: Stage) -> None:
    process = stage.start_and_wait(lambda: bool(stage.training_pids()))
    stage.pause(0.4)
    elsewhere = stage.home.with_name("elsewhere")
    stage.home.rename(elsewhere)
    stage.faults[Fault.HOME_MOVED.value] += 1
    struck_at = time.time()
    end = stage.ended(process)
    stage.expect_no_process()
    if stage.home.exists():
        stage.broken("replay", "another home was begun in place of the one that had gone")
        shutil.rmtree(stage.home)
    elsewhere.rename(stage.home)
    # Whichever is missed first, the jobs or the journal.
    missed = BackendError if end[0] == BackendError.exit_code else JournalError
    _expect_in_time(stage, end, struck_at, missed.exit_code, "has vanished")
    stage.run_to_end()


def a_training_job_loses_its_directory(stage: Stage) -> None:
    process = stage.start_and_wait(lambda: bool(stage.training_pids()))
    for directory in stage.job_directories()[:1]:
        shutil.rmtree(directory, ignore_errors=True)
        stage.faults[Fault.DIRECTORY_GONE.value] += 1
    _expect(stage, stage.ended(process), 0)


def an_entry_is_deleted(stage: Stage) -> None:
    process = stage.start_and_wait(stage.has_run(2))
    put_back = stage.take_an_entry_away()
    struck_at = time.time()
    end = stage.ended(process)
    stage.expect_no_process()
    put_back()
    _expect_in_time(stage, end, struck_at, JournalError.exit_code, "is missing")
    stage.run_to_end()


def a_fifo_stands_in_place_of_an_entry(stage: Stage) -> None:
    process = stage.start_and_wait(stage.has_run(1))
    while True:
        latest = max(entry_index(path.name) for path in stage.journal.iterdir())
        fifo = stage.journal / entry_name(latest + 1)
        try:
            os.mkfifo(fifo)
            break
        except FileExistsError:
            continue
    stage.faults[Fault.NO_FILE.value] += 1
    struck_at = time.time()
    end = stage.ended(process)
    stage.expect_no_process()
    fifo.unlink()
    _expect_in_time(stage, end, struck_at, JournalError.exit_code, "it is a FIFO")
    stage.run_to_end()


def stop_kill_is_asked_for(stage: Stage) -> None:
    """At a moment at random, from another process; a second later nothing runs any more."""
    process = stage.start_and_wait(lambda: bool(stage.training_pids()))
    stage.pause(0.5)
    stage.faults[Fault.USER_STOP.value] += 1
    _expect(stage, stage.ended(stage.stop("--kill")), 0)
    stage.expect_no_process()
    _expect_stopped(stage, stage.ended(process))


def the_terminal_is_closed(stage: Stage) -> None:
    process = stage.start_and_wait(lambda: bool(stage.training_pids()))
    for _ in range(2):
        stage.strike(process, signal.SIGHUP, Fault.HANG_UP)
    _expect_stopped(stage, stage.ended(process))
    stage.expect_no_process()


def a_search_takes_for_ever(stage: Stage) -> None:
    """In the only line that a regex can't get through; Ctrl-C twice waits for no search."""
    stage.set_metric(r"^(?:a+)+;accuracy=|accuracy=([0-9.]+);", "a" * 45 + "accuracy=")
    process = stage.start_and_wait(lambda: bool(stage.training_pids()))
    stage.faults[Fault.SLOW_SEARCH.value] += 1
    stage.pause(1.0)
    for _ in range(2):
        stage.strike(process, signal.SIGINT, Fault.INTERRUPTED)
        time.sleep(0.1)
    stage.ended(process)
    stage.expect_no_process()
    stage.run_to_end(codes=STOPPED_CODES)


def another_machine_goes_on(stage: Stage) -> None:
    """The controller is killed; a second one on a machine that can't see the first one's processes takes
    over, and the training jobs that run there stay where they are."""
    first = stage.start("one")
    stage.wait_until(stage.has_run(1))
    stage.pause(0.3)
    controller = stage.controller_of(first)
    if controller is not None:
        stage.strike(controller, signal.SIGKILL, Fault.KILLED)
    stage.faults[Fault.ELSEWHERE.value] += 1
    stage.run_to_end("two")
    first.kill()
    first.communicate()


def a_machine_is_lost(stage: Stage) -> None:
    """With all that ran on it; another takes its jobs over once their leases have run out."""
    first = stage.start("one")
    stage.wait_until(stage.has_run(1))
    stage.strike(first, signal.SIGKILL, Fault.MACHINE_LOST)
    stage.ended(first)
    stage.run_to_end("two")


def cannot_play(scene: str) -> str:
    """Why a scene can't be played on this machine; empty if it can."""
    if scene not in ("another-machine-goes-on", "a-machine-is-lost"):
        return ""
    made = (
        shutil.which("unshare") and subprocess.run([*MACHINE, "test", "true"], capture_output=True).returncode
    )
    return "" if made == 0 else "it needs the right to make PID, mount and UTS namespaces (unshare)"


def _expect_stopped(stage: Stage, end: tuple[int, str]) -> None:
    """It was stopped, with or without a training job that may be the best."""
    if end[0] not in STOPPED_CODES:
        _expect(stage, end, 0)


def _expect(stage: Stage, end: tuple[int, str], code: int, words: str = "") -> None:
    if end[0] != code or words not in end[1]:
        seen = f"a controller ended with {end[0]} instead of {code}: {end[1].strip()[-300:]}"
        stage.broken("fenced" if code == Fenced.exit_code else "crashed", seen)


def _expect_in_time(stage: Stage, end: tuple[int, str], struck_at: float, code: int, words: str) -> None:
    """As _expect, with the record in its place again; but on a busy machine we may strike after the end."""
    finished_at = stage.ledger().finished_at
    if end[0] != 0 or finished_at is None or finished_at > struck_at:
        _expect(stage, end, code, words)


SCENES: Mapping[str, Scene] = {
    scene.__name__.replace("_", "-"): scene
    for scene in (
        the_controller_is_killed,
        the_controller_is_killed_anywhere,
        workers_are_killed,
        fork_servers_are_killed,
        controller_and_fork_server_are_killed,
        trainings_are_killed,
        controller_and_workers_are_killed,
        the_power_is_cut,
        a_frozen_controller_wakes_up,
        two_are_started_at_once,
        the_disk_is_full,
        ctrl_c_is_pressed_twice,
        everything_that_looks_after_a_training_is_killed,
        the_home_is_moved_away,
        a_training_job_loses_its_directory,
        an_entry_is_deleted,
        a_fifo_stands_in_place_of_an_entry,
        stop_kill_is_asked_for,
        the_terminal_is_closed,
        a_search_takes_for_ever,
        another_machine_goes_on,
        a_machine_is_lost,
    )
}
TELLING = (
    "the-controller-is-killed",
    "workers-are-killed",
    "an-entry-is-deleted",
    "stop-kill-is-asked-for",
    "controller-and-workers-are-killed",
)
"""Those that are played as a flow, and with the record in S3, too."""
