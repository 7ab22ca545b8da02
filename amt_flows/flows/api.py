"""Prefect's API for a loop that must not wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.context import SettingsContext, get_settings_context

T = TypeVar("T")
Ask = Callable[[SyncPrefectClient], T]

TIMEOUT_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0
BRIEF_SECONDS = 3.0
"""What is told again and again is first told after so long, or at the end: a tuning job that is over by then
tells everything once."""


class Api:
    """One client, kept open, for one caller at a time.

    ``soon`` asks once, in a thread of its own: a server that hangs or is being restarted would hold up the
    loop for seconds, and with the client's own retries for a minute. ``now`` asks in the caller's thread and
    lets the client try again; it is for the end, when nothing is left to launch.
    """

    def __init__(self, client: SyncPrefectClient, thread: ThreadPoolExecutor) -> None:
        self._client = client
        self._thread = thread
        self._without_retries = copy_context()
        self._without_retries.run(_try_once)

    def soon(self, ask: Ask[T]) -> Future[T]:
        return self._thread.submit(self._without_retries.run, ask, self._client)

    def now(self, ask: Ask[T]) -> T:
        return ask(self._client)

    def meanwhile(self, ask: Ask[T]) -> Callable[[], T]:
        """Ask as ``soon`` does while the caller does something else. What is given back waits for the answer,
        and asks as ``now`` does if there was none."""
        first = self.soon(ask)

        def answer() -> T:
            wait([first])
            return self.now(ask) if first.exception() is not None else first.result()

        return answer


def _try_once() -> None:
    """From here on clients don't try again. By copies of the settings: ``temporary_settings`` reads all of
    them anew, which takes a tenth of a second."""
    now = get_settings_context()
    client = now.settings.client.model_copy(update={"max_retries": 0})
    settings = now.settings.model_copy(update={"client": client})
    SettingsContext(profile=now.profile, settings=settings).__enter__()


@contextmanager
def open_api() -> Iterator[Api]:
    with (
        get_client(sync_client=True, httpx_settings={"timeout": TIMEOUT_SECONDS}) as client,
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="amt-flows-api") as thread,
    ):
        yield Api(client, thread)


class Recurrence:
    """When something is due again: ``seconds`` after it was done, and later and later while it fails. At
    first it is due after ``first`` seconds."""

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        longest: float = LONGEST_PAUSE_SECONDS,
        first: float = 0.0,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._longest = longest
        self._failures = 0
        self._due_at = clock() + first

    def due(self) -> bool:
        return self._clock() >= self._due_at

    def done(self, at_least: float = 0.0) -> None:
        """It worked; the next time is ``at_least`` seconds away."""
        self._failures = 0
        self._due_at = self._clock() + max(self._seconds, at_least)

    def failed(self) -> None:
        self._failures += 1
        self._due_at = self._clock() + min(self._seconds * 2**self._failures, self._longest)
