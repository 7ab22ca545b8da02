"""A process that imports once what training jobs need, and makes a copy of itself for each of them.

A controller starts it, tells it the directories of its jobs over a socket, and hears which process it made
for each. When the controller closes the socket or dies, it serves what it was told by then, and ends. It has
one thread, runs nothing but that import, and makes no copy when the import has left traces by which copies
would differ from processes of their own (see :mod:`amt_flows.backends.function_job.traces`).

A message is a job's directory, one to a message; the answer is ``pid start directory``. The exit status tells
what is to become of jobs that were not begun."""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from amt_flows.backends.function_job.script import let_go
from amt_flows.backends.function_job.shown import shown
from amt_flows.backends.function_job.traces import Sources, Traces
from amt_flows.backends.local_worker import forked
from amt_flows.backends.local_worker.processes import identity, is_alive, process_state
from amt_flows.backends.local_worker.start import as_python_does

T = TypeVar("T")

EXIT_DONE, EXIT_UNFIT, EXIT_STALE = 0, 64, 65
"""It is not needed any more; jobs are to import for themselves; what it imported has changed since."""
EXIT_NOT_BEGUN = 71
"""Of a copy that could not claim its job."""

IMPORT_SECONDS = 60.0
IDLE_SECONDS = 120.0
LOOK_SECONDS = 2.0
LONGEST_MESSAGE = 64 * 1024
MOST_DESCRIPTORS = 65_536
MOST_UNLOOKED_AT = 1_000_000
WRITERS = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)
KEPT_SIGNALS = tuple(number for number in range(1, 32) if number not in (signal.SIGKILL, signal.SIGSTOP))


class UnfitError(Exception):
    """Why training jobs had better import for themselves."""


def serve(
    control: socket.socket, controller: int, load: Callable[[], T], train: Callable[[T, Sequence[str]], int]
) -> NoReturn:
    """Load once, and train in a copy for each job that is asked for, with what was loaded and the job's
    command. Ends the process."""
    server = _Server(control, identity(controller))
    _heed_signals_as_python_does()
    try:
        server.load_and_serve(load, train)
        code = EXIT_DONE
    except UnfitError as reason:
        print(f"Each training job imports for itself: the import {reason}.", file=sys.stderr, flush=True)
        code = EXIT_UNFIT
    except _Stale:
        code = EXIT_STALE
    except BaseException as error:
        # As in a job, whose log will have it too.
        sys.excepthook(type(error), error, error.__traceback__)
        code = EXIT_UNFIT
    # Not by sys.exit: what is to be done at exit is done in each copy.
    os._exit(code)


class _Stale(Exception):
    pass


class _Guard:
    """A copy that is the guard of a job, or waits for one: then it ``is_free``."""

    def __init__(self, pid: int, start: str, orders: socket.socket) -> None:
        self.pid = pid
        self.start = start
        self.orders = orders
        self.is_free = True

    def takes(self, order: bytes) -> bool:
        """Give it a job. False, and it has none, if it has ended."""
        self.is_free = False
        try:
            self.orders.send(order, socket.MSG_DONTWAIT)
        except OSError:
            return False
        return True

    def is_there(self) -> bool:
        """Hear what it says; False if it has ended, or goes on with its job as a process that knows nothing
        of this one."""
        try:
            self.is_free = self.orders.recv(LONGEST_MESSAGE, socket.MSG_DONTWAIT) == forked.FREE
        except OSError:
            self.is_free = False
        if not self.is_free:
            self.orders.close()
        return self.is_free


