"""Optuna: processes that share a study in a journal file. Arguments: JOBS LENGTH WORKERS STAMPS"""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from benchmarks.peers.training import tell, train


def work(path: str, most: int, length: float, stamps: str) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(
        study_name="peers",
        storage=JournalStorage(JournalFileBackend(path)),
        sampler=optuna.samplers.RandomSampler(),
    )
    study.optimize(
        lambda trial: train(trial.suggest_float("x", 0, 1), length, stamps),
        callbacks=[optuna.study.MaxTrialsCallback(most, states=None)],
    )


def main() -> None:
    jobs, length, workers, stamps = sys.argv[1:]
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path = str(Path(stamps).parent / "journal")
    optuna.create_study(study_name="peers", storage=JournalStorage(JournalFileBackend(path)))
    settings = (path, int(jobs), float(length), stamps)
    processes = [multiprocessing.Process(target=work, args=settings) for _ in range(int(workers))]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    tell(optuna.__version__)


if __name__ == "__main__":
    main()
