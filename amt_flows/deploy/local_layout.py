"""A directory of model versions: what is where, and what is known of each.

    current -> versions/0002-digits-017-9a1b2c3d
    versions/0001-digits-004-55aa66bb/model.json     where it came from, and who promoted it when
    versions/0001-digits-004-55aa66bb/model/...      the model's own files
    versions/0002-digits-017-9a1b2c3d/...
    succession.json                                  which took over from which, for roll-backs

A version appears complete and never changes. What begins with a dot is nobody's business but ours: models
that are being copied, or removed. A directory of before there was a ``succession.json`` has in each version's
record which one was current when it was made.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from amt_flows.deploy.candidate import Candidate
from amt_flows.deploy.champion import Champion
from amt_flows.deploy.succession import Line, behind
from amt_flows.errors import DeployFailed
from amt_flows.results.stored import Unreadable, read_stored
from amt_flows.spec.given_file import read_given

INCOMING, REMOVED, SWITCHING, WRITING = ".incoming-", ".removed-", ".current-", ".succession-"
RECORD, FILES = "model.json", "model"
MOST_MEGABYTES = 10
"""Of a file that says something of versions."""
_NAME = re.compile(r"(?P<number>\d{4,})-(?P<job>[a-z0-9](-*[a-z0-9]){0,62})")


class Version(BaseModel):
    """A version of the model: ``model.json``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    v: int = 1
    name: str
    number: int
    promoted_at: float
    """Seconds since the epoch."""
    promoted_by: str
    replaced: str | None
    """The version that was current when this one was made."""
    digest: str
    """64 hex digits of the files."""
    candidate: Candidate

    def champion(self) -> Champion:
        one = self.candidate
        return Champion(
            self.name,
            one.training_job,
            one.tuning_job,
            one.objective_metric,
            one.objective_type,
            one.objective_value,
        )


class Succession(BaseModel):
    """``succession.json``; see :mod:`amt_flows.deploy.succession`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    v: int = 1
    line: Line


@dataclass(frozen=True)
class Shelf:
    """The paths of a directory of versions."""

    directory: Path

    @property
    def versions(self) -> Path:
        return self.directory / "versions"

    @property
    def current(self) -> Path:
        return self.directory / "current"

    @property
    def succession(self) -> Path:
        return self.directory / "succession.json"

    def files(self, version: str) -> Path:
        """Where a version's model files are."""
        return self.versions / version / FILES

    def names(self) -> list[str]:
        """The versions that are there, the oldest first."""
        try:
            found = [entry.name for entry in os.scandir(self.versions) if _NAME.fullmatch(entry.name)]
        except FileNotFoundError:
            return []
        return sorted(found, key=number_of)

    def read(self, name: str) -> Version:
        """Raises DeployFailed for a version whose record can't be read."""
        found = self.find(name)
        if found is None:
            raise DeployFailed(
                f"Version {name} is not in {self.versions}.",
                because="its directory was removed by hand",
                remedy="restore it, or roll back to one of those that are there",
            )
        return found

    def find(self, name: str) -> Version | None:
        """None for a version that isn't there, or not any more: whoever promotes removes the oldest. Raises
        DeployFailed for one whose record can't be read."""
        if _NAME.fullmatch(name) is None:
            return None
        path = self.versions / name / RECORD
        try:
            return read_stored(Version, read_given(path, MOST_MEGABYTES))
        except (OSError, Unreadable) as error:
            if isinstance(error, FileNotFoundError) and not path.parent.exists():
                return None
            raise DeployFailed(
                f"The record of version {name}, {path}, {_why(error)}.",
                because="somebody edited or removed it",
                remedy="restore it, or remove the version's directory",
            ) from error

    def current_name(self) -> str | None:
        """The version that is at work; None before the first promotion. Raises DeployFailed for a
        ``current`` that is not ours."""
        try:
            end = self.current.readlink()
        except FileNotFoundError:
            return None
        except OSError:
            raise DeployFailed(
                f"{self.current} is no link.",
                because="the directory is used for something else",
                remedy="promote into another directory, or move that away",
            ) from None
        name = end.name
        if end != Path(self.versions.name, name) or _NAME.fullmatch(name) is None:
            raise DeployFailed(
                f"{self.current} leads to {end}, which is no version of this directory.",
                because="somebody made the link by hand",
                remedy="remove the link, or promote into another directory",
            )
        return name

    def behind(self, version: str) -> Line:
        """What a version took over from when it came to work the last time, what that had taken over from,
        and so on. Some may have been removed since. Raises DeployFailed."""
        recorded = behind(self._line(), version)
        return tuple(self._behind_by_birth(version)) if recorded is None else recorded

    def _line(self) -> Line:
        try:
            return read_stored(Succession, read_given(self.succession, MOST_MEGABYTES)).line
        except FileNotFoundError:
            return ()
        except (OSError, Unreadable) as error:
            raise DeployFailed(
                f"{self.succession}, which says what roll-backs lead to, {_why(error)}.",
                because="somebody edited it",
                remedy="restore it, or remove it: roll-backs then lead to what was current when a version "
                "was made",
            ) from error

    def _behind_by_birth(self, version: str) -> Iterator[str]:
        """What an older amt-flows wrote, as far as it can be read: a version was made after the one that it
        took over from, so that this has an end. One that says otherwise was edited, and leads nowhere."""
        with suppress(DeployFailed):
            found = self.find(version)
            while found is not None and _is_before(found.replaced, version):
                version = str(found.replaced)
                yield version
                found = self.find(version)


def number_of(name: str) -> int:
    return int(name.partition("-")[0])


def _is_before(name: str | None, version: str) -> bool:
    return name is not None and _NAME.fullmatch(name) is not None and number_of(name) < number_of(version)


def _why(error: Exception) -> str:
    """As the end of a sentence about a file."""
    if isinstance(error, OSError) and error.strerror:
        return f"can't be read: {error.strerror}"
    return str(error)


@contextmanager
def locked(shelf: Shelf) -> Iterator[None]:
    """Nobody else promotes, rolls back or prunes meanwhile. The lock of one who died is free."""
    descriptor = os.open(shelf.directory / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sweep(shelf: Shelf) -> None:
    """Remove what promoters left that died. To be called with the lock held.

    Others may be removing the same at this moment, and what a user without our rights left can't be removed:
    neither is a reason for a promotion to fail, and the next one sweeps again.
    """
    for prefix in (SWITCHING, WRITING):
        for scratch in shelf.directory.glob(f"{prefix}*"):
            with suppress(OSError):
                scratch.unlink()
    for leftover in shelf.versions.glob(".*"):
        if leftover.name.startswith((INCOMING, REMOVED)) and not _is_held(leftover):
            shutil.rmtree(leftover, ignore_errors=True)


def hold(directory: Path) -> int:
    """Mark a directory as being worked on, until the descriptor that is returned is closed or we die."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _is_held(directory: Path) -> bool:
    """False also for one that is gone."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
