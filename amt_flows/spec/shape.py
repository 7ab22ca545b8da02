"""pydantic's errors about the shape of a spec, in words that say what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError

from amt_flows.errors import Problem, SpecError
from amt_flows.names import nearest, plain
from amt_flows.spec.amt_fields import VERBATIM, own_names
from amt_flows.spec.dotted import MISSING, copied, dotted, get, put, steps_of, take
from amt_flows.spec.synonyms import (
    ANYWHERE,
    AS_A_NUMBER,
    IN_PART,
    REMEDIES,
    SYNONYMS,
    VALUES,
    WELL_KNOWN,
)

Steps = Sequence[str | int]


@dataclass(frozen=True)
class _Meant:
    """An unknown field at ``steps`` that was taken for the one at ``target``."""

    steps: Steps
    target: str
    value: Any


def shape_problems(model: type[BaseModel], data: Mapping[str, Any], error: ValidationError) -> list[Problem]:
    """One problem for each of pydantic's errors about ``data``.

    When a misspelt field is recognised, the rest of the spec is looked at as if it had been spelt right:
    a person should hear of everything at once, and not of what merely follows from the misspelling. What is
    wrong with its value is told under the name that the person wrote.
    """
    problems: list[Problem] = []
    meant: list[_Meant] = []
    for entry in _causes(error):
        at, steps = dotted(_without_marks(entry["loc"])), _without_marks(entry["loc"])
        if entry["type"] == "extra_forbidden":
            target = _meant(model, steps, entry["input"])
            if target is not None:
                meant.append(_Meant(steps, target, entry["input"]))
            problems.append(Problem(at, entry["input"], _unknown(model, steps, target, entry["input"])))
        elif entry["type"] == "missing":
            problems.append(Problem(at, None, _missing(model, steps)))
        else:
            problems.append(Problem(at, entry["input"], _wrong(model, steps, entry)))
    targets = {one.target for one in meant}
    problems = [p for p in problems if p.value is not None or p.field not in targets]
    found = _found_when_corrected(model, data, meant, {p.field for p in problems})
    chosen = {one.target for one in meant if _choice_meant(model, one.target, one.value) is not None}
    return _under_the_names_written(problems, [p for p in found if p.field not in chosen], meant)


def _under_the_names_written(
    problems: list[Problem], found: Sequence[Problem], meant: Sequence[_Meant]
) -> list[Problem]:
    """``problems``, and what was ``found`` once the names were put right. That of a value joins the problem
    of its name."""
    by_field = {problem.field: problem for problem in problems}
    for problem in found:
        one = next((m for m in meant if _is_at(problem.field, m.target)), None)
        if one is None:
            by_field.setdefault(problem.field, problem)
            continue
        written = dotted(one.steps)
        rest = problem.field[len(one.target) :]
        if rest:
            by_field.setdefault(written + rest, Problem(written + rest, problem.value, problem.message))
        elif not isinstance(one.value, bool):
            # A switch elsewhere is a choice here; which one, the advice says.
            old = by_field[written]
            by_field[written] = Problem(
                written, old.value, f"{old.message}; there it {_verb(problem.message)}"
            )
    return list(by_field.values())


def _is_at(field: str, target: str) -> bool:
    return field == target or field.startswith((f"{target}.", f"{target}["))


def _verb(message: str) -> str:
    return (
        message if message.startswith(("must ", "takes ", "has ", "is ", "can")) else f"is wrong: {message}"
    )


def _causes(error: ValidationError) -> list[Any]:
    """pydantic's errors without those that only follow: a list whose items are wrong is also too short."""
    entries = error.errors(include_url=False)
    inner = {entry["loc"][:-1] for entry in entries}
    return [entry for entry in entries if entry["type"] != "too_short" or entry["loc"] not in inner]


def _without_marks(loc: Steps) -> list[str | int]:
    """pydantic marks a bad key of a mapping with a last step of its own."""
    return [step for step in loc if step != "[key]"]


def _found_when_corrected(
    model: type[BaseModel], data: Mapping[str, Any], meant: Sequence[_Meant], known: set[str]
) -> list[Problem]:
    if not meant:
        return []
    corrected = copied(data)
    for one in meant:
        value = take(corrected, one.steps)
        if get(corrected, one.target) is MISSING and _has_room(corrected, one.target):
            put(corrected, one.target, value)
    try:
        model(**corrected)
    except SpecError as error:
        return [problem for problem in error.problems if problem.field not in known]
    except ValidationError:
        pass
    return []


def _has_room(data: Any, target: str) -> bool:
    """Whether the objects on the way to ``target`` are objects, or can be made."""
    parent = target.rpartition(".")[0]
    while parent:
        value = get(data, parent)
        if value is not MISSING:
            return isinstance(value, dict)
        parent = parent.rpartition(".")[0]
    return True


