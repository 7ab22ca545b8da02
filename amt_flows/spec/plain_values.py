"""What no field of a spec can hold, whatever it is for: found before anything looks at the fields.

A text with a null character, or with half of a character, can't be handed to a process or sent to a service;
a number beyond 64 bits can't be counted with; and what is nested deeper than any spec needs breaks whoever
walks through it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from pydantic import BaseModel

from amt_flows.errors import Problem
from amt_flows.spec.dotted import dotted

DEEPEST: Final = 50
MOST_PROBLEMS: Final = 10
LARGEST: Final = 2**63 - 1
TOO_DEEP: Final = f"has objects in objects to a depth of more than {DEEPEST}, which no spec needs"
_BOUNDS: Final = ("min_value", "max_value")
"""A range says itself which numbers it takes."""
_NAMES: Final = ("name", "Name")

Steps = tuple[str | int, ...]


def plain_problems(data: Mapping[str, object]) -> list[Problem]:
    """The first of what no field can hold, each with its place."""
    problems: list[Problem] = []
    for problem in _found(data, ()):
        problems.append(problem)
        if len(problems) == MOST_PROBLEMS:
            break
    return problems


def _found(value: object, steps: Steps) -> Iterator[Problem]:
    if len(steps) > DEEPEST:
        yield Problem(dotted(steps[:3]), None, TOO_DEEP)
        return
    for step, inner in _inside(value):
        at = (*steps, step)
        if isinstance(step, str) and (wrong := _wrong_with(step) or _wrong_with_name(step)):
            yield Problem(dotted(steps) or "spec", step, f"has a name that {wrong}")
        elif isinstance(inner, str):
            wrong = _wrong_with(inner)
            if not wrong and step in _NAMES and len(at) > 1:
                wrong = _wrong_with_name(inner)
            if wrong:
                yield Problem(dotted(at), inner, wrong)
        elif isinstance(inner, int) and abs(inner) > LARGEST and step not in _BOUNDS:
            yield Problem(dotted(at), None, f"is a number of more than 63 bits; the largest is {LARGEST}")
        else:
            yield from _found(inner, at)


def _inside(value: object) -> Iterable[tuple[str | int, object]]:
    if isinstance(value, BaseModel):
        return value.__dict__.items()
    if isinstance(value, Mapping):
        return ((key if isinstance(key, str | int) else str(key), one) for key, one in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return enumerate(value)
    return ()


def _wrong_with(text: str) -> str:
    if "\0" in text:
        return "holds a null character, which no process or service takes; leave it out"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds half of a character (a lone surrogate); write the character itself"
    return ""


def _wrong_with_name(text: str) -> str:
    # The line ends that only str.splitlines knows are among them.
    broken = any(ord(c) < 32 or c in "\x7f\x85\u2028\u2029" for c in text)
    return "holds a line break or another control character; leave it out" if broken else ""
