"""How parts of a spec look in a form that is drawn from their JSON schema, as Prefect's UI does."""

from __future__ import annotations

import re
from typing import Any

from pydantic.fields import ComputedFieldInfo, FieldInfo


def title(name: str, field: FieldInfo | ComputedFieldInfo | None = None) -> str:
    """``max_parallel_training_jobs`` -> ``Max parallel training jobs``."""
    return name.replace("_", " ").capitalize().replace("Sagemaker", "SageMaker")


def part_title(model: type[Any]) -> str:
    """``WarmStart`` -> ``Warm start``: the tab that stands for a part which may be left out."""
    return title(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", model.__name__))


def unsaid(field: dict[str, Any]) -> None:
    """Make a form leave a field out that nobody touches. It would send the default as if its user had said
    it, and what is said wins over what Autotune would choose."""
    del field["default"]


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
        if isinstance(field.get("default"), dict):
            # A part's fields have defaults of their own; this one would be sent for all of them.
            del field["default"]
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
