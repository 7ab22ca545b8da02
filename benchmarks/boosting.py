"""Early stopping of jobs that end themselves: boosting with a learning rate to tune.

    python benchmarks/boosting.py --curves curves.jsonl [--seeds 20] [--jobs 24] [--workers 2]

Random configurations of the LightGBM and XGBoost recipes' spaces are trained to their own end (20 rounds
without a gain, 500 at most) on two data sets of scikit-learn, each divided into training and validation rows
in one way or two. ``--curves`` keeps what was trained, so that it is trained once. Each policy then judges
the curves, on a real ledger and a simulated clock in which a round takes the same time everywhere.

Prints, by task, the share of rounds saved, that of tunings whose best got worse, and the mean change of
regret (0: the tuning's best job, 1: its median one). Needs lightgbm, xgboost and scikit-learn.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from amt_flows.ledger.history import TrialRow, TrialState
from amt_flows.space.space import Configuration
from amt_flows.spec import TuningSpec
from amt_flows.strategies.random import Random
from benchmarks.kept import keep, read_rows
from benchmarks.stopping import BARE, finished, over

SPECS: Final = Path(__file__).resolve().parent.parent / "examples" / "recipes"
MOST_ROUNDS: Final = 500
PATIENCE: Final = 20
RECIPES: Final = {"LightGBM": "lightgbm_diabetes", "XGBoost": "xgboost_breast_cancer"}
POLICIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "bare document rule": BARE,
    "`Auto`": {"type": "Auto"},
    "`Auto`, `grace_epochs = 100`": {"type": "Auto", "grace_epochs": 100},
}


@dataclass(frozen=True)
class Task:
    library: str
    data: str
    split: int

    @property
    def is_classification(self) -> bool:
        return self.data == "breast cancer"

    @property
    def name(self) -> str:
        return f"{self.library}, {self.data}" + (", second split" if self.split else "")


TASKS: Final = (
    Task("LightGBM", "diabetes", 0),
    Task("XGBoost", "breast cancer", 0),
    Task("LightGBM", "breast cancer", 0),
    Task("XGBoost", "diabetes", 0),
    Task("LightGBM", "diabetes", 1),
    Task("XGBoost", "diabetes", 1),
    Task("XGBoost", "breast cancer", 1),
)


def main() -> None:
    options = _parse()
    kept = {(row["task"], row["seed"], row["jobs"]): row["curves"] for row in read_rows(options.curves)}
    found: dict[str, dict[str, list[tuple[float, float]]]] = {policy: {} for policy in POLICIES}
    for task in TASKS:
        for seed in range(options.seeds):
            key = (task.name, seed, options.jobs)
            if key not in kept:
                kept[key] = [trained(task, one) for one in configurations(task, seed, options.jobs)]
                keep(
                    options.curves,
                    {"task": task.name, "seed": seed, "jobs": options.jobs, "curves": kept[key]},
                )
            for policy, measured in judged(kept[key], options.workers).items():
                found[policy].setdefault(task.name, []).append(measured)
        print(task.name, file=sys.stderr, flush=True)
    print(table(found))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/boosting.py", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--curves", type=Path, help="where curves are kept, and read from")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=24)
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


def configurations(task: Task, seed: int, jobs: int) -> Iterator[Configuration]:
    """Random ones of the recipe's space."""
    space = TuningSpec.load(SPECS / f"{RECIPES[task.library]}.toml").space()
    rows: list[TrialRow] = []
    for trial in range(1, jobs + 1):
        proposal = Random().propose(space, rows, number=trial, seed=seed)
        if proposal is None:
            raise RuntimeError("the space is exhausted")
        rows.append(TrialRow(trial, proposal.configuration, TrialState.PENDING))
        yield proposal.configuration


def trained(task: Task, configuration: Configuration) -> list[float]:
    """The validation loss after each round, and that of the best round once more, which is the model's."""
    from sklearn.datasets import load_breast_cancer, load_diabetes
    from sklearn.model_selection import train_test_split

    load = load_breast_cancer if task.is_classification else load_diabetes
    x, y = load(return_X_y=True)
    rows = train_test_split(x, y, random_state=task.split, stratify=y if task.is_classification else None)
    train = _lightgbm if task.library == "LightGBM" else _xgboost
    curve = train(rows, dict(configuration), task.is_classification)
    return [*curve, min(curve)]


def _lightgbm(rows: list[Any], configuration: dict[str, Any], is_classification: bool) -> list[float]:
    import lightgbm

    train_x, valid_x, train_y, valid_y = rows
    curve: list[float] = []
    data = lightgbm.Dataset(train_x, train_y)
    fixed = {
        "objective": "binary" if is_classification else "regression",
        "metric": "binary_logloss" if is_classification else "rmse",
        "bagging_freq": 1,
        "seed": 0,
        "verbose": -1,
        "num_threads": 1,
    }
    lightgbm.train(
        {**fixed, **configuration},
        data,
        MOST_ROUNDS,
        valid_sets=[data.create_valid(valid_x, valid_y)],
        callbacks=[
            lambda round_: curve.append(float(round_.evaluation_result_list[0][2])),
            lightgbm.early_stopping(PATIENCE, verbose=False),
        ],
    )
    return curve


def _xgboost(rows: list[Any], configuration: dict[str, Any], is_classification: bool) -> list[float]:
    import xgboost

    train_x, valid_x, train_y, valid_y = rows
    metric = "logloss" if is_classification else "rmse"
    told: dict[str, dict[str, list[float]]] = {}
    fixed = {
        "objective": "binary:logistic" if is_classification else "reg:squarederror",
        "eval_metric": metric,
        "seed": 0,
        "nthread": 1,
    }
    xgboost.train(
        {**fixed, **configuration},
        xgboost.DMatrix(train_x, train_y),
        MOST_ROUNDS,
        evals=[(xgboost.DMatrix(valid_x, valid_y), "validation")],
        early_stopping_rounds=PATIENCE,
        evals_result=told,
        verbose_eval=False,
    )
    return [float(value) for value in told["validation"][metric]]


def judged(curves: list[list[float]], workers: int) -> dict[str, tuple[float, float]]:
    """By policy, the share of rounds saved and the change of regret, against nothing stopped."""
    timed = [(curve, [1.0] * len(curve)) for curve in curves]
    base, _ = finished(over(timed, {}), workers, len(curves))
    ends = sorted(curve[-1] for curve in curves)
    measured = {}
    for policy, settings in POLICIES.items():
        run, _ = finished(over(timed, settings), workers, len(curves))
        measured[policy] = 1 - run.cost / base.cost, (run.best - base.best) / (median(ends) - ends[0])
    return measured


def table(found: Mapping[str, Mapping[str, list[tuple[float, float]]]]) -> str:
    """Markdown: saved / tunings spoilt / mean change of regret."""
    lines = [f"| task | {' | '.join(found)} |", "|---" * (1 + len(found)) + "|"]
    tasks = next(iter(found.values()))
    for name in tasks:
        lines.append(f"| {name} | {' | '.join(_cell(by_task[name]) for by_task in found.values())} |")
    everything = [[one for some in by_task.values() for one in some] for by_task in found.values()]
    lines.append(f"| all {len(everything[0])} tunings | {' | '.join(map(_cell, everything))} |")
    return "\n".join(lines)


def _cell(tunings: list[tuple[float, float]]) -> str:
    saved, regret = (fmean(column) for column in zip(*tunings, strict=True))
    spoilt = fmean(change > 1e-9 for _, change in tunings)
    return f"{saved:.1%} / {spoilt:.1%} / {regret:.3f}"


if __name__ == "__main__":
    main()
