"""Optuna: threads of one process. ``optuna_threads.py JOBS LENGTH WORKERS STAMPS``"""

from __future__ import annotations

import sys

import optuna

from benchmarks.peers.training import tell, train

jobs, length, workers, stamps = sys.argv[1:]
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
study.optimize(
    lambda trial: train(trial.suggest_float("x", 0, 1), float(length), stamps),
    n_trials=int(jobs),
    n_jobs=int(workers),
)
tell(optuna.__version__)
