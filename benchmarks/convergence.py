"""What a rule of convergence saves of a tuning job and what it gives up, on recorded tunings.

A trace is a tuning's losses in the order of finishing, a JSON object a line with ``task``, ``seed`` and
``loss``, as the benchmark's ``run_quality.py`` writes them, or ``losses``, as ``benchmarks/optimiser`` does.
Every rule is asked after every job, on a real ledger. *Saved* is the share of a trace's jobs that a rule
makes needless; *given up* the normalised regret that those jobs would have taken away. Tasks count alike,
however many traces they have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from amt_flows.events import Ended, Launched, Opened, Outcome, Proposed
from amt_flows.ledger.ledger import Ledger
from amt_flows.rules.convergence import Clocks, Convergence, clocks
from amt_flows.spec import TuningSpec
from benchmarks.kept import read_rows

Rule: TypeAlias = Callable[[Clocks], bool]
Numbers: TypeAlias = npt.NDArray[np.float64]

OURS = Convergence()
WANTED = 0.5
DRAWS = 4_000

# What a reader may want to compare with: the guide's words with any number of recent jobs, a second clock,
# and no rule at all but a number of jobs fixed in advance, which any rule of convergence has to beat.
RULES: Mapping[str, Rule] = {
    **{f"1 % in the last {n}": Convergence(n, quiet=0, least=0).holds for n in (20, 30, 40, 50)},
    **{f"nothing in the last {n}": Convergence(0, quiet=n, least=0).holds for n in (20, 30, 40)},
    "1 % in the last 50, nothing in the last 20": Convergence(50, quiet=20, least=0).holds,
    "1 % in the last 30, nothing in the last 20, of 50": Convergence(30, quiet=20, least=50).holds,
    "1 % in the last 30, nothing in the last 25, of 50": Convergence(30, quiet=25, least=50).holds,
    "1 % in the last 30, nothing in the last 30, of 50": Convergence(30, quiet=30, least=50).holds,
    "**1 % in the last 40, nothing in the last 25, of 50**": OURS.holds,
    **{f"always after {n}": Convergence(0, quiet=0, least=n).holds for n in (80, 90, 100, 120)},
}

# What our three numbers were chosen from.
GRID = tuple(
    Convergence(window, quiet, least)
    for window in (20, 30, 40, 50, 60)
    for quiet in (0, 10, 15, 20, 25, 30)
    for least in (0, 50, 60, 70)
    if quiet <= window
)


@dataclass(frozen=True)
class Trace:
    """``at`` are the clocks after each job, ``given_up`` (shape ``(n,)``) the regret that the jobs after it
    would have taken away."""

    task: str
    at: tuple[Clocks, ...]
    given_up: Numbers

    def end(self, rule: Rule) -> tuple[float, float]:
        """Saved, and given up."""
        total = len(self.at)
        end = next((n for n, at in enumerate(self.at, start=1) if rule(at)), total)
        return 1 - end / total, float(self.given_up[end - 1])


def read(path: Path, refs: Mapping[str, Any]) -> list[Trace]:
    """The traces of tasks that ``refs`` knows."""
    return [
        trace_of(one["task"], one["loss"] if "loss" in one else one["losses"], refs[one["task"]])
        for one in read_rows(path)
        if one["task"] in refs
    ]


def trace_of(task: str, losses: Sequence[float], ref: Mapping[str, float]) -> Trace:
    """Losses that are not finite are those of failed jobs."""
    spec = TuningSpec(
        name="benchmark",
        objective={"metric_name": "loss", "type": "Minimize"},
        continuous=[{"name": "x", "min_value": 0.0, "max_value": 1.0}],
        limits={"max_number_of_training_jobs": len(losses)},
    )
    ledger = Ledger()
    ledger.apply(Opened(0.0, "benchmark", spec.fingerprint(), spec.to_json(), "benchmark"))
    found = []
    for trial, loss in enumerate(losses, start=1):
        name = f"benchmark-{trial:04d}"
        ledger.apply(Proposed(trial, trial, {"x": trial / 1e6}, "benchmark", ""))
        ledger.apply(Launched(trial, name, trial, 1))
        outcome = Outcome.COMPLETED if math.isfinite(loss) else Outcome.FAILED
        ledger.apply(Ended(trial, name, outcome, trial, trial, {"loss": loss}, None, None, None))
        found.append(clocks(ledger, OURS.significant))
    usable = np.array([loss if math.isfinite(loss) else math.inf for loss in losses])
    best = np.minimum.accumulate(usable)
    return Trace(task, tuple(found), (best - best[-1]) / (ref["median"] - min(ref["best"], best[-1])))


def ends(traces: Sequence[Trace], rule: Rule) -> dict[str, Numbers]:
    """By task, an array of shape ``(traces, 2)``: saved and given up."""
    by_task: dict[str, list[tuple[float, float]]] = {}
    for trace in traces:
        by_task.setdefault(trace.task, []).append(trace.end(rule))
    return {task: np.array(rows) for task, rows in by_task.items()}


def mean(by_task: Mapping[str, Numbers]) -> Numbers:
    """Saved and given up, the mean over tasks of the mean over a task's traces."""
    return np.asarray(np.mean([rows.mean(axis=0) for rows in by_task.values()], axis=0))


