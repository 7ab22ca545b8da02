"""What a controller costs a training job, and how that grows with the training jobs that there have been.

    python benchmarks/growth.py [--jobs 1000,10000] [--cases random,auto,...] [--journal memory|directory]

Nothing trains: jobs are scripts of values on a virtual clock, so that all that is measured is the tuner's own
CPU time. Where Optuna is installed, its study is driven through as many trials and values in the same run: in
memory, or with ``--journal directory`` in a journal file. Figures are milliseconds of CPU a training job, and
ratios to the first number and to Optuna.

The case ``warm start`` has as many training jobs of a parent; ``plan`` is the whole of ``amt-flows plan``;
``proposal`` is one Bayesian proposal after so many results, the median of seven, and needs no ``--journal``.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.ledger.algorithms import algorithms_of
from amt_flows.ledger.history import History, TrialRow, TrialState
from amt_flows.ledger.journals.directory import DirectoryJournal
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.plan.dry_run import plan
from amt_flows.spec import TuningSpec
from amt_flows.strategies.choose import strategy_for
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from amt_flows.tuning.warm_start import Reader, parent_from_ledger

EPOCHS: Final = 5
PARALLEL: Final = 10

Case = Callable[[int], TuningSpec]


def _spec(jobs: int, **changes: Any) -> TuningSpec:
    values: dict[str, Any] = {
        "name": "growth",
        "objective": {"metric_name": "accuracy"},
        "continuous": [
            {"name": "learning_rate", "min_value": 0.0001, "max_value": 1.0, "scaling_type": "Logarithmic"}
        ],
        "integer": [{"name": "layers", "min_value": 1, "max_value": 8}],
        "strategy": "Random",
        "seed": 1,
        "limits": {"max_parallel_training_jobs": PARALLEL, "max_number_of_training_jobs": jobs},
        "training_job": {"command": ["train"]},
    }
    return TuningSpec(**{**values, **changes})


def _limits(jobs: int, **more: Any) -> dict[str, Any]:
    return {"max_parallel_training_jobs": PARALLEL, "max_number_of_training_jobs": jobs, **more}


CASES: Final[Mapping[str, Case]] = {
    "random": _spec,
    "auto": lambda jobs: _spec(
        jobs, early_stopping={"type": "Auto"}, limits=_limits(jobs) | {"max_parallel_training_jobs": 100}
    ),
    "target": lambda jobs: _spec(
        jobs, completion={"target_objective_metric_value": 2.0, "target_on_epochs": True}
    ),
    "criteria": lambda jobs: _spec(
        jobs,
        completion={"max_number_of_training_jobs_not_improving": 10**6},
    ),
    "cost": lambda jobs: _spec(
        jobs,
        limits=_limits(jobs, max_cost=1e9),
        training_job={"command": ["train"], "price_per_hour": 1.0, "max_runtime_seconds": 60},
    ),
    "algorithms": lambda jobs: _spec(
        jobs,
        definition_name="first",
        other_definitions=[
            {
                "definition_name": "second",
                "objective": {"metric_name": "accuracy"},
                "continuous": [{"name": "learning_rate", "min_value": 0.0001, "max_value": 1.0}],
                "training_job": {"command": ["train"]},
            }
        ],
    ),
    "grid": lambda jobs: _spec(
        jobs,
        strategy="Grid",
        limits={"max_parallel_training_jobs": PARALLEL, "max_runtime_seconds": jobs * EPOCHS / PARALLEL},
        continuous=[],
        integer=[
            {"name": "learning_rate", "min_value": 1, "max_value": 400},
            {"name": "layers", "min_value": 1, "max_value": 250},
        ],
    ),
    "conditional": lambda jobs: _spec(
        jobs,
        categorical=[{"name": "optimizer", "values": ["sgd", "adam"]}],
        continuous=[
            {"name": "learning_rate", "min_value": 0.0001, "max_value": 1.0},
            {
                "name": "momentum",
                "min_value": 0.1,
                "max_value": 0.9,
                "only_when": {"name": "optimizer", "values": ["sgd"]},
            },
        ],
    ),
}


RUN: Final = (*CASES, "warm start", "plan", "proposal")


def scripts_of(epochs: int) -> Callable[[Mapping[str, str]], Script]:
    def train(hyperparameters: Mapping[str, str]) -> Script:
        quality = 1.0 - abs(float(hyperparameters["learning_rate"]) - 0.1) / 1000
        return Script([quality * (1 - 0.5**epoch) for epoch in range(1, epochs + 1)])

    return train


def measured(case: str, jobs: int, journal: str) -> float:
    """CPU milliseconds a training job; or a proposal."""
    if case == "proposal":
        return proposal(jobs)
    if case == "plan":
        began = time.process_time()
        plan(_spec(jobs), SimulatedBackend(VirtualClock(), scripts_of(EPOCHS)), job_seconds=EPOCHS)
        return 1000 * (time.process_time() - began) / jobs
    if case == "warm start":
        parent = parent_from_ledger(ours(_spec(jobs), "memory")[1])
        child = _spec(
            jobs, name="child", warm_start={"type": "IdenticalDataAndAlgorithm", "parents": ["growth"]}
        )
        return ours(child, journal, parents=lambda name: parent)[0]
    return ours(CASES[case](jobs), journal, epochs=20 if case == "auto" else EPOCHS)[0]


def proposal(results: int) -> float:
    """CPU milliseconds a Bayesian proposal after so many results; the first, which chooses scales and loads
    libraries, isn't counted."""
    (algorithm,) = algorithms_of(_spec(results), 1)
    space, rng, strategy = algorithm.space, np.random.default_rng(1), strategy_for("Bayesian")
    history = History()
    for number in range(1, results + 1):
        configuration = space.decode(rng.random(space.dimension))
        loss = abs(float(configuration["learning_rate"]) - 0.1) + 0.01 * float(rng.standard_normal())
        history.add(TrialRow(number, configuration, TrialState.COMPLETED, loss))
    taken = []
    for number in range(results + 1, results + 9):
        began = time.process_time()
        strategy.propose(space, history, number=number, seed=1)
        taken.append(1000 * (time.process_time() - began))
    return statistics.median(taken[1:])


