"""Ranges without a name, for a space that is a mapping: ``{"depth": Integer(1, 8), "optimizer": ["sgd",
"adam"]}``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeAlias, TypeVar

from amt_flows.errors import Problem, SpecError
from amt_flows.names import meant, plain
from amt_flows.spec import CategoricalRange, ContinuousRange, IntegerRange
from amt_flows.spec.synonyms import SYNONYMS

P = ParamSpec("P")
R = TypeVar("R")

ScalingType: TypeAlias = Literal["Auto", "Linear", "Logarithmic", "ReverseLogarithmic"]
OnlyWhen: TypeAlias = Mapping[str, Sequence[object]]
"""The one hyperparameter that decides, and its values with which this one is used: ``{"optimizer":
["sgd"]}``."""


def _answering(make: Callable[P, R]) -> Callable[P, R]:
    """The same, but a keyword that it doesn't have is answered with the nearest. Raises SpecError."""
    names = [name for name in inspect.signature(make).parameters if name != "self"]
    owner = make.__qualname__.partition(".")[0]

    @wraps(make)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        known = SYNONYMS[f"{owner}Range"]
        wrong = [name for name in kwargs if name not in names]
        if wrong:
            fitting = {name: known.get(plain(name)) for name in wrong}
            raise SpecError(
                [
                    Problem(
                        f"{owner}.{name}",
                        kwargs[name],
                        "is no setting of this range; "
                        + (f"write `{other}`" if (other := fitting[name]) in names else meant(name, names)),
                    )
                    for name in wrong
                ]
            )
        return make(*args, **kwargs)

    return checked


@dataclass(frozen=True, init=False)
class Continuous:
    """Real values from ``min_value`` to ``max_value``, which are among them."""

    min_value: float
    max_value: float
    scaling_type: ScalingType
    step: float | None
    only_when: OnlyWhen | None

    @_answering
    def __init__(
        self,
        min_value: float,
        max_value: float,
        scaling_type: ScalingType = "Auto",
        *,
        step: float | None = None,
        only_when: OnlyWhen | None = None,
    ) -> None:
        _fill(self, locals())


@dataclass(frozen=True, init=False)
class Integer:
    """Whole numbers from ``min_value`` to ``max_value``, which are among them."""

    min_value: int
    max_value: int
    scaling_type: ScalingType
    step: int
    only_when: OnlyWhen | None

    @_answering
    def __init__(
        self,
        min_value: int,
        max_value: int,
        scaling_type: ScalingType = "Auto",
        *,
        step: int = 1,
        only_when: OnlyWhen | None = None,
    ) -> None:
        _fill(self, locals())


@dataclass(frozen=True, init=False)
class Categorical:
    """One of some values, which a text is not. A list in a space is the same. Raises SpecError."""

    values: tuple[object, ...]
    ordered: bool
    only_when: OnlyWhen | None

    @_answering
    def __init__(
        self, values: Sequence[object], *, ordered: bool = False, only_when: OnlyWhen | None = None
    ) -> None:
        if isinstance(values, str | bytes):
            raise SpecError([Problem("Categorical.values", values, "is a text; write a list of values")])
        _fill(self, {**locals(), "values": tuple(map(_plain_scalar, values))})


def _plain_scalar(value: object) -> object:
    """A number of NumPy's as Python has it."""
    return value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value


def _fill(one: object, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if name != "self":
            object.__setattr__(one, name, value)


Range: TypeAlias = "Continuous | Integer | Categorical | list[Any] | tuple[Any, ...]"
SpecRange: TypeAlias = "ContinuousRange | IntegerRange | CategoricalRange"
SearchSpace: TypeAlias = "Mapping[str, Range] | Sequence[SpecRange]"
"""A range for each hyperparameter, or the ranges of a spec, which have names."""

_KINDS: Mapping[type[Any], str] = {Continuous: "continuous", Integer: "integer", Categorical: "categorical"}
_SPEC_KINDS: Mapping[type[Any], str] = {
    ContinuousRange: "continuous",
    IntegerRange: "integer",
    CategoricalRange: "categorical",
}


def space_fields(space: object) -> tuple[dict[str, list[dict[str, Any]]], list[Problem]]:
    """The three lists of a spec, and what of the space is no range."""
    fields: dict[str, list[dict[str, Any]]] = {}
    problems: list[Problem] = []
    if isinstance(space, Mapping):
        given: list[tuple[str, object]] = list(space.items())
    elif isinstance(space, Sequence) and not isinstance(space, str | bytes):
        ours = ContinuousRange | IntegerRange | CategoricalRange
        given = [(one.name, one) for one in space if isinstance(one, ours)]
        others = [(i, one) for i, one in enumerate(space) if not isinstance(one, ours)]
        problems += [Problem(f"space[{i}]", one, _NAMELESS) for i, one in others]
    else:
        return {}, [Problem("space", space, _WANTED)]
    for name, one in given:
        found = _field_of(str(name), one)
        if message := _ambiguous(one):
            problems.append(Problem(f"space[{name!r}]", one, message))
        elif found is None:
            problems.append(Problem(f"space[{name!r}]", one, _WANTED_RANGE))
        else:
            fields.setdefault(found[0], []).append(found[1])
    return fields, problems


def _field_of(name: str, one: object) -> tuple[str, dict[str, Any]] | None:
    for kind, field in _SPEC_KINDS.items():
        if isinstance(one, kind):
            return field, {**one.model_dump(mode="json", exclude_defaults=True), "name": name}
    if isinstance(one, list | tuple):
        return _field_of(name, Categorical(one))
    for made, field in _KINDS.items():
        if isinstance(one, made):
            content = {key: value for key, value in vars(one).items() if value is not None}
            if "only_when" in content:
                content["only_when"] = _condition(content["only_when"])
            return field, {**content, "name": name}
    return None


def _ambiguous(one: object) -> str:
    """What is said of a value that means one thing to some and another to others; else nothing."""
    several = one if isinstance(one, list | tuple) else ()
    members = [v for v in several if isinstance(v, Enum)]
    if members and not isinstance(members[0], int | str):
        values = [v.value if isinstance(v, Enum) else v for v in several]
        kind = type(members[0]).__name__
        return f"has members of {kind}; write {values}, and annotate the function's parameter with {kind}"
    if isinstance(one, tuple) and len(one) == 2 and float in map(type, one):
        low, high = one
        if isinstance(low, int | float) and isinstance(high, int | float):
            pair = f"{low!r}, {high!r}"
            return f"may mean two things; write Continuous({pair}) for a range, [{pair}] for two values"
    return ""


def _condition(only_when: object) -> object:
    """In a spec's shape; what is in none of the two is left to the spec's own rules."""
    if not isinstance(only_when, Mapping) or len(only_when) != 1:
        return only_when
    [(name, values)] = only_when.items()
    return {"name": name, "values": list(values) if isinstance(values, list | tuple) else [values]}


_WANTED_RANGE = (
    "is no range; write Continuous(1e-5, 1), Integer(1, 8) or a list of values; what stays the same "
    "goes into the function's defaults"
)
_WANTED = 'is no space; write a range for each hyperparameter, e.g. {"depth": Integer(1, 8)}'
_NAMELESS = 'has no name; write a mapping from names to ranges, e.g. {"depth": Integer(1, 8)}'
