"""Files that are written as a whole: readers see all of one or nothing."""

# No pathlib: its import would cost every training job milliseconds.
# ruff: noqa: PTH104, PTH108, PTH118, PTH123

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping


def write_json(path: str, content: Mapping[str, object]) -> None:
    """Write a file as a whole: readers see all of it or nothing. Raises OSError."""
    scratch = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
    with open(scratch, "w", encoding="utf-8") as file:
        json.dump(content, file)
    os.rename(scratch, path)


def write_end(directory: str, content: Mapping[str, object], tell: Callable[[], None] = lambda: None) -> bool:
    """Write end.json and ``tell`` of it, then make it safe against a power cut, and say whether that worked.
    One that is there stays: it was written by somebody who had taken the job over.

    Nobody waits for the disk to hear of it. A power cut in these milliseconds may leave it torn, which counts
    as not there: as if the cut had come a moment earlier.
    """
    path = os.path.join(directory, "end.json")
    data = json.dumps(content).encode()
    for _ in range(5):
        try:
            fd = os.open(f"{path}.tmp", os.O_WRONLY | os.O_CREAT, 0o666)
            try:
                os.write(fd, data)
                os.ftruncate(fd, len(data))
                os.link(f"{path}.tmp", path)
                os.unlink(f"{path}.tmp")
                tell()
                os.fsync(fd)
            finally:
                os.close(fd)
        except FileExistsError:
            return True
        except OSError:
            time.sleep(0.2)
        else:
            return True
    return False
