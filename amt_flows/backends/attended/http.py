"""JSON over HTTP, with the errors of ours. The standard library's client will do for a call now and then."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from amt_flows.errors import BackendError, CapacityUnavailable

TIMEOUT_SECONDS: Final = 30.0
PASSING: Final = frozenset({408, 425, 429, 502, 503, 504})
LOOK_AGAIN_SECONDS: Final = 10.0
BUSY, BY_PREFECT = 503, "exception_message"
"""Prefect's answer when its SQLite was locked: nothing was done, and the next try mostly does it."""
BUSY_PAUSES_SECONDS: Final = (0.1, 0.3, 1.0)
KEYS: Final = "set what it asks for: PREFECT_API_KEY or PREFECT_API_AUTH_STRING, or RAY_AUTH_TOKEN"


class Refused(BackendError):
    """The server answered with an error: ``status``, and what it said."""

    def __init__(self, happened: str, status: int, said: str, **parts: str) -> None:
        super().__init__(happened, **parts)
        self.status, self.said = status, said


@dataclass(frozen=True)
class Api:
    """A server by its address; ``what`` names it in messages."""

    url: str
    what: str
    headers: Mapping[str, str]

    def call(self, method: str, path: str, content: object | None = None) -> Any:
        """The answer's JSON, None for an empty one. Raises Refused for an error of the request's,
        CapacityUnavailable when the server can't be reached or says that it is its own."""
        request = urllib.request.Request(  # noqa: S310 -- the address is the user's own
            f"{self.url.rstrip('/')}{path}",
            data=None if content is None else json.dumps(content).encode(),
            headers={"Content-Type": "application/json", **self.headers},
            method=method,
        )
        try:
            text = self._answer(request)
            return json.loads(text) if text else None
        except (OSError, http.client.HTTPException) as error:
            raise self._away(getattr(error, "reason", None) or error) from None
        except ValueError:
            raise BackendError(
                f"{self.what} at {self.url} answered {path} with something that is no JSON.",
                because="it is another server, or stands behind a log-in page",
                remedy="check the address",
            ) from None

    def _answer(self, request: urllib.request.Request) -> bytes:
        for pause in (*BUSY_PAUSES_SECONDS, None):
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                    text: bytes = answer.read()
                    return text
            except urllib.error.HTTPError as error:
                said = error.read().decode("utf-8", "replace")
                if pause is None or error.code != BUSY or BY_PREFECT not in said:
                    raise self._refused(request.get_method(), request.selector, error.code, said) from None
            time.sleep(pause)
        raise AssertionError("the last one is returned or raised")

    def _away(self, reason: object) -> CapacityUnavailable:
        return CapacityUnavailable(
            f"{self.what} at {self.url} can't be reached: {reason}.",
            because="it is being restarted, or the network is down",
            remedy="nothing while it passes: it is asked again; else check the address",
            look_again_seconds=LOOK_AGAIN_SECONDS,
        )

    def _refused(self, method: str, path: str, status: int, said: str) -> BackendError:
        if status in PASSING:
            return self._away(f"{status} {said[:200]}")
        happened = f"{self.what} at {self.url} refused {method} {path} ({status}): {said[:500]}"
        if status in (401, 403):
            return Refused(happened, status, said, because="it wants to know who asks", remedy=KEYS)
        return Refused(happened, status, said)
