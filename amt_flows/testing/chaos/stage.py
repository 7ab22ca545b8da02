"""A tuning job of real processes, to which something is done; what really ran is told by the training script
and by the table of processes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from amt_flows.backends.home import DEFAULT
from amt_flows.backends.local_worker.endings import children_of
from amt_flows.backends.marked_processes import running_processes
from amt_flows.events import Outcome
from amt_flows.ledger.journals.directory import DirectoryJournal
from amt_flows.ledger.journals.entries import entry_name
from amt_flows.ledger.journals.s3 import S3Journal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.names import parse_training_job_name
from amt_flows.ports import Journal
from amt_flows.testing.chaos.faults import Fault
from amt_flows.testing.chaos.surroundings import Surroundings, new_folder
from amt_flows.testing.chaos.world import Violation

NAME = "chaos"
JOBS, PARALLEL, EPOCHS = 6, 2, 4
GRACE_SECONDS = 1
PATIENCE_SECONDS = 120.0
LEASE_SECONDS = 4
# Should the controller be killed, the machine goes on, with whatever else runs on it.
MACHINE = (
    *("unshare", "--pid", "--mount", "--uts", "--fork", "--mount-proc", "--kill-child"),
    *("sh", "-c", 'hostname "$0"; "$@"; code=$?; [ $code -lt 128 ] && exit $code; exec sleep 600'),
)
LOOK_SECONDS = 0.02

# Each start leaves its mark before anything else: the proof of how often a training job was run. `kept` shows
# that a stopped job still gets to say goodbye.
SCRIPT = """
echo "$TRAINING_JOB_NAME $$" >> "$STARTS"
trap 'exit 0' TERM
#
for i in 1 2 3 4; do echo "accuracy=0.$i$2;"; sleep 0.15; done
"""

REGEX = r"accuracy=([0-9.]+);"

FUNCTION = """
import os, signal, sys, time

time.sleep(0.2)  # as an import may take

def train(x):
    with open(os.environ["STARTS"], "a") as file:
        file.write(f"{os.environ['TRAINING_JOB_NAME']} {os.getpid()}\\n")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    for i in range(1, 5):
        yield float(f"0.{i}{x}")
        time.sleep(0.15)
"""
"""The same as a function, whose module training jobs share."""

WARM_SCRIPT = """
import sys
from chaos_function import train

for value in train(sys.argv[-1]):
    print(f"accuracy={value};", flush=True)
