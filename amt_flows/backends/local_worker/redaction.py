"""Secrets out of a stream of output."""

from __future__ import annotations

import os

HIDDEN = b"********"
SHORTEST = 4


class Redaction:
    """Replaces the values that some variables have in this process. ``feed`` gives back what is surely free
    of them: the end of a block that may be the beginning of a secret is held back until more has come, or
    ``rest`` is asked for."""

    def __init__(self, names: list[str]) -> None:
        values = {os.environb.get(name.encode(), b"") for name in names}
        # The longest first: one may be a part of another.
        self._secrets = sorted((v for v in values if len(v) >= SHORTEST), key=len, reverse=True)
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        if not self._secrets:
            return data
        data = self.clean(self._held + data)
        keep = max(self._begun(data, secret) for secret in self._secrets)
        self._held = data[len(data) - keep :]
        return data[: len(data) - keep]

    def rest(self) -> bytes:
        held, self._held = self._held, b""
        return held

    def clean(self, data: bytes) -> bytes:
        for secret in self._secrets:
            data = data.replace(secret, HIDDEN)
        return data

    def _begun(self, data: bytes, secret: bytes) -> int:
        """How many bytes at the end are the beginning of the secret."""
        for length in range(min(len(secret) - 1, len(data)), 0, -1):
            if data.endswith(secret[:length]):
                return length
        return 0
