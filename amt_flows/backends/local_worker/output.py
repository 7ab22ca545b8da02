"""The training job's output on disk, with a bound on its size."""

# No pathlib: its import would cost every training job milliseconds.
# ruff: noqa: PTH108, PTH110, PTH118, PTH123, PTH202

from __future__ import annotations

import os

HEAD_BYTES = 32 * 1024 * 1024
TAIL_BYTES = 16 * 1024 * 1024
LAST_BYTES = 8 * 1024
COPY_BYTES = 1024 * 1024


class Output:
    """``output.log``: the first 32 MiB of the output, and of what follows the newest 16 to 32 MiB.

    The newest part is written to two files in turn, which are put behind the first part at the end.
    ``last`` is the end of the output, in memory; ``error`` is the first thing that kept some of it from the
    disk. Raises OSError only when it is made.
    """

    def __init__(self, directory: str, *, head_bytes: int = HEAD_BYTES, tail_bytes: int = TAIL_BYTES) -> None:
        self.path = os.path.join(directory, "output.log")
        self.last = b""
        self.error: OSError | None = None
        self._older, self._newer = (os.path.join(directory, f"output.tail.{n}") for n in (1, 2))
        self._tail_bytes = tail_bytes
        self._left_out = 0
        self._room = head_bytes
        self._fd = _fresh(self.path)

    def write(self, data: bytes) -> None:
        self.last = (self.last + data[-LAST_BYTES:])[-LAST_BYTES:]
        try:
            while data:
                if self._room == 0:
                    self._turn()
                written = os.write(self._fd, data[: self._room])
                self._room -= written
                data = data[written:]
        except OSError as error:
            self.error = self.error or error

    def _turn(self) -> None:
        """Go on in the older of the two tail files, from its beginning."""
        self._older, self._newer = self._newer, self._older
        if os.path.exists(self._newer):
            self._left_out += os.path.getsize(self._newer)
        os.close(self._fd)
        self._fd = _fresh(self._newer)
        self._room = self._tail_bytes

    def close(self) -> None:
        try:
            os.close(self._fd)
            self._join()
        except OSError as error:
            self.error = self.error or error

    def _join(self) -> None:
        tails = [path for path in (self._older, self._newer) if os.path.exists(path)]
        if not tails:
            return
        with open(self.path, "ab", buffering=0) as whole:
            if self._left_out:
                whole.write(b"\n[amt-flows: %d bytes of output are left out here]\n" % self._left_out)
            for path in tails:
                with open(path, "rb", buffering=0) as part:
                    while data := part.read(COPY_BYTES):
                        whole.write(data)
                os.unlink(path)


def _fresh(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
