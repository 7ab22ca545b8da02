"""The worker's first steps in a copy of a process that has imported already what the training needs.

A fork server makes the copy, which is to be the job's guard. That makes another, the worker, which claims
the job and makes a third one: the training. Then guard and worker become, by exec, what they are of any other
job: clean processes of the standard library alone. Exec leaves them their numbers, their children, the
claim's lock and the pipes, so that all that is promised of them holds; and the fork server has no part in the
job any more. Should it be killed, the job goes on.

For that short time guard and worker run in a process that has run a user's code. Nothing here relies on what
such code could have changed without it being noticed (see :mod:`amt_flows.backends.function_job.traces`).
"""

# No pathlib: this is imported by every fork server's copy, as by the worker.
# ruff: noqa: PTH100, PTH118, PTH120

from __future__ import annotations

import contextlib
import os

from amt_flows.backends.local_worker.guard import see_to_its_end
from amt_flows.backends.local_worker.main import EXIT_CLAIMED_BY_ANOTHER, begin, conclude
from amt_flows.backends.local_worker.start import Training, adopt_orphans, as_usual, start_training

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

    from amt_flows.backends.local_worker.start import Become

WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "__main__.py")


class Origin:
    """What a worker is started with: the interpreter, and the environment from before anything was
    imported."""

    def __init__(self, python: str, environment: Mapping[bytes, bytes]) -> None:
        self.python = python
        self.environment = environment


def run(directory: str, origin: Origin, become: Become) -> NoReturn:
    """In a new copy of a fork server: be the guard of a job whose training does ``become``."""
    as_usual()
    os.setsid()
    log = os.open(os.path.join(directory, "worker.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for standard in (1, 2):
        os.dup2(log, standard)
    adopt_orphans()
    lifeline, writer = os.pipe()
    worker = os.fork()
    if worker == 0:
        os.close(lifeline)
        _work(directory, writer, origin, become)
    os.close(writer)
    _go_on(origin, ["--guard", str(worker), str(lifeline), directory], inherited=(lifeline,))
    os._exit(see_to_its_end(worker, lifeline))


def _work(directory: str, lifeline: int, origin: Origin, become: Become) -> NoReturn:
    def start(directory: str, mark: str) -> Training:
        return start_training(directory, mark, origin.environment, become)

    begun = begin(directory, start)
    if begun is None:
        os._exit(EXIT_CLAIMED_BY_ANOTHER)
    training = begun.training
    if training is not None:
        numbers = (training.pid, training.reader, lifeline, training.started_at, training.began)
        _go_on(
            origin,
            ["--worker", *map(repr, numbers), directory],
            inherited=(training.reader, lifeline, begun.lock),
        )
    os._exit(conclude(directory, begun, lifeline))


def _go_on(origin: Origin, arguments: list[str], inherited: tuple[int, ...]) -> None:
    """Become a clean process that goes on with these. Returns if that can't be: then this one does."""
    for descriptor in inherited:
        os.set_inheritable(descriptor, True)
    program = [origin.python, "-I", "-S", WORKER, *arguments]
    with contextlib.suppress(OSError):
        os.execve(origin.python, program, origin.environment)  # noqa: S606
