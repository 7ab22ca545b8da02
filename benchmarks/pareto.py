"""What several objectives cost and bring: the hypervolume of the front that a tuning finds.

    python benchmarks/pareto.py BENCHMARK --seeds 0,1,2,3,4 --out pareto.jsonl

``BENCHMARK`` is the folder of the tuning benchmark (``amtbench`` and its data). Two problems are synthetic,
ZDT1 with a convex front and ZDT2 with a concave one (Zitzler, Deb and Thiele 2000, "Comparison of
Multiobjective Evolutionary Algorithms: Empirical Results"), in five dimensions; two are tasks of LCBench, the
validation accuracy against the seconds of the training. Every run has four workers on a simulated clock.
Compared are random configurations, the default strategy that is told the first objective only, and the
default strategy with ``other_objectives``.

Prints the hypervolume after 20 and 50 jobs, as a share of that of the best known front (1 is best): the area
between the front and a reference point, which is what one in ten random configurations exceeds in each
objective. The best known front is the exact one of ZDT, and for LCBench that of 4,000 random configurations
and of all runs. Differences come with a 90 % bootstrap interval over problem and seed. With ``--out``
finished runs are kept, and are not run again.
"""

from __future__ import annotations

import argparse
import heapq
import importlib
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from amt_flows.ledger.history import TrialRow, TrialState
from amt_flows.space.space import Configuration, Continuous, Space
from amt_flows.strategies import Strategy
from amt_flows.strategies.bayesian import Bayesian
from amt_flows.strategies.pareto import Pareto
from amt_flows.strategies.random import Random
from benchmarks.kept import interval, keep, read_rows
from benchmarks.optimiser.engine import Engine, space_of

Point = tuple[float, float]

WORKERS: Final = 4
AFTER: Final = (20, 50)
SAMPLE: Final = 4_000
DIMENSION: Final = 5
DATA_SETS: Final = ("7593", "168868")
VARIANTS: Final[dict[str, Strategy]] = {
    "Random": Random(),
    "Bayesian, first objective": Bayesian(),
    "Bayesian, both objectives": Pareto(Bayesian(shares_design=False), 2),
}
OURS: Final = "Bayesian, both objectives"


@dataclass(frozen=True)
class Problem:
    """``evaluate`` gives both losses and how long it takes; ``reference`` and ``known``, the points of the
    best known front, are in the losses' units."""

    name: str
    space: Space
    evaluate: Callable[[Configuration], tuple[Point, float]]
    reference: Point
    known: tuple[Point, ...]


def main() -> None:
    options = _parse()
    rows = {(row["variant"], row["problem"], row["seed"]): row for row in read_rows(options.out)}
    asked = options.problems.split(",")
    made = {name: make() for name, make in makers(options.benchmark).items() if name in asked}
    for seed in (int(one) for one in options.seeds.split(",")):
        for problem in made.values():
            for variant, strategy in VARIANTS.items():
                if (variant, problem.name, seed) in rows:
                    continue
                points = tune(problem, strategy, seed, jobs=max(AFTER))
                row = {"variant": variant, "problem": problem.name, "seed": seed, "points": points}
                rows[variant, problem.name, seed] = row
                keep(options.out, row)
    print(table(list(rows.values()), made))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("benchmark", type=Path, help="the benchmark's folder")
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--problems", default="zdt1,zdt2," + ",".join(DATA_SETS))
    parser.add_argument("--out", type=Path, help="a file of runs to add to, and to go on from")
    return parser.parse_args()


# -- problems -------------------------------------------------------------------------------------


def makers(benchmark: Path) -> dict[str, Callable[[], Problem]]:
    """How each problem is made, by its name."""
    found: dict[str, Callable[[], Problem]] = {
        "zdt1": lambda: zdt("zdt1", lambda share: 1 - math.sqrt(share)),
        "zdt2": lambda: zdt("zdt2", lambda share: 1 - share**2),
    }
    for data_set in DATA_SETS:
        found[data_set] = lambda data_set=data_set: lcbench(benchmark, data_set)  # type: ignore[misc]
    return found


def zdt(name: str, shape: Callable[[float], float]) -> Problem:
    space = Space(tuple(Continuous(f"x{i}", 0.0, 1.0) for i in range(DIMENSION)))

    def evaluate(configuration: Configuration) -> tuple[Point, float]:
        first, *rest = (float(value) for value in configuration.values())
        g = 1 + 9 * sum(rest) / len(rest)
        return (first, g * shape(first / g)), 1.0

    exact = tuple((x, shape(x)) for x in np.linspace(0, 1, 2_001).tolist())
    return Problem(name, space, evaluate, _reference(_sample(space, evaluate)), exact)


