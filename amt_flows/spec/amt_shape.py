"""Whether a request body has AMT's shape; and the body as it was probably meant, so that the rest of it can
be looked at in the same go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from amt_flows.errors import Problem
from amt_flows.names import nearest, plain
from amt_flows.spec.amt_fields import SHARED, SINGLE, VERBATIM, Algorithm, table
from amt_flows.spec.dotted import copied, steps_of
from amt_flows.spec.synonyms import WELL_KNOWN
from amt_flows.spec.verbatim import SURELY_MISSPELT


@dataclass
class Shape:
    """What may stand at one place of the body. Without members: any value.

    ``beside`` are names whose values are taken as they are; ``is_open`` says that any other name is too,
    unless it is surely a misspelt one.
    """

    members: dict[str, Shape] = field(default_factory=dict)
    is_list: bool = False
    beside: tuple[str, ...] = ()
    is_open: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.members, *self.beside)))

    def at(self, path: str) -> Shape:
        """The shape further down, made when it isn't there. All items of a list have one shape."""
        shape = self
        for step in steps_of(path):
            if isinstance(step, int):
                shape.is_list = True
            else:
                shape = shape.members.setdefault(step, Shape())
        return shape


def request_shape(algorithms: Iterable[Algorithm]) -> Shape:
    """The shape of a body with these algorithms."""
    algorithms = list(algorithms)
    shape = Shape()
    for place in table(algorithms):
        end = shape.at(place.amt)
        end.is_list = bool(place.items)
        end.members = {item.amt: Shape() for item in place.items}
    for where in algorithms:
        definition = shape.at(where.definition)
        definition.is_open, definition.beside = True, VERBATIM
        for name in SHARED:
            definition.members[name].is_open = True
    return shape


def put_right(body: Mapping[str, Any], shape: Shape) -> tuple[dict[str, Any], list[Problem]]:
    """A copy of ``body`` in the right shape, and what was not."""
    problems: list[Problem] = []
    return _object(body, shape, "", problems), problems


def _value(value: Any, shape: Shape, at: str, problems: list[Problem]) -> Any:
    if not shape.members:
        return copied(value)
    if not shape.is_list:
        return _object(value, shape, at, problems)
    if isinstance(value, list | tuple):
        return [_object(one, shape, f"{at}[{i}]", problems) for i, one in enumerate(value)]
    problems.append(
        Problem(at, value, f"must be a list of objects with the members {', '.join(shape.names)}")
    )
    return []


def _object(value: Any, shape: Shape, at: str, problems: list[Problem]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        problems.append(Problem(at, value, f"must be an object with the members {', '.join(shape.names)}"))
        return {}
    right: dict[str, Any] = {}
    for name, inner in value.items():
        meant = _meant(str(name), shape)
        if meant != name:
            remedy = f"write `{meant}`" if meant else f"the members here are {', '.join(shape.names)}"
            problems.append(Problem(f"{at}.{name}".lstrip("."), inner, f"no such member; {remedy}"))
        if meant is not None and (meant == name or meant not in value):
            inner_shape = shape.members.get(meant, Shape())
            right[meant] = _value(inner, inner_shape, f"{at}.{meant}".lstrip("."), problems)
    return right


def _meant(name: str, shape: Shape) -> str | None:
    """The member that is meant by a name: itself when that may stand here."""
    if name in shape.names:
        return name
    known = _names_elsewhere().get(plain(name))
    if known in shape.names:
        return known
    if shape.is_open:
        return nearest(name, shape.names, cutoff=SURELY_MISSPELT) or name
    return nearest(name, shape.names)


@cache
def _names_elsewhere() -> Mapping[str, str]:
    """AMT's members by the plain names that their settings have in our shape, and in other tools."""
    members = {place.own: place.amt.rpartition(".")[2] for place in table([SINGLE])}
    ours = {plain(own.rpartition(".")[2]): member for own, member in members.items()}
    theirs = {name: members[path] for name, path in WELL_KNOWN.items() if path in members}
    # `type` and `name` alone are those of many.
    return {name: member for name, member in {**theirs, **ours}.items() if name not in ("type", "name")}
