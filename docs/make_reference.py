"""Writes docs/reference.md, the reference of every field of a tuning spec, from the spec's own types.

    python docs/make_reference.py            # --check: only say whether it is up to date

So the form in Prefect's UI, the checks and the reference say the same.
"""

from __future__ import annotations

import argparse
import enum
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from amt_flows.spec import TuningSpec, amt_names

PAGE = Path(__file__).with_name("reference.md")

INTRODUCTION = """\
# Every field of a tuning spec

Written by `python docs/make_reference.py` from the types themselves. A spec is the same in Python (keyword
arguments of `amt_flows.TuningSpec`), in TOML and JSON, and in the parameter form of Prefect's UI. The last
column names the field of AMT's `CreateHyperParameterTuningJob` request that it is; a dash: it is ours.
"""


def reference() -> str:
    amt = amt_names()
    parts = [INTRODUCTION]
    seen: set[type[BaseModel]] = set()
    for title, model, path in _models(TuningSpec, "", seen):
        parts.append(f"## {title}\n\n{_lead(model)}{_table(model, path, amt)}")
    return "\n".join(parts)


def _models(model: type[BaseModel], path: str, seen: set[type[BaseModel]]) -> Iterator[tuple[str, Any, str]]:
    if model in seen:
        return
    seen.add(model)
    yield (f"`{path}`" if path else "The spec"), model, path
    for name, field in model.model_fields.items():
        inner, is_list = _model_of(field.annotation)
        if inner is not None:
            yield from _models(inner, f"{path}.{name}".lstrip(".") + ("[]" if is_list else ""), seen)


def _model_of(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The model inside a field's type, and whether there are several."""
    for one in _flat(annotation):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one, typing.get_origin(annotation) is tuple
    return None, False


def _flat(annotation: Any) -> Iterator[Any]:
    arguments = typing.get_args(annotation)
    if not arguments:
        yield annotation
    for one in arguments:
        yield from _flat(one)


def _lead(model: type[BaseModel]) -> str:
    text = (model.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")
    return f"{text}\n\n" if model is not TuningSpec and text and "pydantic" not in text else ""


def _table(model: type[BaseModel], path: str, amt: Mapping[str, str]) -> str:
    rows = ["| field | type | default | what it is | in AMT's request |", "|---|---|---|---|---|"]
    for name, field in model.model_fields.items():
        place = f"{path}.{name}".lstrip(".")
        theirs = amt.get(place)
        cells = (
            f"`{name}`",
            _type(field.annotation),
            _default(field),
            (field.description or "").replace("\n", " ").replace("|", "\\|"),
            f"`{theirs}`" if theirs else "" if _model_of(field.annotation)[0] else "–",
        )
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def _type(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(one) for one in arguments if one is not type(None))
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"table of {_type(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    return names.get(annotation, "any value")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or value == () or value == {}:
        return ""
    if isinstance(value, BaseModel):
        return "its own"
    if isinstance(value, enum.Enum):
        return f"`{value.value}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write docs/reference.md from the spec's types.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if it is out of date")
    if parser.parse_args().check:
        sys.exit(PAGE.read_text(encoding="utf-8") != reference())
    PAGE.write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
