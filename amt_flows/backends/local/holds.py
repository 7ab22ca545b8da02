"""Who holds which of a machine's parts. Every tuning job of the machine, whoever started it and wherever it
is kept, looks here before it starts a training job that says what it needs.

A hold is a small file beside a lock, below one directory of the machine. It belongs to a training job, not to
its controller: it lasts as long as the job's worker (with the guard, which ends last) and no longer, so
nothing has to be given back, and nothing is lost with a controller.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from amt_flows.backends.local.machine import NEARLY, Machine, gpu_keys
from amt_flows.backends.local.paths import JobPaths
from amt_flows.backends.local.process import as_identity, read_json, remains_of
from amt_flows.backends.local_worker.processes import identity, is_alive
from amt_flows.backends.local_worker.records import write_json
from amt_flows.errors import BackendError, CapacityUnavailable
from amt_flows.spec import Resources

if TYPE_CHECKING:
    from amt_flows.backends.local_worker.processes import Identity

DIRECTORY: Final = "AMT_FLOWS_MACHINE"
USUAL_DIRECTORY: Final = Path("/tmp/amt-flows-machine")  # noqa: S108 -- shared by all users of the machine
LOOK_AGAIN_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Hold:
    """A training job's share. ``gpus``: how much of which, by their keys."""

    job: str
    gpus: Mapping[str, float] = field(default_factory=dict)
    cpus: float = 0.0
    memory_gb: float = 0.0
    custom: Mapping[str, float] = field(default_factory=dict)


class Holds:
    """The holds of this machine. Several objects, in one process or many, see the same."""

    def __init__(self, directory: Path | None = None) -> None:
        given = os.environ.get(DIRECTORY)
        self.directory = directory or (Path(given) if given else USUAL_DIRECTORY)

    def take(self, paths: JobPaths, machine: Machine, need: Resources) -> Mapping[str, float]:
        """Hold what a training job needs, for as long as it runs: the GPUs, and how much of each. What it
        holds already it keeps.

        Raises CapacityUnavailable when others hold it, BackendError when nobody can tell.
        """
        with self._locked():
            own = self._path(paths)
            others = []
            for path in sorted(self.directory.glob("*.json")):
                content = read_json(path)
                if content is None or not _lives(content):
                    with contextlib.suppress(OSError):  # another user's may stay, and means nothing
                        path.unlink()
                elif path == own:
                    return {_name(key, machine): share for key, share in _hold(content).gpus.items()}
                else:
                    others.append(_hold(content))
            gpus = _room(paths.directory.name, machine, others, need)
            content = {
                "job": paths.directory.name,
                "directory": str(paths.directory),
                "controller": identity(os.getpid()),
                "worker": None,
                "gpus": {_key(gpu): share for gpu, share in gpus.items()},
                "cpus": need.cpus or 0.0,
                "memory_gb": need.memory_gb or 0.0,
                "custom": dict(need.custom),
            }
            write_json(str(own), content)
        return gpus

    def belongs_to(self, paths: JobPaths, worker: Identity) -> None:
        """The job has been started: from now on its hold is its worker's."""
        with self._locked():
            content = read_json(self._path(paths))
            if content is not None:
                write_json(str(self._path(paths)), {**content, "worker": worker})

    def give_back(self, paths: JobPaths) -> None:
        """Of a job that could not be started."""
        with contextlib.suppress(OSError), self._locked():
            self._path(paths).unlink(missing_ok=True)

    def _path(self, paths: JobPaths) -> Path:
        digest = hashlib.sha256(os.fsencode(paths.directory)).hexdigest()[:32]
        return self.directory / f"{digest}.json"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            fd = self._lock_file()
        except OSError as error:
            raise BackendError(
                f"Who holds which part of this machine can't be read: {error.strerror} ({self.directory}).",
                because="the directory belongs to somebody else, or its disk is full",
                remedy=f"give a directory that all users of the machine may write to, in ${DIRECTORY}",
            ) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _lock_file(self) -> int:
        if not self.directory.is_dir():
            self.directory.mkdir(parents=True, exist_ok=True)
            # Others may add theirs, and take away their own only.
            with contextlib.suppress(OSError):
                self.directory.chmod(0o1777)
        path = self.directory / "lock"
        with contextlib.suppress(FileNotFoundError):
            return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        with contextlib.suppress(OSError):
            os.fchmod(fd, 0o666)
        return fd


def _lives(content: Mapping[str, Any]) -> bool:
    """Whether a hold's training job is being started, or runs."""
    paths = JobPaths(Path(content["directory"]))
    # It is written when all that the job started is dead, a moment before its worker's own end.
    if paths.end.exists():
        return False
    worker = content.get("worker")
    if is_alive(as_identity(content["controller"] if worker is None else worker)):
        return True
    # Its controller, or its fork server, died between the start and the word that it had started.
    claim = read_json(paths.claim) or {}
    return ("pid" in claim and is_alive(as_identity(claim))) or bool(remains_of(paths).workers)


def _hold(content: Mapping[str, Any]) -> Hold:
    return Hold(content["job"], content["gpus"], content["cpus"], content["memory_gb"], content["custom"])


def _key(gpu: str) -> str:
    return gpu_keys().get(gpu, gpu)


def _name(key: str, machine: Machine) -> str:
    return next((gpu for gpu in machine.gpus if _key(gpu) == key), key)


def _room(job: str, machine: Machine, others: Sequence[Hold], need: Resources) -> dict[str, float]:
    """The GPUs that a job gets, and how much of each. Raises CapacityUnavailable."""
    short: list[str] = []
    gpus = _free_gpus(machine, others, need.gpus or 0.0)
    if gpus is None:
        short.append(f"{need.gpus:g} GPU")
    amounts = [
        ("CPUs", need.cpus or 0.0, machine.cpus, sum(one.cpus for one in others)),
        ("GB of memory", need.memory_gb or 0.0, machine.memory_gb, sum(one.memory_gb for one in others)),
    ]
    for name, amount in need.custom.items():
        held = sum(one.custom.get(name, 0.0) for one in others)
        amounts.append((name, amount, machine.custom.get(name, 0.0), held))
    short += [
        f"{amount:g} {name}"
        for name, amount, there, held in amounts
        if there is not None and amount and held + amount > there + NEARLY
    ]
    if gpus is None or short:
        raise CapacityUnavailable(
            f"Training job {job} waits for {' and '.join(short)}; held by "
            f"{_in_words([one.job for one in others])}.",
            because="other training jobs of this machine have it",
            remedy="nothing: it is tried again; or run fewer at once",
            look_again_seconds=LOOK_AGAIN_SECONDS,
        )
    return gpus


def _free_gpus(machine: Machine, others: Sequence[Hold], need: float) -> dict[str, float] | None:
    """A part of a GPU is taken where the least is left that is enough, so that whole ones stay whole."""
    left = {gpu: 1.0 - sum(one.gpus.get(_key(gpu), 0.0) for one in others) for gpu in machine.gpus}
    if need == 0:
        return {}
    if need < 1:
        enough = [gpu for gpu in machine.gpus if left[gpu] >= need - NEARLY]
        return {min(enough, key=lambda gpu: left[gpu]): need} if enough else None
    whole = [gpu for gpu in machine.gpus if left[gpu] >= 1 - NEARLY][: round(need)]
    return dict.fromkeys(whole, 1.0) if len(whole) == round(need) else None


def _in_words(jobs: Sequence[str]) -> str:
    if not jobs:
        return "nobody that can be seen"
    return ", ".join(jobs[:4]) + (f" and {len(jobs) - 4} more" if len(jobs) > 4 else "")
