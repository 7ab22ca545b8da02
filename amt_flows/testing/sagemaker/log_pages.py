"""Pages of CloudWatch Logs as long as the service's: 10,000 events or 1 MB, whichever comes first.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html says both; moto
knows the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

LARGEST_PAGE: Final = 1024 * 1024
"""In bytes of the events' messages."""

Page = tuple[Sequence[Mapping[str, Any]], "str | None", "str | None"]
"""Events, and moto's tokens of what is before and after them: ``b/`` or ``f/`` and the number of an event."""


def cut(page: Page, *, from_the_end: bool) -> Page:
    """What the service would show of a page at once; the tokens lead to the rest. At least one event."""
    events, back, forward = page
    kept, size = 0, 0
    for event in reversed(events) if from_the_end else events:
        size += len(str(event["message"]).encode())
        if kept and size > LARGEST_PAGE:
            break
        kept += 1
    if kept == len(events) or back is None or forward is None:
        return page
    if from_the_end:
        return events[-kept:], f"b/{int(forward[2:]) - kept + 1:056d}", forward
    return events[:kept], back, f"f/{int(back[2:]) + kept - 1:056d}"


_DIGITS: Final = 56
"""Of the number in a token of moto's. One of ours has a digit more for each empty page before it."""


def empty_first(token: str | None, page: Page, pages: int) -> Page:
    """An empty page with a new token in place of one that has events and is read forward, until
    there were so many of them."""
    events, back, _ = page
    if not events or back is None:
        return page
    before = 0 if token is None else len(token) - 2 - _DIGITS
    if before >= pages:
        return page
    return [], back, f"f/{int(back[2:]) - 1:0{_DIGITS + before + 1}d}"
