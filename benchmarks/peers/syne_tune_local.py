"""Syne Tune's local backend: a process per trial. ``syne_tune_local.py JOBS LENGTH WORKERS STAMPS SECONDS``,
the last being how often it looks."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import version
from pathlib import Path

from syne_tune import StoppingCriterion, Tuner
from syne_tune.backend import LocalBackend
from syne_tune.config_space import uniform
from syne_tune.optimizer.baselines import RandomSearch

from benchmarks.peers.training import tell

jobs, length, workers, stamps, pause = sys.argv[1:]
logging.getLogger().setLevel(logging.ERROR)
space = {"x": uniform(0.0, 1.0), "length": float(length), "stamps": stamps}
tuner = Tuner(
    trial_backend=LocalBackend(entry_point=str(Path(__file__).with_name("syne_tune_script.py"))),
    scheduler=RandomSearch(space, metrics=["loss"], random_seed=1),
    stop_criterion=StoppingCriterion(max_num_trials_finished=int(jobs)),
    n_workers=int(workers),
    sleep_time=float(pause),
    save_tuner=False,
    print_update_interval=1e9,
    results_update_interval=1e9,
)
tuner.run()
tell(version("syne-tune"))
