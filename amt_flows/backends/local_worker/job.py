"""One training job from the start of its training process to its end."""

# No pathlib: its import would cost every training job milliseconds.
# ruff: noqa: PTH112, PTH116, PTH118, PTH123

from __future__ import annotations

import json
import math
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType

from amt_flows.backends.local_worker.bell import Bell
from amt_flows.backends.local_worker.claims import wish
from amt_flows.backends.local_worker.endings import clear_descendants, signal_group
from amt_flows.backends.local_worker.lease import Lease
from amt_flows.backends.local_worker.memory import Memory
from amt_flows.backends.local_worker.output import Output
from amt_flows.backends.local_worker.processes import identity, process_state
from amt_flows.backends.local_worker.records import write_end, write_json
from amt_flows.backends.local_worker.redaction import Redaction
from amt_flows.backends.local_worker.start import (
    CannotStartError,
    Training,
    read_command,
    share_variables,
)
from amt_flows.backends.local_worker.upload import has_model, uploaded
from amt_flows.backends.local_worker.values import LAST_SEARCH_SECONDS, Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EXIT_NO_END_WRITTEN = 74

READ_BYTES = 1024 * 1024
LOOK_SECONDS = 1.0  # between looks for a stop file, should the signal that goes with it not reach us
CLEAR_SECONDS = 5.0  # for what the training left behind to die
LAST_OUTPUT_SECONDS = 0.1
LAST_READS = 64  # many times what a pipe holds
STOPPED_SEARCH_SECONDS, KILLED_SEARCH_SECONDS = 3.0, 0.5
GONE_SECONDS = 3.0  # so long the job's directory may be away: a network file system has its moments

FAILURE_FILE_CHARACTERS = 1024  # SageMaker's limit for a failure reason
LAST_LINES, LAST_CHARACTERS = 20, 1500

REASONS = {
    "lease": "its worker could not renew its lease: the directory of its job could not be written to",
    "directory": "the directory of its job was removed or renamed while it ran",
}
"""Why a job was ended that nobody wanted to end."""


def conclude(directory: str, training: Training | None, problem: Exception | None, lifeline: int) -> int:
    """Accompany the training process, if there is one, to its end, and write end.json. The exit status."""
    place = _wherever_it_goes(directory)
    try:
        if problem is not None:
            raise problem
        end = ended("stopped") if training is None else Job(directory, training, lifeline).run_and_keep()
    except CannotStartError as error:
        end = ended("failed", failure=str(error), infrastructure=error.passing)
    except Exception as error:
        sys.excepthook(*sys.exc_info())
        if training is not None:
            signal_group(training.pid, signal.SIGKILL)
            clear_descendants(CLEAR_SECONDS)
        end = ended("failed", failure=f"the worker of this job failed: {error!r}", infrastructure=True)
    bell = Bell(directory)
    written = write_end(place, end, bell.ring)
    if not written:
        bell.ring()
    return 0 if written else EXIT_NO_END_WRITTEN


def _wherever_it_goes(directory: str) -> str:
    """A path of the directory that stays its path when it is renamed, where the system has such."""
    try:
        place = f"/proc/self/fd/{os.open(directory, os.O_RDONLY)}"
    except OSError:
        return directory
    return place if os.path.isdir(place) else directory


def ended(
    state: str,
    *,
    started_at: float | None = None,
    ended_at: float | None = None,
    timed_out: bool = False,
    failure: str | None = None,
    infrastructure: bool = False,
    notes: Sequence[str] = (),
) -> dict[str, object]:
    """The content of end.json; without ``ended_at`` for now. ``state`` is a word of ``JobState``; times
    are in seconds since the epoch."""
    return {
        "v": 1,
        "state": state,
        "started_at": started_at,
        "ended_at": time.time() if ended_at is None else ended_at,
        "timed_out": timed_out,
        "failure": failure,
        "infrastructure": infrastructure,
        "notes": list(notes),
    }


EVICTED = "its machine was taken away while it ran: what had started its worker was asked to end"


class Signals:
    """Turns signals into a readable file descriptor, so that waiting ends when one comes.

    They are handled rather than ignored: what a process ignores, the programs it starts ignore too.
    """

    def __init__(self) -> None:
        self.terminated = False
        self.fd, writer = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self._note)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.terminated = self.terminated or number == signal.SIGTERM

    def drain(self) -> None:
        try:
            while os.read(self.fd, 4096):
                continue
        except BlockingIOError:
            return


