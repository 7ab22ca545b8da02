"""The set of known good starts: ``known_starts.json`` beside this file, as values.

It is made by ``benchmarks/known_starts/make.py``, which says how, from data whose source stands with each
algorithm. Where no data could be had, an algorithm has the default of its documentation alone
(``documented_default_alone``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from amt_flows.space.space import Value

FILE: Final = Path(__file__).with_name("known_starts.json")


@dataclass(frozen=True)
class Meaning:
    """One hyperparameter. ``names``: all that it is called, in small letters and underscores. A range that
    isn't within ``least`` and ``most`` is that of another thing; both are None for words. ``logarithmic``:
    values are alike by their ratio."""

    names: frozenset[str]
    least: float | None
    most: float | None
    logarithmic: bool

    @property
    def of_words(self) -> bool:
        return self.least is None or self.most is None


@dataclass(frozen=True)
class Known:
    """One algorithm: how it is recognised (see :mod:`amt_flows.tuning.starts.recognition`), and its
    configurations, best first, by the keys of ``meanings``; one may lack hyperparameters that mean nothing
    beside its others. A mark's hyperparameter with ``=`` before it must be called so. ``otherwise`` holds the
    words on which all else depends, as the library takes them where nothing is said."""

    name: str
    meanings: Mapping[str, Meaning]
    marks: tuple[frozenset[str], ...]
    libraries: tuple[str, ...]
    calls: frozenset[str]
    images: tuple[str, ...]
    otherwise: Mapping[str, str]
    source: str
    documented_default_alone: bool
    configurations: tuple[Mapping[str, Value], ...]


@dataclass(frozen=True)
class KnownSet:
    version: str
    algorithms: tuple[Known, ...]


@cache
def known_set() -> KnownSet:
    """That of this amt-flows."""
    content = json.loads(FILE.read_text(encoding="utf-8"))
    return KnownSet(content["version"], tuple(map(_known, content["algorithms"])))


def _known(entry: Mapping[str, Any]) -> Known:
    return Known(
        entry["name"],
        {name: _meaning(name, list(given)) for name, given in entry["hyperparameters"].items()},
        tuple(map(frozenset, entry["marks"])),
        tuple(entry["libraries"]),
        frozenset(entry["calls"]),
        tuple(entry["images"]),
        entry["otherwise"],
        entry["source"],
        entry["documented_default_alone"],
        tuple(entry["configurations"]),
    )


def _meaning(name: str, given: list[Any]) -> Meaning:
    """``[least, most, scale, other names ...]``, or ``["choice", other names ...]``."""
    least = most = None
    if given[0] != "choice":
        least, most, *given = given
    scale, *others = given
    return Meaning(frozenset({name.lower(), *others}), least, most, scale == "log")