def lcbench(benchmark: Path, data_set: str) -> Problem:
    """The validation accuracy in per cent, its sign turned, and the seconds of 50 epochs."""
    sys.path.insert(0, str(benchmark.resolve()))
    task = importlib.import_module("amtbench.tasks").get(f"yahpo:lcbench:{data_set}")
    shown = Engine(Random(), task.space, 0).shown

    def evaluate(configuration: Configuration) -> tuple[Point, float]:
        value, seconds = task.final(shown(configuration), 0)
        return (float(task.loss(value)), float(seconds)), float(seconds)

    space = space_of(task.space)
    sample = _sample(space, evaluate)
    return Problem(data_set, space, evaluate, _reference(sample), tuple(sample))


def _sample(space: Space, evaluate: Callable[[Configuration], tuple[Point, float]]) -> list[Point]:
    rng = np.random.default_rng(0)
    drawn = (space.draw(rng) for _ in range(SAMPLE))
    return [evaluate(configuration)[0] for configuration in drawn if configuration is not None]


def _reference(sample: Sequence[Point]) -> Point:
    first, second = np.quantile(np.array(sample), 0.9, axis=0)
    return float(first), float(second)


# -- runs -----------------------------------------------------------------------------------------


def tune(problem: Problem, strategy: Strategy, seed: int, *, jobs: int) -> list[Point]:
    """Both losses of each job, in the order in which they ended."""
    history: list[TrialRow] = []
    running: list[tuple[float, int, Point, float]] = []
    points: list[Point] = []
    now = 0.0
    while running or len(history) < jobs:
        while len(running) < WORKERS and len(history) < jobs:
            number = len(history)
            proposal = strategy.propose(problem.space, history, number=number, seed=1000 * seed + 7)
            if proposal is None:
                raise RuntimeError("the space is exhausted")
            history.append(TrialRow(number, proposal.configuration, TrialState.PENDING))
            point, seconds = problem.evaluate(proposal.configuration)
            heapq.heappush(running, (now + seconds, number, point, seconds))
        now, number, point, seconds = heapq.heappop(running)
        history[number] = replace(
            history[number],
            state=TrialState.COMPLETED,
            loss=point[0],
            other_losses=point[1:],
            seconds=seconds,
        )
        points.append(point)
    return points


# -- figures --------------------------------------------------------------------------------------


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """The area in which a loss is no better than one of ``points`` and better than ``reference``, exactly."""
    area, height = 0.0, reference[1]
    for first, second in sorted(points):
        if first < reference[0] and second < height:
            area += (reference[0] - first) * (height - second)
            height = second
    return area


def table(rows: Sequence[dict[str, Any]], problems: dict[str, Problem]) -> str:
    shares: dict[tuple[str, str, int], list[float]] = {}
    for problem in problems.values():
        own = [row for row in rows if row["problem"] == problem.name]
        met = [tuple(point) for row in own for point in row["points"]]
        best = hypervolume([*problem.known, *met], problem.reference)
        for row in own:
            found = [tuple(point) for point in row["points"]]
            areas = [hypervolume(found[:n], problem.reference) / best for n in AFTER]
            shares[row["variant"], problem.name, row["seed"]] = areas
    names = [name for name in problems if any(key[1] == name for key in shares)]
    cells = [f"{name}, {n} jobs" for name in (*names, "all") for n in AFTER]
    lines = ["| | " + " | ".join(cells) + " |", "| --- " * (len(cells) + 1) + "|"]
    for variant in dict.fromkeys(key[0] for key in shares):
        means = []
        for name in (*names, None):
            some = [v for key, v in shares.items() if key[0] == variant and name in (None, key[1])]
            means += [f"{x:.3f}" for x in np.mean(some, axis=0)]
        lines.append(f"| {variant} | {' | '.join(means)} |")
    for variant in dict.fromkeys(key[0] for key in shares):
        if variant != OURS:
            gaps = []
            for name in (*names, None):
                gaps += _gaps(shares, variant, name)
            lines.append(f"| gained over {variant} | {' | '.join(gaps)} |")
    return "\n".join(lines)


def _gaps(shares: dict[tuple[str, str, int], list[float]], variant: str, problem: str | None) -> list[str]:
    """How much more ours has than ``variant``, in pairs of the same problem and seed."""
    pairs = [
        np.subtract(shares[OURS, name, seed], theirs)
        for (other, name, seed), theirs in shares.items()
        if other == variant and problem in (None, name) and (OURS, name, seed) in shares
    ]
    if not pairs:
        return ["" for _ in AFTER]
    gaps = np.array(pairs)
    low, high = interval(gaps)
    return [f"{m:+.3f} ({a:+.3f} to {b:+.3f})" for m, a, b in zip(gaps.mean(axis=0), low, high, strict=True)]


if __name__ == "__main__":
    main()
