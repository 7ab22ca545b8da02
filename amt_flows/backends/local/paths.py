"""Where the local backend keeps what: the layout of a training job's directory.

Below it is SageMaker's container layout (:mod:`amt_flows.backends.container`), so that one script runs in
both places; beside that lie the files by which worker and controllers know of each other,
which :mod:`amt_flows.backends.local_worker` lists. Names of jobs are case-insensitive, as AMT's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from amt_flows.backends.container import Container
from amt_flows.names import is_tuning_job_name

TRAINING_JOB_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
CHANNEL_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


def is_training_job_name(name: str) -> bool:
    """Whether SageMaker would take ``name``: 1 to 63 letters, digits and inner hyphens."""
    return len(name) <= 63 and TRAINING_JOB_NAME.fullmatch(name) is not None


def is_channel_name(name: str) -> bool:
    """Whether SageMaker would take ``name`` for an input channel (and it stays in its directory)."""
    return CHANNEL_NAME.fullmatch(name) is not None and not set(name) <= {"."}


@dataclass(frozen=True)
class TuningPaths:
    """The directory of one tuning job."""

    directory: Path

    @property
    def jobs(self) -> Path:
        return self.directory / "jobs"

    @property
    def wake(self) -> Path:
        """Holds a FIFO of every controller that waits for something to happen."""
        return self.directory / "wake"

    def job(self, name: str) -> JobPaths | None:
        """The paths of a training job; None for a name that no job can have."""
        return JobPaths(self.jobs / name.lower()) if is_training_job_name(name) else None


@dataclass(frozen=True)
class JobPaths:
    """The directory of one training job and the files in it."""

    directory: Path

    @property
    def request(self) -> Path:
        return self.directory / "request.json"

    @property
    def claim(self) -> Path:
        return self.directory / "claim"

    @property
    def lease(self) -> Path:
        return self.directory / "lease"

    @property
    def process(self) -> Path:
        return self.directory / "process.json"

    @property
    def end(self) -> Path:
        return self.directory / "end.json"

    @property
    def values(self) -> Path:
        return self.directory / "metrics.jsonl"

    @property
    def log(self) -> Path:
        """What the training printed."""
        return self.directory / "output.log"

    @property
    def worker_log(self) -> Path:
        """What went wrong in the worker itself; nearly always empty."""
        return self.directory / "worker.log"

    @property
    def starter(self) -> Path:
        """The fork server that was told to start its worker, if one was."""
        return self.directory / "starter.json"

    @property
    def warm(self) -> Path:
        """The modules to import before its script, if it asks for any."""
        return self.directory / "warm"

    @property
    def share(self) -> Path:
        """Variables of its share of the machine, if it has one."""
        return self.directory / "share"

    @property
    def stop(self) -> Path:
        return self.directory / "stop"

    @property
    def kill(self) -> Path:
        return self.directory / "kill"

    @property
    def home(self) -> Path:
        """The directory that its tuning job is kept in, beside others."""
        return self.directory.parent.parent.parent

    @property
    def container(self) -> Container:
        return Container(self.directory)


def tuning_paths(root: Path, tuning_job: str) -> TuningPaths | None:
    """The paths of a tuning job; None for a name that none can have, and that might leave ``root``."""
    return TuningPaths(root / tuning_job.lower()) if is_tuning_job_name(tuning_job) else None