# --- misspelt fields -------------------------------------------------------------------------------------


SURE: Final = 0.8
"""So similar must a field be to be taken for the one that was meant: its advice is followed."""
_UNITS: Final = re.compile(r"(in)?(?P<unit>seconds|secs?|s|minutes|mins?|hours|hrs?|days)$")
_OF_SECONDS: Final = ("seconds", "sec", "secs", "s")
# AMT's names of members that say nothing without the object they stand in.
_GENERIC: Final = ("name", "type", "mode", "values")


def _meant(model: type[BaseModel], steps: Steps, value: object) -> str | None:
    """The path of the field that is meant by an unknown one, or None.

    Looked for, in this order: the same letters in the same part, a synonym there, a well-known or AMT's
    name of a setting anywhere, and what merely resembles it in the same part. A unit at the end of the name
    says nothing against it.
    """
    *way, name = steps
    part = model_at(model, way)
    if part is None or not isinstance(name, str):
        return None
    wanted = plain(name)
    known = _known_as(model, part, way, wanted, value)
    if known is None:
        unit = _UNITS.search(wanted)
        timed = None if unit is None else _known_as(model, part, way, wanted[: unit.start()], value)
        known = timed if timed is not None and timed.endswith("_seconds") else None
    if known is None and wanted not in IN_PART.get(part.__name__, {}) and _remedy(part, wanted) is None:
        alike = _resembling(part, name)
        known = dotted([*way, alike]) if alike else None
    return known


def _known_as(
    model: type[BaseModel], part: type[BaseModel], way: Steps, wanted: str, value: object
) -> str | None:
    here = {plain(field): field for field in part.model_fields}
    local = here.get(wanted) or SYNONYMS.get(part.__name__, {}).get(wanted)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and wanted in AS_A_NUMBER:
        return AS_A_NUMBER[wanted]
    if local is not None:
        return dotted([*way, local])
    in_part = IN_PART.get(part.__name__, {})
    if wanted in in_part:
        path = in_part[wanted]
        return None if path is None else _in_its_definition(model, way, path)
    return None if _remedy(part, wanted) else _elsewhere(model, way, wanted)


def _resembling(part: type[BaseModel], name: str) -> str | None:
    """The field of a part that ``name`` is surely a misspelling of, or of its name elsewhere."""
    synonyms = SYNONYMS.get(part.__name__, {})
    alike = nearest(name, [*part.model_fields, *synonyms], cutoff=SURE)
    return None if alike is None else synonyms.get(alike, alike)


def _remedy(part: type[BaseModel], wanted: str) -> str | None:
    """What to do with a name that is no single setting of ours."""
    return REMEDIES.get(part.__name__, {}).get(wanted) or REMEDIES[ANYWHERE].get(wanted)


def _elsewhere(model: type[BaseModel], way: Steps, wanted: str) -> str | None:
    paths = _known_paths(model).get(wanted, ())
    if not paths:
        return None
    in_this_part = [path for path in paths if path.rpartition(".")[0] == dotted(way)]
    return _in_its_definition(model, way, (in_this_part or list(paths))[0])


def _in_its_definition(model: type[BaseModel], way: Steps, path: str) -> str:
    """Within another algorithm, its own setting of that name is meant."""
    if way and way[0] == "other_definitions":
        definition = model_at(model, way[:2])
        if definition is not None and path.split(".")[0] in definition.model_fields:
            return f"{dotted(way[:2])}.{path}"
    return path


@cache
def _known_paths(model: type[BaseModel]) -> Mapping[str, tuple[str, ...]]:
    """Paths of settings by their plain names: well-known ones, AMT's, and our own in other parts."""
    known: dict[str, list[str]] = {name: [path] for name, path in WELL_KNOWN.items()}
    for name in VERBATIM:
        known.setdefault(plain(name), [f"training_job.sagemaker.{name}"])
    for name, paths in own_names().items():
        if name not in VERBATIM and plain(name) not in _GENERIC:
            known.setdefault(plain(name), []).extend(paths)
    for path in _leaves(model, ""):
        leaf = path.rpartition(".")[2]
        # `name` or `type` alone says nothing about where it belongs.
        if leaf not in ("name", "type"):
            known.setdefault(plain(leaf), []).append(path)
    return {name: tuple(dict.fromkeys(paths)) for name, paths in known.items()}


