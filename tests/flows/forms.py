"""What the form of Prefect's UI sends for a deployment: it fills in every default that the schema has, also
in parts that nobody opened, and leaves out what has none and was not touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from prefect import Flow
from prefect.utilities.callables import parameter_schema

Schema: TypeAlias = dict[str, Any]


def schema_of(flow: Flow[..., Any]) -> Schema:
    return parameter_schema(flow).model_dump_for_openapi()


def sent(flow: Flow[..., Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a run whose person filled in ``said`` and touched nothing else."""
    schema = schema_of(flow)
    return _fields(schema, said, schema["definitions"])


def resolved(field: Schema, definitions: Schema) -> Schema:
    """A field as it is drawn: what it refers to, and what is said of it here."""
    if "$ref" not in field:
        return field
    return {**definitions[field["$ref"].removeprefix("#/definitions/")], **field}


def _fields(schema: Schema, said: Mapping[str, Any], definitions: Schema) -> dict[str, Any]:
    assert set(said) <= set(schema["properties"]), "there is no such field"
    values = {}
    for name, field in schema["properties"].items():
        there, value = _value(resolved(field, definitions), said.get(name, ...), definitions)
        if there:
            values[name] = value
    return values


def _value(field: Schema, said: Any, definitions: Schema) -> tuple[bool, Any]:
    """Whether something is sent for a field, and what."""
    if said is not ... and "anyOf" in field:
        return _value(resolved(field["anyOf"][0], definitions), said, definitions)
    if "properties" in field:
        inner = _fields(field, {} if said is ... else said, definitions)
        return bool(inner), inner
    if said is ...:
        return "default" in field, field.get("default")
    item = resolved(field["items"], definitions) if field.get("type") == "array" else {}
    return True, [_fields(item, one, definitions) for one in said] if "properties" in item else said
