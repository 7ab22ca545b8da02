"""An entry of a journal as text: one JSON object whose ``events`` are written and read as a whole."""

from __future__ import annotations

import json
from collections.abc import Sequence

from amt_flows.errors import JournalError
from amt_flows.events import Event, WrittenByNewer, event_from_json, event_to_json

SUFFIX = ".json"


def entry_name(index: int) -> str:
    """``00000012.json``: names in their order are entries in theirs."""
    return f"{index:08d}{SUFFIX}"


def entry_index(name: str) -> int:
    """The index of an entry's name; -1 for what is no entry."""
    stem, dot, suffix = name.partition(".")
    return int(stem) if dot + suffix == SUFFIX and stem.isdecimal() else -1


def entry_text(events: Sequence[Event], **beside: str) -> str:
    """Strict JSON: NaN and the infinities are words. ``beside`` is written next to the events."""
    content = {"events": [event_to_json(event) for event in events], **beside}
    return json.dumps(content, allow_nan=False, separators=(",", ":"))


def events_of(data: bytes, *, place: str, because: str, remedy: str) -> tuple[Event, ...]:
    """The events of an entry. Raises JournalError, with these words, for anything else; but for what a newer
    version wrote with words that say so."""
    try:
        events = json.loads(data.decode("utf-8"))["events"]
        if not isinstance(events, list):
            raise TypeError("events is not a list")
        return tuple(event_from_json(event) for event in events)
    except WrittenByNewer as error:
        raise written_by_newer(place, error.happened) from None
    except (ValueError, TypeError, KeyError, RecursionError, JournalError) as error:
        reason = error.happened if isinstance(error, JournalError) else repr(error)
        raise JournalError(f"{place} is damaged: {reason}", because=because, remedy=remedy) from error


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
