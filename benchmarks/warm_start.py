"""Cold against warm: what parents are worth to the Bayesian strategy, and what a bad one costs.

    python benchmarks/warm_start.py BENCHMARK --seeds 0,1,2 --out warm.jsonl

``BENCHMARK`` is the folder of the tuning benchmark (``amtbench`` and its data). Its LCBench tasks train the
same network on different data sets, so they are each other's neighbours. Every run tunes one of them with
``--jobs`` jobs on four workers; its parents are cold runs of ``--parent-jobs`` jobs with another seed:

    cold         none
    identical    one on the same data set
    transfer     one on another data set
    transfer-3   three on other data sets
    misleading   one on the same data set that was told the opposite of every result (type TransferLearning)
    misled       the same, as if its results were ours (type IdenticalDataAndAlgorithm)

Prints the mean normalised regret of the jobs' own best (0: best known, 1: the median of random
configurations) after 5, 10, 20 and 50 jobs, and the difference to cold with a 90 % bootstrap interval over
task and seed. With ``--out`` finished runs are kept, and are not run again.
"""

from __future__ import annotations

import argparse
import importlib
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from amt_flows.ledger.history import Proposal, TrialRow, TrialState, used_keys
from amt_flows.space.space import configuration_key
from amt_flows.strategies.choose import strategy_for
from amt_flows.tuning.warm_start.opening import transferred
from benchmarks.kept import interval, keep, read_rows
from benchmarks.optimiser.engine import Engine

WORKERS: Final = 4
AFTER: Final = (5, 10, 20, 50)
SAMPLE: Final = 10_000
# Each data set is tuned with the next ones of the list as its neighbours; nothing is known of how close
# they are.
DATA_SETS: Final = ("7593", "168868", "126026", "146212", "167104", "168330", "189354", "34539")
VARIANTS: Final = ("cold", "identical", "transfer", "transfer-3", "misleading", "misled")


@dataclass
class WarmEngine(Engine):
    """The benchmark's ask and tell, with inherited rows and the opening proposals that the engine makes of
    them."""

    inherited: Sequence[TrialRow] = field(default_factory=list)

    def ask(self) -> tuple[int, dict[str, Any]]:
        number = len(self.history)
        proposal = self._proposal([*self.inherited, *self.history], number + 1)
        self.history.append(TrialRow(number + 1, proposal.configuration, TrialState.PENDING))
        self.sources.append(proposal.source)
        return number, self.shown(proposal.configuration)

    def _proposal(self, history: Sequence[TrialRow], number: int) -> Proposal:
        used = used_keys(self.space, history)
        for row, _ in transferred(self.space, history):
            if configuration_key(row.configuration) not in used:
                return Proposal(row.configuration, "warm start")
        proposal = self.strategy.propose(self.space, history, number=number, seed=self.seed)
        if proposal is None:
            raise RuntimeError("the space is exhausted")
        return proposal


@dataclass
class Bench:
    """The benchmark's modules, and what was computed of its tasks."""

    tasks: Any
    sim: Any
    parent_jobs: int
    rows: dict[tuple[str, int], list[TrialRow]] = field(default_factory=dict)

    def task(self, data_set: str) -> Any:
        return self.tasks.get(f"yahpo:lcbench:{data_set}")

    def run(self, data_set: str, seed: int, *, jobs: int, inherited: Sequence[TrialRow] = ()) -> WarmEngine:
        task = self.task(data_set)
        engine = WarmEngine(strategy_for("Bayesian"), task.space, seed, inherited=inherited)
        self.sim.run(task, engine, jobs, WORKERS)
        return engine

    def parent(self, data_set: str, seed: int) -> list[TrialRow]:
        known = self.rows.get((data_set, seed))
        if known is None:
            engine = self.run(data_set, 100_000 + seed, jobs=self.parent_jobs)
            known = [row for row in engine.history if row.state is TrialState.COMPLETED]
            self.rows[data_set, seed] = known
        return known

    def inherited(self, variant: str, data_set: str, seed: int) -> list[TrialRow]:
        own = self.parent(data_set, seed) if variant in ("identical", "misleading", "misled") else []
        if variant in ("misleading", "misled"):
            own = [replace(row, loss=-(row.loss or 0.0)) for row in own]
        at = DATA_SETS.index(data_set) if data_set in DATA_SETS else 0
        others = [DATA_SETS[(at + k) % len(DATA_SETS)] for k in (1, 2, 3)]
        parents = {
            "transfer": [(name, self.parent(name, seed)) for name in others[:1]],
            "transfer-3": [(name, self.parent(name, seed)) for name in others],
        }.get(variant, [(data_set, own)] if own else [])
        identical = variant in ("identical", "misled")
        rows = [
            replace(row, parent=name, identical=identical, curve=(), seconds=None)
            for name, jobs in parents
            for row in jobs
        ]
        return [replace(row, number=k - len(rows) + 1) for k, row in enumerate(rows)]


