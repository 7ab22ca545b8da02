"""Checking a request against the service's own model, as strictly as the service does and in its words.

What the model says is in :mod:`amt_flows.backends.sagemaker.service_model`; that is checked here for clients
that skip botocore's part, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from amt_flows.backends.sagemaker.service_model import NUMERIC, Breach, MapKey, Rule, Steps, breaches
from amt_flows.testing.sagemaker.refusals import Refusal, validation

_JAVA_TYPES: Final[Mapping[str, str]] = {
    "string": "a String",
    "integer": "an Integer",
    "long": "a Long",
    "float": "a Float",
    "double": "a Double",
    "boolean": "a Boolean",
    "list": "a List",
    "map": "a Map",
    "structure": "a Structure",
    "timestamp": "a Timestamp",
}


def check(operation: str, params: Mapping[str, Any]) -> Refusal | None:
    """Why the service would not read this request; None when it would. ``params`` as they came: JSON."""
    # Members that the service doesn't know are ignored by it.
    broken = [breach for breach in breaches(operation, params) if breach.rule is not Rule.KNOWN]
    for breach in broken:
        if breach.rule is Rule.TYPE:
            name = _JAVA_TYPES[breach.shape.type_name]
            return Refusal("SerializationException", f"{_token(breach.value)} can not be converted to {name}")
    # A map says it once for all its keys, and once for all its values.
    found = list(dict.fromkeys(message for breach in broken for message in _messages(breach, params)))
    if not found:
        return None
    plural = "" if len(found) == 1 else "s"
    return validation(f"{len(found)} validation error{plural} detected: {'; '.join(found)}")


def _token(value: Any) -> str:
    if isinstance(value, bool):
        return f"{str(value).upper()}_VALUE"
    if isinstance(value, (int, float)):
        return "NUMBER_VALUE"
    if isinstance(value, list):
        return "START_ARRAY"
    return "START_OBJECT" if isinstance(value, dict) else "STRING_VALUE"


def _messages(breach: Breach, params: Mapping[str, Any]) -> Iterator[str]:
    if breach.rule is Rule.NEEDED:
        yield f"Value null at '{_path(breach.steps)}' failed to satisfy constraint: Member must not be null"
    elif breach.shape.type_name == "string" and isinstance(breach.steps[-1], MapKey):
        steps, part = breach.steps[:-1], "keys" if breach.is_key else "value"
        constraints = ", ".join(_constraints(breach.shape))
        yield _failed(steps, _value_at(params, steps), f"Map {part} must satisfy constraint: [{constraints}]")
    elif breach.rule is not Rule.MOST or "max" in breach.shape.metadata:
        yield _failed(breach.steps, breach.value, _constraint(breach.shape, breach.rule, breach.limit))


def _failed(steps: Steps, value: Any, constraint: str) -> str:
    return f"Value '{shown(value)}' at '{_path(steps)}' failed to satisfy constraint: {constraint}"


def _value_at(params: Any, steps: Steps) -> Any:
    for step in steps:
        params = params[step]
    return params


def _path(steps: Steps) -> str:
    """As the service's messages spell it."""
    return ".".join(_step(step) for step in steps)


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"{step + 1}.member"
    return f"{step}.member" if isinstance(step, MapKey) else camel(step)


def camel(name: str) -> str:
    """A member's name as the service's messages spell it."""
    return name[:1].lower() + name[1:]


def _constraints(shape: Any) -> list[str]:
    """Every constraint of a string, as the service lists them for maps."""
    rules = (("max", Rule.MOST), ("min", Rule.LEAST), ("pattern", Rule.PATTERN))
    return [_constraint(shape, rule, shape.metadata[name]) for name, rule in rules if name in shape.metadata]


def _constraint(shape: Any, rule: Rule, limit: Any) -> str:
    if rule is Rule.CHOICES:
        return f"Member must satisfy enum value set: [{', '.join(limit)}]"
    if rule is Rule.PATTERN:
        return f"Member must satisfy regular expression pattern: {limit}"
    what = "value" if shape.type_name in NUMERIC else "length"
    direction = "greater" if rule is Rule.LEAST else "less"
    return f"Member must have {what} {direction} than or equal to {limit}"


def shown(value: Any) -> str:
    """A value as Java prints it, which is how the service quotes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}={shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(shown, value)) + "]"
    return str(value)
