"""Processes that run flows and needn't begin with two seconds of imports: each is forked off by one that has
them done. To the test server, and to whoever kills it, it is a script's process like any other."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping

READY = """
import json, os, sys
import prefect.flow_engine, prefect.task_engine
import amt_flows.flows, amt_flows.backends.local
script = None
while script is None:
    line = sys.stdin.readline()
    if not line:
        sys.exit()
    order = json.loads(line)
    if "wait for" in order:
        print(os.waitstatus_to_exitcode(os.waitpid(order["wait for"], 0)[1]), flush=True)
    elif (pid := os.fork()) == 0:
        script = order["run"]
    else:
        print(pid, flush=True)
nothing = os.open(os.devnull, os.O_RDWR)
os.dup2(nothing, 0)
os.dup2(nothing, 1)
exec(script, {"__name__": "__main__"})
"""


class Ready:
    """The process that is forked. ``environment`` is that of its children."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self._process = subprocess.Popen(
            [sys.executable, "-c", READY],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def start(self, script: str) -> Forked:
        return Forked(self, self.ask({"run": script}, 240))

    def ask(self, order: object, seconds: float | None) -> int:
        """Its answer. Raises subprocess.TimeoutExpired."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], seconds)[0]:
            self.end()
            raise subprocess.TimeoutExpired(str(order)[:80], seconds or 0)
        return int(self._process.stdout.readline())

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


class Forked:
    """One of its children, to be treated like a subprocess.Popen."""

    def __init__(self, ready: Ready, pid: int) -> None:
        self.pid = pid
        self._ready = ready
        self._exit_code: int | None = None

    def send_signal(self, number: signal.Signals) -> None:
        if self._exit_code is None:  # else its number may be another's
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, seconds: float | None = None) -> int:
        """Its exit code. Raises subprocess.TimeoutExpired."""
        if self._exit_code is None:
            self._exit_code = self._ready.ask({"wait for": self.pid}, seconds)
        return self._exit_code


_kept: list[Ready] = []


def start(script: str, environment: Mapping[str, str]) -> Forked:
    """A process that runs a script with these variables."""
    if not _kept or _kept[-1].environment != environment:
        _kept.append(Ready(environment))
    return _kept[-1].start(script)


def end() -> None:
    """Nobody starts another."""
    while _kept:
        _kept.pop().end()
