"""What the known good starts are worth: cold, the library's default first, and the known starts first.

    python -m benchmarks.known_starts --tables DIR --out runs.jsonl
    python -m benchmarks.known_starts --training --out runs.jsonl

Four workers on a simulated clock. The mean regret after 10, 20 (50, ``--jobs``) training jobs, where 0 is the
best that anybody found on a task and 1 the median of random configurations; and the difference to cold with
its 90 % bootstrap interval over tasks and seeds.

``--tables``: response tables (see ``tables.py``), a data set at a time, which the starts were not chosen
from: they are chosen anew from the others. The function is a forest fitted to the table, which flatters
whoever starts well.

``--training``: real training (``training.py``) on data that nothing was chosen from, small and noisy ones
among them, by metrics of which some were not looked at; with the set as it is, recognised by the names of the
hyperparameters. The variants ``mirrored`` and ``mirrored known`` are the same tasks on spaces whose names
mislead: every number is read from the other end of its range, every choice from the other end of the list, so
that what is known is good nowhere.

``cold, whole`` is cold with an initial design of which the model has no part (as before 2026-11-29)."""

from __future__ import annotations

import argparse
import heapq
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from amt_flows.events import Start
from amt_flows.ledger.history import TrialRow, TrialState
from amt_flows.space.space import Configuration, Space, configuration_key
from amt_flows.spec import TuningSpec
from amt_flows.strategies.bayesian import Bayesian
from amt_flows.tuning.starts import starts_of
from amt_flows.tuning.starts.fitting import fitted
from amt_flows.tuning.starts.known_set import Known, known_set
from amt_flows.tuning.starts.recognition import Recognised, own_name
from amt_flows.tuning.starts.starting import MOST, SHARE
from amt_flows.tuning.starts.turns import next_start
from benchmarks.kept import interval, keep, read_rows
from benchmarks.known_starts.make import RENAMED, chosen_from_table, described
from benchmarks.known_starts.tables import Table
from benchmarks.known_starts.training import LEARNERS, Learner, losses

WORKERS: Final = 4
WHOLE: Final = "cold, whole"
COMPARED: Final = (
    ("cold", WHOLE),
    ("default", "cold"),
    ("known", "cold"),
    ("mirrored known", "mirrored"),
)
DRAWS: Final = 40
SPREAD: Final = 0.3
"""Of the logarithm of how long training jobs last."""
TABLES: Final = ("rbv2_xgboost", "lcbench", "rbv2_rpart", "iaml_glmnet")
TASKS: Final = (
    ("xgboost", "noisy iris", "log-loss"),
    ("xgboost", "tiny classes", "error"),
    ("xgboost", "friedman 2", "RMSE"),
    ("xgboost", "noisy odd digits", "log-loss"),
    ("lightgbm", "hastie", "log-loss"),
    ("lightgbm", "sparse", "RMSE"),
    ("lightgbm", "tiny classes", "log-loss"),
    ("random forest", "quantiles", "log-loss"),
    ("random forest", "friedman 2", "MAE"),
    ("gradient boosting", "moons", "log-loss"),
    ("gradient boosting", "noisy iris", "error"),
    ("decision tree", "noisy odd digits", "log-loss"),
    ("decision tree", "hastie", "error"),
    ("support vector machine", "moons", "log-loss"),
    ("support vector machine", "noisy iris", "error"),
    ("support vector machine", "friedman 2", "RMSE"),
    ("logistic regression", "tiny classes", "log-loss"),
    ("elastic net", "sparse", "RMSE"),
    ("nearest neighbours", "quantiles", "log-loss"),
    ("neural network", "moons", "log-loss"),
)


@dataclass(frozen=True)
class Task:
    """``starts`` by the name of a variant."""

    name: str
    space: Space
    loss: Callable[[Configuration], float]
    starts: Mapping[str, Sequence[Configuration]]
    best: float
    middle: float


def run(task: Task, variant: str, jobs: int, seed: int) -> list[float]:
    """The losses in the order in which training jobs end."""
    starts = [Start(one, "known start", "") for one in task.starts[variant]]
    strategy, chance = Bayesian(shares_design=variant != WHOLE), np.random.default_rng([seed, 5])
    history: list[TrialRow] = []
    running: list[tuple[float, int]] = []
    ended: list[float] = []
    now = 0.0
    while len(ended) < jobs:
        while len(running) < WORKERS and len(history) < jobs:
            number = len(history) + 1
            start = next_start(starts, task.space, history)
            if start is not None:
                configuration = start.configuration
            else:
                proposal = strategy.propose(task.space, history, number=number, seed=seed)
                if proposal is None:
                    break
                configuration = proposal.configuration
            is_start = start is not None
            history.append(TrialRow(number, configuration, TrialState.PENDING, is_start=is_start))
            heapq.heappush(running, (now + math.exp(SPREAD * chance.normal()), number))
        if not running:
            break
        now, number = heapq.heappop(running)
        loss = task.loss(history[number - 1].configuration)
        state = TrialState.COMPLETED if math.isfinite(loss) else TrialState.FAILED
        usable = loss if math.isfinite(loss) else None
        history[number - 1] = replace(history[number - 1], state=state, loss=usable)
        ended.append(loss)
    return ended


