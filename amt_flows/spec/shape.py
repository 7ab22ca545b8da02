"""pydantic's errors about the shape of a spec, in words that say what to write instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from amt_flows.errors import Problem, SpecError
from amt_flows.spec.amt_fields import VERBATIM, own_names
from amt_flows.spec.dotted import MISSING, copied, dotted, get, put, take
from amt_flows.spec.nearest import nearest, plain
from amt_flows.spec.synonyms import SYNONYMS, WELL_KNOWN

Steps = Sequence[str | int]


def shape_problems(model: type[BaseModel], data: Mapping[str, Any], error: ValidationError) -> list[Problem]:
    """One problem for each of pydantic's errors about ``data``.

    When a misspelt field is recognised, the rest of the spec is looked at as if it had been spelt right:
    a person should hear of everything at once, and not of what merely follows from the misspelling.
    """
    problems: list[Problem] = []
    meant: list[tuple[Steps, str]] = []
    for entry in _causes(error):
        at, steps = dotted(_without_marks(entry["loc"])), _without_marks(entry["loc"])
        if entry["type"] == "extra_forbidden":
            target = _meant(model, steps)
            if target is not None:
                meant.append((steps, target))
            problems.append(Problem(at, entry["input"], _unknown(model, steps, target)))
        elif entry["type"] == "missing":
            problems.append(Problem(at, None, _missing(model, steps)))
        else:
            problems.append(Problem(at, entry["input"], _wrong(model, steps, entry)))
    targets = {target for _, target in meant}
    problems = [p for p in problems if p.value is not None or p.field not in targets]
    return problems + _found_when_corrected(model, data, meant, {p.field for p in problems})


def _causes(error: ValidationError) -> list[Any]:
    """pydantic's errors without those that only follow: a list whose items are wrong is also too short."""
    entries = error.errors(include_url=False)
    inner = {entry["loc"][:-1] for entry in entries}
    return [entry for entry in entries if entry["type"] != "too_short" or entry["loc"] not in inner]


def _without_marks(loc: Steps) -> list[str | int]:
    """pydantic marks a bad key of a mapping with a last step of its own."""
    return [step for step in loc if step != "[key]"]


def _found_when_corrected(
    model: type[BaseModel], data: Mapping[str, Any], meant: Sequence[tuple[Steps, str]], known: set[str]
) -> list[Problem]:
    if not meant:
        return []
    corrected = copied(data)
    for steps, target in meant:
        value = take(corrected, steps)
        if get(corrected, target) is MISSING and _has_room(corrected, target):
            put(corrected, target, value)
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


def _meant(model: type[BaseModel], steps: Steps) -> str | None:
    """The path of the field that is meant by an unknown one, or None.

    Looked for, in this order: the same letters in the same part, a synonym there, a well-known or AMT's
    name of a setting anywhere, and what merely resembles it in the same part.
    """
    *way, name = steps
    part = model_at(model, way)
    if part is None or not isinstance(name, str):
        return None
    here = {plain(field): field for field in part.model_fields}
    local = here.get(plain(name)) or SYNONYMS.get(part.__name__, {}).get(plain(name))
    if local is not None:
        return dotted([*way, local])
    anywhere = _elsewhere(model, way, plain(name))
    if anywhere is not None:
        return anywhere
    alike = nearest(name, part.model_fields)
    return dotted([*way, alike]) if alike else None


def _elsewhere(model: type[BaseModel], way: Steps, wanted: str) -> str | None:
    paths = _known_paths(model).get(wanted, ())
    if not paths:
        return None
    in_this_part = [path for path in paths if path.rpartition(".")[0] == dotted(way)]
    path = (in_this_part or list(paths))[0]
    # Within another algorithm, its own setting of that name is meant.
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
        if name not in VERBATIM:
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


def _unknown(model: type[BaseModel], steps: Steps, target: str | None) -> str:
    *way, _ = steps
    if target is not None:
        parent, _, name = target.rpartition(".")
        return f"no such field; write `{name if parent == dotted(way) else target}`"
    part = model_at(model, way)
    names = ", ".join(part.model_fields) if part else ""
    return f"no such field; the fields here are {names}"


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
    close = nearest(str(entry["input"]), choices)
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
    if isinstance(annotation, type) and issubclass(annotation, kind):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _class_in(arg, kind))), None)


def _is_list(annotation: Any) -> bool:
    return any(arg is ... for arg in get_args(annotation))
