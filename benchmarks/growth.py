"""What a controller costs a training job, and how that grows with the training jobs that there have been.

    python benchmarks/growth.py [--jobs 1000,10000] [--cases random,auto,...] [--journal memory|directory]

Nothing trains: jobs are scripts of values on a virtual clock, so that all that is measured is the tuner's own
CPU time. Where Optuna is installed, its study in memory is driven through as many trials and values in the
same run. Figures are milliseconds of CPU a training job, and ratios to the first number and to Optuna.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.ledger.journals.directory import DirectoryJournal
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.spec import TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive

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


def scripts_of(epochs: int) -> Callable[[Mapping[str, str]], Script]:
    def train(hyperparameters: Mapping[str, str]) -> Script:
        quality = 1.0 - abs(float(hyperparameters["learning_rate"]) - 0.1) / 1000
        return Script([quality * (1 - 0.5**epoch) for epoch in range(1, epochs + 1)])

    return train


def ours(case: str, jobs: int, journal: str) -> tuple[float, Ledger]:
    """CPU milliseconds a training job, and the ledger."""
    spec = CASES[case](jobs)
    backend = SimulatedBackend(VirtualClock(), scripts_of(20 if case == "auto" else EPOCHS))
    with tempfile.TemporaryDirectory() as directory:
        record = MemoryJournal() if journal == "memory" else DirectoryJournal(Path(directory) / "journal")
        began = time.process_time()
        tuning = Tuning.open(spec, backend, record, clock=backend.clock)
        drive(tuning)
        return 1000 * (time.process_time() - began) / jobs, tuning.ledger


def optunas(jobs: int) -> float | None:
    """CPU milliseconds a trial of a study in memory; None where Optuna isn't installed."""
    if importlib.util.find_spec("optuna") is None:
        return None
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1), direction="maximize")
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
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--journal", choices=("memory", "directory"), default="memory")
    asked = parser.parse_args()
    counts = [int(text) for text in asked.jobs.split(",")]
    peer = optunas(counts[0])
    print(f"Optuna in memory: {'not installed' if peer is None else f'{peer:.2f} ms a trial'}")
    print("| case | " + " | ".join(f"{count:,} jobs" for count in counts) + " | growth | Optunas |")
    print("|---|" + "---:|" * (len(counts) + 2))
    for case in asked.cases.split(","):
        figures = [ours(case, count, asked.journal)[0] for count in counts]
        ratio = "" if peer is None else f"{figures[0] / peer:.1f}"
        cells = " | ".join(f"{figure:.2f} ms" for figure in figures)
        print(f"| {case} | {cells} | {figures[-1] / figures[0]:.2f} | {ratio} |", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"largest resident memory: {peak:.0f} MiB")


if __name__ == "__main__":
    main()
