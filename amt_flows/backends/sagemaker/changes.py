"""Asking which training jobs have changed, in as few calls as the API allows.

ListTrainingJobs can be asked for what was modified after a time, so that a poll costs one call for every
hundred *changed* jobs, however many live. The time is the service's, whose clock we don't know but from the
times it tells: it is at least the latest of them, and goes on as ours does.

What was deleted shows in a listing of all jobs only, by its absence. Where that takes one call, as for the
hundred jobs of most tuning jobs, every listing is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any, Final, Protocol

from amt_flows.backends.sagemaker.service import PAGE, Service

OVERLAP_SECONDS: Final = 300.0
"""Listings are eventually consistent: what was modified a little before the last one is asked for again."""
FULL_EVERY: Final = 5
"""So many polls after a full listing there is another one, whatever it costs."""


class Listing(Protocol):
    """Where the poller learns what has become of training jobs."""

    @property
    def next_is_full(self) -> bool:
        """Whether the entries to be given next are of all jobs that exist."""
        ...

    def request_full(self) -> None: ...

    def since_last(self, now: float, created: Iterable[float | None]) -> Iterator[Mapping[str, Any]]:
        """Entries as ListTrainingJobs gives them, of at least those jobs that have changed."""
        ...


class Changes:
    """The listings of one tuning job's training jobs."""

    def __init__(self, service: Service, prefix: str) -> None:
        self._service, self._prefix = service, prefix
        self._service_time: float | None = None  # not later than the service's clock at the last listing
        self._our_time = 0.0
        self._since_full = 0
        self._fits_a_page = False

    @property
    def next_is_full(self) -> bool:
        return self._service_time is None or self._fits_a_page or self._since_full >= FULL_EVERY

    def request_full(self) -> None:
        self._since_full = FULL_EVERY

    def since_last(self, now: float, created: Iterable[float | None]) -> Iterator[Mapping[str, Any]]:
        """Entries of ListTrainingJobs; all of them if ``next_is_full``, but for jobs older than every one of
        those that were ``created`` at these times. To be read to the end. ``now`` is our clock's time."""
        full, latest = self.next_is_full, self._service_time
        if latest is not None:
            latest += max(0.0, now - self._our_time)
        after = None if full or self._service_time is None else self._service_time - OVERLAP_SECONDS
        times = list(created)
        known = [time for time in times if time is not None]
        oldest = min(known) - OVERLAP_SECONDS if known and len(known) == len(times) else None
        count = 0
        for entry in self._service.summaries(
            self._prefix,
            modified_after=_datetime(after),
            created_after=_datetime(oldest) if full else None,
        ):
            modified = entry.get("LastModifiedTime") or entry["CreationTime"]
            latest = max(modified.timestamp(), modified.timestamp() if latest is None else latest)
            count += 1
            yield entry
        if full:
            self._fits_a_page = count <= PAGE
        # Only a listing that came to its end moves the time on.
        self._service_time, self._our_time = latest, now
        self._since_full = 0 if full else self._since_full + 1


def _datetime(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, tz=timezone.utc)
