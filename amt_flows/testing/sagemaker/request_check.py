"""Checking a request against the service's own model, as strictly as the service does.

botocore checks types, required members and minima before it sends anything; patterns, enums and maxima are
left to the service. All of it is checked here, for clients that skip botocore's part, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import botocore.session

from amt_flows.backends.sagemaker.model_rules import characters_of
from amt_flows.testing.sagemaker.refusals import Refusal, validation

# Java's names for classes of characters, which the model's patterns use inside of sets. \w stands for letters
# and for digits; where it takes too much, it stands for both anyway.
_JAVA_CLASSES = {
    r"\p{Alnum}": "a-zA-Z0-9",
    r"\p{L}": r"\w",
    r"\p{N}": r"\w",
    r"\p{Z}": r"\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}

_KINDS: Mapping[str, tuple[Any, str]] = {
    "string": (str, "a String"),
    "integer": (int, "an Integer"),
    "long": (int, "a Long"),
    "float": ((int, float), "a Float"),
    "double": ((int, float), "a Double"),
    "boolean": (bool, "a Boolean"),
    "list": (list, "a List"),
    "map": (dict, "a Map"),
    "structure": (dict, "a Structure"),
    "timestamp": ((int, float), "a Timestamp"),
}


@lru_cache(maxsize=1)
def service_model() -> Any:
    """botocore's model of SageMaker."""
    return botocore.session.get_session().get_service_model("sagemaker")


def check(operation: str, params: Mapping[str, Any]) -> Refusal | None:
    """Why the service would not read this request; None when it would. ``params`` as they came: JSON."""
    shape = service_model().operation_model(operation).input_shape
    unreadable = next(_type_errors(shape, params), None)
    if unreadable is not None:
        return Refusal("SerializationException", unreadable)
    found = list(_violations(shape, params, ""))
    if not found:
        return None
    plural = "" if len(found) == 1 else "s"
    return validation(f"{len(found)} validation error{plural} detected: {'; '.join(found)}")


# -- types -------------------------------------------------------------------------------------------


def _type_errors(shape: Any, value: Any) -> Iterator[str]:
    kind, name = _KINDS[shape.type_name]
    wrong = not isinstance(value, kind) or (isinstance(value, bool) and shape.type_name != "boolean")
    if wrong:
        yield f"{_token(value)} can not be converted to {name}"
        return
    for child, _, item in _children(shape, value):
        yield from _type_errors(child, item)


def _token(value: Any) -> str:
    if isinstance(value, bool):
        return f"{str(value).upper()}_VALUE"
    if isinstance(value, (int, float)):
        return "NUMBER_VALUE"
    if isinstance(value, list):
        return "START_ARRAY"
    return "START_OBJECT" if isinstance(value, dict) else "STRING_VALUE"


def _children(shape: Any, value: Any) -> Iterator[tuple[Any, str, Any]]:
    """(shape, path, value) of what is inside; members that the service doesn't know are ignored by it."""
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield member, camel(name), value[name]
    elif shape.type_name == "list":
        for index, item in enumerate(value, start=1):
            yield shape.member, f"{index}.member", item
    elif shape.type_name == "map":
        for key, item in value.items():
            yield shape.value, f"{key}.member", item


def camel(name: str) -> str:
    """A member's name as the service's messages spell it."""
    return name[:1].lower() + name[1:]


# -- constraints -------------------------------------------------------------------------------------


def _violations(shape: Any, value: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure":
        for name in shape.metadata.get("required", ()):
            if value.get(name) is None:
                where = _join(path, camel(name))
                yield f"Value null at '{where}' failed to satisfy constraint: Member must not be null"
    for constraint in _broken(shape, value):
        yield f"Value '{shown(value)}' at '{path}' failed to satisfy constraint: {constraint}"
    if shape.type_name == "map":
        yield from _map_violations(shape, value, path)
        return
    for child, name, item in _children(shape, value):
        yield from _violations(child, item, _join(path, name))


def _map_violations(shape: Any, value: Mapping[str, Any], path: str) -> Iterator[str]:
    for part, what, items in ((shape.key, "keys", value.keys()), (shape.value, "value", value.values())):
        if part.type_name == "string" and any(list(_broken(part, item)) for item in items):
            yield (
                f"Value '{shown(value)}' at '{path}' failed to satisfy constraint: "
                f"Map {what} must satisfy constraint: [{', '.join(_constraints(part))}]"
            )


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _broken(shape: Any, value: Any) -> Iterator[str]:
    """The constraints of a shape itself, not of what is inside, that a value breaks."""
    rules, kind = shape.metadata, shape.type_name
    if kind in ("string", "list", "map"):
        size, what = len(value), "length"
    elif kind in ("integer", "long", "float", "double"):
        size, what = value, "value"
    else:
        return
    if "enum" in rules and value not in rules["enum"]:
        yield _enum(rules["enum"])
    if "min" in rules and size < rules["min"]:
        yield _bound(what, "greater", rules["min"])
    if "max" in rules and size > rules["max"]:
        yield _bound(what, "less", rules["max"])
    if "pattern" in rules and compiled(rules["pattern"]).fullmatch(value) is None:
        yield _pattern(rules["pattern"])


def _constraints(shape: Any) -> list[str]:
    """Every constraint of a string, as the service lists them for maps."""
    rules, found = shape.metadata, []
    if "max" in rules:
        found.append(_bound("length", "less", rules["max"]))
    if "min" in rules:
        found.append(_bound("length", "greater", rules["min"]))
    if "pattern" in rules:
        found.append(_pattern(rules["pattern"]))
    return found


def _enum(values: list[str]) -> str:
    return f"Member must satisfy enum value set: [{', '.join(values)}]"


def _bound(what: str, direction: str, limit: object) -> str:
    return f"Member must have {what} {direction} than or equal to {limit}"


def _pattern(pattern: str) -> str:
    return f"Member must satisfy regular expression pattern: {pattern}"


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of the model, which is Java's, in Python's spelling."""
    pattern = re.sub(r"\$\{\d+,\d+\}$", "$", pattern)  # a length that stands behind the end says nothing
    for category in ("M", "P", "S"):
        if f"\\p{{{category}}}" in pattern:
            pattern = pattern.replace(f"\\p{{{category}}}", characters_of(category))
    for java, python in _JAVA_CLASSES.items():
        pattern = pattern.replace(java, python)
    return re.compile(pattern)


def shown(value: Any) -> str:
    """A value as Java prints it, which is how the service quotes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}={shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(shown, value)) + "]"
    return str(value)
