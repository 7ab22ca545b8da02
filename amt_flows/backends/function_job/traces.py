"""What importing a module did to the process beside defining things, as far as copies of the process, one for
each training job, would differ by it from processes that import it anew.

Some of it can be made good in a copy (random numbers), some must be the same in every job (variables that
were read), and with the rest no copy is made: jobs then import the module themselves, as scripts do. What is
asked here are facts about the process; nothing is guessed from names of libraries."""

from __future__ import annotations

import builtins
import errno
import fcntl
import gc
import io
import json
import math
import os
import random
import re
import resource
import select
import signal
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType
from typing import Any

from amt_flows.backends.local_worker.endings import children_of

LIMITS = tuple(value for name, value in sorted(vars(resource).items()) if name.startswith("RLIMIT_"))
PACKAGES = ("site-packages", "dist-packages")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
LIBRARY = (
    *(builtins, errno, fcntl, gc, json, math, os, os.path, re, select, signal, threading, time),
    *(json.JSONEncoder, json.JSONDecoder),
)
CALLS = [
    (module, name)
    for module in LIBRARY
    for name, one in vars(module).items()
    if isinstance(one, FunctionType | BuiltinFunctionType)
]
"""What copies are made with, and what looks after a training job. A library that replaces something of it
(gevent) wants to have its say in each process."""


class Traces:
    """``made`` are files and directories that were made, ``read`` other files that were read, ``asked`` the
    environment's variables that were, and what they were then (None: not set)."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.read: set[str] = set()
        self.asked: dict[str, str | None] = {}
        self.set: dict[str, str | None] = {}
        """Variables that were set, or removed (None)."""
        self.random_state: Any = None
        """That of ``random``, if it was seeded."""
        self._before = _standing()

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Whatever is done in this block is noted."""
        variables = dict(os.environ)
        with _asked_variables(self.asked), self._opened_files(), self._seeding():
            yield
        now = dict(os.environ)
        changed = {name for name in variables.keys() | now.keys() if variables.get(name) != now.get(name)}
        self.set = {name: now.get(name) for name in changed}

    def against_copies(self) -> str:
        """Why no copies of this process are to be made; empty if nothing speaks against it."""
        now = _standing()
        for what, before in self._before.items():
            if now[what] != before:
                return what
        if self.made:
            return f"made {self.made[0]}"
        threads = _threads_beyond_a_fork()
        return f"left {threads} thread{'s' * (threads > 1)} running" if threads else ""

    def depend_on_others_than(self, environment: Mapping[bytes, bytes]) -> bool:
        """Whether a variable that was read is another in this environment."""
        given = {name: environment.get(os.fsencode(name)) for name in self.asked}
        return any(
            (None if there is None else os.fsdecode(there)) != self.asked[name]
            for name, there in given.items()
        )

    def numpy_is_random(self) -> bool:
        """Whether NumPy's own generator is there and draws at random: nobody has seeded it. A copy must seed
        it anew then, as a process does that imports it."""
        numbers = sys.modules.get("numpy.random.mtrand")
        if numbers is None:
            return False
        return getattr(numbers._rand._bit_generator, "_seed_seq", None) is not None

    @contextmanager
    def _opened_files(self) -> Iterator[None]:
        def opening(open_: Callable[..., Any]) -> Callable[..., Any]:
            def opened(file: Any, mode: Any = "r", *args: Any, **settings: Any) -> Any:
                self._note(file, writing=isinstance(mode, str) and not set("wax+").isdisjoint(mode))
                return open_(file, mode, *args, **settings)

            return opened

        def numbered(file: Any, flags: int, *args: Any, **settings: Any) -> Any:
            self._note(file, writing=bool(flags & WRITING))
            return os_open(file, flags, *args, **settings)

        def making(path: Any, *args: Any, **settings: Any) -> Any:
            self._note(path, writing=True)
            return mkdir(path, *args, **settings)

        usual, os_open, mkdir = builtins.open, os.open, os.mkdir
        builtins.open = io.open = opening(usual)
        os.open, os.mkdir = numbered, making  # type: ignore[assignment]
        try:
            yield
        finally:
            builtins.open = io.open = usual
            os.open, os.mkdir = os_open, mkdir

    def _note(self, file: object, *, writing: bool) -> None:
        if isinstance(file, int):
            return
        try:
            path = os.path.abspath(os.fsdecode(file))  # type: ignore[arg-type]  # noqa: PTH100
        except (TypeError, ValueError, OSError):
            return
        if not writing:
            self.read.add(path)
        elif not os.path.exists(path):  # noqa: PTH110
            self.made.append(path)

    @contextmanager
    def _seeding(self) -> Iterator[None]:
        """Whether ``random`` is given a seed: a copy would be given another one by Python itself."""
        usual, seeded = random.seed, False

        def seed(*args: Any, **settings: Any) -> None:
            nonlocal seeded
            seeded = True
            usual(*args, **settings)

        random.seed = seed
        try:
            yield
        finally:
            random.seed = usual
            self.random_state = random.getstate() if seeded else None


