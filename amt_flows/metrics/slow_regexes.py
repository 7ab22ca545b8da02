"""Regular expressions that may take for ever, or very long on a long line, by how they are built.

What backtracks exponentially is a repetition of something that is itself a repetition, with nothing between
that has to be there: a text of one kind can then be divided up in more ways than there is time for.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

_PARSER: Final = "re._parser" if sys.version_info >= (3, 11) else "sre_parse"
_REPEATS: Final = ("MAX_REPEAT", "MIN_REPEAT")
_MANY: Final = 20
"""So many rounds of a repetition are as good as endless."""

_Item = tuple[Any, Any]


def slowness(regex: str) -> list[str]:
    """Why searching for a regex may take long, as sentences without their subject; empty for one that isn't
    seen to, or can't be read."""
    try:
        items = list(importlib.import_module(_PARSER).parse(regex))
    except (ImportError, re.error, OverflowError, RecursionError):
        return []
    found = []
    if any(_is_explosive(body) for body in _repeated(items)):
        found.append(
            "repeats a repetition, as in (a+)+: on a line that almost fits it takes for ever, and is "
            "given up after a second; repeat once"
        )
    whole = [*_opened(items)]
    anything = [index for index, item in enumerate(whole) if _is_anything(item)]
    if len(anything) > 1 and anything[0] == 0:
        found.append(
            "begins with .* and has another .*: on a line of 60,000 characters it may take seconds, and is "
            "given up after one; leave out the one in front, since it is looked for anywhere in the line"
        )
    return found


def _parts(item: _Item) -> list[Sequence[_Item]]:
    """The sequences within an item."""
    name, value = str(item[0]), item[1]
    if name in (*_REPEATS, "POSSESSIVE_REPEAT"):
        return [list(value[2])]
    if name == "SUBPATTERN":
        return [list(value[3])]
    if name == "BRANCH":
        return [list(one) for one in value[1]]
    if name == "ATOMIC_GROUP":
        return [list(value)]
    if name in ("ASSERT", "ASSERT_NOT"):
        return [list(value[1])]
    if name == "GROUPREF_EXISTS":
        return [list(one) for one in value[1:] if one is not None]
    return []


def _repeated(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """What is repeated without an end, at any depth."""
    for item in items:
        for inner in _parts(item):
            if _is_endless(item):
                yield inner
            yield from _repeated(inner)


def _is_endless(item: _Item) -> bool:
    return str(item[0]) in _REPEATS and int(item[1][1]) >= _MANY


def _is_explosive(body: Sequence[_Item]) -> bool:
    """Whether a text of one kind is one round of it, and several as well."""
    for index, item in enumerate(body):
        if all(_may_be_empty(other) for place, other in enumerate(body) if place != index):
            if _is_endless(item):
                return True
            if str(item[0]) in (*_REPEATS, "SUBPATTERN", "BRANCH") and any(map(_is_explosive, _parts(item))):
                return True
    return False


def _may_be_empty(item: _Item) -> bool:
    name = str(item[0])
    if name in ("AT", "ASSERT", "ASSERT_NOT"):
        return True
    if name in (*_REPEATS, "POSSESSIVE_REPEAT") and int(item[1][0]) == 0:
        return True
    parts = _parts(item)
    return bool(parts) and any(all(map(_may_be_empty, inner)) for inner in parts)


def _opened(items: Sequence[_Item]) -> Iterator[_Item]:
    """The items with those of plain groups in place of the groups."""
    for item in items:
        if str(item[0]) == "SUBPATTERN":
            yield from _opened(_parts(item)[0])
        else:
            yield item


def _is_anything(item: _Item) -> bool:
    return _is_endless(item) and [str(one[0]) for one in item[1][2]] == ["ANY"]
