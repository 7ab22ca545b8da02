"""An entry of a journal as text: one JSON object whose ``events`` are written and read as a whole."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic_core import from_json

from amt_flows.errors import JournalError
from amt_flows.events import Event, WrittenByNewer, event_from_json, event_to_json

SUFFIX = ".json"
PACKED: Final = "packed"
PACKED_FROM: Final = 1024
"""Characters. A shorter entry is hardly made shorter by it."""


def entry_name(index: int) -> str:
    """``00000012.json``: names in their order are entries in theirs."""
    return f"{index:08d}{SUFFIX}"


def entry_index(name: str) -> int:
    """The index of an entry's name; -1 for what is no entry."""
    stem, dot, suffix = name.partition(".")
    return int(stem) if dot + suffix == SUFFIX and stem.isdecimal() else -1


def entry_text(
    events: Sequence[Event], beside: Mapping[str, str] | None = None, *, packed: bool = False
) -> str:
    """Strict JSON: NaN and the infinities are words. ``beside`` is written next to the events. ``packed``:
    the events of a long entry are compressed, in the place of an event that no earlier version knows."""
    beside = beside or {}
    written: list[dict[str, Any]] = [event_to_json(event) for event in events]
    text = _json({"events": written, **beside})
    if not packed or len(text) < PACKED_FROM:
        return text
    inner = base64.b64encode(zlib.compress(_json(written).encode("ascii"))).decode("ascii")
    return _json({"events": [{"v": 1, "kind": PACKED, "events": inner}], **beside})


def _json(value: object) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def events_of(data: bytes, *, place: str, because: str, remedy: str) -> tuple[Event, ...]:
    """The events of an entry. Raises JournalError, with these words, for anything else; but for what a newer
    version wrote with words that say so."""
    try:
        events = _parsed(data.decode("utf-8"))["events"]
        if isinstance(events, list) and len(events) == 1 and _is_packed(events[0]):
            events = _parsed(zlib.decompress(base64.b64decode(events[0]["events"])).decode("utf-8"))
        if not isinstance(events, list):
            raise TypeError("events is not a list")
        return tuple(event_from_json(event) for event in events)
    except WrittenByNewer as error:
        raise written_by_newer(place, error.happened) from None
    except (ValueError, TypeError, KeyError, RecursionError, zlib.error, JournalError) as error:
        reason = error.happened if isinstance(error, JournalError) else repr(error)
        raise JournalError(f"{place} is damaged: {reason}", because=because, remedy=remedy) from error


def _parsed(text: str) -> Any:
    """pydantic's parser takes half the time of the standard library's, which has the last word on what the
    former refuses: it takes a half of a character, as is in what programs print, and its errors are known."""
    try:
        return from_json(text)
    except ValueError:
        return json.loads(text)


def _is_packed(event: object) -> bool:
    return isinstance(event, dict) and event.get("kind") == PACKED


def written_by_newer(place: str, what: str) -> JournalError:
    return JournalError(
        f"{place} was written by a newer version of amt-flows: {what}",
        because="the tuning job was started or taken up with that version",
        remedy="go on with that version; this one has changed nothing",
    )


def missing_entry(index: int, location: str, *, but: str, because: str) -> JournalError:
    """``but``: what shows that there was one."""
    return JournalError(
        f"Entry {index} of the journal {location} is missing, but {but}.",
        because=because,
        remedy="restore it: going on without it could launch jobs twice; if it is lost, move the "
        "journal away: `amt-flows recover` rebuilds it from the training jobs",
    )