class Sources:
    """The files that the imported is made of: the modules' own, but for those of Python and of installed
    packages, and the other files that were read. Of packages the directory tells when one is installed."""

    def __init__(self, read: set[str]) -> None:
        installed = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
        # Those of another environment below this one, too: a thousand files would be looked at for each job.
        installed |= {path for path in sys.path if os.path.basename(path) in PACKAGES}  # noqa: PTH119
        beside = tuple(f"{path}{os.sep}" for path in (*installed, "/proc", "/sys", "/dev"))
        modules = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
        files = {file for file in modules if isinstance(file, str)} | read
        own = (file for file in files if not file.startswith(beside))
        self._seen = {file: _facts(file) for file in (*own, *installed)}

    def are_newer_than(self, moment: float) -> bool:
        """Whether one was changed after this, in seconds since the epoch."""
        return any(facts is not None and facts[0] > moment * 1e9 for facts in self._seen.values())

    def have_changed(self) -> bool:
        return any(_facts(file) != facts for file, facts in self._seen.items())


def _facts(file: str) -> tuple[int, int, int] | None:
    try:
        facts = os.stat(file)  # noqa: PTH116
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size, facts.st_ino


@contextmanager
def _asked_variables(asked: dict[str, str | None]) -> Iterator[None]:
    """Note each variable that is asked for by name, and was not set here before."""
    environ: Any = os.environ
    usual = type(environ)
    own: set[str] = set()

    class Noting(usual):  # type: ignore[misc, valid-type]
        def __getitem__(self, name: str) -> str:
            try:
                value: str = super().__getitem__(name)
            except KeyError:
                asked.setdefault(name, None)
                raise
            if name not in own:
                asked.setdefault(name, value)
            return value

        def __setitem__(self, name: str, value: str) -> None:
            super().__setitem__(name, value)
            own.add(name)

    environ.__class__ = Noting
    try:
        yield
    finally:
        environ.__class__ = usual


def _standing() -> dict[str, object]:
    """What copies would share that processes of their own don't, by what is said of it when it changes."""
    umask = os.umask(0o077)
    os.umask(umask)
    return {
        "left something open (a file, a connection, a GPU)": _open_descriptors(),
        "left another process running": children_of(os.getpid()),
        "changed the limits of the process": [resource.getrlimit(limit) for limit in LIMITS],
        "changed the umask": umask,
        "changed the working directory": os.getcwd(),  # noqa: PTH109
        "changed the processors or the priority of the process": (
            os.sched_getaffinity(0),
            os.getpriority(os.PRIO_PROCESS, 0),
        ),
        "left a tracer or a profiler running": (sys.gettrace(), sys.getprofile()),
        "replaced calls of the standard library": [getattr(module, name, None) for module, name in CALLS],
    }


def _open_descriptors() -> dict[str, str]:
    found = {}
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:
            found[number] = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115
        except OSError:  # the one that the list was read by
            continue
    return found


def _threads_beyond_a_fork() -> int:
    """How many threads but this one there still are once the process was copied. Those of a library that is
    made for it (OpenBLAS) end before each fork, to be started anew when they are needed."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return len(os.listdir("/proc/self/task")) - 1  # noqa: PTH208
