"""Promotion on this machine: a directory of versions of which one is current, switched at one stroke.

Whoever serves the model reads ``<directory>/current/model``. A promoter that dies at any point leaves the old
version current, or the new one, and never half of one; the next promoter clears up after it.
"""

from __future__ import annotations

import getpass
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from amt_flows.backends.home import expanded
from amt_flows.deploy.candidate import Candidate, Deployable, candidate_of
from amt_flows.deploy.champion import Champion
from amt_flows.deploy.local_artifact import copy_model, flush_directory, local_path, refused
from amt_flows.deploy.local_layout import (
    FILES,
    INCOMING,
    RECORD,
    REMOVED,
    SWITCHING,
    WRITING,
    Shelf,
    Succession,
    Version,
    hold,
    locked,
    number_of,
    sweep,
)
from amt_flows.deploy.succession import Line, gone_back, taken_over
from amt_flows.errors import DeployFailed, DeployRejected, NameTaken, Problem, system_reason

KEEP_VERSIONS = 10
LONGEST_LINE = 1000
"""So many promotions back a roll-back may lead."""
_TRAINING_JOB = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


@dataclass(frozen=True)
class LocalPromotion:
    """What a promotion, or a roll-back, came to."""

    version: str
    """Which is current now."""
    path: str
    """The directory with its model files. ``<directory>/current/model`` leads there until the next change."""
    previous: str | None
    """Of a promotion: what was current before it, where a roll-back leads. Of a roll-back: what was current
    until then."""
    created: bool
    """False when the version was there already: the promotion had been done, or begun."""
    removed: tuple[str, ...] = ()
    """Old versions that were removed."""


def promote_local(
    result: Deployable, directory: str | Path, *, keep: int = KEEP_VERSIONS, by: str | None = None
) -> LocalPromotion:
    """Copy the best training job's model into a directory of versions, and make it the current one.

    Doing it again changes nothing. Of older versions the ``keep`` newest stay (at least 1), with the current
    one and the one that a roll-back leads to. ``by`` is who did it, by default this user at this machine. An
    artifact in S3 is downloaded, which needs boto3.

    Raises DeployRejected before anything was changed, NameTaken if the same training job was promoted before
    with other files, and DeployFailed when the directory can't be written or is used for something else.
    """
    candidate = candidate_of(result)
    _check(candidate, keep)
    shelf = Shelf(expanded(directory).absolute())
    try:
        shelf.versions.mkdir(parents=True, exist_ok=True)
        with locked(shelf):
            shelf.current_name()
            sweep(shelf)
            incoming = shelf.versions / f"{INCOMING}{secrets.token_hex(8)}"
            incoming.mkdir()
            held = hold(incoming)
        try:
            digest = _fetched(candidate, incoming)
            with locked(shelf):
                return _commit(shelf, candidate, incoming, digest=digest, keep=keep, by=by or _myself())
        finally:
            # Held until it is gone: nobody else begins to remove it as well.
            shutil.rmtree(incoming, ignore_errors=True)
            os.close(held)
    except OSError as error:
        raise _unwritable(shelf, error) from error


def roll_back_local(directory: str | Path, to: str | None = None) -> LocalPromotion:
    """Make another version current: ``to``, or the one that was at work before the current one came to work.

    Without ``to``, a second time leads one further back, to what that one had taken over from. Going back to
    ``to`` along this way counts as so many roll-backs; to any other version, it takes over from the current
    one as in a promotion. Raises DeployRejected when there is no such version, DeployFailed.
    """
    shelf = Shelf(expanded(directory).absolute())
    if not shelf.directory.is_dir():
        raise _no_version(shelf, to or "", ())
    try:
        with locked(shelf):
            before, names = shelf.current_name(), shelf.names()
            earlier = () if before is None else shelf.behind(before)
            target = to or next(iter(earlier), None)
            if target is None and before in names:
                shelf.read(str(before))  # should it be damaged, that is what is to be said
            if target is None or target not in names:
                raise _no_version(shelf, to, names, removed=target)
            if before is not None and target != before:
                _write_line(shelf, gone_back(before, earlier, target))
            _switch(shelf, target)
            return LocalPromotion(target, str(shelf.files(target)), before, created=False)
    except OSError as error:
        raise _unwritable(shelf, error) from error


def versions(directory: str | Path) -> list[Version]:
    """Every version of a directory, the oldest first. Raises DeployFailed."""
    shelf = Shelf(expanded(directory).absolute())
    while True:
        found = [shelf.find(name) for name in shelf.names()]
        there = [version for version in found if version is not None]
        # If a promotion has removed one since they were listed, others may have come.
        if len(there) == len(found):
            return there


def current_version(directory: str | Path) -> Version | None:
    """The version that is at work; None before the first promotion. Raises DeployFailed."""
    shelf = Shelf(expanded(directory).absolute())
    while (name := shelf.current_name()) is not None:
        found = shelf.find(name)
        # Promotions may have replaced and removed it since we looked.
        if found is not None or shelf.current_name() == name:
            return found or shelf.read(name)
    return None


def local_champion(directory: str | Path) -> Champion | None:
    """What a challenger is compared with. Raises DeployFailed."""
    version = current_version(directory)
    return None if version is None else version.champion()


# -- the steps -----------------------------------------------------------------------------------------


def _check(candidate: Candidate, keep: int) -> None:
    problems = []
    if keep < 1:
        problems.append(Problem("keep", keep, "must be at least 1, the current version"))
    if len(candidate.training_job) > 63 or _TRAINING_JOB.fullmatch(candidate.training_job) is None:
        problems.append(
            Problem(
                "training_job", candidate.training_job, "is not the name of a training job, and is to be one"
            )
        )
    if problems:
        raise DeployRejected("The promotion", problems)


