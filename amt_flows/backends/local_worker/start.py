"""Starting the training process."""

# No pathlib: its import would cost every training job milliseconds.
# ruff: noqa: PTH113, PTH118

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Mapping, Sequence

# Python ignores the first two, and a controller under nohup the third; a training script wants the defaults.
RESET_SIGNALS = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGQUIT,
    signal.SIGCHLD,
)

REASONS = {
    errno.ENOENT: "there is no such program, or not the interpreter that its first line names",
    errno.EACCES: "it is not executable; make it so, or put its interpreter in front of it",
    errno.ENOEXEC: "it is neither a binary nor a script whose first line names an interpreter",
    errno.E2BIG: "the command line and the environment are too long",
}
PASSING = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)


class CannotStartError(Exception):
    """Why there is no training process; ``passing`` when it is the machine's fault."""

    def __init__(self, reason: str, *, passing: bool = False) -> None:
        super().__init__(reason)
        self.passing = passing


def start_training(
    argv: Sequence[str], directory: str, environment: Mapping[str, str], *, output: int
) -> int:
    """Start a command in a new session with its output going to a descriptor; the number of the process is
    also that of its session and group. Moves this process to the directory. Raises CannotStartError."""
    try:
        os.chdir(directory)
    except OSError as error:
        raise CannotStartError(
            f"the working directory {directory} can't be entered: {error.strerror}"
        ) from None
    try:
        return os.posix_spawn(
            program(argv[0], environment.get("PATH", os.defpath)),
            list(argv),
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=RESET_SIGNALS,
        )
    except OSError as error:
        why = REASONS.get(error.errno or 0, error.strerror)
        raise CannotStartError(
            f"{argv[0]!r} can't be started: {why}", passing=error.errno in PASSING
        ) from None


def program(name: str, search_path: str) -> str:
    """Where a program is. Raises CannotStartError when a bare name is nowhere on the search path."""
    if "/" in name:
        return name
    for directory in search_path.split(os.pathsep):
        candidate = os.path.join(directory, name)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise CannotStartError(f"there is no program {name!r} on the search path (PATH={search_path})")
