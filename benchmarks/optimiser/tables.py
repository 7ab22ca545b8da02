"""From records to tables: regret, CPU time, and whether a difference is more than luck."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.optimiser.peers import OURS
from benchmarks.optimiser.records import Record

AFTER = (20, 50, 100)
COMPARED_AFTER = 50
BOOTSTRAPS = 10_000

Array: TypeAlias = npt.NDArray[np.float64]
# The best known loss of a task and that of the median random configuration.
References: TypeAlias = Mapping[str, Mapping[str, float]]
# The regret of every seed, by peer and task.
Regrets: TypeAlias = dict[str, dict[str, dict[int, float]]]


def best_known(records: Sequence[Record], references: References) -> dict[str, float]:
    """Per task the least loss that anyone ever found: a reference found before may be beaten here."""
    best = {task: float(entry["best"]) for task, entry in references.items()}
    for record in records:
        best[record.task] = min(best[record.task], record.best(len(record.losses)))
    return best


def regrets(records: Sequence[Record], references: References, *, jobs: int) -> Regrets:
    """Normalised: 0 = the best known loss, 1 = the median random configuration. A run that is shorter than
    ``jobs`` is left out; one without any loss has regret 1."""
    best = best_known(records, references)
    found: Regrets = {}
    for record in records:
        if len(record.losses) < jobs:
            continue
        low, median = best[record.task], float(references[record.task]["median"])
        regret = (record.best(jobs) - low) / (median - low)
        if not np.isfinite(regret):
            regret = 1.0
        found.setdefault(record.peer, {}).setdefault(record.task, {})[record.seed] = regret
    return found


def mean_over_tasks(by_task: Mapping[str, Mapping[int, float]]) -> float:
    """Every task counts the same, however many seeds it was run with."""
    return float(np.mean([np.mean(list(seeds.values())) for seeds in by_task.values()]))


def paired(ours: Mapping[str, Mapping[int, float]], theirs: Mapping[str, Mapping[int, float]]) -> list[Array]:
    """Per task that both have: ours minus theirs, seed by seed."""
    both = [(ours[task], theirs[task]) for task in sorted(ours.keys() & theirs.keys())]
    differences = [np.array([a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())]) for a, b in both]
    return [d for d in differences if len(d)]


def interval(differences: Sequence[Array], *, over_tasks: bool) -> tuple[float, float]:
    """The 5 % and 95 % quantiles of the mean difference under resampling.

    Seeds are drawn anew within each task: what other seeds of these tasks would have given. With
    ``over_tasks``, tasks are drawn too, and the interval speaks about other tasks.
    """
    rng = np.random.default_rng(0)
    # Row b, column t: the mean of task t under the b-th resampling of its seeds.
    means = np.stack(
        [d[rng.integers(len(d), size=(BOOTSTRAPS, len(d)))].mean(axis=1) for d in differences], 1
    )
    if over_tasks:
        drawn = rng.integers(len(differences), size=means.shape)
        means = np.take_along_axis(means, drawn, axis=1)
    low, high = np.quantile(means.mean(axis=1), [0.05, 0.95])
    return float(low), float(high)


def regret_table(records: Sequence[Record], references: References) -> str:
    """Markdown: a row per peer, best first."""
    by_jobs = {jobs: regrets(records, references, jobs=jobs) for jobs in AFTER}
    rows = []
    for peer in dict.fromkeys(record.peer for record in records):
        cells = [mean_over_tasks(by_jobs[n][peer]) if peer in by_jobs[n] else float("nan") for n in AFTER]
        own = [record for record in records if record.peer == peer]
        runs = f"{len({r.task for r in own})} tasks, {len({(r.task, r.seed) for r in own})} runs"
        version = next((r.version for r in own if r.version), "")
        rows.append((cells, [f"{peer} {version}".strip(), *map(_number, cells), f"{cpu(own):.3f}", runs]))
    rows.sort(key=lambda row: tuple(cell if np.isfinite(cell) else np.inf for cell in row[0][::-1][1:]))
    header = ["tuner", *(f"regret after {n} jobs" for n in AFTER), "CPU s a proposal", "runs"]
    return _markdown(header, [cells for _, cells in rows])


def cpu(records: Sequence[Record]) -> float:
    """The median over runs of a run's median from the 20th job on, while models are in use."""
    return float(np.median([np.median(r.seconds[20:] or r.seconds) for r in records]))


def comparison_table(records: Sequence[Record], references: References, *, jobs: int = COMPARED_AFTER) -> str:
    """Markdown: ours minus each peer's regret after ``jobs``, with 90 % intervals: a negative
    difference is in our favour."""
    found = regrets(records, references, jobs=jobs)
    rows = []
    for peer in sorted(found.keys() - {OURS}):
        differences = paired(found[OURS], found[peer]) if OURS in found else []
        if differences:
            better = sum(float(d.mean()) < 0 for d in differences)
            rows.append(
                [
                    peer,
                    f"{np.mean([d.mean() for d in differences]):+.3f}",
                    _range(interval(differences, over_tasks=False)),
                    _range(interval(differences, over_tasks=True)),
                    f"{better} of {len(differences)}",
                ]
            )
    header = ["peer", f"difference after {jobs} jobs", "other seeds", "other tasks and seeds", "tasks better"]
    return _markdown(header, rows)


def task_table(records: Sequence[Record], references: References, *, jobs: int) -> str:
    """Markdown: mean regret per task and peer."""
    found = regrets(records, references, jobs=jobs)
    tasks = sorted({task for by_task in found.values() for task in by_task})
    rows = [[task, *(_number(_mean(found[peer].get(task, {}).values())) for peer in found)] for task in tasks]
    return _markdown([f"after {jobs} jobs", *found], rows)


def _mean(values: Collection[float]) -> float:
    return float(np.mean(list(values))) if values else float("nan")


def _number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "—"


def _range(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:+.3f} … {bounds[1]:+.3f}"


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
