"""What the lists of the service have in common: filters by name, status and times, an order, and pages.

The reference of each List operation has its defaults, and where it says more of CreationTimeAfter than
"after", it says "greater than or equal to".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

from amt_flows.testing.sagemaker.calls import Answer, in_page
from amt_flows.testing.sagemaker.clocks import naive
from amt_flows.testing.sagemaker.paging import page

_TIMES: Final[Mapping[str, tuple[str, Callable[[datetime, datetime], bool]]]] = {
    "CreationTimeAfter": ("CreationTime", lambda at, given: at >= given),
    "CreationTimeBefore": ("CreationTime", lambda at, given: at < given),
    "LastModifiedTimeAfter": ("LastModifiedTime", lambda at, given: at > given),
    "LastModifiedTimeBefore": ("LastModifiedTime", lambda at, given: at < given),
}


@dataclass(frozen=True)
class Listing:
    """One List operation: the member of its answer, the members of an entry that name it and tell its status,
    and the order when the request names none."""

    member: str
    name: str
    status: str | None = None
    sort_by: str = "CreationTime"
    descending: bool = True

    def answer(self, entries: Sequence[Answer], params: Mapping[str, Any]) -> Answer:
        """A page of the entries that ``params`` ask for. Raises a ValidationException for a strange token."""
        found = [entry for entry in entries if self._is_asked_for(entry, params)]
        order = str(params.get("SortBy") or self.sort_by)
        descending = {"Ascending": False, "Descending": True}.get(
            str(params.get("SortOrder")), self.descending
        )
        shown, token = page(found, lambda entry: self._place(entry, order), params, descending=descending)
        return in_page({self.member: shown}, token)

    def _is_asked_for(self, entry: Answer, params: Mapping[str, Any]) -> bool:
        if str(params.get("NameContains") or "").lower() not in str(entry[self.name]).lower():
            return False
        if self.status is not None and params.get("StatusEquals") not in (None, entry[self.status]):
            return False
        return all(
            holds(entry.get(member, entry["CreationTime"]), naive(float(params[filtered])))
            for filtered, (member, holds) in _TIMES.items()
            if params.get(filtered) is not None
        )

    def _place(self, entry: Answer, order: str) -> tuple[Any, str]:
        name = str(entry[self.name]).lower()
        # What was made at one time stands in the order of its numbers: version 9 before 10.
        last = re.sub(r"\d+", lambda number: number[0].zfill(12), name)
        if order == "Name":
            return name, last
        if order == "Status" and self.status is not None:
            return str(entry[self.status]), last
        return entry["CreationTime"].replace(tzinfo=timezone.utc).timestamp(), last
