"""What training jobs import that may share it, and the process that does so for them (see
:mod:`amt_flows.backends.function_job.fork_server`)."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

from amt_flows.backends.function_job.shown import ROOM_ARGUMENT, with_room
from amt_flows.backends.local.paths import JobPaths
from amt_flows.backends.local.request import (
    FUNCTION_RUNNER,
    SCRIPT_RUNNER,
    this_python,
    warm_modules,
    worker_command,
)
from amt_flows.backends.local_worker.processes import identity
from amt_flows.backends.local_worker.start import command_in, read_command, share_variables
from amt_flows.errors import LaunchRejected
from amt_flows.ports import JobRequest
from amt_flows.spec import TuningSpec

if TYPE_CHECKING:
    from amt_flows.backends.local_worker.processes import Identity
    from amt_flows.backends.local_worker.start import Command

SWITCH = "AMT_FLOWS_FORK_SERVER"
"""Set to 0, no training job shares an import with others."""
OF_ONE_JOB = (
    b"SAGEMAKER_BASE_DIR",
    b"TRAINING_JOB_NAME",
    b"CUDA_VISIBLE_DEVICES",
    b"HIP_VISIBLE_DEVICES",
    b"ROCR_VISIBLE_DEVICES",
    b"NVIDIA_VISIBLE_DEVICES",
    b"MLFLOW_RUN_ID",
)
"""Variables that differ from job to job, as do those that begin with ``SM_``. If an import reads one, jobs
don't share it."""


Environment: TypeAlias = dict[bytes, bytes]


@dataclass(frozen=True)
class Imported:
    """The command of the process that imports it, and where that runs."""

    place: bytes
    argv: tuple[bytes, ...]


@dataclass(frozen=True)
class Started:
    """A process that imports, and then starts the jobs that it is told of by ``control``."""

    pid: int
    process: Identity
    control: socket.socket

    def kill(self) -> None:
        """Jobs that it has begun go on."""
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def imported_by(paths: JobPaths) -> tuple[Imported, Environment] | None:
    """What a prepared job imports with others, and the environment that all of them have; None for one that
    is not to share an import."""
    try:
        command = read_command(str(paths.directory))
        share = share_variables(str(paths.directory))
    except (OSError, ValueError):
        return None
    return _imported(command, share, warm_modules(paths))


def imported_by_jobs_of(spec: TuningSpec, root: Path) -> tuple[Imported, Environment] | None:
    """The same of the training jobs of a spec, below a root, before there is one; None where that can't be
    told either."""
    template = spec.training_job
    if spec.other_definitions or template.resources.is_asked or spec.tracking is not None:
        return None
    request = JobRequest("early", "early", 0, 1, {}, "", template, spec.objective.metric_name)
    try:
        command = command_in(worker_command(request, JobPaths(root / "early" / "jobs" / "early")))
    except (LaunchRejected, OSError, ValueError):
        return None
    return _imported(command, {}, list(map(os.fsencode, template.warm)))


def _imported(
    command: Command, share: Mapping[bytes, bytes], warm: Sequence[bytes]
) -> tuple[Imported, Environment] | None:
    if sys.platform != "linux" or os.environ.get(SWITCH) == "0":
        return None
    place, argv, variables = command
    if warm and argv[0] == os.fsencode(this_python()):
        argv = [argv[0], os.fsencode(SCRIPT_RUNNER), argv[1], *warm]
    elif len(argv) < 3 or argv[1] != os.fsencode(FUNCTION_RUNNER):
        return None
    inherited = {name: value for name, value in os.environb.items() if not name.startswith(b"SM_HP_")}
    common = {name: value for name, value in {**variables, **share}.items() if not _is_of_one_job(name)}
    return Imported(place, tuple(argv)), {**inherited, **common}


def _is_of_one_job(name: bytes) -> bool:
    return name.startswith(b"SM_") or name in OF_ONE_JOB


def start(imported: Imported, environment: Environment, log: IO[bytes]) -> Started:
    """Start the process; what it says goes to ``log``. Raises OSError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    python, runner, *arguments = imported.argv
    told = [b"--serve", b"%d" % theirs.fileno(), b"%d" % os.getpid()]
    try:
        with theirs:
            process = subprocess.Popen(
                [python, runner, *told, *arguments, ROOM_ARGUMENT],
                cwd=imported.place,
                env=with_room(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
    except BaseException:
        ours.close()
        raise
    # It is reaped by number; without a return code Popen would complain that it is let go.
    process.returncode = 0
    return Started(process.pid, identity(process.pid), ours)
