"""Which took over from which: the line that roll-backs go back along, for a directory and for an endpoint.

A line is names, the latest first: ``("three", "one")`` says that three took over from one. It is written
before the switch that it tells of, so its first name may never have come to work; what *is* at work says
where in the line one stands. Whoever dies in between leaves a line that is right either way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

Line: TypeAlias = tuple[str, ...]


def behind(line: Line, at_work: str) -> Line | None:
    """What ``at_work`` took over from, the latest first; None when the line doesn't know it."""
    return line[line.index(at_work) + 1 :] if at_work in line else None


def taken_over(name: str, at_work: str, before: Iterable[str]) -> Line:
    """The line once ``name`` takes over from ``at_work``, which has ``before`` behind it."""
    return (name, at_work, *before)


def gone_back(at_work: str, before: Line, to: str) -> Line:
    """The line for going from ``at_work`` to ``to``. One of those behind is gone back to, with what it took
    over from behind it; anything else takes over, as in a promotion."""
    return (at_work, *before) if to in before else taken_over(to, at_work, before)
