"""What AWS's own model of a service says of a request, and in which places a request breaks it.

botocore has the model. It checks types, required members and minima before it sends anything; patterns,
enumerations and maxima it leaves to the service. Here all of it is checked; in what words, is for whoever
asks (:mod:`amt_flows.backends.sagemaker.model_rules`, and the simulated SageMaker in the service's own).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cache, lru_cache
from typing import Any, Final, TypeAlias

_SEPARATORS: Final = r"\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# The models' patterns are Java's, which name classes of characters in a way that Python doesn't know. They
# stand in sets with an underscore, so that Python's \w (letters, numbers, underscore) takes nothing more.
_CLASSES: Final = {r"\p{L}": r"\w", r"\p{N}": r"\w", r"\p{Z}": _SEPARATORS, r"\p{Alnum}": "a-zA-Z0-9"}

# One pattern has its length behind the end, where Java minds it as little as it means anything.
_REPEATED_END: Final = re.compile(r"\$\{\d+,\d+\}$")

_TYPES: Final[Mapping[str, Any]] = {
    "string": str,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "boolean": bool,
    "list": (list, tuple),
    "map": Mapping,
    "structure": Mapping,
    "timestamp": (int, float, datetime),
}
NUMERIC: Final = ("integer", "long", "float", "double")

LARGEST_INTEGER: Final = 2**31 - 1
"""The services read an integer into 32 bits (a long into 64), which their models don't say."""


class Rule(Enum):
    """What a value may break."""

    TYPE = "type"
    NEEDED = "needed"
    KNOWN = "known"
    CHOICES = "choices"
    LEAST = "least"
    MOST = "most"
    PATTERN = "pattern"


class MapKey(str):
    """A step of a path that is a key of a map, and not the name of a member."""

    __slots__ = ()


Steps: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class Breach:
    """The value at ``steps`` of a request (None for one that is missing) breaks a rule of ``shape``, which is
    that of the structure for a member that is missing or not known. ``limit`` is the bound, the choices, the
    pattern or, of a structure, the name of the member. ``is_key``: it is the key of a map, not its value."""

    steps: Steps
    shape: Any
    value: object
    rule: Rule
    limit: Any = None
    is_key: bool = False


@lru_cache(maxsize=4)
def service_model(service: str) -> Any:
    """botocore's model of a service. Raises ModuleNotFoundError without botocore."""
    import botocore.session

    return botocore.session.get_session().get_service_model(service)


def breaches(operation: str, body: Mapping[str, Any]) -> Iterator[Breach]:
    """All rules of SageMaker's model that the request of an operation breaks. Of a value of a wrong type
    nothing else is said; a member that is None is not there."""
    yield from _of(service_model("sagemaker").operation_model(operation).input_shape, body, ())


def _of(shape: Any, value: Any, at: Steps, *, is_key: bool = False) -> Iterator[Breach]:
    kind = shape.type_name
    if not isinstance(value, _TYPES.get(kind, object)) or (isinstance(value, bool) and kind != "boolean"):
        yield Breach(at, shape, value, Rule.TYPE, is_key=is_key)
        return
    for rule, limit in _broken(shape, value):
        yield Breach(at, shape, value, rule, limit, is_key)
    if kind == "structure":
        yield from _of_structure(shape, value, at)
    elif kind == "list":
        for i, item in enumerate(value):
            yield from _of(shape.member, item, (*at, i))
    elif kind == "map":
        for key, item in value.items():
            yield from _of(shape.key, key, (*at, MapKey(key)), is_key=True)
            yield from _of(shape.value, item, (*at, MapKey(key)))


def _of_structure(shape: Any, value: Mapping[str, Any], at: Steps) -> Iterator[Breach]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield Breach((*at, name), shape, None, Rule.NEEDED, name)
    for name, item in value.items():
        if name not in shape.members:
            yield Breach((*at, name), shape, item, Rule.KNOWN, name)
        elif item is not None:
            yield from _of(shape.members[name], item, (*at, name))


def _broken(shape: Any, value: Any) -> Iterator[tuple[Rule, Any]]:
    """The rules of a shape itself, not of what is inside, that a value of its type breaks."""
    rules, kind = shape.metadata, shape.type_name
    if kind not in (*NUMERIC, "string", "list", "map"):
        return
    if "enum" in rules and value not in rules["enum"]:
        yield Rule.CHOICES, rules["enum"]
    size = value if kind in NUMERIC else len(value)
    low, high = rules.get("min"), rules.get("max", LARGEST_INTEGER if kind == "integer" else None)
    if low is not None and size < low:
        yield Rule.LEAST, low
    if high is not None and size > high:
        yield Rule.MOST, high
    if "pattern" in rules and compiled(rules["pattern"]).fullmatch(value) is None:
        yield Rule.PATTERN, rules["pattern"]


@cache
def _categories() -> str:
    """Of each Unicode character the first letter of its category, such as ``P`` of Po, Pd, ..."""
    return "".join(map(unicodedata.category, map(chr, range(0x110000))))[::2]


@lru_cache(maxsize=3)
def _characters_of(category: str) -> str:
    """What stands in a set for all characters of a Unicode category."""
    runs = re.finditer(f"{category}+", _categories())
    return "".join(f"\\U{run.start():08x}-\\U{run.end() - 1:08x}" for run in runs)


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of a service model, in Python's spelling."""
    for java, python in _CLASSES.items():
        pattern = pattern.replace(java, python)
    for category in ("M", "P", "S"):
        if f"\\p{{{category}}}" in pattern:
            pattern = pattern.replace(f"\\p{{{category}}}", _characters_of(category))
    return re.compile(_REPEATED_END.sub("$", pattern))
