"""Workers without the time that an interpreter takes to start: one process that has loaded what a worker
needs, and forks for each job directory that its controller names.

It has no part in any job: killed, it takes none with it, and its controller starts workers as programs again.
It ends with its controller, and when it has had nothing to do for a while.

Standard input is a socket of packets. A request is a job's directory, with the descriptor of the file that
takes what its worker says; the answer ``PID START`` is the process that was forked, or ``-ERRNO`` why none
could be. Before all others it says ``ready``.
"""

# No pathlib: its import would cost every training job milliseconds.
# ruff: noqa: PTH123

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys

# All that a worker loads on its way, so that none of those that are forked has to.
import amt_flows.backends.local_worker.job  # noqa: F401
from amt_flows.backends.local_worker.main import main
from amt_flows.backends.local_worker.processes import after_name, process_state

READY = b"ready"
PACKET_BYTES = 8192
IDLE_SECONDS = 60.0
ROOM = 1024
"""For the path of a job's directory in the command line, where others look for it."""


def serve() -> int:
    """Fork a worker for each request, until nobody asks any more. The exit status, also of those forked."""
    write_over_arguments(sys.argv[:2])
    import ctypes

    ctypes.CDLL(None)  # as start.py needs it
    ended = _ends_of_children()
    with socket.socket(fileno=os.dup(0)) as requests:
        requests.send(READY)
        gc.freeze()
        while True:
            ready, _, _ = select.select([requests.fileno(), ended], [], [], IDLE_SECONDS)
            if ended in ready:
                os.read(ended, 4096)
                _reap()
            if not ready:
                return 0
            if requests.fileno() not in ready:
                continue
            directory, logs, _, _ = socket.recv_fds(requests, PACKET_BYTES, 1)
            if not directory:
                return 0
            try:
                pid = os.fork()
            except OSError as error:
                requests.send(f"-{error.errno}".encode())
            else:
                if pid == 0:
                    requests.close()
                    return _worker(os.fsdecode(directory), logs[0])
                state = process_state(pid)
                requests.send(f"{pid} {state[1] if state else ''}".encode())
            os.close(logs[0])


def _ends_of_children() -> int:
    """A descriptor that can be read when a child has ended, so that none stays as a zombie."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    return reader


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return


def _worker(directory: str, log: int) -> int:
    """Be what would have been started as a program: a session of its own, no input, no open files."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    nothing = os.open("/dev/null", os.O_RDONLY)
    for standard, descriptor in ((0, nothing), (1, log), (2, log)):
        os.dup2(descriptor, standard)
    os.close(nothing)
    os.close(log)
    write_over_arguments([sys.argv[0], directory])
    try:
        return main([directory])
    except Exception:
        sys.excepthook(*sys.exc_info())
        return 1


def write_over_arguments(arguments: list[str]) -> None:
    """Have the system show this process as if it had been started by path with these arguments. Raises
    OSError, ValueError when they take more room than those that it was started with."""
    import ctypes

    with open("/proc/self/stat", "rb") as file:
        begin, end = map(int, after_name(file.read())[45:47])
    words = [*sys.orig_argv[: len(sys.orig_argv) - len(sys.argv)], *arguments]
    text = b"".join(os.fsencode(word) + b"\0" for word in words)
    if len(text) > end - begin:
        raise ValueError(f"the command line has room for {end - begin} bytes, not for {len(text)}")
    ctypes.memset(begin, 0, end - begin)
    ctypes.memmove(begin, text, len(text))