class _Server:
    def __init__(self, control: socket.socket, controller: Any) -> None:
        self._control = control
        self._controller = controller
        self._shown = shown()
        self._origin = forked.Origin(sys.executable, dict(os.environb))
        self._said = b""
        self._guards: list[_Guard] = []
        self._traces: Traces
        self._sources: Sources

    def load_and_serve(self, load: Callable[[], T], train: Callable[[T, Sequence[str]], int]) -> None:
        if self._shown is None or not self._shown.become(_own_command(), {}):
            raise UnfitError("can't be shared: this system doesn't let a process mark itself")
        loaded = self._loaded(load)
        used_at = time.monotonic()
        while True:
            at_work = {guard.orders: guard for guard in self._guards if not guard.is_free}
            ready, _, _ = select.select([self._control, *at_work], [], [], LOOK_SECONDS)
            self._reap()
            self._guards = [guard for guard in self._guards if guard.orders not in ready or guard.is_there()]
            if self._control not in ready:
                if not is_alive(self._controller) or time.monotonic() - used_at > IDLE_SECONDS:
                    return
                continue
            message = self._control.recv(LONGEST_MESSAGE)
            if not message:
                return
            if self._sources.have_changed():
                raise _Stale
            self._hand_over(message, lambda command: train(loaded, command))
            used_at = time.monotonic()

    def _loaded(self, load: Callable[[], T]) -> T:
        # An import that hangs is ended by the system.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, IMPORT_SECONDS)
        began = time.time()
        self._traces = Traces()
        with self._traces.recorded(), _seldom_looking_for_garbage():
            loaded = load()
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        if self._traces.against_copies():
            gc.collect()  # perhaps it is garbage that has something open
            if reason := self._traces.against_copies():
                raise UnfitError(reason)
        self._sources = Sources(self._traces.read)
        if self._sources.are_newer_than(began):
            raise _Stale
        self._said = _printed()
        # What is there now is shared by all copies; looking through it for garbage would copy it, and takes
        # longer here than what little there is would be worth.
        gc.freeze()
        return loaded

    def _hand_over(self, message: bytes, train: Callable[[Sequence[str]], int]) -> None:
        """To a copy that waits for a job, or to a new one; then see to it that one waits for the next."""
        guard = next((one for one in self._guards if one.is_free and one.takes(message)), None)
        if guard is None:
            guard = self._copy(train)
            guard.takes(message)
        with contextlib.suppress(OSError):
            answer = f"{guard.pid} {guard.start} ".encode() + message
            self._control.send(answer, socket.MSG_DONTWAIT)
        if not any(one.is_free for one in self._guards):
            self._copy(train)

    def _copy(self, train: Callable[[Sequence[str]], int]) -> _Guard:
        handlers = {number: signal.getsignal(number) for number in KEPT_SIGNALS}
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            try:
                # Whoever keeps these open keeps others from knowing that this process's parent has ended.
                for one in (ours, self._control, *(guard.orders for guard in self._guards)):
                    one.close()
                forked.attend(
                    its, self._origin, self._show, lambda *given: self._train(train, handlers, *given)
                )
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                os._exit(EXIT_NOT_BEGUN)
        its.close()
        state = process_state(pid)
        guard = _Guard(pid, state[1] if state else "", ours)
        self._guards.append(guard)
        return guard

    def _show(self, command: Sequence[bytes]) -> None:
        assert self._shown is not None
        self._shown.become(command, {})

    def _train(
        self,
        train: Callable[[Sequence[str]], int],
        handlers: dict[int, Any],
        program: bytes,
        argv: list[bytes],
        environment: dict[bytes, bytes],
    ) -> NoReturn:
        """In the training process itself."""
        assert self._shown is not None
        if self._traces.depend_on_others_than(environment) or not self._shown.become(argv, environment):
            # It is started as if there were no copy.
            os.execve(program, argv, environment)  # noqa: S606
        os.closerange(3, MOST_DESCRIPTORS)
        self._as_imported_here(environment, handlers)
        os.write(1, self._said)
        _end_with(_exit_code(lambda: train(list(map(os.fsdecode, argv)))))

    def _as_imported_here(self, environment: dict[bytes, bytes], handlers: dict[int, Any]) -> None:
        """What the import did to its process, done to this one."""
        _have_as_environment(environment)
        for name, value in self._traces.set.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        for number, handler in handlers.items():
            if handler is not None:
                signal.signal(number, handler)
        if self._traces.random_state is not None:
            sys.modules["random"].setstate(self._traces.random_state)
        if self._traces.numpy_is_random():
            sys.modules["numpy.random"].seed()

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue


@contextlib.contextmanager
def _seldom_looking_for_garbage() -> Iterator[None]:
    """What an import makes stays, and looking through it again and again takes a tenth of its time. A module
    that sets another threshold keeps it."""
    usual = gc.get_threshold()
    gc.set_threshold(MOST_UNLOOKED_AT, *usual[1:])
    yield
    if gc.get_threshold()[0] == MOST_UNLOOKED_AT:
        gc.set_threshold(*usual)


def _have_as_environment(wanted: Mapping[bytes, bytes]) -> None:
    """Most of it is there already: to set that once more would copy the pages that it lies on."""
    now = dict(os.environb)
    for name in now.keys() - wanted.keys():
        del os.environb[name]
    for name, value in wanted.items() - now.items():
        os.environb[name] = value


def _own_command() -> list[bytes]:
    """That of this process, without its room."""
    with open("/proc/self/cmdline", "rb") as file:  # noqa: PTH123
        return file.read().split(b"\0")[:-2]


def _heed_signals_as_python_does() -> None:
    """Whatever whoever started us ignores: a training job's process does not inherit that either."""
    as_python_does()
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _printed() -> bytes:
    """What the import printed: a job's own import would print it into the job's output."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    try:
        length = os.fstat(1).st_size
        with open("/proc/self/fd/1", "rb") as file:  # noqa: PTH123
            return file.read(length)
    except OSError:
        return b""


def _exit_code(train: Callable[[], int]) -> int:
    """What the process exits with, whatever ends the training."""
    try:
        return train()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        return 128 + signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1


def _end_with(code: int) -> NoReturn:
    """End as Python does, but for taking apart what the copies share."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        let_go()
    finally:
        for stream in (sys.stdout, sys.stderr, *_left_open()):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code & 0xFF)


def _left_open() -> list[Any]:
    """Files that nobody has closed: Python writes what they still hold as it takes them apart."""
    return [one for one in gc.get_objects() if issubclass(type(one), WRITERS)]
