"""Prefect's API for a loop that must not wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

T = TypeVar("T")

TIMEOUT_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0


class Api:
    """One client, kept open. :meth:`quick` asks once; :meth:`patient` lets the client try again.

    Prefect's client repeats a request that failed for up to a minute, which is right for the end of a flow
    and wrong between two launches.
    """

    def __init__(self, client: SyncPrefectClient) -> None:
        self._client = client
        # The settings of a context are built once: that takes some 40 ms, entering a copied context none.
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            self._without_retries = copy_context()

    def quick(self, ask: Callable[[SyncPrefectClient], T]) -> T:
        return self._without_retries.run(ask, self._client)

    def patient(self, ask: Callable[[SyncPrefectClient], T]) -> T:
        return ask(self._client)


@contextmanager
def open_api() -> Iterator[Api]:
    with get_client(sync_client=True, httpx_settings={"timeout": TIMEOUT_SECONDS}) as client:
        yield Api(client)


class Pace:
    """When something is due again: ``seconds`` after it was done, and later and later while it fails."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._failures = 0
        self._due_at = clock()

    def due(self) -> bool:
        return self._clock() >= self._due_at

    def done(self, at_least: float = 0.0) -> None:
        """It worked; the next time is ``at_least`` seconds away."""
        self._failures = 0
        self._due_at = self._clock() + max(self._seconds, at_least)

    def failed(self) -> None:
        self._failures += 1
        self._due_at = self._clock() + min(self._seconds * 2**self._failures, LONGEST_PAUSE_SECONDS)