class Job:
    """The training process, what is read from it, and when it has to end."""

    def __init__(self, directory: str, training: Training, lifeline: int) -> None:
        # From the moment at which process.json is there, a controller may signal us.
        self.signals = Signals()
        with open(os.path.join(directory, "request.json"), encoding="utf-8") as file:
            self.request: dict[str, Any] = json.load(file)
        self.directory = directory
        self.training = training
        self.pid = training.pid
        self.reader = training.reader
        self.started_at = training.started_at
        self.bell = Bell(directory)
        self.output = Output(directory)
        self.redaction = Redaction(self.request.get("secret_environment", []))
        self.values = Values(directory, self.request["metrics"], self.redaction.clean)
        self.lease = Lease(directory, group=self.pid, lifeline=lifeline)
        self.inode = os.stat(directory).st_ino
        self.gone_since = math.inf
        self.memory = Memory(self.request.get("memory_gb"))
        # "asked", "time limit", "memory", "lease" or "directory", once the training process was told to stop.
        self.stopped_for = ""
        self.limit_at = time.monotonic() + (self.request["max_runtime_seconds"] or math.inf)
        self.kill_at = math.inf

    def run(self) -> dict[str, object]:
        """Run the training process to its end, whatever that is. The content of end.json."""
        self.lease.renew()
        process = {**identity(self.pid), "started_at": self.started_at}
        write_json(os.path.join(self.directory, "process.json"), process)
        self.bell.ring()
        # Whoever wished something before process.json was there did not signal us.
        self.end_if_due()
        while not self.has_ended():
            self.step()
        code = self.reap()
        self.read_rest()
        self.values.finish(self.patience)
        self.output.write(self.redaction.rest())
        self.output.close()
        return self.verdict(code)

    def run_and_keep(self) -> dict[str, object]:
        """Run it, and upload the model that it leaves, where that is wanted."""
        end, output_path = self.run(), self.request.get("output_path")
        if not output_path or end["state"] not in ("completed", "stopped") or not has_model(self.directory):
            return end
        self.kill_at = time.monotonic() + self.request["stop_grace_seconds"]
        try:
            _, _, variables = read_command(self.directory)
            environment = {**os.environb, **variables, **share_variables(self.directory)}
            return {**end, **uploaded(self.directory, output_path, environment, self.gives_up)}
        except Exception as error:
            # What was trained is not lost by what comes after.
            sys.excepthook(*sys.exc_info())
            return {**end, "problem": repr(error)}

    def gives_up(self) -> str:
        """Why an upload is not waited for any longer; empty while it is. A job that is asked to stop has its
        grace time for it."""
        now, wish = time.monotonic(), self.asked()
        if now >= self.lease.due:
            self.lease.renew()
        if not wish:
            self.kill_at = now + self.request["stop_grace_seconds"]
        if wish == "kill" or now >= self.kill_at:
            return "the job was asked to stop meanwhile"
        return "its worker could not renew its lease" if self.lease.has_run_out else ""

    def patience(self) -> float:
        """For how many seconds searches in the last of the output may hold up the end; asked often."""
        if time.monotonic() >= self.lease.due:
            self.lease.renew()
        if self.asked() == "kill":
            return KILLED_SEARCH_SECONDS
        return STOPPED_SEARCH_SECONDS if self.stopped_for else LAST_SEARCH_SECONDS

    def asked(self) -> str:
        """What is wanted: "kill" or "stop", "evicted" (its machine is to go), or nothing."""
        return wish(self.directory) or ("stop" if self.signals.terminated else "")

    def has_ended(self) -> bool:
        """Whether the training process is dead. It is not reaped here, so that its number stays its own;
        orphans that came to us are."""
        if not hasattr(os, "waitid"):
            state = process_state(self.pid)
            return state is None or state[0] in "ZX"
        while True:
            dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if dead is None:
                return False
            if dead.si_pid == self.pid:
                return True
            os.waitpid(dead.si_pid, 0)

    def step(self) -> None:
        """Wait for output, a signal or the next deadline, and act on it."""
        next_at = min(self.limit_at, self.kill_at, self.bell.due, self.lease.due, self.memory.due)
        seconds = min(max(next_at - time.monotonic(), 0.0), LOOK_SECONDS)
        search = self.values.search
        reading = self.reader >= 0 and not self.values.full
        watched = [self.signals.fd, *search.readers, *([self.reader] if reading else [])]
        ready, _, _ = select.select(watched, search.writers, [], seconds)
        if self.signals.fd in ready:
            self.signals.drain()
        if reading and self.reader in ready:
            self.read()
        if self.values.waiting and self.values.collect():
            self.bell.soon()
        self.end_if_due()
        if time.monotonic() >= self.bell.due:
            self.bell.ring()

    def read(self) -> bool:
        """Take what is there of the output. Whether there was any."""
        try:
            data = os.read(self.reader, READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            os.close(self.reader)
            self.reader = -1
            return False
        self.output.write(self.redaction.feed(data))
        self.values.feed(data)
        return True

    def end_if_due(self) -> None:
        wish, now = self.asked(), time.monotonic()
        why = "asked" if wish else "time limit" if now >= self.limit_at else ""
        at_once = wish == "kill"
        if now >= self.lease.due:
            self.lease.renew()
            lost = self.lease.has_run_out or self.lease.is_taken_over
            why, at_once = ("lease", True) if lost else (why, at_once)
        if self.is_gone(now):
            why = why or "directory"
        if not why and self.memory.is_exceeded():
            why, at_once = "memory", True
        if not self.stopped_for and why:
            self.limit_at = math.inf
            # If it is dead already, that end was its own and counts.
            if not self.has_ended():
                self.stopped_for = why
                self.kill_at = now + self.request["stop_grace_seconds"]
                signal_group(self.pid, signal.SIGTERM)
        if self.stopped_for and (at_once or now >= self.kill_at):
            self.kill_at = math.inf
            signal_group(self.pid, signal.SIGKILL)

    def is_gone(self, now: float) -> bool:
        """Whether the job's directory has been removed or renamed, and not just now: nobody could stop this
        job any more, or hear of its end."""
        try:
            there = os.stat(self.directory).st_ino == self.inode
        except (FileNotFoundError, NotADirectoryError):
            there = False
        except OSError:
            there = True
        self.gone_since = math.inf if there else min(self.gone_since, now)
        return now - self.gone_since >= GONE_SECONDS

    def reap(self) -> int:
        """End what is left of the dead training process's group, session and other descendants. Its exit
        status, negative for a signal."""
        saving = self.stopped_for and math.isfinite(self.kill_at)
        if not saving:
            # While it is not reaped, its number can't be that of another group.
            signal_group(self.pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        if saving:
            if code in (-signal.SIGTERM, 128 + signal.SIGTERM):
                self.let_others_save()
            signal_group(self.pid, signal.SIGKILL)
        clear_descendants(CLEAR_SECONDS, spared=self.values.search.process)
        return code

    def let_others_save(self) -> None:
        """The training process, often a shell around the real one, died of SIGTERM without a word: what it
        had started in its group gets the rest of the grace time."""
        while math.isfinite(self.kill_at) and signal_group(self.pid, 0):
            self.step()
            try:
                os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                continue

    def read_rest(self) -> None:
        """Read what is still in the pipe. Whoever else holds it open, and writes, is not waited for."""
        for _ in range(LAST_READS):
            if self.reader < 0:
                return
            if not self.read() and self.reader >= 0:
                ready, _, _ = select.select([self.reader], [], [], LAST_OUTPUT_SECONDS)
                if not ready:
                    return

    def verdict(self, code: int) -> dict[str, object]:
        if self.asked() and code in (-signal.SIGKILL, -signal.SIGTERM):
            self.stopped_for = self.stopped_for or "asked"  # killed past us
        lost = self.values.error if self.values.lost else None
        if self.stopped_for == "asked" and self.asked() == "evicted":
            return self.ended("failed", failure=EVICTED, infrastructure=True)
        if self.stopped_for == "memory":
            return self.ended("failed", failure=self.memory.failure)
        if self.stopped_for in REASONS:
            failure = REASONS[self.stopped_for]
            return self.ended("failed", failure=failure, infrastructure=True)
        if self.stopped_for:
            return self.ended("stopped", timed_out=self.stopped_for == "time limit")
        if code == 0 and lost is None:
            return self.ended("completed")
        disk = lost or self.output.error
        if code == 0:
            failure = "the training ended well, but its metrics could not be written"
        else:
            failure = self.failure_file() or f"{in_words(code)}{last_lines(self.output.last)}"
        if disk is not None:
            failure = f"{failure} (the disk: {disk.strerror})"
        return self.ended("failed", failure=failure, infrastructure=disk is not None)

    def ended(
        self, state: str, *, timed_out: bool = False, failure: str | None = None, infrastructure: bool = False
    ) -> dict[str, object]:
        return ended(
            state,
            started_at=self.started_at,
            ended_at=self.training.now(),
            timed_out=timed_out,
            failure=failure,
            infrastructure=infrastructure,
            notes=self.values.search.notes,
        )

    def failure_file(self) -> str:
        """The reason that the training script gave itself; empty if it gave none."""
        try:
            with open(os.path.join(self.directory, "output", "failure"), "rb") as file:
                text = self.redaction.clean(file.read(4 * FAILURE_FILE_CHARACTERS)).decode("utf-8", "replace")
        except OSError:
            return ""
        return text.strip()[:FAILURE_FILE_CHARACTERS]


def in_words(code: int) -> str:
    """What an exit status means; negative for a signal."""
    if code < 0:
        hint = " (out of memory?)" if code == -signal.SIGKILL else ""
        return f"killed by {signal_name(-code)}{hint}"
    if 128 < code < 128 + 65:
        return f"exit status {code} (as after {signal_name(code - 128)})"
    return f"exit status {code}"


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def last_lines(output: bytes) -> str:
    """The end of the output as it goes behind an exit status."""
    lines = output.decode("utf-8", "replace").replace("\r", "\n").split("\n")
    kept = [line.rstrip() for line in lines if line.strip()][-LAST_LINES:]
    text = "\n".join(kept)[-LAST_CHARACTERS:]
    return f"; the last of its output:\n{text}" if text else ", without any output"
