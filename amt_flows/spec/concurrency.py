"""The slots of Prefect's global concurrency limits that a training job holds: ``gpu``, or ``gpu=2``."""

from __future__ import annotations

from collections.abc import Iterator

from amt_flows.errors import Problem
from amt_flows.spec.parts import ResourceLimits, TuningFields

FIELD = "limits.concurrency_limits"


def slots_of(limits: ResourceLimits) -> dict[str, int]:
    """The slots by the limit's name."""
    parts = (text.partition("=") for text in limits.concurrency_limits)
    return {name.strip(): int(slots) if equals else 1 for name, equals, slots in parts}


def concurrency_problems(spec: TuningFields) -> Iterator[Problem]:
    names: set[str] = set()
    for i, text in enumerate(spec.limits.concurrency_limits):
        name, equals, slots = text.partition("=")
        whole = slots.strip().isdecimal() and int(slots) > 0
        if not name.strip() or set(name) & set("/%&><") or (equals and not whole):
            message = "write the limit's name, or its name and how many slots a training job holds: gpu=2"
            yield Problem(f"{FIELD}[{i}]", text, message)
        elif name.strip() in names:
            yield Problem(f"{FIELD}[{i}]", text, "names a limit twice; write how many slots it is: gpu=2")
        names.add(name.strip())