"""
"""The same as a script that has its module imported first."""


class Stage:
    """One tuning job in a directory of its own. ``chance`` decides when things happen; ``around`` what runs
    it, and what keeps its record. ``home`` has the directories of its training jobs."""

    def __init__(self, directory: Path, chance: random.Random, around: Surroundings | None = None) -> None:
        self.directory, self.chance = directory, chance
        self.around = around or Surroundings()
        in_s3 = self.around.s3 is not None
        # With records in S3 training jobs run in the user's usual home: here, a user of this stage's own.
        self.home = directory / (Path(DEFAULT).name if in_s3 else "home")
        self._records = new_folder() if in_s3 else str(self.home)
        self.faults: Counter[str] = Counter()
        self.violations: list[Violation] = []
        self.controllers: list[subprocess.Popen[str]] = []
        self._spec = directory / "tuning.json"
        self._starts = directory / "starts"
        self.set_metric(REGEX)

    def set_metric(self, regex: str, line: str = "") -> None:
        """How the metric is found; ``line`` is printed before it."""
        body = self._body(regex, SCRIPT.replace("#", f"echo '{line}'" if line else ":"))
        self._spec.write_text(json.dumps(body), encoding="utf-8")

    def use_a_function(self) -> None:
        """Training jobs are calls of a function from now on."""
        (self.directory / "chaos_function.py").write_text(FUNCTION, encoding="utf-8")
        body = json.loads(self._spec.read_text(encoding="utf-8"))
        job = body["training_job"]
        for field in ("command", "metric_definitions", "warm"):
            job.pop(field, None)
        job |= {"function": "chaos_function:train", "working_directory": str(self.directory)}
        self._spec.write_text(json.dumps(body), encoding="utf-8")

    def use_a_script(self) -> None:
        """Training jobs are runs of a Python script from now on, whose module they share."""
        (self.directory / "chaos_function.py").write_text(FUNCTION, encoding="utf-8")
        (self.directory / "chaos_script.py").write_text(WARM_SCRIPT, encoding="utf-8")
        body = json.loads(self._spec.read_text(encoding="utf-8"))
        body["training_job"].pop("function", None)
        body["training_job"] |= {
            "command": ["python", "chaos_script.py"],
            "warm": ["chaos_function"],
            "metric_definitions": [{"name": "accuracy", "regex": REGEX}],
            "working_directory": str(self.directory),
        }
        self._spec.write_text(json.dumps(body), encoding="utf-8")

    def _body(self, regex: str, script: str) -> Mapping[str, object]:
        return {
            "name": NAME,
            "objective": {"metric_name": "accuracy"},
            "integer": [{"name": "x", "min_value": 1, "max_value": 99}],
            "strategy": "Random",
            "limits": {"max_parallel_training_jobs": PARALLEL, "max_number_of_training_jobs": JOBS},
            "training_job": {
                "command": ["sh", "-c", script, "train"],
                "environment": {"STARTS": str(self._starts)},
                "metric_definitions": [{"name": "accuracy", "regex": regex}],
                "stop_grace_seconds": GRACE_SECONDS,
                "max_retry_attempts": 5,
            },
        }

    # -- controllers ------------------------------------------------------------------------------

    def start(self, machine: str = "") -> subprocess.Popen[str]:
        """`amt-flows run`, as a process of its own; on a machine of that name, which sees its own processes
        only and shares the directory."""
        flow = ["--prefect"] if self.around.as_flow else []
        return self._command("run", str(self._spec), "--quiet", "--json", *flow, machine=machine)

    def stop(self, *options: str) -> subprocess.Popen[str]:
        """`amt-flows stop`, as a process of its own."""
        return self._command("stop", NAME, *options)

    def _command(self, *words: str, machine: str = "") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [
                *(machine and (*MACHINE, machine)),
                *(sys.executable, "-m", "amt_flows", *words, "--home", self._records),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={
                **os.environ,
                "AMT_FLOWS_LEASE_SECONDS": str(LEASE_SECONDS),
                **({"HOME": str(self.directory)} if self.around.s3 is not None else {}),
                **self.around.environment,
            },
        )
        self.controllers.append(process)
        return process

    def start_and_wait(self, condition: Callable[[], bool]) -> subprocess.Popen[str]:
        """A controller that has come so far, or to its end."""
        process = self.start()
        self.wait_until(lambda: process.poll() is not None or condition())
        return process

    def ended(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Wait for a controller's end: its exit code and what it complained about."""
        try:
            _, text = process.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.broken("unended", f"a controller still ran after {PATIENCE_SECONDS:.0f} s")
            process.kill()
            _, text = process.communicate()
        return process.returncode, text

    def run_to_end(self, machine: str = "", codes: Collection[int] = (0,)) -> None:
        """Run it once more, undisturbed. What was stopped before any training job could be the best has
        another exit code than 0, now and for ever."""
        code, text = self.ended(self.start(machine))
        if code not in codes:
            self.broken("unended", f"an undisturbed run ended with {code}: {text.strip()[-300:]}")

    def strike(self, process: subprocess.Popen[str] | int, number: signal.Signals, fault: Fault) -> bool:
        """Send a signal; whether there was somebody to get it."""
        try:
            os.kill(process if isinstance(process, int) else process.pid, number)
        except ProcessLookupError:
            return False
        self.faults[fault.value] += 1
        return True

    # -- what is there ----------------------------------------------------------------------------

    @property
    def journal(self) -> Path:
        return self.home / NAME / "journal"

    def ledger(self) -> Ledger:
        return Ledger.replay(self._record().read())

    def _record(self) -> Journal:
        if self.around.s3 is not None:
            return S3Journal(f"{self._records}/{NAME}/journal", self.around.s3)
        return DirectoryJournal(self.journal)

    def take_an_entry_away(self) -> Callable[[], object]:
        """Any of the record's; what is returned puts it back."""
        number = self.chance.randrange(len(self._record().read()))
        self.faults[Fault.ENTRY_DELETED.value] += 1
        s3 = self.around.s3
        if s3 is None:
            path, kept = self.journal / entry_name(number), self.directory / entry_name(number)
            path.rename(kept)
            return lambda: kept.rename(path)
        bucket, _, folder = self._records.removeprefix("s3://").partition("/")
        place = {"Bucket": bucket, "Key": f"{folder}/{NAME}/journal/{entry_name(number)}"}
        body = s3.get_object(**place)["Body"].read()
        s3.delete_object(**place)
        return lambda: s3.put_object(**place, Body=body)

    def starts(self) -> list[str]:
        """The names of the training jobs that were run, one for each time."""
        if not self._starts.exists():
            return []
        return [line.split()[0] for line in self._starts.read_text(encoding="utf-8").splitlines()]

    def has_run(self, jobs: int) -> Callable[[], bool]:
        return lambda: len(self.starts()) >= jobs

    def job_directories(self) -> list[Path]:
        """Of training jobs that have not ended, the oldest name first."""
        jobs = self.home / NAME / "jobs"
        found = [path for path in jobs.glob("[!.]*") if not (path / "end.json").exists()]
        return sorted(found)

    def worker_pids(self) -> list[int]:
        return self._pids("claim")

    def training_pids(self) -> list[int]:
        return self._pids("process.json")

    def _pids(self, file: str) -> list[int]:
        found: list[int] = []
        for directory in self.job_directories():
            try:
                found.append(int(json.loads((directory / file).read_text(encoding="utf-8"))["pid"]))
            except (OSError, ValueError, KeyError):
                continue
        return [pid for pid in found if pid in self.processes()]

    def fork_server_pids(self) -> list[int]:
        """Those of its controllers."""
        numbers = {str(one.pid).encode() for one in self.controllers}
        commands = ((one.pid, one.command.split(b"\0")) for one in running_processes())
        return [pid for pid, words in commands if words[2:3] == [b"--serve"] and words[4] in numbers]

    def processes(self) -> list[int]:
        """Everything that runs for its training jobs: workers, trainings, and what these started."""
        controllers = {one.pid for one in self.controllers}
        found = (one for one in running_processes() if one.mentions(str(self.home)))
        return [one.pid for one in found if one.pid not in controllers]

    def controller_of(self, process: subprocess.Popen[str]) -> int | None:
        """The controller that runs on a machine, by its number here; None once there is none."""
        children = children_of(process.pid)
        return next(iter(children_of(children[0])), None) if children else None

    def wait_until(self, condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
        give_up_at = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > give_up_at:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def pause(self, longest: float) -> None:
        """Some time at random."""
        time.sleep(self.chance.uniform(0, longest))

    # -- the verdict ------------------------------------------------------------------------------

    def broken(self, promise: str, seen: str) -> None:
        self.violations.append(Violation(promise, seen))

    def expect_no_process(self) -> None:
        if not self.wait_until(lambda: not self.processes(), GRACE_SECONDS + 10):
            self.broken("orphaned", f"processes {self.processes()} are left")

    def judge(self) -> None:
        """Compare what ran with what the ledger says."""
        self.expect_no_process()
        ledger, starts = self.ledger(), self.starts()
        if not ledger.finished:
            self.broken("unended", f"the tuning job is {ledger.status.value}")
        for name, count in Counter(starts).items():
            if count > 1:
                self.broken("doubled", f"{name} was run {count} times")
        for name in dict.fromkeys(starts):
            job = ledger.jobs.get(name)
            if job is None or job.outcome is None:
                self.broken("lost", f"{name} was run and has no end in the ledger")
        if len(set(starts)) > JOBS or len(ledger.jobs) > JOBS:
            self.broken("overshot", f"{len(ledger.jobs)} training jobs were launched of {JOBS}")
        self._judge_attempts(ledger)

    def _judge_attempts(self, ledger: Ledger) -> None:
        again = (Outcome.LOST, Outcome.INFRASTRUCTURE)
        for job in ledger.jobs.values():
            parts = parse_training_job_name(job.name)
            earlier = [one for one in ledger.attempts(job.trial) if one.attempt < job.attempt]
            if parts is None or any(one.outcome not in again for one in earlier):
                self.broken("doubled", f"{job.name} follows an attempt that needed no other")
        if ledger.status.value == "Completed" and ledger.best is None:
            self.broken("best", "no training job is the best")

    def clear(self) -> None:
        """Leave nothing behind, whatever happened."""
        for process in self.controllers:
            if process.poll() is None:
                process.kill()
                process.communicate()
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
