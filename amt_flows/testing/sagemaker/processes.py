"""A training process on this machine, and all that it starts."""

from __future__ import annotations

import codecs
import os
import selectors
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from amt_flows.backends.marked_processes import kill_marked
from amt_flows.metrics.lines import escaped
from amt_flows.testing.sagemaker.publishing import events_of

MARK = "AMT_FLOWS_SIMULATED_JOB"
READ_BYTES = 256 * 1024
LAST_OUTPUT_SECONDS = 0.2
CLEAR_SECONDS = 2.0


class TrainingProcess:
    """A process in a session of its own, with its output in lines as CloudWatch has
    them: control characters escaped, long ones in pieces. Raises OSError if it can't be started."""

    def __init__(self, argv: Sequence[str], directory: Path, environment: Mapping[str, str]) -> None:
        self._mark = uuid.uuid4().hex
        self._popen = subprocess.Popen(
            list(argv),
            cwd=directory,
            env={**environment, MARK: self._mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._popen.stdout is not None
        self._output = self._popen.stdout
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._open = True
        os.set_blocking(self._output.fileno(), False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._output, selectors.EVENT_READ)

    @property
    def pid(self) -> int:
        return self._popen.pid

    def exit_code(self) -> int | None:
        """Negative for a signal; None while it runs."""
        return self._popen.poll()

    def read_lines(self, seconds: float) -> list[str]:
        """The lines that were completed, after waiting for output for at most so long."""
        if not self._open:
            time.sleep(seconds)
            return []
        if not self._selector.select(seconds):
            return []
        try:
            data = os.read(self._output.fileno(), READ_BYTES)
        except BlockingIOError:
            return []
        if not data:
            self._open = False
            return self._last()
        return self._take(data)

    def _last(self) -> list[str]:
        return self._take(b"\n") if self._rest else []

    def _take(self, data: bytes) -> list[str]:
        # As the service's agent: a line ends with a newline and nothing else, or where an event is full.
        first, *others = self._decoder.decode(data).split("\n")
        *lines, rest = [self._rest + escaped(first), *(escaped(other) for other in others)]
        *full, self._rest = events_of(rest)
        return [*lines, *full]

    def read_rest(self) -> list[str]:
        """What is still in the pipe after the end. Whoever else holds it open is not waited for."""
        lines: list[str] = []
        until = time.monotonic() + LAST_OUTPUT_SECONDS
        while self._open and time.monotonic() < until:
            lines += self.read_lines(0.01)
        return lines + self._last()

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._popen.pid, number)
        except (ProcessLookupError, PermissionError):
            return

    def clear(self) -> None:
        """End whatever is left of it, also what went into a session of its own (where there is /proc)."""
        self.kill()
        self._popen.wait()
        kill_marked(f"{MARK}={self._mark}", CLEAR_SECONDS)
        self._selector.close()
        self._output.close()
