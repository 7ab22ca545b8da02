"""Why SageMaker would refuse a request, in our own words and without asking it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from amt_flows.backends.sagemaker.service_model import NUMERIC, Breach, Rule, Steps, breaches
from amt_flows.names import nearest

_EXPECTED: Final[Mapping[str, str]] = {
    "string": "a text",
    "integer": "a whole number",
    "long": "a whole number",
    "float": "a number",
    "double": "a number",
    "boolean": "true or false",
    "list": "a list",
    "map": "an object of names and values",
    "structure": "an object of names and values",
    "timestamp": "a time",
}
_COUNTED: Final[Mapping[str, str]] = {"string": " characters", "list": " elements", "map": " entries"}


@dataclass(frozen=True)
class Violation:
    """What is wrong with the value at ``steps`` of a request; None for one that is missing."""

    steps: Steps
    value: object
    message: str


def violations(operation: str, body: Mapping[str, Any]) -> list[Violation]:
    """Why SageMaker would refuse this body; empty if its model has nothing against it."""
    return [Violation(one.steps, one.value, _message(one)) for one in breaches(operation, body)]


def _message(breach: Breach) -> str:
    kind, limit, value = breach.shape.type_name, breach.limit, breach.value
    match breach.rule:
        case Rule.TYPE:
            return f"must be {_EXPECTED[kind]}"
        case Rule.NEEDED:
            return "is needed and not given"
        case Rule.KNOWN:
            meant = nearest(limit, list(breach.shape.members))
            return f"no such member; write `{meant}`" if meant else "the installed boto3 knows no such member"
        case Rule.CHOICES:
            return _choice(str(value), limit)
        case Rule.LEAST:
            return f"must {_size(kind)} at least {limit}{_COUNTED.get(kind, '')}"
        case Rule.MOST:
            has = f", and has {len(value)}" if isinstance(value, str | list | tuple | Mapping) else ""
            return f"must {_size(kind)} at most {limit}{_COUNTED.get(kind, '')}{has}"
        case Rule.PATTERN if limit == ".*":
            return "must be one line"
        case Rule.PATTERN:
            return f"doesn't have the form {limit}"


def _size(kind: str) -> str:
    return "be" if kind in NUMERIC else "have"


def _choice(value: str, choices: list[str]) -> str:
    meant = nearest(value, choices)
    if meant is not None:
        return f"is not among the choices; write `{meant}`"
    shown = ", ".join(choices[:12]) + (", ..." if len(choices) > 12 else "")
    return f"is not among the choices; write one of {shown}"
