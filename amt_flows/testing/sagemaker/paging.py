"""Answers in pages. What a token holds is nobody's to know; how a strange one is refused is assumed (the
question ``strange-token``)."""

from __future__ import annotations

import base64
import heapq
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice, takewhile
from typing import Any, TypeVar

from amt_flows.testing.sagemaker.refusals import validation

DEFAULT_PAGE = 10
"""What the service takes for MaxResults where its reference gives a default."""

T = TypeVar("T")
Key = Callable[[T], "tuple[Any, str]"]


def page(
    items: Iterable[T], key: Key[T], params: Mapping[str, Any], *, descending: bool, in_order: bool = False
) -> tuple[list[T], str | None]:
    """The next items in the order of ``key``, which no two share, and the token of the page behind them.
    ``in_order``: they come in that of the keys' first parts, and no more are asked for than the page needs.

    A token remembers the last item and not a number of items: what is added in front meanwhile repeats
    nothing. Raises a ValidationException for a token that we didn't give.
    """
    size = int(params.get("MaxResults") or DEFAULT_PAGE)
    if params.get("NextToken"):
        last = _read(str(params["NextToken"]))
        items = (item for item in items if (key(item) < last if descending else key(item) > last))
    if in_order:
        items = _enough(items, key, size + 1)
    # Of ten thousand only a page is put in order, as often as there are pages.
    first = heapq.nlargest if descending else heapq.nsmallest
    ordered = first(size + 1, items, key=key)
    found = ordered[:size]
    more = len(ordered) > size
    return found, _write(key(found[-1])) if more else None


def _enough(items: Iterable[T], key: Key[T], amount: int) -> Iterator[T]:
    """The first so many, and those behind them whose keys begin alike."""
    rest, begins = iter(items), None
    for item in islice(rest, amount):
        begins = key(item)[0]
        yield item
    yield from takewhile(lambda item: key(item)[0] == begins, rest)


def _write(key: tuple[Any, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _read(token: str) -> tuple[Any, str]:
    try:
        value, name = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError):
        raise validation("The NextToken is invalid.") from None
    return value, str(name)
