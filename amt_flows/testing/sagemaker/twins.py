"""What moto keeps of the things that are simulated here, so that both are one world.

Moto's dictionaries hold a twin of everything that was made through the simulated service: its Search, its
resource tagging API and its CloudFormation find it there. What moto made by itself, as CloudFormation does,
is found there too, and taken over: from then on it is one of ours, with a twin.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from moto.sagemaker.models import sagemaker_backends

from amt_flows.testing.sagemaker.calls import Place


class Tagged(Protocol):
    """Something with tags."""

    tags: list[dict[str, str]]

    @property
    def arn(self) -> str: ...


class Twin:
    """An object as moto wants to find it. Its attributes are the members that Describe tells, spelled as
    moto spells them (``model_name``), and None for those that it doesn't tell."""

    def __init__(self, thing: Tagged, describe: Callable[[], Mapping[str, Any]]) -> None:
        self._thing, self._describe = thing, describe

    @property
    def arn(self) -> str:
        return self._thing.arn

    @property
    def tags(self) -> list[dict[str, str]]:
        return self._thing.tags

    @tags.setter
    def tags(self, tags: list[dict[str, str]]) -> None:
        self._thing.tags = tags

    @property
    def response_object(self) -> dict[str, Any]:
        # Moto's CloudFormation reads this member of a configuration, whether or not there is any.
        return {"DataCaptureConfig": {}, **self._describe()}

    def gen_response_object(self) -> dict[str, Any]:
        return dict(self._describe())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._describe().get("".join(part.capitalize() for part in name.split("_")))


@dataclass(frozen=True)
class Shelf:
    """One of moto's dictionaries: where it keeps things of a kind."""

    attribute: str

    def at(self, place: Place) -> dict[str, Any]:
        account, region = place
        found: dict[str, Any] = getattr(sagemaker_backends[account][region], self.attribute)
        return found

    def put(self, place: Place, key: str, thing: Tagged, describe: Callable[[], Mapping[str, Any]]) -> None:
        self.at(place)[key] = Twin(thing, describe)

    def remove(self, place: Place, key: str) -> None:
        self.at(place).pop(key, None)

    def strangers(self, place: Place) -> Iterator[tuple[str, Any]]:
        """What moto made by itself since the last look."""
        yield from [(key, one) for key, one in self.at(place).items() if not isinstance(one, Twin)]

    def lacks(self, place: Place, key: str) -> bool:
        """Whether moto has removed a thing of ours."""
        return key not in self.at(place)


def told_by_moto(thing: Any) -> dict[str, Any]:
    """The members of one of moto's own objects, without those that nobody asked for."""
    found = {}
    for name, value in vars(thing).items():
        if value not in (None, {}, []):
            found[re.sub(r"(^|_)([a-z])", lambda part: part[2].upper(), name)] = value
    return found
