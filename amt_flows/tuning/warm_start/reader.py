"""From the name of a parent to the parent, through the places that a shell knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from amt_flows.errors import TuningJobNotFound
from amt_flows.spec import TuningSpec
from amt_flows.spec.parts import is_table
from amt_flows.tuning.warm_start.parent import KnowsEarlier, Parent, Reader, Searched
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

    return read if not isinstance(otherwise, KnowsEarlier) else ReadingEarlier(read, otherwise.earlier)


@dataclass(frozen=True)
class ReadingEarlier:
    """A reader of parents, and a finder of those that nobody names."""

    read: Reader
    find: Callable[[TuningSpec], Searched]

    def __call__(self, name: str) -> Parent:
        return self.read(name)

    def earlier(self, like: TuningSpec) -> Searched:
        return self.find(like)


def remembered(read: Reader) -> Reader:
    """The same, and nothing is read twice."""
    once = cache(read)
    if not isinstance(read, KnowsEarlier):
        return once
    find, found = read.earlier, list[Searched]()

    def earlier(like: TuningSpec) -> Searched:
        if not found:
            found.append(find(like))
        return found[0]

    return ReadingEarlier(once, earlier)


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


def read_parent(spec: TuningSpec, name: str, read: Reader | None) -> Parent:
    """A parent that ``spec`` names: the path of a CSV file is read here, a tuning job's name by ``read``.
    Raises SpecError, TuningJobNotFound, and whatever else ``read`` does."""
    if is_table(name):
        return parent_from_frame(name, spec)
    if read is None:
        raise not_found(name)
    return read(name)


def not_found(name: str) -> TuningJobNotFound:
    return TuningJobNotFound(
        f"There is no tuning job {name} to start from.",
        remedy="check the name; tuning jobs of another home or region can't be seen from here",
    )