def references(task: Any) -> tuple[float, float]:
    """The best and the median loss of random configurations."""
    rng = np.random.default_rng(0)
    losses = -np.asarray(task.finals([task.space.sample(rng) for _ in range(SAMPLE)]))
    return float(losses.min()), float(np.median(losses))


def records(bench: Bench, arguments: argparse.Namespace, done: set[tuple[str, str, int]]) -> Iterator[Any]:
    for seed in arguments.seeds:
        for data_set in arguments.data_sets:
            for variant in arguments.variants:
                if (variant, data_set, seed) in done:
                    continue
                inherited = bench.inherited(variant, data_set, seed)
                started = time.process_time()
                engine = bench.run(data_set, seed, jobs=arguments.jobs, inherited=inherited)
                seconds = (time.process_time() - started) / arguments.jobs
                losses = [row.loss if row.loss is not None else math.inf for row in engine.history]
                yield {
                    "variant": variant,
                    "data_set": data_set,
                    "seed": seed,
                    "losses": losses,
                    "seconds": round(seconds, 4),
                }


def regrets(found: Sequence[Any], bench: Bench) -> dict[str, dict[tuple[str, int], list[float]]]:
    """By variant, then by task and seed: the regret after each of ``AFTER`` jobs."""
    of_variant: dict[str, dict[tuple[str, int], list[float]]] = {}
    for data_set in sorted({record["data_set"] for record in found}):
        own = [record for record in found if record["data_set"] == data_set]
        best, median = references(bench.task(data_set))
        best = min(best, *(min(record["losses"]) for record in own))
        for record in own:
            so_far = np.minimum.accumulate(record["losses"])
            row = [(float(so_far[min(k, len(so_far)) - 1]) - best) / (median - best) for k in AFTER]
            of_variant.setdefault(record["variant"], {})[data_set, record["seed"]] = row
    return of_variant


def report(found: Sequence[Any], bench: Bench) -> Iterator[str]:
    table = regrets(found, bench)
    heads = "".join(f"{f'after {k}':>10}" for k in AFTER)
    yield f"{'':12}{heads}   CPU s a job   runs"
    for variant in VARIANTS:
        if variant not in table:
            continue
        means = np.mean(list(table[variant].values()), axis=0)
        seconds = np.mean([record["seconds"] for record in found if record["variant"] == variant])
        cells = "".join(f"{mean:10.3f}" for mean in means)
        yield f"{variant:12}{cells}{seconds:14.2f}{len(table[variant]):7}"
    for variant in VARIANTS[1:]:
        pairs = sorted(table.get(variant, {}).keys() & table.get("cold", {}).keys())
        if not pairs:
            continue
        gaps = np.array([np.subtract(table[variant][one], table["cold"][one]) for one in pairs])
        low, high = interval(gaps)
        cells = ", ".join(
            f"{k} jobs {mean:+.3f} [{a:+.3f}, {b:+.3f}]"
            for k, mean, a, b in zip(AFTER, gaps.mean(axis=0), low, high, strict=True)
        )
        yield f"{variant} - cold: {cells}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("--seeds", type=_numbers, default=[0, 1])
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--parent-jobs", type=int, default=40)
    parser.add_argument("--data-sets", type=_words, default=list(DATA_SETS))
    parser.add_argument("--variants", type=_words, default=list(VARIANTS))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    sys.path.insert(0, str(arguments.benchmark))
    bench = Bench(
        importlib.import_module("amtbench.tasks"),
        importlib.import_module("amtbench.sim"),
        arguments.parent_jobs,
    )
    found: list[Any] = read_rows(arguments.out)
    done = {(record["variant"], record["data_set"], record["seed"]) for record in found}
    for record in records(bench, arguments, done):
        found.append(record)
        keep(arguments.out, record)
        print(record["variant"], record["data_set"], record["seed"], min(record["losses"]), flush=True)
    print("\n".join(report(found, bench)))


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _words(text: str) -> list[str]:
    return text.split(",")


if __name__ == "__main__":
    main()