def interval(by_task: Mapping[str, Numbers], column: int) -> tuple[float, float]:
    """A 90 % bootstrap interval of the mean: within every task, its traces are drawn again."""
    rng = np.random.default_rng(0)
    drawn = [
        rows[rng.integers(len(rows), size=(DRAWS, len(rows))), column].mean(axis=1)
        for rows in by_task.values()
    ]
    low, high = np.quantile(np.mean(drawn, axis=0), [0.05, 0.95])
    return float(low), float(high)


def difference(one: Mapping[str, Numbers], other: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """Trace by trace, which is what makes a comparison a paired one."""
    return {task: one[task] - other[task] for task in one}


def left_out(traces: Sequence[Trace]) -> dict[str, Numbers]:
    """What the three numbers do on each task when they are chosen on the others: those of ``GRID`` that
    give up least there, of those that save half of the jobs."""
    found = [ends(traces, rule.holds) for rule in GRID]
    result = {}
    for task in found[0]:
        means = np.array([mean({t: rows for t, rows in by.items() if t != task}) for by in found])
        enough = np.flatnonzero(means[:, 0] >= WANTED)
        if len(enough) == 0:
            enough = np.array([int(np.argmax(means[:, 0]))])
        result[task] = found[int(enough[np.argmin(means[enough, 1])])][task]
    return result


def table(files: Mapping[str, Sequence[Trace]]) -> str:
    columns = [f"{name}: saved | given up | less ours (90 %)" for name in files]
    lines = [f"| stops after | {' | '.join(columns)} |", "|---" * (1 + 3 * len(files)) + "|"]
    for name, rule in RULES.items():
        cells = [_cells(ends(traces, rule), ends(traces, OURS.holds)) for traces in files.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    cells = [_cells(left_out(traces), ends(traces, OURS.holds)) for traces in files.values()]
    lines.append(f"| three numbers chosen on the other tasks | {' | '.join(cells)} |")
    lines.append("")
    for name, traces in files.items():
        own = ends(traces, OURS.holds)
        saved, paid = interval(own, 0), interval(own, 1)
        lines.append(
            f"Ours with {name}, {len(traces)} tunings, 90 % intervals: "
            f"saved {saved[0]:.0%} … {saved[1]:.0%}, given up {paid[0]:.4f} … {paid[1]:.4f}"
        )
    lines += ["", "Ours by task (saved, given up):", ""]
    by_task = [ends(traces, OURS.holds) for traces in files.values()]
    tasks = list(dict.fromkeys(task for by in by_task for task in by))
    lines += [f"| | {' | '.join(tasks)} |", "|---" * (1 + len(tasks)) + "|"]
    for name, by in zip(files, by_task, strict=True):
        cells = [_of_task(by[task]) if task in by else "—" for task in tasks]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _of_task(rows: Numbers) -> str:
    saved, paid = rows.mean(axis=0)
    return f"{saved:.0%}, {paid:.4f}"


def _cells(by_task: Mapping[str, Numbers], ours: Mapping[str, Numbers]) -> str:
    saved, paid = mean(by_task)
    low, high = interval(difference(by_task, ours), 1)
    return f"{saved:.0%} | {paid:.4f} | {low:+.4f} … {high:+.4f}"
