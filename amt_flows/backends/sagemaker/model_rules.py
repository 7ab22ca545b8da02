"""Everything that a service's own model says about a request, checked without asking the service.

botocore checks types, required members and minima before it sends a request; patterns, enumerations and
maxima it leaves to the service. The model has them all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from amt_flows.nearest import nearest

Steps: TypeAlias = tuple[str | int, ...]

_SEPARATORS: Final = r"\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# The models' patterns are Java's, which name classes of characters in a way that Python doesn't know. They
# stand in sets with an underscore, so that Python's \w (letters, numbers, underscore) takes nothing more.
_CLASSES: Final = {r"\p{L}": r"\w", r"\p{N}": r"\w", r"\p{Z}": _SEPARATORS, r"\p{Alnum}": "a-zA-Z0-9"}

# One pattern has its length behind the end, where Java minds it as little as it means anything.
_REPEATED_END: Final = re.compile(r"\$\{\d+,\d+\}$")

_TYPES: Final[Mapping[str, tuple[Any, str]]] = {
    "string": ((str,), "a text"),
    "integer": ((int,), "a whole number"),
    "long": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "double": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
    "list": ((list, tuple), "a list"),
    "map": ((Mapping,), "an object of names and values"),
    "structure": ((Mapping,), "an object of names and values"),
}

LARGEST_INTEGER: Final = 2**31 - 1
"""The services read an integer into 32 bits (a long into 64), which their models don't say."""


@dataclass(frozen=True)
class Violation:
    """What is wrong with the value at ``steps`` of a request; None for one that is missing."""

    steps: Steps
    value: object
    message: str


@lru_cache(maxsize=4)
def service_model(service: str) -> Any:
    """botocore's model of a service. Raises ModuleNotFoundError without botocore."""
    import botocore.session

    return botocore.session.get_session().get_service_model(service)


def violations(operation: str, body: Mapping[str, Any]) -> list[Violation]:
    """Why SageMaker would refuse this body; empty if its model has nothing against it."""
    return list(_of(service_model("sagemaker").operation_model(operation).input_shape, body, ()))


def _of(shape: Any, value: Any, at: Steps) -> Iterator[Violation]:
    kinds, expected = _TYPES.get(shape.type_name, ((object,), ""))
    if not isinstance(value, kinds) or (isinstance(value, bool) and shape.type_name != "boolean"):
        yield Violation(at, value, f"must be {expected}")
        return
    yield from (Violation(at, value, message) for message in _limits(shape, value))
    if shape.type_name == "structure":
        yield from _of_structure(shape, value, at)
    elif shape.type_name == "list":
        for i, item in enumerate(value):
            yield from _of(shape.member, item, (*at, i))
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from _of(shape.key, key, (*at, str(key)))
            yield from _of(shape.value, item, (*at, str(key)))


def _of_structure(shape: Any, value: Mapping[str, Any], at: Steps) -> Iterator[Violation]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield Violation((*at, name), None, "is needed and not given")
    for name, item in value.items():
        if name in shape.members:
            if item is not None:
                yield from _of(shape.members[name], item, (*at, name))
            continue
        meant = nearest(name, list(shape.members))
        yield Violation(
            (*at, name),
            item,
            f"no such member; write `{meant}`" if meant else "the installed boto3 knows no such member",
        )


def _limits(shape: Any, value: Any) -> Iterator[str]:
    rules, kind = shape.metadata, shape.type_name
    if kind in ("structure", "boolean"):
        return
    if "enum" in rules and value not in rules["enum"]:
        yield _choice(str(value), rules["enum"])
        return
    numeric = kind in ("integer", "long", "float", "double")
    size = value if numeric else len(value)
    what = {"string": " characters", "list": " elements", "map": " entries"}.get(kind, "")
    low, high = rules.get("min"), rules.get("max")
    if high is None and kind == "integer":
        high = LARGEST_INTEGER
    if low is not None and size < low:
        yield f"must be at least {low}" if numeric else f"must have at least {low}{what}"
    if high is not None and size > high:
        yield f"must be at most {high}" if numeric else f"must have at most {high}{what}, and has {size}"
    if "pattern" in rules and compiled(rules["pattern"]).fullmatch(value) is None:
        yield f"doesn't have the form {rules['pattern']}"


def _choice(value: str, choices: list[str]) -> str:
    meant = nearest(value, choices)
    if meant is not None:
        return f"is not among the choices; write `{meant}`"
    shown = ", ".join(choices[:12]) + (", ..." if len(choices) > 12 else "")
    return f"is not among the choices; write one of {shown}"


@lru_cache(maxsize=3)
def characters_of(category: str) -> str:
    """What stands in a set for all characters of a Unicode category, such as ``P``, which has Po, Pd, ..."""
    found: list[list[int]] = []
    for code in range(0x110000):
        if unicodedata.category(chr(code))[0] == category:
            if found and found[-1][1] == code - 1:
                found[-1][1] = code
            else:
                found.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in found)


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of a service model, in Python's spelling."""
    for java, python in _CLASSES.items():
        pattern = pattern.replace(java, python)
    for category in ("M", "P", "S"):
        if f"\\p{{{category}}}" in pattern:
            pattern = pattern.replace(f"\\p{{{category}}}", characters_of(category))
    pattern = _REPEATED_END.sub("$", pattern)
    return re.compile(pattern)
