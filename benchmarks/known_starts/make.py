"""Makes the set of known good starts, ``amt_flows/tuning/starts/known_starts.json``.

    python -m benchmarks.known_starts.pool --tables DIR --out pool.jsonl
    python -m benchmarks.known_starts.make --tables DIR --pool pool.jsonl

``algorithms.toml`` says how each algorithm is recognised, and which of two sources its configurations are
chosen from: a response table below ``--tables`` (see ``tables.py``; YAHPO Gym's data,
https://github.com/slds-lmu/yahpo_gym) and the real training of ``pool.py``. Where both are given, they weigh
the same."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.kept import read_rows
from benchmarks.known_starts.greedy import greedy
from benchmarks.known_starts.tables import Array, Table, normalised

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE: Final = Path(__file__).resolve().parent
OUT: Final = HERE.parents[1] / "amt_flows" / "tuning" / "starts" / "known_starts.json"
VERSION: Final = "1"
COUNT: Final = 8
TABLE_WEIGHT: Final = 2.0
DIGITS: Final = 3
NO_LIMIT: Final = 64

Settings = dict[str, Any]


def described() -> list[dict[str, Any]]:
    """What ``algorithms.toml`` says, with what it leaves out."""
    content = tomllib.loads((HERE / "algorithms.toml").read_text(encoding="utf-8"))
    empty: dict[str, Any] = {"libraries": [], "calls": [], "images": [], "marks": [], "otherwise": {}}
    return [{**empty, **one} for one in content["algorithms"]]


def chosen_from_table(table: Table, without: Sequence[int] = (), count: int = COUNT) -> list[Settings]:
    """Those of a table alone. ``without`` are places of data sets that must not be looked at."""
    kept = [k for k in range(len(table.data_sets)) if k not in without]
    picked = greedy(table.regrets[kept], np.ones(len(kept)), count)
    return [dict(table.configurations[k]) for k in picked]


def chosen_from_training(
    rows: Sequence[Mapping[str, Any]], table: Table | None = None, count: int = COUNT
) -> list[Settings]:
    """Those of a pool, of one algorithm, and of its table beside it if there is one."""
    candidates = [dict(row["settings"]) for row in rows]
    losses = [[row["losses"][on][metric] for row in rows] for on, metric in _measures(rows)]
    trained = normalised(_finite(np.array(losses, dtype=np.float64)))
    regrets, weights = trained, np.full(len(trained), 1 / len(trained))
    if table is not None:
        whole = [_completed(one, table) for one in candidates]
        candidates = [dict(one) for one in whole]
        of_table = np.array(
            [
                [surrogate.regret(one) for one in whole]
                for surrogate in map(table.surrogate, range(len(table.data_sets)))
            ]
        )
        regrets = np.vstack([regrets, of_table])
        weights = np.concatenate([weights, np.full(len(of_table), TABLE_WEIGHT / len(of_table))])
    return [candidates[k] for k in greedy(regrets, weights, count)]


def _measures(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(on, metric) for on, found in rows[0]["losses"].items() for metric in found]


def _finite(losses: Array) -> Array:
    """A model that couldn't be trained counts as the worst that could."""
    worst = np.where(np.isfinite(losses), losses, -np.inf).max(axis=1, keepdims=True)
    return np.where(np.isfinite(losses), losses, worst)


def _completed(settings: Settings, table: Table) -> Settings:
    """As the table has it: the configuration that it was taken from, or with what the library takes."""
    for one in table.configurations:
        if one.keys() >= settings.keys() and all(one[name] == value for name, value in settings.items()):
            return dict(one)
    given = {"booster": "gbtree", "colsample_bylevel": 1.0, IMPUTATION: "impute.mean", **settings}
    return table.space.used({p.name: given[p.name] for p in table.space.parameters if p.name in given})


def _rounded(settings: Settings) -> Settings:
    return {
        # LightGBM's -1 is no limit: more than any range has.
        name: NO_LIMIT
        if (name, value) == ("max_depth", -1)
        else float(f"{value:.{DIGITS}g}")
        if isinstance(value, float)
        else value
        for name, value in settings.items()
    }


IMPUTATION: Final = "num.impute.selected.cpo"
RENAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "iaml_glmnet": {"alpha": "mixture"},
    "rbv2_xgboost": {IMPUTATION: "imputation"},
    "rbv2_rpart": {IMPUTATION: "imputation"},
}


def entry(one: Mapping[str, Any], tables: Path, pool: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    table = Table.read(tables / f"{one['table']}.npz") if "table" in one else None
    rows = [row for row in pool if row["algorithm"] == one.get("training")]
    if "training" in one and not rows:
        raise SystemExit(f"the pool has no candidates of {one['training']}: run pool.py for it")
    if rows:
        found = chosen_from_training(rows, table)
    elif table is not None:
        found = chosen_from_table(table)
    else:
        found = [dict(one["defaults"])]
    names, constants = RENAMED.get(one.get("table", ""), {}), one.get("constants", {})
    renamed = [{names.get(name, name): value for name, value in each.items()} for each in found]
    described_by = ("name", "libraries", "calls", "images", "marks", "otherwise", "source")
    return {
        **{key: one[key] for key in described_by},
        "documented_default_alone": table is None and not rows,
        "hyperparameters": one["hyperparameters"],
        "configurations": [{**_rounded(each), **constants} for each in renamed],
    }


def text_of(entries: Sequence[Mapping[str, Any]]) -> str:
    """JSON with a line for each hyperparameter and each configuration."""
    parts = []
    for one in entries:
        head = [
            f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in one.items() if key not in _LONG
        ]
        meanings = [f"      {json.dumps(k)}: {json.dumps(v)}" for k, v in one["hyperparameters"].items()]
        lines = [f"      {json.dumps(c)}" for c in one["configurations"]]
        head.append('    "hyperparameters": {\n' + ",\n".join(meanings) + "\n    }")
        head.append('    "configurations": [\n' + ",\n".join(lines) + "\n    ]")
        parts.append("  {\n" + ",\n".join(head) + "\n  }")
    return f'{{\n"version": {json.dumps(VERSION)},\n"algorithms": [\n' + ",\n".join(parts) + "\n]\n}\n"


_LONG: Final = ("hyperparameters", "configurations")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tables", type=Path, required=True)
    parser.add_argument("--pool", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    pool = read_rows(arguments.pool)
    entries = [entry(one, arguments.tables, pool) for one in described()]
    arguments.out.write_text(text_of(entries), encoding="utf-8")
    for one in entries:
        print(one["name"], len(one["configurations"]))


if __name__ == "__main__":
    main()
