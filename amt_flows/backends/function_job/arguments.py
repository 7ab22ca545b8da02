"""What a function gets: the hyperparameters, each in the type that its parameter is annotated with.

Only what loses nothing is converted: ``3.0`` becomes ``3`` for an ``int``, and ``3.5`` stays what it is.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

TRUTHS = {"true": True, "false": False}


def typed_arguments(function: Callable[..., Any], values: Mapping[str, object]) -> dict[str, object]:
    """``values`` for a call of ``function``, as it is annotated."""
    annotated = annotations_of(function)
    return {name: typed(value, annotated.get(name, Any)) for name, value in values.items()}


def annotations_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations, as far as they can be told; those of a method that is called for an object or a
    class."""
    while isinstance(function, partial):
        function = function.func
    if isinstance(function, type):
        function = function.__init__  # type: ignore[misc]
    elif not hasattr(function, "__annotations__"):
        function = type(function).__call__
    try:
        return typing.get_type_hints(function)
    except Exception:  # a name that stands for nothing here
        given = getattr(function, "__annotations__", {})
        return {name: one for name, one in given.items() if not isinstance(one, str)}


def typed(value: object, annotation: Any) -> object:
    """``value`` as ``annotation`` wants it, or as it is where that can't be had without loss."""
    origin, members = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return typed(value, members[0])
    if origin is typing.Literal:
        return next((one for one in members if one == value or str(one) == value), value)
    if origin is typing.Union or origin is getattr(types, "UnionType", None):
        return _of_several(value, members)
    kind = origin or annotation
    if not isinstance(kind, type) or value is None or type(value) is kind:
        return value
    if issubclass(kind, Enum):
        return _member(value, kind)
    convert = _CONVERSIONS.get(kind)
    return value if convert is None else convert(value)


def _of_several(value: object, members: tuple[Any, ...]) -> object:
    kinds = [typing.get_origin(one) or one for one in members]
    if any(isinstance(kind, type) and type(value) is kind for kind in kinds):
        return value
    for member in members:
        converted = typed(value, member)
        if converted is not value:
            return converted
    return value


def _member(value: object, kind: type[Enum]) -> object:
    for one in kind:
        if one.value == value or str(one.value) == value:
            return one
    return kind.__members__.get(str(value), value)


def _integer(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return _read(int, value)


def _real(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return _read(float, value)


def _read(kind: type[int] | type[float], value: object) -> object:
    try:
        return kind(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _truth(value: object) -> object:
    return TRUTHS.get(value.lower(), value) if isinstance(value, str) else value


def _text(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _sequence(kind: type[Any]) -> Callable[[object], object]:
    return lambda value: kind(value) if isinstance(value, list | tuple) else value


def _path(value: object) -> object:
    return Path(value) if isinstance(value, str) else value


_CONVERSIONS: dict[type[Any], Callable[[object], object]] = {
    int: _integer,
    float: _real,
    bool: _truth,
    str: _text,
    list: _sequence(list),
    tuple: _sequence(tuple),
    set: _sequence(set),
    frozenset: _sequence(frozenset),
    Path: _path,
}
