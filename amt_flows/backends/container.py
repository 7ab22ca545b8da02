"""SageMaker's container layout: the directories and variables that a training script finds, wherever it runs.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo.html has the directories and
files; the ``SM_`` variables are those of SageMaker's training toolkit. A test has a list of its own of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from amt_flows.names import variable

HOST: Final = "algo-1"


@dataclass(frozen=True)
class Container:
    """The directory that stands for ``/opt/ml`` of one training job."""

    base: Path

    @property
    def model(self) -> Path:
        return self.base / "model"

    @property
    def output(self) -> Path:
        return self.base / "output"

    @property
    def code(self) -> Path:
        return self.base / "code"

    @property
    def checkpoints(self) -> Path:
        return self.base / "checkpoints"

    @property
    def input(self) -> Path:
        return self.base / "input"

    @property
    def config(self) -> Path:
        return self.input / "config"

    def channel(self, name: str) -> Path:
        return self.input / "data" / name

    def make(self) -> None:
        """The directories that are there before a script starts, but for channels and checkpoints."""
        for directory in (self.config, self.input / "data", self.model, self.output / "data"):
            directory.mkdir(parents=True)

    def write_config(self, files: Mapping[str, Any]) -> None:
        """The JSON files of ``input/config``, by their names."""
        for name, content in files.items():
            (self.config / name).write_text(json.dumps(content), encoding="utf-8")


def variables(
    container: Container,
    name: str,
    hyperparameters: Mapping[str, Any],
    texts: Mapping[str, str],
    arguments: Sequence[str],
    channels: Iterable[str],
    *,
    checkpoints: Path | None = None,
    gpus: int = 0,
) -> dict[str, str]:
    """The variables of the training job ``name``: ``hyperparameters`` as ``SM_HPS`` has them, ``texts`` as
    their own variables do, ``arguments`` as script mode's command line has them; ``checkpoints`` where a
    request puts them elsewhere."""
    channels = sorted(channels)
    return {
        "PYTHONUNBUFFERED": "1",
        "SAGEMAKER_BASE_DIR": str(container.base),
        "TRAINING_JOB_NAME": name,
        "SM_HPS": json.dumps(dict(hyperparameters)),
        "SM_USER_ARGS": json.dumps(list(arguments)),
        "SM_MODEL_DIR": str(container.model),
        "SM_CHECKPOINT_DIR": str(checkpoints or container.checkpoints),
        "SM_OUTPUT_DIR": str(container.output),
        "SM_OUTPUT_DATA_DIR": str(container.output / "data"),
        "SM_INPUT_DIR": str(container.input),
        "SM_INPUT_CONFIG_DIR": str(container.config),
        "SM_CHANNELS": json.dumps(channels),
        "SM_HOSTS": json.dumps([HOST]),
        "SM_CURRENT_HOST": HOST,
        "SM_NUM_CPUS": str(os.cpu_count() or 1),
        "SM_NUM_GPUS": str(gpus),
        **{variable("SM_HP_", one): value for one, value in texts.items()},
        **{variable("SM_CHANNEL_", one): str(container.channel(one)) for one in channels},
    }
