"""Ray Tune: a function trainable. ``ray_tune.py JOBS LENGTH WORKERS STAMPS``"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import ray
from ray import tune

from benchmarks.peers.training import tell, train

jobs, length, workers, stamps = sys.argv[1:]
here = str(Path(__file__).resolve().parent.parent.parent)
ray.init(
    num_cpus=int(workers),
    include_dashboard=False,
    logging_level=logging.ERROR,
    log_to_driver=False,
    runtime_env={"env_vars": {"PYTHONPATH": here}},
)
tuner = tune.Tuner(
    lambda config: {"loss": train(config["x"], float(length), stamps)},
    param_space={"x": tune.uniform(0, 1)},
    tune_config=tune.TuneConfig(
        metric="loss", mode="min", num_samples=int(jobs), max_concurrent_trials=int(workers)
    ),
    run_config=tune.RunConfig(storage_path=str(Path(stamps).parent / "results"), verbose=0),
)
tuner.fit()
ray.shutdown()
tell(ray.__version__)
