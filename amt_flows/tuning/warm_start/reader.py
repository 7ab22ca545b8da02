"""From the name of a parent to the parent, through the places that a shell knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from amt_flows.errors import TuningJobNotFound
from amt_flows.spec import TuningSpec
from amt_flows.tuning.warm_start.parent import Parent, Reader
from amt_flows.tuning.warm_start.table import Table, parent_from_frame


def reader(spec: TuningSpec, given: Mapping[str, Parent | Table], otherwise: Reader | None = None) -> Reader:
    """A reader of parents given from Python, by the names that the spec has for them: data frames and paths
    (see :func:`parent_from_frame`), or parents as they are. Other names are looked up by ``otherwise``."""

    def read(name: str) -> Parent:
        found = given.get(name)
        if isinstance(found, Parent):
            return found
        if found is not None:
            return parent_from_frame(found, spec, name=name)
        if otherwise is not None:
            return otherwise(name)
        raise not_found(name)

    return read


def first_of(*readers: Callable[[str], Parent]) -> Reader:
    """A reader that asks each in turn, until one knows the name. Raises the last one's TuningJobNotFound."""

    def read(name: str) -> Parent:
        error = not_found(name)
        for ask in readers:
            try:
                return ask(name)
            except TuningJobNotFound as unknown:
                error = unknown
        raise error

    return read


def not_found(name: str) -> TuningJobNotFound:
    return TuningJobNotFound(
        f"There is no tuning job {name} to start from.",
        remedy="check the name; tuning jobs of another home or region can't be seen from here",
    )
