"""Response tables: what random configurations of an algorithm came to on many public data sets.

They are the scores of YAHPO Gym's surrogates (Pfisterer et al. 2022, "YAHPO Gym"; Apache-2.0), which were
fitted to runs on OpenML's data sets (Vanschoren et al. 2014; data CC-BY). The files are not in the tree: they
hold, for ``c`` configurations and ``d`` data sets, ``configs`` (JSON texts), ``datasets`` (OpenML's numbers),
``score`` (shape ``(d, c)``, higher is better), ``space`` (JSON texts) and ``target``, the metric's name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from amt_flows.space.space import Categorical, Condition, Configuration, Continuous, Integer, Scaling, Space

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    configurations: tuple[dict[str, Any], ...]
    data_sets: tuple[str, ...]
    score: Array
    space: Space
    metric: str

    @classmethod
    def read(cls, path: Path) -> Table:
        with np.load(path, allow_pickle=False) as file:
            return cls(
                tuple(json.loads(str(text)) for text in file["configs"]),
                tuple(str(one) for one in file["datasets"]),
                np.asarray(file["score"], dtype=np.float64),
                _space([json.loads(str(text)) for text in file["space"]]),
                str(file["target"]),
            )

    @cached_property
    def regrets(self) -> Array:
        """Shape ``(d, c)``: 0 for the best configuration on a data set, 1 for the median one."""
        return normalised(-self.score)

    @cached_property
    def places(self) -> Array:
        """The configurations in the unit cube, shape ``(c, n)``."""
        return np.array([self.space.encode(one) for one in self.configurations])

    def surrogate(self, data_set: int) -> Surrogate:
        return Surrogate(self, data_set)


class Surrogate:
    """The regret of any configuration on one data set: a forest fitted to the table."""

    def __init__(self, table: Table, data_set: int) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        self.table = table
        # The rank beside the regret would hide how flat the top is: regrets, without their far end.
        self._forest = ExtraTreesRegressor(60, min_samples_leaf=1, random_state=data_set, n_jobs=1)
        self._forest.fit(table.places, np.minimum(table.regrets[data_set], 3.0))

    def regret(self, configuration: Configuration) -> float:
        return float(self._forest.predict(self.table.space.encode(configuration)[None, :])[0])


def normalised(losses: Array) -> Array:
    """Losses (shape ``(d, c)``, infinite where training failed) as regrets: the least of a row becomes 0, its
    median 1."""
    best = losses.min(axis=1, keepdims=True)
    middle = np.median(losses, axis=1, keepdims=True)
    spread = np.where(middle > best, middle - best, 1.0)
    return np.asarray((losses - best) / spread)


def _space(described: list[dict[str, Any]]) -> Space:
    conditions = [
        Condition(one["name"], one["only_when"][0], tuple(one["only_when"][1]))
        for one in described
        if one["only_when"]
    ]
    return Space(tuple(_parameter(one) for one in described), tuple(conditions))


def _parameter(one: dict[str, Any]) -> Continuous | Integer | Categorical:
    scaling = Scaling.LOGARITHMIC if one["log"] else Scaling.LINEAR
    if one["kind"] == "cat":
        return Categorical(one["name"], tuple(one["choices"]))
    if one["kind"] == "int":
        return Integer(one["name"], int(one["lower"]), int(one["upper"]), scaling)
    return Continuous(one["name"], float(one["lower"]), float(one["upper"]), scaling)
