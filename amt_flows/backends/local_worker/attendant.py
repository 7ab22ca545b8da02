"""Runs the worker of one training job for an engine that wants to see a program: ``python3 -I -S attendant.py
JOBDIR``. Standard library only.

It passes the training's output on to its own, from where the engine takes its log; asked to end (SIGTERM) it
asks the job to stop, with its grace time, and so it does when the machine is to go (SIGUSR1), for which
another attempt makes up; and with it ends the worker, should the engine kill it or lose the
process that it was started by. Exit status: 0 for a job that completed or was stopped, 1 for one that failed,
70 when there is no telling.
"""

# No pathlib: this, too, has to start in no time.
# ruff: noqa: PTH100, PTH118, PTH120, PTH123

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from types import FrameType

PARENT = "AMT_FLOWS_PARENT"
LOOK_SECONDS = 0.25
MOST_BYTES = 32 * 1024 * 1024
"""Of output that is passed on; the whole is in the job's directory."""
EXIT_UNKNOWN = 70


class Relay:
    """The output of a job, as it grows."""

    def __init__(self, directory: str) -> None:
        self._path = os.path.join(directory, "output.log")
        self._at = 0

    def step(self) -> None:
        if self._at >= MOST_BYTES:
            return
        try:
            with open(self._path, "rb") as file:
                file.seek(self._at)
                data = file.read(MOST_BYTES - self._at)
        except OSError:
            return
        if data:
            self._at += len(data)
            try:
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()
            except OSError:
                self._at = MOST_BYTES  # nobody reads it


def main(directory: str) -> int:
    """Run the job of a directory; the exit status."""
    engine = os.getppid()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        with open(os.path.join(directory, "evicted" if number == signal.SIGUSR1 else "stop"), "ab"):
            pass

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, ask_to_stop)
    worker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "__main__.py")
    with open(os.path.join(directory, "worker.log"), "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", worker, directory],
            env={**os.environ, PARENT: str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    relay = Relay(directory)
    while process.poll() is None:
        relay.step()
        if os.getppid() != engine:
            return EXIT_UNKNOWN  # the worker's guard sees us go
        time.sleep(LOOK_SECONDS)
    relay.step()
    try:
        with open(os.path.join(directory, "end.json"), encoding="utf-8") as file:
            end = json.load(file)
    except (OSError, ValueError):
        return EXIT_UNKNOWN
    sys.stdout.flush()
    print(f"amt-flows: {end['state']}{': ' + end['failure'] if end.get('failure') else ''}", flush=True)
    return 1 if end["state"] == "failed" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
