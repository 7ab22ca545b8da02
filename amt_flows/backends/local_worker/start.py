"""Starting the training process: all that happens before it, in as little time as possible.

What the modules of the worker import decides how long a training job waits for its start; this one and those
it uses stay away from ``json``, ``re`` and ``signal``, which together take as long as Python itself.
"""

# ruff: noqa: PTH113, PTH118, PTH123

from __future__ import annotations

import errno
import fcntl
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import NoReturn

    Command = tuple[bytes, list[bytes], dict[bytes, bytes]]
    Become = Callable[[bytes, list[bytes], dict[bytes, bytes]], NoReturn]

PIPE_BYTES = 1024 * 1024

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


class Training:
    """A training process: its number, which is that of its session and group too, the pipe with its output,
    and when it was started (seconds since the epoch)."""

    def __init__(self, pid: int, reader: int, started_at: float, began: float | None = None) -> None:
        self.pid = pid
        self.reader = reader
        self.started_at = started_at
        self.began = time.monotonic() if began is None else began

    def now(self) -> float:
        """The time in seconds since the epoch; but a clock that is set back meanwhile takes nothing of what
        the training is charged for."""
        return max(time.time(), self.started_at + time.monotonic() - self.began)


def adopt_orphans() -> None:
    """Become the parent of whatever outlives its own parent among our descendants (Linux), so that a child
    that left the process group and the session is still found and ended with its training job."""
    _ask_system(36)  # PR_SET_CHILD_SUBREAPER


def die_with(parent: int) -> None:
    """Have the system kill this process as soon as its parent, whose number is given, is dead (Linux)."""
    _ask_system(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
    if os.getppid() != parent:
        os._exit(127)  # it died before we asked


def _ask_system(option: int, argument: int = 1) -> None:
    try:
        import ctypes

        ctypes.CDLL(None).prctl(option, argument, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        return


def start_training(
    directory: str,
    mark: str,
    inherited: Mapping[bytes, bytes] | None = None,
    become: Become = os.execve,
) -> Training:
    """Start what ``command`` in the job's directory says, in a session of its own, with ``mark`` as the
    variable AMT_FLOWS_WORKER in its environment. Moves this process to the working directory.

    ``inherited`` are the variables that it gets from us, usually all; ``become`` is what its process does in
    the end, which must close whatever descriptors of ours it has, as exec does.

    Raises CannotStartError, OSError.
    """
    place, argv, variables = read_command(directory)
    # Of a training job around this one (SageMaker's, say) are hyperparameters that this one may not have.
    given = os.environb if inherited is None else inherited
    environment = {name: value for name, value in given.items() if not name.startswith(b"SM_HP_")}
    environment.update(variables)
    environment.update(share_variables(directory))
    environment[b"AMT_FLOWS_WORKER"] = mark.encode()
    try:
        os.chdir(place)
    except OSError as error:
        where = os.fsdecode(place)
        raise CannotStartError(f"the working directory {where} can't be entered: {error.strerror}") from None
    reader, writer = output_pipe()
    try:
        pid = _spawn(argv, environment, writer, become)
    finally:
        os.close(writer)
    return Training(pid, reader, time.time())


def share_variables(directory: str) -> dict[bytes, bytes]:
    """The variables of the job's share of the machine, from the file ``share``, if it has one."""
    try:
        with open(os.path.join(directory, "share"), "rb") as file:
            texts = file.read().split(b"\0")[:-1]
    except FileNotFoundError:
        return {}
    parts = (text.partition(b"=") for text in texts)
    return {name: value for name, _, value in parts}


def read_command(directory: str) -> Command:
    """What the file ``command`` of a job says. Raises OSError, ValueError."""
    with open(os.path.join(directory, "command"), "rb") as file:
        return command_in(file.read())


def command_in(content: bytes) -> Command:
    """The working directory, the program and its arguments, and the variables beside the inherited ones.
    Raises ValueError.

    Such a file holds texts that end in NUL, as exec takes them: working directory, number of arguments,
    program and arguments, and NAME=value for each variable.
    """
    place, count, *texts = content.split(b"\0")[:-1]
    argv, variables = texts[: int(count)], texts[int(count) :]
    pairs = (variable.partition(b"=") for variable in variables)
    return place, argv, {name: value for name, _, value in pairs}


def _spawn(argv: list[bytes], environment: dict[bytes, bytes], output: int, become: Become) -> int:
    place = program(argv[0], environment.get(b"PATH", os.defpath.encode()))
    told, tell = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(told)
            os.setsid()
            # A training that nobody looks after must end, and not train beside its next attempt.
            die_with(parent)
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
            as_usual()
            become(place, argv, environment)
        except OSError as error:
            os.write(tell, str(error.errno or 0).encode())
        finally:
            os._exit(127)
    os.close(tell)
    with open(told, "rb", buffering=0) as answer:
        number = answer.read()
    if not number:
        return pid
    os.waitpid(pid, 0)
    why = REASONS.get(int(number), os.strerror(int(number)))
    raise CannotStartError(
        f"{os.fsdecode(argv[0])!r} can't be started: {why}", passing=int(number) in PASSING
    )


def heed_no_request_to_end() -> None:
    """Leave SIGTERM, SIGINT and SIGHUP, should they come to all of a session, to those with work to do."""
    import _signal  # type: ignore[import-not-found]

    for number in (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP):
        _signal.signal(number, _signal.SIG_IGN)


def as_usual() -> None:
    """Handle every signal as a program does that nobody started specially: Python ignores SIGPIPE, and a
    controller under nohup SIGHUP."""
    # What `signal` wraps: that would take as long to import as all else together.
    import _signal

    _signal.pthread_sigmask(_signal.SIG_SETMASK, [])
    for number in range(1, 32):
        try:
            _signal.signal(number, _signal.SIG_DFL)
        except OSError:
            continue  # SIGKILL and SIGSTOP are always as usual


def as_python_does() -> None:
    """Handle every signal as a Python that nobody started specially: a pipe without a reader and a file that
    may not grow are errors, and no reason to die."""
    import _signal

    as_usual()
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
        _signal.signal(number, _signal.SIG_IGN)


def program(name: bytes, search_path: bytes) -> bytes:
    """Where a program is. Raises CannotStartError when a bare name is nowhere on the search path."""
    if b"/" in name:
        return name
    for directory in search_path.split(os.pathsep.encode()):
        candidate = os.path.join(directory, name)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise CannotStartError(
        f"there is no program {os.fsdecode(name)!r} on the search path (PATH={os.fsdecode(search_path)})"
    )


def output_pipe() -> tuple[int, int]:
    """A pipe whose reading end doesn't block, as large as the system lets it be, for fewer reads."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    try:
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except (OSError, AttributeError):
        return reader, writer
    return reader, writer
