"""Reads the values of the SDK's objects without knowing their classes.

The SDK's classes are told apart by their names, since importing them is what is to be avoided.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from amt_flows.errors import Problem

# The one member of AMT's requests whose name isn't made of capitalised words.
_IRREGULAR: Final = {"volume_size_in_gb": "VolumeSizeInGB"}


def is_a(thing: object, name: str) -> bool:
    """Whether ``thing`` is of a class of this name, or of a subclass."""
    return any(kind.__name__ == name for kind in type(thing).__mro__)


def kind_of(thing: object) -> str:
    """The class of a thing, for errors: its representation may hold a whole environment, secrets too."""
    kind = type(thing)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def amt_name(name: str) -> str:
    """AMT's name of a field: ``s3_uri`` is ``S3Uri``."""
    return _IRREGULAR.get(name) or "".join(word.title() for word in name.split("_"))


def without_empty(value: Any) -> Any:
    """The same value without the members that say nothing: empty texts, lists and objects, and False.

    SDK v3 leaves these out of its requests. (It leaves out 0 too, which does say something.)
    """
    if isinstance(value, Mapping):
        kept = {key: without_empty(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner not in ("", [], {}) and inner is not False}
    return [without_empty(inner) for inner in value] if isinstance(value, list) else value


class Reader:
    """Reads values, and collects what is wrong with them instead of stopping at the first.

    ``at`` is always the path by which the SDK's user knows the value, such as ``tuner.strategy``.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def refuse(self, at: str, value: object, message: str) -> None:
        self.problems.append(Problem(at, value, message))

    def get(self, thing: object, name: str, at: str) -> Any:
        """An attribute's plain value; None when it is missing, None or the SDK's ``Unassigned``."""
        return self.plain(getattr(thing, name, None), f"{at}.{name}")

    def plain(self, value: Any, at: str) -> Any:
        """Strings, numbers, lists, and objects with AMT's names, without the members that are unset."""
        if value is None or is_a(value, "Unassigned"):
            return None
        if is_a(value, "PipelineVariable"):
            self.refuse(at, kind_of(value), "is known only when the pipeline runs; give the value itself")
            return None
        if isinstance(value, Enum):
            return self.plain(value.value, at)
        if isinstance(value, str | bool | int | float):
            return value
        if isinstance(value, Mapping):
            return self._set({key: self.plain(inner, f"{at}.{key}") for key, inner in value.items()})
        if isinstance(value, list | tuple):
            return [self.plain(inner, f"{at}[{i}]") for i, inner in enumerate(value)]
        if callable(getattr(value, "to_input_req", None)):  # v2's parts of a request write themselves
            return self.plain(value.to_input_req(), at)
        if not callable(value) and hasattr(value, "__dict__"):
            return self._set(
                {
                    amt_name(name): self.plain(inner, f"{at}.{name}")
                    for name, inner in vars(value).items()
                    if not name.startswith("_")
                }
            )
        self.refuse(at, kind_of(value), "can't be read; give a value or an object of the SageMaker SDK")
        return None

    def text(self, value: object, at: str) -> str:
        """A hyperparameter's value as the SDK writes it: by ``str``, also True and mappings."""
        if is_a(value, "PipelineVariable"):  # has no text, and raises when asked for it
            self.plain(value, at)
            return ""
        return str(value)

    @staticmethod
    def _set(members: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in members.items() if value is not None}