def _leaves(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        part = _class_in(field.annotation, BaseModel)
        if part is None:
            yield prefix + name
        elif not _is_list(field.annotation):
            yield from _leaves(part, f"{prefix}{name}.")


def _unknown(model: type[BaseModel], steps: Steps, target: str | None, value: object) -> str:
    *way, name = steps
    part = model_at(model, way)
    if target is not None:
        parent, _, field = target.rpartition(".")
        right = field if parent == dotted(way) else target
        return f"no such field; write `{right}`{_how(model, str(name), target, value)}"
    if part is not None and (remedy := _remedy(part, plain(str(name)))) is not None:
        return f"no such field; {remedy}"
    names = ", ".join(part.model_fields) if part else ""
    return f"no such field; the fields here are {names}"


def _how(model: type[BaseModel], name: str, target: str, value: object) -> str:
    """What to write there, where the value must be another one too."""
    unit = _UNITS.search(plain(name))
    if unit is not None and target.endswith("_seconds") and unit["unit"] not in _OF_SECONDS:
        return ", in seconds"
    choice = _choice_meant(model, target, value)
    return "" if choice is None else f' = "{choice}"'


def _choice_meant(model: type[BaseModel], target: str, value: object) -> str | None:
    """The choice that is meant by a value which is none; None where that is a guess, or it needs none."""
    choices = _choices_at(model, steps_of(target))
    return None if str(value) in choices else _nearest_choice(steps_of(target), choices, value)


def _nearest_choice(steps: Steps, choices: Sequence[str], value: object) -> str | None:
    elsewhere = VALUES.get(str(steps[-1]), {}).get(plain(str(value)))
    return elsewhere if elsewhere in choices else nearest(str(value), choices)


# --- everything else -------------------------------------------------------------------------------------


def _missing(model: type[BaseModel], steps: Steps) -> str:
    *way, name = steps
    part = model_at(model, way)
    field = part.model_fields.get(str(name)) if part else None
    what = field.description if field and field.description else ""
    return f"is needed and not given. {what}".rstrip()


_WORDS: Final[Mapping[str, str]] = {
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must not be empty",
    "too_long": "takes at most {max_length} items; {actual_length} are given",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "finite_number": "must be a finite number; infinity and NaN can't be used",
    "float_parsing": "must be a number, such as 0.01",
    "float_type": "must be a number, such as 0.01",
    "int_parsing": "must be a whole number, such as 10",
    "int_type": "must be a whole number, such as 10",
    "int_from_float": "must be a whole number, such as 10",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be a text",
    "tuple_type": 'must be a list, such as ["a", "b"]',
    "dict_type": 'must be names with values, such as {{"a": 1}}',
}


def _wrong(model: type[BaseModel], steps: Steps, entry: Mapping[str, Any]) -> str:
    kind, context = entry["type"], entry.get("ctx", {})
    if kind in _SPECIAL:
        return _SPECIAL[kind](model, steps, entry)
    if kind in _WORDS:
        return _WORDS[kind].format(**context)
    return str(entry["msg"])


def _not_a_choice(model: type[BaseModel], steps: Steps, entry: Mapping[str, Any]) -> str:
    choices = _choices_at(model, steps)
    close = _nearest_choice(steps, choices, entry["input"])
    meant = f"write `{close}`; " if close else ""
    return f"{meant}the choices are {', '.join(choices)}"


def _not_a_part(model: type[BaseModel], steps: Steps, entry: Mapping[str, Any]) -> str:
    part = model_at(model, steps)
    fields = f" with the fields {', '.join(part.model_fields)}" if part else ""
    return f"must be an object{fields}"


def _not_a_value(model: type[BaseModel], steps: Steps, entry: Mapping[str, Any]) -> str:
    reason = str(entry["ctx"]["error"])
    if steps[-1] == "command":
        return f"can't be split into words ({reason}); close the quote, or write a list of words"
    return reason


_SPECIAL: Final[Mapping[str, Callable[[type[BaseModel], Steps, Mapping[str, Any]], str]]] = {
    "enum": _not_a_choice,
    "model_type": _not_a_part,
    "model_attributes_type": _not_a_part,
    "value_error": _not_a_value,
}


# --- looking into models ---------------------------------------------------------------------------------


def model_at(model: type[BaseModel], steps: Steps) -> type[BaseModel] | None:
    """The model of the object at a path, or None where there is none."""
    part: type[BaseModel] | None = model
    for step in steps:
        if isinstance(step, int):
            continue
        if part is None or step not in part.model_fields:
            return None
        part = _class_in(part.model_fields[step].annotation, BaseModel)
    return part


def _choices_at(model: type[BaseModel], steps: Steps) -> list[str]:
    *way, name = steps
    part = model_at(model, way)
    field = part.model_fields.get(str(name)) if part else None
    kind: type[Enum] | None = _class_in(field.annotation, Enum) if field else None
    return [str(member.value) for member in kind] if kind else []


def _class_in(annotation: Any, kind: type[Any]) -> type[Any] | None:
    """The first class of that kind in an annotation such as ``tuple[Definition, ...] | None``."""
    # On Python 3.10 tuple[int, ...] is a type too, for isinstance.
    if isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, kind):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _class_in(arg, kind))), None)


def _is_list(annotation: Any) -> bool:
    return any(arg is ... for arg in get_args(annotation))