# -- response tables --------------------------------------------------------------------------------------


def table_tasks(name: str, tables: Path, most: int, jobs: int) -> Iterator[Task]:
    table = Table.read(tables / f"{name}.npz")
    one = next(one for one in described() if one.get("table") == name)
    known = next(known for known in known_set().algorithms if known.name == one["name"])
    some = np.random.default_rng(1).permutation(len(table.data_sets))[:most]
    for at in map(int, some):
        surrogate = table.surrogate(at)
        count = min(MOST, jobs // SHARE)
        chosen = chosen_from_table(table, without=[at])
        drawn = [surrogate.regret(configuration) for configuration in table.configurations[:300]]
        yield Task(
            f"{name}:{table.data_sets[at]}",
            table.space,
            surrogate.regret,
            {
                "cold": (),
                WHOLE: (),
                "default": _fitted(table.space, known, [one["defaults"]], RENAMED.get(name, {}), 1),
                "known": _fitted(table.space, known, chosen, RENAMED.get(name, {}), count),
            },
            min(drawn),
            float(np.median(drawn)),
        )


def _fitted(
    space: Space,
    known: Known,
    configurations: Iterable[Mapping[str, Any]],
    renamed: Mapping[str, str],
    count: int,
) -> list[dict[str, Any]]:
    named = [{renamed.get(k, k): v for k, v in one.items()} for one in configurations]
    meaning = {name: own for name in space.names if (own := own_name(known, name)) is not None}
    found = Recognised(replace(known, configurations=tuple(named)), meaning, "the benchmark")
    return fitted(found, space, {}, count)


# -- real training ----------------------------------------------------------------------------------------


def training_tasks(jobs: int, only: Sequence[str]) -> Iterator[Task]:
    for name, on, metric in TASKS:
        if only and name not in only:
            continue
        learner = LEARNERS[name]
        space = spec_of(learner, jobs).space()
        evaluate = _evaluate(name, on, metric)
        rng = np.random.default_rng(3)
        drawn = [evaluate(space.decode(rng.random(space.dimension))) for _ in range(DRAWS)]
        finite = [one for one in drawn if math.isfinite(one)]
        asked = spec_of(learner, jobs)
        known = [one.configuration for one in starts_of(asked, asked).configurations]
        if not known:
            raise SystemExit(f"{name} is not recognised by its names")
        entry = _entry(name)
        default = _fitted(space, entry, [learner.defaults], {}, 1)
        yield Task(
            f"{name}:{on}:{metric}",
            space,
            evaluate,
            {"cold": (), WHOLE: (), "default": default, "known": known},
            min(finite),
            float(np.median(finite)),
        )
        yield Task(
            f"{name}:{on}:{metric}:mirrored",
            space,
            _misled(space, evaluate),
            {"mirrored": (), "mirrored known": known},
            min(finite),
            float(np.median(finite)),
        )


def _entry(training: str) -> Known:
    name = next(one["name"] for one in described() if one.get("training") == training)
    return next(known for known in known_set().algorithms if known.name == name)


def spec_of(learner: Learner, jobs: int) -> TuningSpec:
    """A tuning job of a learner, over its own ranges."""
    ranges: dict[str, list[dict[str, Any]]] = {"continuous": [], "integer": [], "categorical": []}
    for name, (kind, *ends) in learner.space.items():
        if isinstance(kind, tuple):
            ranges["categorical"].append({"name": name, "values": list(kind)})
            continue
        scaling = "Logarithmic" if "log" in ends else "Linear"
        field = "integer" if kind is int else "continuous"
        ranges[field].append(
            {"name": name, "min_value": ends[0], "max_value": ends[1], "scaling_type": scaling}
        )
    return TuningSpec(
        objective={"metric_name": "loss", "type": "Minimize"},
        limits={"max_number_of_training_jobs": jobs, "max_parallel_training_jobs": WORKERS},
        training_job={"command": ["train"]},
        **ranges,
    )


@lru_cache(None)
def _evaluate(name: str, on: str, metric: str) -> Callable[[Configuration], float]:
    seen: dict[str, float] = {}
    learner = LEARNERS[name]

    def evaluate(configuration: Configuration) -> float:
        key = configuration_key(configuration)
        if key not in seen:
            settings = {k: _own(learner, k, value) for k, value in configuration.items()}
            seen[key] = losses(learner, settings, on)[metric]
        return seen[key]

    return evaluate


def _own(learner: Learner, name: str, value: Any) -> Any:
    """A choice as the learner has it."""
    kind = learner.space[name][0]
    return next((one for one in kind if str(one) == value), value) if isinstance(kind, tuple) else value


def _misled(space: Space, evaluate: Callable[[Configuration], float]) -> Callable[[Configuration], float]:
    return lambda configuration: evaluate(_mirrored(space, configuration))


def _mirrored(space: Space, configuration: Configuration) -> dict[str, Any]:
    return space.decode(1.0 - np.minimum(space.encode(configuration), 1 - 1e-9))


# -- the report -------------------------------------------------------------------------------------------


def report(rows: Sequence[Mapping[str, Any]], after: Sequence[int]) -> Iterator[str]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    for group, own in groups.items():
        regrets = _regrets(own, after)
        yield f"\n{group}"
        yield f"{'':16}" + "".join(f"{f'after {k}':>10}" for k in after) + "   runs"
        for variant, found in regrets.items():
            means = np.mean(list(found.values()), axis=0)
            yield f"{variant:16}" + "".join(f"{mean:10.3f}" for mean in means) + f"{len(found):7}"
        for variant, base in COMPARED:
            pairs = sorted(regrets.get(variant, {}).keys() & regrets.get(base, {}).keys())
            if not pairs:
                continue
            gaps = np.array([np.subtract(regrets[variant][one], regrets[base][one]) for one in pairs])
            low, high = interval(gaps)
            cells = ", ".join(
                f"{k} jobs {mean:+.3f} [{a:+.3f}, {b:+.3f}]"
                for k, mean, a, b in zip(after, gaps.mean(axis=0), low, high, strict=True)
            )
            yield f"{variant} - {base}: {cells}"


def _regrets(
    rows: Sequence[Mapping[str, Any]], after: Sequence[int]
) -> dict[str, dict[tuple[str, int], list[float]]]:
    lowest: dict[str, float] = {}
    for row in rows:
        task = row["task"].removesuffix(":mirrored")
        lowest[task] = min(lowest.get(task, math.inf), row["best"], *row["losses"])
    found: dict[str, dict[tuple[str, int], list[float]]] = {}
    for row in rows:
        task = row["task"].removesuffix(":mirrored")
        best, middle = lowest[task], row["middle"]
        so_far = np.minimum.accumulate(row["losses"])
        spread = middle - best if middle > best else 1.0
        values = [float(min((so_far[min(k, len(so_far)) - 1] - best) / spread, 10.0)) for k in after]
        found.setdefault(row["variant"], {})[task, row["seed"]] = values
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tables", type=Path)
    parser.add_argument("--training", action="store_true")
    parser.add_argument("--algorithms", default="")
    parser.add_argument("--data-sets", type=int, default=6, help="Of each table.")
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    only = [word for word in arguments.algorithms.split(",") if word]
    rows = [row for row in read_rows(arguments.out) if row["jobs"] == arguments.jobs]
    done = {(row["task"], row["variant"], row["seed"]) for row in rows}
    for group, task in _tasks(arguments, only):
        for seed in map(int, arguments.seeds.split(",")):
            for variant in task.starts:
                if (task.name, variant, seed) in done:
                    continue
                ended = run(task, variant, arguments.jobs, seed)
                row = {
                    "group": group,
                    "task": task.name,
                    "variant": variant,
                    "seed": seed,
                    "jobs": arguments.jobs,
                    "losses": ended,
                    "best": task.best,
                    "middle": task.middle,
                }
                rows.append(row)
                keep(arguments.out, row)
    after = {k for k in (10, 20, 50, arguments.jobs) if k <= arguments.jobs}
    print("\n".join(report(rows, sorted(after))))


def _tasks(arguments: argparse.Namespace, only: Sequence[str]) -> Iterator[tuple[str, Task]]:
    if arguments.tables is not None:
        for name in TABLES:
            if not only or name in only:
                for task in table_tasks(name, arguments.tables, arguments.data_sets, arguments.jobs):
                    yield name, task
    if arguments.training:
        for task in training_tasks(arguments.jobs, only):
            yield "real training", task


if __name__ == "__main__":
    main()
