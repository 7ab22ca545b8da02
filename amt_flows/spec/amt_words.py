"""Problems of a spec that was read from a request body, as problems of that body."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from amt_flows.errors import Problem
from amt_flows.spec.amt_fields import SEVERAL, Algorithm, Place, table
from amt_flows.spec.dotted import steps_of


class AmtsWords:
    """Translates for a body with these algorithms, of which ``own`` was read.

    Fields become AMT's paths; so do names in a message that stand in backticks, where AMT has them.
    """

    def __init__(self, algorithms: Sequence[Algorithm], own: Mapping[str, Any]) -> None:
        self._algorithms = algorithms
        self._places = table(algorithms)
        self._own = own
        self._leaves = {
            item.own: item.amt for place in self._places for item in (place, *place.items) if item.own
        }

    def problems(self, problems: Sequence[Problem]) -> list[Problem]:
        return [Problem(self._path(p.field), p.value, self._message(p.message)) for p in problems]

    def _message(self, message: str) -> str:
        return re.sub(r"`([^`]+)`", lambda match: f"`{self._name(match[1])}`", message)

    def _name(self, name: str) -> str:
        return self._leaves.get(name) or self._path(name)

    def _path(self, field: str) -> str:
        for place in self._places:
            if field == place.own or field.startswith((f"{place.own}.", f"{place.own}[")):
                return place.amt + self._within(place, field[len(place.own) :])
        for where in self._algorithms:
            verbatim = f"{where.own}training_job.sagemaker"
            if field == verbatim or field.startswith(f"{verbatim}."):
                return where.definition + field[len(verbatim) :]
            if field == where.own.rstrip("."):
                return where.definition
        return self._object(field)

    def _within(self, place: Place, rest: str) -> str:
        if place.own == "tags" and rest:
            return f"[{list(self._own['tags']).index(rest[1:])}].Value"
        match = re.match(r"(\[\d+\])\.?(\w*)(.*)", rest)
        if not place.items or match is None:
            return rest
        index, name, further = match.groups()
        member = next((item.amt for item in place.items if item.own == name), name)
        return f"{index}.{member}{further}" if member else index + further

    def _object(self, field: str) -> str:
        """AMT's object that holds what ``field`` holds."""
        if field == "other_definitions":
            return SEVERAL
        for place in self._places:
            if place.own.startswith(f"{field}."):
                levels = len(steps_of(place.own)) - len(steps_of(field))
                return ".".join(place.amt.split(".")[:-levels])
        return field
