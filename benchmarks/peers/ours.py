"""amt-flows: a command per training job. ``ours.py JOBS LENGTH WORKERS STAMPS STRATEGY``"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

from amt_flows.backends.local import LocalBackend
from amt_flows.backends.places import open_journal
from amt_flows.run import tune
from amt_flows.spec import TuningSpec
from benchmarks.busy import busy_share
from benchmarks.peers.training import tell

jobs, length, workers, stamps, strategy = sys.argv[1:]
# Numbers are ours, so there is nothing in the shell's script that a user could have put there. A process that
# starts in a millisecond, as the sleeping thread of another tuner does.
script = f'b=$(date +%s.%N); sleep {length}; echo "$b $(date +%s.%N)" > "$1/$$.$b"; echo "score=0.$$;"'
spec = TuningSpec.parse(
    {
        "name": "peers",
        "objective": {"metric_name": "score", "type": "Minimize"},
        "continuous": [{"name": "x", "min_value": 0, "max_value": 1}],
        "strategy": strategy,
        "limits": {"max_number_of_training_jobs": int(jobs), "max_parallel_training_jobs": int(workers)},
        "training_job": {
            "command": ["sh", "-c", script, "sh", stamps],
            "hyperparameters_as_arguments": False,
            "metric_definitions": [{"name": "score", "regex": r"score=([-+0-9.e]+);"}],
        },
    }
)
home = Path(stamps).parent / "home"
tune(spec, LocalBackend(home), journal=open_journal("peers", str(home)), progress=False)
tell(version("amt-flows"), busy=busy_share(home, "peers", int(workers)))
