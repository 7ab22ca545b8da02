"""Copying a model's files to where they are to be served from, and nothing that isn't the model's: no entry
may land, or point, outside of its directory."""

from __future__ import annotations

import hashlib
import os
import posixpath
import shutil
import stat
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import SplitResult, unquote, urlsplit

from amt_flows.errors import DeployRejected, Problem

FIELD = "artifact"
_CHUNK = 1 << 20


def address(artifact: str) -> SplitResult:
    """The parts of an artifact's address; a file's path as it is on the disk. Raises DeployRejected for what
    is none."""
    try:
        parts = urlsplit(artifact)
    except ValueError as error:
        raise refused(artifact, f"is no address: {error}") from None
    parts = parts._replace(path=unquote(parts.path) if parts.scheme == "file" else parts.path)
    if "\0" in artifact + parts.path:
        raise refused(artifact, "is no address: it holds a null character")
    return parts


def local_path(artifact: str) -> Path:
    """The path that an artifact's address names. Raises DeployRejected for one of another kind."""
    parts = address(artifact)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(parts.path)
    if not parts.scheme:
        return Path(artifact)
    raise refused(artifact, f"is at {parts.scheme}://; only files of this machine, and s3://, can be copied")


def copy_model(source: Path, target: Path) -> str:
    """Copy a model, a directory or a tar archive, into the new directory ``target``, flushed to disk.

    Returns 64 hex digits of what was copied. Links that stay within the model are kept, relative. Raises
    DeployRejected, before anything was written outside of ``target``, for a model that is empty or missing,
    is no archive, or has an entry that leads out of its directory or is neither file, directory nor link.
    """
    if source.is_dir():
        target.mkdir()
        _copy_directory(source, target)
    elif source.is_file():
        target.mkdir()
        _unpack(source, target)
    else:
        raise refused(str(source), "there is no such file or directory; the model was moved or deleted")
    return _flushed_digest(target)


def refused(value: object, message: str) -> DeployRejected:
    return DeployRejected("The promotion", [Problem(FIELD, value, message)])


# -- directories -------------------------------------------------------------------------------------


def _copy_directory(source: Path, target: Path) -> None:
    root = os.path.realpath(source)
    for path in _entries(Path(root)):
        inside = path.relative_to(root)
        place = target / inside
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            place.symlink_to(_link_within(path, root))
        elif stat.S_ISDIR(mode):
            place.mkdir()
        elif stat.S_ISREG(mode):
            # Not followed, should a link have taken the file's place since we looked.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as file:
                _write(file, place, executable=bool(mode & stat.S_IXUSR))
        else:
            raise refused(str(inside), "is neither a file nor a directory nor a link")


def _entries(directory: Path) -> Iterator[Path]:
    """All below a directory, each directory before what is in it. Links are not followed."""
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        path = directory / entry.name
        yield path
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(path)


def _link_within(link: Path, root: str) -> str:
    """Where a link leads, from its own place; the same in a copy of ``root``."""
    end = os.path.realpath(link)
    if end != root and not end.startswith(root + os.sep):
        raise refused(str(link.relative_to(root)), f"is a link that leads out of the model, to {end}")
    if not Path(end).exists():
        raise refused(str(link.relative_to(root)), "is a link to nothing")
    return os.path.relpath(end, os.path.realpath(link.parent))


# -- archives ----------------------------------------------------------------------------------------


def _unpack(source: Path, target: Path) -> None:
    try:
        with tarfile.open(source) as archive:
            _extract(archive, target)
            while archive.fileobj is not None and archive.fileobj.read(_CHUNK):
                pass  # the checksum is at the end, behind what tar reads
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise refused(str(source), f"can't be read as a tar archive: {error}") from error


def _extract(archive: tarfile.TarFile, target: Path) -> None:
    """Files first and links last, so that nothing is ever written through a link."""
    members = {_inside(one.name): one for one in archive.getmembers()}  # of two with one name the last counts
    members.pop(".", None)
    for name, member in sorted(members.items()):
        place = target / name
        if member.isdir():
            place.mkdir(parents=True, exist_ok=True)
        elif member.isreg() or member.islnk():
            content = _content(archive, member, name)
            place.parent.mkdir(parents=True, exist_ok=True)
            with content:
                _write(content, place, executable=bool(member.mode & stat.S_IXUSR))
        elif not member.issym():
            raise refused(name, "is neither a file nor a directory nor a link")
    links = {name: member for name, member in members.items() if member.issym()}
    for name, member in links.items():
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            place.symlink_to(member.linkname)
        except FileExistsError:
            raise refused(name, "is a link and a directory at once") from None
    root = os.path.realpath(target)
    for name in links:
        place = target / name
        end = _link_within(Path(root, name), root)
        place.unlink()
        place.symlink_to(end)


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> IO[bytes]:
    """What is in a file, or in the one that a hard link names."""
    try:
        content = archive.extractfile(member)
    except (KeyError, RecursionError):
        content = None
    if content is None:
        raise refused(name, f"is a hard link to {member.linkname}, which is no file of the archive")
    return content


def _inside(name: str) -> str:
    plain = posixpath.normpath(name)
    if posixpath.isabs(name) or plain == ".." or plain.startswith("../"):
        raise refused(name, "is the name of an entry that leads out of the archive")
    return plain


# -- writing -----------------------------------------------------------------------------------------


def _write(content: IO[bytes], place: Path, *, executable: bool) -> None:
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755 if executable else 0o644)
    with os.fdopen(descriptor, "wb") as file:
        shutil.copyfileobj(content, file, _CHUNK)
        file.flush()
        os.fsync(file.fileno())


def _flushed_digest(directory: Path) -> str:
    digest = hashlib.sha256()
    files = 0
    for path in [*_entries(directory)]:
        name = path.relative_to(directory).as_posix()
        if path.is_symlink():
            digest.update(f"link {len(name)} {name} {path.readlink()}\n".encode())
        elif path.is_dir():
            digest.update(f"directory {len(name)} {name}\n".encode())
            flush_directory(path)
        else:
            files += 1
            mode = path.stat().st_mode
            digest.update(f"file {len(name)} {name} {mode & stat.S_IXUSR} {path.stat().st_size}\n".encode())
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
    if not files:
        raise refused(directory.name, "the model has no file")
    flush_directory(directory)
    return digest.hexdigest()


def flush_directory(directory: Path) -> None:
    """Without this a power cut may forget new names although the files' contents are on disk."""
    with directory_descriptor(directory) as descriptor:
        os.fsync(descriptor)


@contextmanager
def directory_descriptor(directory: Path) -> Iterator[int]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
