"""A training script in the foreground: it has our input and our terminal, and never outlives us."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from amt_flows.backends.marked_processes import kill_marked, marked_processes
from amt_flows.backends.told_to_end import SIGNALS, ToldToEnd

MARK = "AMT_FLOWS_TRY"
LOOK_SECONDS = 0.1
CLOSED_LOOK_SECONDS = 0.01
SAY_AFTER_SECONDS = 1.0
CLEAR_SECONDS = 5.0
READ_BYTES = 1024
"""As text they are at most three times as many bytes (U+FFFD for each): a pipe or terminal that takes output
takes those at once."""
UNHANDLED = frozenset(code for number in SIGNALS for code in (-number, 128 + number))
"""How a process ends that made nothing of the signal: often a shell around the one that trains."""


class ForegroundScript:
    """A command, started. It stays in our process group, which has the terminal: it reads our input, and
    Ctrl-C reaches it, too. What it starts has a mark in its environment. Raises OSError."""

    def __init__(
        self, argv: Sequence[str], directory: Path, variables: Mapping[str, str], told: ToldToEnd
    ) -> None:
        self._told = told
        self._mark = uuid.uuid4().hex
        self._process = subprocess.Popen(
            argv,
            cwd=directory,
            env={**variables, MARK: self._mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout
        self._pipe_is_open = True
        self._read = io.BytesIO()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._is_ending = False

    def run(self, grace_seconds: float) -> tuple[str, int]:
        """Show its output as it comes. That output, and its exit status, negative for a signal. Once it has
        ended, what it has started is killed, as in a training job.

        Raises KeyboardInterrupt when we are told to end: the script is asked by SIGTERM, and killed after
        ``grace_seconds`` or at a second request. An error on our side ends it the same way."""
        try:
            self._follow(lambda: self._told.times > 0)
            if self._told.times:
                raise KeyboardInterrupt
            return self._read.getvalue().decode("utf-8", "replace"), self._process.returncode
        except BaseException:
            self._ask_to_end(grace_seconds)
            raise
        finally:
            self._clear()

    def _follow(self, gives_up: Callable[[], bool]) -> bool:
        """Until it has ended and its output is read, or until ``gives_up``. Whether it has ended. What it
        left behind is killed first: it might hold the output open, or write for ever."""
        while not self._is_over():
            if gives_up():
                return False
            self._look()
        kill_marked(self._entry, CLEAR_SECONDS)
        while self._pipe_is_open and not gives_up() and _is_ready(self._pipe.fileno(), select.POLLIN):
            self._take(os.read(self._pipe.fileno(), READ_BYTES))
        return True

    def _look(self) -> None:
        if not self._pipe_is_open:
            time.sleep(LOOK_SECONDS if self._process.returncode is not None else CLOSED_LOOK_SECONDS)
        elif _is_ready(self._pipe.fileno(), select.POLLIN):
            self._take(os.read(self._pipe.fileno(), READ_BYTES))

    def _is_over(self) -> bool:
        code = self._process.poll()
        if self._is_ending and code in UNHANDLED:
            return not marked_processes(self._entry)
        return code is not None

    @property
    def _entry(self) -> str:
        return f"{MARK}={self._mark}"

    def _take(self, chunk: bytes) -> None:
        self._pipe_is_open = bool(chunk)
        self._read.write(chunk)
        text = self._decoder.decode(chunk, final=not chunk)
        if not self._is_ending:
            _show(text, sys.stdout, lambda: self._told.times > 0)
        else:
            self._show_if_it_can(text, sys.stdout)

    def _show_if_it_can(self, text: str, stream: TextIO) -> None:
        """A closed terminal takes no output, and one that stands still holds up no end."""
        with contextlib.suppress(OSError):
            _show(text, stream, lambda: True)

    def _ask_to_end(self, grace_seconds: float) -> None:
        self._is_ending = True
        now, asked = time.monotonic(), min(self._told.times, 1)
        self._process.terminate()
        for pid in {*marked_processes(self._entry)} - {self._process.pid}:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGTERM)

        def gives_up_at(at: float) -> Callable[[], bool]:
            return lambda: time.monotonic() >= at or self._told.times > asked

        ended = self._follow(gives_up_at(now + min(grace_seconds, SAY_AFTER_SECONDS)))
        if ended or grace_seconds <= SAY_AFTER_SECONDS or self._told.times > asked:
            return
        self._show_if_it_can(
            f"The script has {grace_seconds:g} s to end, then it is killed; Ctrl-C kills it now.\n",
            sys.stderr,
        )
        self._follow(gives_up_at(now + grace_seconds))

    def _clear(self) -> None:
        self._process.kill()
        kill_marked(self._entry, CLEAR_SECONDS)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(CLEAR_SECONDS)
        self._pipe.close()


def _show(text: str, stream: TextIO, gives_up: Callable[[], bool]) -> None:
    """Once the stream takes it, so that we never hang in a write. Left out if that is given up."""
    while not _takes_output(stream):
        if gives_up():
            return
    stream.write(text)
    stream.flush()


def _takes_output(stream: TextIO) -> bool:
    try:
        number = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return True  # a notebook's, say: nothing that stands still
    return _is_ready(number, select.POLLOUT)


def _is_ready(number: int, event: int) -> bool:
    """Whether it is, or becomes so soon. A signal is looked at afterwards."""
    looking = select.poll()
    looking.register(number, event)
    return bool(looking.poll(LOOK_SECONDS * 1000))
