"""Our default strategy and the other tuners on the tuning benchmark, side by side, on a simulated clock.

    python benchmarks/optimiser --bench DIR [--quick] [--seeds 0,1,2,3,4] [--peers "amt-flows,Optuna TPE"]
        [--tasks public|own|all|NAMES] [--workers 4] [--jobs 100] [--out results.jsonl]

DIR is the benchmark's folder (it has ``amtbench`` and ``data/refs.json``); ``--tasks own`` are eight tasks of
ours (``own_tasks.py``), on which nothing about the strategy was chosen. Runs with the packages of the
benchmark; peers whose package is missing are left out. With ``--out``, finished tunings are kept in the
file and not run again. ``--scaling`` measures a proposal at many finished jobs instead.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.optimiser.records import Record

ROOT = Path(__file__).resolve().parents[2]
QUICK_TASKS = ("hpobench:segment", "yahpo:lcbench:7593", "yahpo:lcbench:168868")
QUICK_PEERS = "amt-flows,Optuna TPE,Random,Sobol"

# Of the benchmark's own runner, so that its figures and ours are of the same tunings.
SEED_FACTOR, SEED_OFFSET = 1000, 7
# Random configurations that tell the regret of a task without references.
DRAWN = 200


def main() -> None:
    options = _parse()
    # Before numpy is loaded: a tuner that spreads small matrices over all cores waits for the slowest.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    sys.path[:0] = [str(ROOT), str(options.bench.resolve())]
    from amtbench import engines, sim, tasks  # type: ignore[import-not-found]

    names = _task_names(options, tasks)
    made = {name: _task(name, tasks) for name in names}
    if options.scaling:
        from benchmarks.optimiser.scaling import scaling_table

        print(scaling_table(made, options.seeds))
        return
    known = _run(options, made, engines, sim)
    _report(options, names, known, _references(options, made))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/optimiser", description=__doc__.splitlines()[0])
    parser.add_argument("--bench", type=Path, required=True, help="the benchmark's folder")
    parser.add_argument("--tasks", default="public", help="public, own, all (both), or names, with commas")
    parser.add_argument("--peers", default="", help="names separated by commas; all that are installed")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--seeds", type=_integers, default=(0, 1, 2, 3, 4))
    parser.add_argument("--out", type=Path, help="a file of records to add to, and to go on from")
    parser.add_argument("--quick", action="store_true", help="3 tasks, 2 seeds, 50 jobs, 3 cheap peers")
    parser.add_argument("--scaling", action="store_true", help="CPU seconds a proposal at 50 to 1,000 jobs")
    options = parser.parse_args()
    if not (options.bench / "amtbench").is_dir():
        parser.error(f"--bench {options.bench}: no folder amtbench there")
    if options.quick:
        options.tasks, options.peers = ",".join(QUICK_TASKS), options.peers or QUICK_PEERS
        options.jobs, options.seeds = 50, (0, 1)
    return options


def _integers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _task_names(options: argparse.Namespace, tasks: ModuleType) -> list[str]:
    from benchmarks.optimiser import own_tasks

    groups = {"public": tasks.PUBLIC, "own": own_tasks.NAMES, "all": (*tasks.PUBLIC, *own_tasks.NAMES)}
    return list(groups.get(options.tasks) or options.tasks.split(","))


def _task(name: str, tasks: ModuleType) -> Any:
    from benchmarks.optimiser import own_tasks

    return own_tasks.get(name) if name in own_tasks.NAMES else tasks.get(name)


def _run(
    options: argparse.Namespace, tasks: Mapping[str, Any], engines: ModuleType, sim: ModuleType
) -> list[Record]:
    """All records of the file, and the missing ones run: seed by seed, so that what was cut short still
    compares everyone on the same seeds."""
    from benchmarks.optimiser import peers, records

    compared = peers.chosen(options.peers)
    known = records.read(options.out)
    done = {record.key for record in known if len(record.losses) >= options.jobs}
    for seed in options.seeds:
        for name, task in tasks.items():
            for peer in compared:
                if (peer.name, name, options.workers, seed) in done:
                    continue
                engine = engines.make(peer.engine, task.space, SEED_FACTOR * seed + SEED_OFFSET)
                jobs = sim.run(task, engine, options.jobs, options.workers, seed=0)
                record = records.Record(
                    peer=peer.name,
                    version=peers.version_of(peer),
                    task=name,
                    workers=options.workers,
                    seed=seed,
                    losses=tuple(float(job["loss"]) for job in jobs),
                    seconds=tuple(round(job["ask"] + job["tell"], 5) for job in jobs),
                )
                records.append(options.out, record)
                known.append(record)
                best = record.best(options.jobs)
                print(f"{peer.name}, {name}, seed {seed}: best {best:.6g}", file=sys.stderr)
    return known


def _references(options: argparse.Namespace, tasks: Mapping[str, Any]) -> dict[str, Mapping[str, float]]:
    """Those of the benchmark and of our own tasks; of a task that neither has, by random configurations."""
    import numpy

    from benchmarks.optimiser import own_tasks

    public = json.loads((options.bench / "data" / "refs.json").read_text())
    references: dict[str, Mapping[str, float]] = {**public, **own_tasks.REFERENCES}
    for name, task in tasks.items():
        if name not in references:
            rng = numpy.random.default_rng(0)
            losses = [task.loss(task.final(task.space.sample(rng))[0]) for _ in range(DRAWN)]
            references[name] = {"best": min(losses), "median": float(numpy.median(losses))}
    return references


def _report(
    options: argparse.Namespace,
    names: list[str],
    known: list[Record],
    references: Mapping[str, Mapping[str, float]],
) -> None:
    from benchmarks.optimiser import tables

    # A longer run of the same tuning, further down in the file, stands for the shorter one.
    shown = [
        r for r in {r.key: r for r in known}.values() if r.workers == options.workers and r.task in names
    ]
    print(f"{date.today().isoformat()}, {_versions()}, {options.workers} workers\n")
    print(tables.regret_table(shown, references), end="\n\n")
    compared_after = min(tables.COMPARED_AFTER, options.jobs)
    print(tables.comparison_table(shown, references, jobs=compared_after), end="\n\n")
    print(tables.task_table(shown, references, jobs=options.jobs))


def _versions() -> str:
    import numpy
    import scipy

    return f"Python {platform.python_version()}, numpy {numpy.__version__}, scipy {scipy.__version__}"


if __name__ == "__main__":
    main()
