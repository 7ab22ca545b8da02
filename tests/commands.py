"""Commands of the command line, run in this process, and the smallest spec that they can run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from amt_flows.cli import main

# ``$2`` is the learning rate, and what comes of it.
TRAIN = 'echo "amt-report epoch=1; accuracy=0.${2#0.};"; echo "got $*"; echo m > "$SM_MODEL_DIR/model"'


def cli(*arguments: object) -> Result:
    """Run a command. A bug's traceback ends the test."""
    result = CliRunner(catch_exceptions=False).invoke(main, [str(one) for one in arguments])
    assert "Traceback" not in result.output
    return result


def ok(*arguments: object) -> str:
    """What a command that must succeed writes to standard output."""
    result = cli(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def write_spec(directory: Path, script: str = TRAIN, **changes: Any) -> Path:
    """A spec of three training jobs, each a line of sh; ``$2`` is the learning rate."""
    values: dict[str, Any] = {
        "name": "demo",
        "objective": {"metric_name": "accuracy"},
        "continuous": [{"name": "rate", "min_value": 0.1, "max_value": 0.9}],
        "strategy": "Random",
        "limits": {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 3},
        "training_job": {"command": ["sh", "-c", script, "train"], "stop_grace_seconds": 1},
    }
    path = directory / "tuning.json"
    path.write_text(json.dumps({**values, **changes}))
    return path
