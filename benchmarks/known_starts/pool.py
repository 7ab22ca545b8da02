"""What real training says of candidates for the set: each is trained on every data set of ``MADE_FROM``.

    python -m benchmarks.known_starts.pool --tables DIR --out pool.jsonl [--algorithms xgboost,lightgbm]

``--out`` keeps what is done: a run that is cut goes on there. The candidates of XGBoost come in part from its
response table below ``--tables``, so that their results there are known as well.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.kept import keep, read_rows
from benchmarks.known_starts.greedy import greedy
from benchmarks.known_starts.tables import Table
from benchmarks.known_starts.training import LEARNERS, MADE_FROM, losses

CANDIDATES: Final = 32
LONGEST: Final = 2000
LONGEST_DART: Final = 200
"""Rounds of boosting."""


def candidates(algorithm: str, tables: Path) -> Iterator[dict[str, Any]]:
    """The library's defaults, what is good in a response table, and random ones."""
    learner, rng = LEARNERS[algorithm], np.random.default_rng(0)
    yield dict(learner.defaults)
    if algorithm == "xgboost":
        yield from _of_the_table(Table.read(tables / "rbv2_xgboost.npz"), CANDIDATES // 2)
    for _ in range(CANDIDATES // 2 if algorithm == "xgboost" else CANDIDATES):
        yield learner.drawn(rng)


def _of_the_table(table: Table, count: int) -> Iterator[dict[str, Any]]:
    """Those that would be chosen from the table alone, and beyond; without long runs of `dart`, whose time
    grows with the square of its rounds."""
    quick = [
        k
        for k, one in enumerate(table.configurations)
        if one["nrounds"] <= (LONGEST if one["booster"] != "dart" else LONGEST_DART)
    ]
    for index in greedy(table.regrets[:, quick], np.ones(len(table.data_sets)), count):
        one = table.configurations[quick[index]]
        yield {name: value for name, value in one.items() if not name.startswith("num.impute")}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tables", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--algorithms", default=",".join(LEARNERS))
    arguments = parser.parse_args()
    done = {(row["algorithm"], json.dumps(row["settings"])) for row in read_rows(arguments.out)}
    for algorithm in arguments.algorithms.split(","):
        for settings in candidates(algorithm, arguments.tables):
            if (algorithm, json.dumps(settings)) in done:
                continue
            found = {on: losses(LEARNERS[algorithm], settings, on) for on in MADE_FROM}
            keep(arguments.out, {"algorithm": algorithm, "settings": settings, "losses": found})
        print(algorithm, flush=True)


if __name__ == "__main__":
    main()
