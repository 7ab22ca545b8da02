"""How parts of a spec look in a form that is drawn from their JSON schema, as Prefect's UI does."""

from __future__ import annotations

from typing import Any

from pydantic.fields import ComputedFieldInfo, FieldInfo


def title(name: str, field: FieldInfo | ComputedFieldInfo | None = None) -> str:
    """``max_parallel_training_jobs`` -> ``Max parallel training jobs``."""
    return name.replace("_", " ").capitalize()


def editable(schema: dict[str, Any]) -> None:
    """Make the JSON schema of a model one that a form shows well: fields in the order in which they are
    declared (a database may keep them in another), and one box for a value that may be left empty.

    A form draws ``anyOf`` as tabs to choose a type by; a field that is no more required says the same, for
    whoever leaves it empty sends nothing. Tabs stay where there is more to say: for a part that may be left
    out, whose own fields may be required, and for a switch that may be left to us.
    """
    for position, (name, field) in enumerate(schema.get("properties", {}).items()):
        field["position"] = position
        # A required part has none: there the name of its class would stand.
        field.setdefault("title", title(name))
        _one_box(field)


def _one_box(field: dict[str, Any]) -> None:
    given = [one for one in field.get("anyOf", ()) if one.get("type") != "null"]
    if len(given) != 1 or len(given) == len(field["anyOf"]) or "$ref" in given[0]:
        return
    if given[0].get("type") == "boolean":
        return  # a switch has no third position
    del field["anyOf"]
    field.update(given[0])
    if field.get("default", ...) is None:
        # A form would send it, and as a text or a number it is none.
        del field["default"]
