"""What a proposal of ours costs when many jobs have finished."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from amt_flows.ledger.history import TrialRow, TrialState
from amt_flows.space.space import configuration_key
from benchmarks.optimiser.engine import bayesian

FINISHED = (50, 200, 1_000)


def scaling_table(tasks: Mapping[str, Any], seeds: Sequence[int]) -> str:
    """Markdown: CPU seconds a proposal, median and largest over ``seeds``, after random finished jobs."""
    header = ["task", *(f"after {n} jobs" for n in FINISHED)]
    lines = [header, ["---"] * len(header)]
    for name, task in tasks.items():
        history = _history(task, max(FINISHED))
        lines.append([name, *(_cell(task, history[:n], seeds) for n in FINISHED)])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _cell(task: Any, history: Sequence[TrialRow], seeds: Sequence[int]) -> str:
    taken = []
    for seed in seeds:
        engine = bayesian(task.space, seed)
        engine.history.extend(history)
        started = time.process_time()
        engine.ask()
        taken.append(time.process_time() - started)
    return f"{statistics.median(taken):.3f} ({max(taken):.3f})"


def _history(task: Any, rows: int) -> list[TrialRow]:
    rng = np.random.default_rng(0)
    engine = bayesian(task.space, 0)
    found: dict[str, TrialRow] = {}
    while len(found) < rows:
        configuration = engine.space.decode(rng.random(engine.space.dimension))
        key = configuration_key(configuration)
        if key not in found:
            loss = task.loss(task.final(engine.shown(configuration))[0])
            found[key] = TrialRow(len(found), configuration, TrialState.COMPLETED, float(loss))
    return list(found.values())
