"""The worker's first steps in a copy of a process that has imported already what the training needs.

A fork server makes the copy, which is to be a job's guard. That makes another, the worker, and both wait for
the job, so that it begins when the worker claims it and makes a third one: the training. Where that takes
its time, guard and worker become, by exec, what they are of any other job: clean processes of the standard
library alone. Exec leaves them their numbers, their children, the claim's lock and the pipes, so that all
that is promised of them holds; and the fork server has no part in the job any more. Should it be killed, the
job goes on.

A training that ends within a moment needs nobody to look after it: how it ended is written down by the copy,
which has all that this takes loaded already, and its guard goes on to another job. The copies have run a
user's code, but none that replaced anything of the standard library (see
:mod:`amt_flows.backends.function_job.traces`).
"""

# No pathlib: this is imported by every fork server's copy, as by the worker.
# ruff: noqa: PTH100, PTH118, PTH120

from __future__ import annotations

import contextlib
import os
import select
import socket

# With all that it will take to write down an end.
import amt_flows.backends.local_worker.job  # noqa: F401
from amt_flows.backends.local_worker.guard import see_to_its_end
from amt_flows.backends.local_worker.main import EXIT_CLAIMED_BY_ANOTHER, begin, conclude
from amt_flows.backends.local_worker.start import (
    Training,
    adopt_orphans,
    as_python_does,
    heed_no_request_to_end,
    start_training,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import NoReturn

    from amt_flows.backends.local_worker.start import Become

    Show = Callable[[Sequence[bytes]], object]

SPARE, FREE = "--spare", b"free"
LONGEST_ORDER = 64 * 1024
TRAINING_SECONDS = 0.3
GUARD_SECONDS = 0.6
WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "__main__.py")


class Origin:
    """What a worker is started with: the interpreter, and the environment from before anything was
    imported."""

    def __init__(self, python: str, environment: Mapping[bytes, bytes]) -> None:
        self.python = python
        self.environment = environment

    def command(self, *arguments: str) -> list[bytes]:
        """The worker's program with these arguments."""
        return [os.fsencode(word) for word in (self.python, "-I", "-S", WORKER, *arguments)]


def attend(orders: socket.socket, origin: Origin, show: Show, become: Become) -> NoReturn:
    """In a new copy of a fork server: be the guard of the job whose directory comes as an order, and whose
    training does ``become``; and then of the next one, as long as each is over within a moment, which is said
    by ``FREE``. Ends with whoever gives the orders. ``show`` has others see a command as this process's."""
    as_python_does()
    # Inherited by the worker, and by what both become; the training is as usual again.
    heed_no_request_to_end()
    os.setsid()
    adopt_orphans()
    output = os.dup(1)
    while True:
        show(origin.command(SPARE))
        worker, lifeline, tell = _worker_that_waits(orders, origin, show, become)
        order = orders.recv(LONGEST_ORDER)
        if not order:
            os._exit(0)  # and the worker with it
        os.write(tell, order)
        os.close(tell)
        directory = os.fsdecode(order)
        show(origin.command(directory))
        _write_into(directory)
        if not _ends_within(GUARD_SECONDS, worker):
            _go_on(origin, ["--guard", str(worker), str(lifeline), directory], inherited=(lifeline,))
        code = see_to_its_end(worker, lifeline)
        if code or _has_children():
            os._exit(code)
        os.close(lifeline)
        for standard in (1, 2):
            os.dup2(output, standard)
        try:
            orders.send(FREE)
        except OSError:
            os._exit(0)


def _worker_that_waits(
    orders: socket.socket, origin: Origin, show: Show, become: Become
) -> tuple[int, int, int]:
    """Its number, the lifeline that leads to it, and where it is told its job's directory; it ends if nobody
    is there any more who could."""
    lifeline, writer = os.pipe()
    told, tell = os.pipe()
    worker = os.fork()
    if worker == 0:
        for theirs in (lifeline, tell, orders.detach()):
            os.close(theirs)
        _work_when(told, writer, origin, show, become)
    os.close(writer)
    os.close(told)
    return worker, lifeline, tell


def _has_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _write_into(directory: str) -> None:
    """Have what this process says go where a worker's word goes."""
    log = os.open(os.path.join(directory, "worker.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for standard in (1, 2):
        os.dup2(log, standard)
    os.close(log)


def _work_when(told: int, lifeline: int, origin: Origin, show: Show, become: Become) -> NoReturn:
    """Be the worker of the job whose directory is told."""
    order = os.read(told, LONGEST_ORDER)
    if not order:
        os._exit(0)
    os.close(told)
    directory = os.fsdecode(order)
    show(origin.command(directory))
    _write_into(directory)
    _work(directory, lifeline, origin, become)


def _work(directory: str, lifeline: int, origin: Origin, become: Become) -> NoReturn:
    def start(directory: str, mark: str) -> Training:
        return start_training(directory, mark, origin.environment, become)

    begun = begin(directory, start)
    if begun is None:
        os._exit(EXIT_CLAIMED_BY_ANOTHER)
    training = begun.training
    if training is not None and not _ends_within(TRAINING_SECONDS, training.pid):
        numbers = (training.pid, training.reader, lifeline, training.started_at, training.began)
        _go_on(
            origin,
            ["--worker", *map(repr, numbers), directory],
            inherited=(training.reader, lifeline, begun.lock),
        )
    os._exit(conclude(directory, begun, lifeline))


def _ends_within(seconds: float, child: int) -> bool:
    try:
        process = os.pidfd_open(child)
    except OSError:
        return False
    try:
        return bool(select.select([process], [], [], seconds)[0])
    finally:
        os.close(process)


def _go_on(origin: Origin, arguments: list[str], inherited: tuple[int, ...]) -> None:
    """Become a clean process that goes on with these. Returns if that can't be: then this one does."""
    for descriptor in inherited:
        os.set_inheritable(descriptor, True)
    with contextlib.suppress(OSError):
        os.execve(origin.python, origin.command(*arguments), origin.environment)  # noqa: S606
