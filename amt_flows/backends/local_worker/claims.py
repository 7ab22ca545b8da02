"""Who runs a job, and what is wanted of it."""

# No pathlib: its import would cost every training job milliseconds.
# ruff: noqa: PTH108, PTH118, PTH123

from __future__ import annotations

import fcntl
import os

# Room on the disk that is taken before the training starts. A reason has at most 2,000 characters, which
# JSON may write as 12,000 bytes.
RESERVED_BYTES = 16 * 1024


def claim(directory: str, content: bytes) -> int | None:
    """Take the job for the caller alone: the open, locked claim file, or None when it is taken.

    The file appears under its name complete and locked already (a hard link is as exclusive as O_EXCL), so
    nobody ever sees an empty claim, or one of a living process without a lock on it. Raises OSError.
    """
    path = os.path.join(directory, "claim")
    scratch = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
    fd = os.open(scratch, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        os.write(fd, content)
        _lock(fd)
        os.link(scratch, path)
    except FileExistsError:
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise
    finally:
        os.unlink(scratch)
    return fd


def _lock(fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return  # a file system without locks: the number of the process must do


def is_locked(path: str) -> bool:
    """Whether the process that claimed still holds its lock. It may be one that we can't see: in another
    container, or on another machine that shares the directory."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False


def reserve_end(directory: str) -> None:
    """Take the room for end.json now: it can then be written on a disk that the training filled."""
    with open(os.path.join(directory, "end.json.tmp"), "wb") as file:
        file.write(b" " * RESERVED_BYTES)


def wish(directory: str) -> str:
    """What is wanted of the job: "kill" or "stop" by a controller, "evicted" by its machine, or nothing."""
    for word in ("kill", "stop", "evicted"):
        if os.path.lexists(os.path.join(directory, word)):
            return word
    return ""
