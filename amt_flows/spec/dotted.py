"""Paths such as ``continuous[0].min_value`` into nested mappings and lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, Final


class _Missing(Enum):
    # An Enum so that its text is the same in each process, and so that it survives being copied.
    MISSING = "nothing stands there"


MISSING: Final = _Missing.MISSING


def dotted(steps: Iterable[str | int]) -> str:
    """The written form of a path."""
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def steps_of(path: str) -> list[str | int]:
    """The steps of a written path; the inverse of :func:`dotted` for names without dots and brackets."""
    return [int(digits) if digits else name for name, digits in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path)]


def get(data: Any, path: str) -> Any:
    """What stands at ``path``, or ``MISSING``."""
    for step in steps_of(path):
        if isinstance(step, int):
            if not isinstance(data, list | tuple) or step >= len(data):
                return MISSING
            data = data[step]
        elif isinstance(data, Mapping) and step in data:
            data = data[step]
        else:
            return MISSING
    return data


def put(data: dict[str, Any], path: str, value: Any) -> None:
    """Write ``value`` at ``path``, making the objects and lists on the way. A list grows one by one."""
    *way, last = steps_of(path)
    node: Any = data
    for step, following in zip(way, [*way, last][1:], strict=True):
        fresh: Any = [] if isinstance(following, int) else {}
        if isinstance(step, int):
            if step == len(node):
                node.append(fresh)
            node = node[step]
        else:
            node = node.setdefault(step, fresh)
    if isinstance(last, int) and last == len(node):
        node.append(value)
    else:
        node[last] = value


def take(data: Any, path: str | Sequence[str | int]) -> Any:
    """Remove and return what stands at ``path``. An object that is empty after it is removed too.

    The path may be given as its steps, whose names may then have dots.
    """
    steps = steps_of(path) if isinstance(path, str) else path
    nodes = [data]
    for step in steps[:-1]:
        nodes.append(nodes[-1][step])
    value = nodes[-1].pop(steps[-1])
    for node, parent, step in zip(nodes[:0:-1], nodes[-2::-1], steps[-2::-1], strict=True):
        if node or isinstance(step, int):
            break
        del parent[step]
    return value


def copied(data: Any) -> Any:
    """The same mappings and lists, new; what they hold (models, strings, ...) is shared."""
    if isinstance(data, Mapping):
        return {key: copied(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [copied(value) for value in data]
    return data
