"""What preferring cheap jobs is worth: regret at equal training time, with the option on and off.

    python benchmarks/budget.py BENCHMARK --seeds 0,1,2 --out budget.jsonl

``BENCHMARK`` is the folder of the tuning benchmark (``amtbench`` and its data). Its LCBench tasks know how
many seconds each training took. Every run tunes one of them on four workers until the training time of
``--budget`` average random configurations is spent. Prints the mean normalised regret (0: best known, 1: the
median of random configurations) after a quarter, a half and all of it, how many jobs it was spent on, and the
difference with a 90 % bootstrap interval over task and seed. With ``--out`` finished runs are kept, and are
not run again.
"""

from __future__ import annotations

import argparse
import heapq
import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from amt_flows.strategies.bayesian import Bayesian
from benchmarks.kept import interval, keep, read_rows
from benchmarks.optimiser.engine import Engine

WORKERS: Final = 4
SHARES: Final = (0.25, 0.5, 1.0)
SAMPLE: Final = 2_000
DATA_SETS: Final = ("7593", "168868", "126026", "146212", "167104", "168330", "189354", "34539")
VARIANTS: Final = {"off": Bayesian(), "prefer_cheap": Bayesian(prefer_cheap=True)}


def main() -> None:
    options = _parse()
    sys.path.insert(0, str(options.benchmark.resolve()))
    tasks = importlib.import_module("amtbench.tasks")
    known = {(row["variant"], row["task"], row["seed"]): row for row in read_rows(options.out)}
    for seed in (int(one) for one in options.seeds.split(",")):
        for data_set in DATA_SETS:
            task = tasks.get(f"yahpo:lcbench:{data_set}")
            scale: dict[str, float] | None = None
            for variant in VARIANTS:
                if (variant, data_set, seed) in known:
                    continue
                scale = scale or _scale(task)
                budget = options.budget * scale["seconds"]
                run = tune(task, variant, seed, budget=budget)
                row = {"variant": variant, "task": data_set, "seed": seed, "budget": budget, **run, **scale}
                known[variant, data_set, seed] = row
                keep(options.out, row)
    print(table(list(known.values())))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("benchmark", type=Path, help="the benchmark's folder")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--budget", type=float, default=40, help="in average random training jobs")
    parser.add_argument("--out", type=Path, help="a file of runs to add to, and to go on from")
    return parser.parse_args()


def _scale(task: Any) -> dict[str, float]:
    """What random configurations lose, in the median and at best, and take, on average."""
    rng = np.random.default_rng(0)
    ends = [task.final(task.space.sample(rng), 0) for _ in range(SAMPLE)]
    losses = [task.loss(value) for value, _ in ends]
    return {
        "median": float(np.median(losses)),
        "best": float(np.min(losses)),
        "seconds": float(np.mean([seconds for _, seconds in ends])),
    }


def tune(task: Any, variant: str, seed: int, *, budget: float) -> dict[str, list[float]]:
    """One tuning: the loss and the training seconds of each job, in the order in which they ended."""
    engine = Engine(VARIANTS[variant], task.space, 1000 * seed + 7)
    running: list[tuple[float, int, dict[str, Any], float, float]] = []
    losses, spent = [], []
    now, launched = 0.0, 0.0
    while running or launched < budget:
        while len(running) < WORKERS and launched < budget:
            number, configuration = engine.ask()
            value, seconds = task.final(configuration, 0)
            heapq.heappush(running, (now + seconds, number, configuration, task.loss(value), seconds))
            launched += seconds
        now, number, configuration, loss, seconds = heapq.heappop(running)
        engine.tell(number, configuration, loss)
        engine.history[number] = replace(engine.history[number], seconds=seconds)
        losses.append(float(loss))
        spent.append(float(seconds))
    return {"losses": losses, "spent": spent}


def table(rows: list[dict[str, Any]]) -> str:
    best = {
        task: min(min(row["best"], *row["losses"]) for row in rows if row["task"] == task)
        for task in DATA_SETS
        if any(row["task"] == task for row in rows)
    }
    found = {
        (row["variant"], row["task"], row["seed"]): [
            _regret(row, share, best[row["task"]]) for share in SHARES
        ]
        for row in rows
    }
    lines = [
        "| | " + " | ".join(f"regret after {share:.0%} of the time" for share in SHARES) + " | jobs |",
        "| --- " * (len(SHARES) + 2) + "|",
    ]
    for variant in VARIANTS:
        own = [values for (name, _, _), values in found.items() if name == variant]
        jobs = np.mean([len(row["losses"]) for row in rows if row["variant"] == variant])
        lines.append(
            f"| {variant} | " + " | ".join(f"{x:.3f}" for x in np.mean(own, axis=0)) + f" | {jobs:.0f} |"
        )
    pairs = [
        (task, seed) for name, task, seed in found if name == "off" and ("prefer_cheap", task, seed) in found
    ]
    gaps = np.array([np.subtract(found["prefer_cheap", t, s], found["off", t, s]) for t, s in pairs])
    low, high = interval(gaps)
    ends = [f"{m:+.3f} ({a:+.3f} to {b:+.3f})" for m, a, b in zip(gaps.mean(axis=0), low, high, strict=True)]
    lines.append("| difference | " + " | ".join(ends) + f" | {len(pairs)} runs |")
    return "\n".join(lines)


def _regret(row: dict[str, Any], share: float, best: float) -> float:
    """Of the best job among those that had ended when ``share`` of all training seconds were spent."""
    limit = share * row["budget"]
    ended = np.cumsum(row["spent"]) <= limit * (1 + 1e-9)
    reached = min(
        (loss for loss, has in zip(row["losses"], ended, strict=True) if has), default=row["median"]
    )
    return float((reached - best) / (row["median"] - best))


if __name__ == "__main__":
    main()