def ours(
    spec: TuningSpec, journal: str, *, epochs: int = EPOCHS, parents: Reader | None = None
) -> tuple[float, Ledger]:
    """CPU milliseconds a training job, and the ledger."""
    jobs = spec.limits.max_number_of_training_jobs or round(
        (spec.limits.max_runtime_seconds or 0) * PARALLEL / EPOCHS
    )
    backend = SimulatedBackend(VirtualClock(), scripts_of(epochs))
    with tempfile.TemporaryDirectory() as directory:
        record = MemoryJournal() if journal == "memory" else DirectoryJournal(Path(directory) / "journal")
        began = time.process_time()
        tuning = Tuning.open(spec, backend, record, clock=backend.clock, parents=parents)
        drive(tuning)
        return 1000 * (time.process_time() - began) / jobs, tuning.ledger


def optunas(jobs: int, journal: str) -> float | None:
    """CPU milliseconds a trial of a study; None where Optuna isn't installed."""
    if importlib.util.find_spec("optuna") is None:
        return None
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as directory:
        file = JournalFileBackend(str(Path(directory) / "journal"))
        storage = None if journal == "memory" else optuna.storages.JournalStorage(file)
        return _optunas(optuna, storage, jobs)


def _optunas(optuna: Any, storage: Any, jobs: int) -> float:
    study = optuna.create_study(
        sampler=optuna.samplers.RandomSampler(seed=1), direction="maximize", storage=storage
    )
    began = time.process_time()
    for _ in range(jobs):
        trial = study.ask()
        rate, _ = trial.suggest_float("learning_rate", 1e-4, 1.0, log=True), trial.suggest_int("layers", 1, 8)
        for epoch in range(1, EPOCHS + 1):
            trial.report(1 - abs(rate - 0.1) * 0.5**epoch, epoch)
        study.tell(trial, 1 - abs(rate - 0.1))
    return 1000 * (time.process_time() - began) / jobs


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", default="1000,10000")
    parser.add_argument("--cases", default=",".join(RUN))
    parser.add_argument("--journal", choices=("memory", "directory"), default="memory")
    asked = parser.parse_args()
    counts = [int(text) for text in asked.jobs.split(",")]
    peer = optunas(counts[0], asked.journal)
    where = "in memory" if asked.journal == "memory" else "in a journal file"
    print(f"Optuna {where}: {'not installed' if peer is None else f'{peer:.2f} ms a trial'}")
    print("| case | " + " | ".join(f"{count:,} jobs" for count in counts) + " | growth | Optunas |")
    print("|---|" + "---:|" * (len(counts) + 2))
    for case in asked.cases.split(","):
        figures = [measured(case, count, asked.journal) for count in counts]
        ratio = "" if peer is None else f"{figures[0] / peer:.1f}"
        cells = " | ".join(f"{figure:.2f} ms" for figure in figures)
        print(f"| {case} | {cells} | {figures[-1] / figures[0]:.2f} | {ratio} |", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"largest resident memory: {peak:.0f} MiB")


if __name__ == "__main__":
    main()