def _fetched(candidate: Candidate, incoming: Path) -> str:
    """Copy the model's files, and return their digest. Raises OSError for what can't be written."""
    try:
        return _fetch(candidate, incoming)
    except OSError as error:
        if not isinstance(error.filename, str) or Path(error.filename).is_relative_to(incoming):
            raise
        raise DeployFailed(
            f"The model {candidate.artifact} can't be read: {error.strerror or error}: {error.filename}.",
            because=system_reason(error),
            remedy="mend that, then do the same again; the current version is still at work",
        ) from error


def _fetch(candidate: Candidate, incoming: Path) -> str:
    if candidate.artifact.startswith("s3://"):
        from amt_flows.deploy.s3_artifact import download

        with download(candidate.artifact, incoming) as place:
            return copy_model(place, incoming / FILES)
    source = local_path(candidate.artifact)
    if _overlaps(source, incoming):
        raise refused(candidate.artifact, "is the directory of versions itself, or is around it")
    return copy_model(source, incoming / FILES)


def _overlaps(source: Path, incoming: Path) -> bool:
    """A copy of a directory into itself would not end."""
    return incoming.resolve().is_relative_to(source.resolve())


def _commit(
    shelf: Shelf, candidate: Candidate, incoming: Path, *, digest: str, keep: int, by: str
) -> LocalPromotion:
    before = shelf.current_name()
    name = _existing(shelf, candidate, digest)
    created = name is None
    if name is None:
        name = _place(shelf, candidate, incoming, digest=digest, replaced=before, by=by)
    if name != before:
        if before is not None:
            _write_line(shelf, taken_over(name, before, shelf.behind(before)))
        _switch(shelf, name)
    previous = next(iter(shelf.behind(name)), None)
    removed = _prune(shelf, keep, {name, previous})
    return LocalPromotion(name, str(shelf.files(name)), previous, created, removed)


def _existing(shelf: Shelf, candidate: Candidate, digest: str) -> str | None:
    """The version of this training job, if it was promoted before."""
    suffix = f"-{candidate.training_job.lower()}"
    for name in reversed(shelf.names()):
        if name.partition("-")[2] != suffix[1:]:
            continue
        version = shelf.read(name)
        same = (version.candidate.tuning_job, version.candidate.fingerprint, version.digest) == (
            candidate.tuning_job,
            candidate.fingerprint,
            digest,
        )
        if same:
            return name
        raise NameTaken(
            f"Training job {candidate.training_job} was promoted before, as version {name}, with "
            f"{'other files' if version.digest != digest else 'another spec'}.",
            because="its model directory was changed since, or an earlier tuning job had the same name",
            remedy="give the tuning job another name, or promote into another directory",
        )
    return None


def _place(
    shelf: Shelf, candidate: Candidate, incoming: Path, *, digest: str, replaced: str | None, by: str
) -> str:
    """Let the complete version appear, by one rename."""
    names = shelf.names()
    number = 1 + max(map(number_of, names), default=0)
    name = f"{number:04d}-{candidate.training_job.lower()}"
    version = Version(
        name=name,
        number=number,
        promoted_at=time.time(),
        promoted_by=by,
        replaced=replaced,
        digest=digest,
        candidate=candidate,
    )
    _write_through(incoming / RECORD, version.model_dump_json(indent=2))
    flush_directory(incoming)
    incoming.rename(shelf.versions / name)
    flush_directory(shelf.versions)
    return name


def _write_line(shelf: Shelf, line: Line) -> None:
    """Before the switch that it tells of."""
    text = Succession(line=line[:LONGEST_LINE]).model_dump_json(indent=2)
    scratch = shelf.directory / f"{WRITING}{secrets.token_hex(8)}"
    _write_through(scratch, text)
    scratch.replace(shelf.succession)
    flush_directory(shelf.directory)


def _write_through(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _switch(shelf: Shelf, name: str) -> None:
    scratch = shelf.directory / f"{SWITCHING}{secrets.token_hex(8)}"
    scratch.symlink_to(Path(shelf.versions.name, name), target_is_directory=True)
    scratch.replace(shelf.current)
    flush_directory(shelf.directory)


def _prune(shelf: Shelf, keep: int, needed: Collection[str | None]) -> tuple[str, ...]:
    """Remove old versions. The promotion is done by now: what can't be removed is left for the next one."""
    names = shelf.names()
    removed = []
    for name in names[:-keep]:
        if name in needed:
            continue
        # Out of sight first: nobody sees half of it while its files go.
        away = shelf.versions / f"{REMOVED}{secrets.token_hex(8)}"
        try:
            (shelf.versions / name).rename(away)
        except OSError:
            continue
        removed.append(name)
        shutil.rmtree(away, ignore_errors=True)
    return tuple(removed)


# -- what is told ---------------------------------------------------------------------------------------


def _myself() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may have a user without a name
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def _no_version(
    shelf: Shelf, to: str | None, names: Sequence[str], *, removed: str | None = None
) -> DeployRejected:
    there = f"; there are {', '.join(names)}" if names else "; there is none"
    if to:
        message = f"is no version in {shelf.directory}"
    elif removed is not None:
        message = f"the current version took over from {removed}, which was removed since"
    else:
        message = "the current version took over from none"
    return DeployRejected("The roll-back", [Problem("to", to or None, message + there)])


def _unwritable(shelf: Shelf, error: OSError) -> DeployFailed:
    where = f": {error.filename}" if error.filename else ""
    return DeployFailed(
        f"The model directory {shelf.directory} can't be written: {error.strerror or error}{where}.",
        because=system_reason(error),
        remedy="mend that, then do the same again; the current version is still at work",
    )
